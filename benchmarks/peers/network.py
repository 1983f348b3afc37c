"""The same network in plain PyTorch layers: what speed is compared with.

Written for the benchmarks, from the same names and shapes as
`lgn_tf.conversion.convert`, and without any of our savings: every frame of a
window passes the frame encoder, every gate is computed.
"""

import contextlib
import importlib
import sys

import torch
from torch.nn import functional

from lgn_tf.conversion import mapping


class Peer(torch.nn.Module):
    """LGN-Net in inference mode, eager, channels first.

    Args:
        weights: mapping of the authors' tensor names to arrays.
        items: (items, dim), unit rows.
    """

    def __init__(self, weights, items):
        """Copies the arrays to tensors."""
        super().__init__()
        self.weights = {
            name: torch.from_numpy(array.copy())
            for name, array in weights.items()
        }
        self.items = torch.from_numpy(items.copy())

    def place(self, device, memory_format):
        """Moves the tensors to a device, kernels in that memory format."""
        self.items = self.items.to(device)
        for name, tensor in self.weights.items():
            tensor = tensor.to(device)
            if tensor.ndim == 4:
                tensor = tensor.contiguous(memory_format=memory_format)
            self.weights[name] = tensor

    def _block(self, x, conv, norm, stride=1, transposed=False):
        kernel = self.weights[f"{conv}.weight"]
        bias = self.weights[f"{conv}.bias"]
        if transposed:
            x = functional.conv_transpose2d(
                x, kernel, bias, stride=2, padding=1, output_padding=1
            )
        else:
            x = functional.conv2d(x, kernel, bias, stride=stride, padding=1)
        return functional.relu(self._norm(x, norm))

    def _norm(self, x, name, **options):
        return functional.batch_norm(
            x,
            self.weights[f"{name}.running_mean"],
            self.weights[f"{name}.running_var"],
            self.weights[f"{name}.weight"],
            self.weights[f"{name}.bias"],
            **options,
        )

    def _pair(self, x, name):
        x = self._block(x, f"{name}.0", f"{name}.1")
        return self._block(x, f"{name}.3", f"{name}.4")

    def _conv(self, x, name):
        kernel = self.weights[f"{name}.weight"]
        return functional.conv2d(
            x, kernel, self.weights.get(f"{name}.bias"), padding="same"
        )

    def _cell(self, layer, x, h, c, m):
        name = f"pred.convlstm_list.{layer}"
        xi, xf, xg, xi2, xf2, xg2, xo = self._conv(x, f"{name}.conv_x.0").chunk(
            7, dim=1
        )
        hi, hf, hg, ho = self._conv(h, f"{name}.conv_h.0").chunk(4, dim=1)
        mi, mf, mg = self._conv(m, f"{name}.conv_m.0").chunk(3, dim=1)
        c = torch.sigmoid(xf + hf + 1) * c + torch.sigmoid(
            xi + hi
        ) * torch.tanh(xg + hg)
        m = torch.sigmoid(xf2 + mf + 1) * m + torch.sigmoid(
            xi2 + mi
        ) * torch.tanh(xg2 + mg)
        both = torch.cat([c, m], dim=1)
        o = torch.sigmoid(xo + ho + self._conv(both, f"{name}.conv_o.0"))
        return o * torch.tanh(self._conv(both, f"{name}.conv_last")), c, m

    def _local(self, clips):
        hidden = cells = memory = None
        for time in range(clips.shape[1]):
            x = clips[:, time]
            for place, stride in ((0, 2), (3, 1), (6, 2), (9, 1)):
                name = "pred.encoder"
                x = self._block(
                    x, f"{name}.{place}", f"{name}.{place + 1}", stride
                )
            if hidden is None:
                hidden = [torch.zeros_like(x) for _ in range(4)]
                cells = [torch.zeros_like(x) for _ in range(4)]
                memory = torch.zeros_like(x)
            for layer in range(4):
                x, cells[layer], memory = self._cell(
                    layer, x, hidden[layer], cells[layer], memory
                )
                hidden[layer] = x
        x = torch.cat([hidden[-1], memory], dim=1)
        for place in (0, 3):
            name = "st_decoder"
            x = self._block(
                x, f"{name}.{place}", f"{name}.{place + 1}", transposed=True
            )
        return x

    def forward(self, clips):
        """Predicts (N, C, H, W) from clips (N, T, C, H, W)."""
        return self.predict(clips)[0]

    def predict(self, clips):
        """Predicts the next frames.

        Args:
            clips: float32 (N, T, C, H, W).

        Returns:
            (prediction, queries): float32 (N, C, H, W), and unit vectors
            (N, H / 8, W / 8, dim).
        """
        queries = self._queries(clips)
        features = self._raised(self._read(queries))
        x = torch.cat([features, self._local(clips)], dim=1)
        x = self._pair(x, "decoder.moduleDeconv1")
        return torch.tanh(self._conv(x, "decoder.moduleDeconv1.6")), queries

    def distance(self, queries):
        """Returns D of Eq. 14: the mean distance to the nearest item."""
        queries = queries.flatten(0, 2)
        nearest = self.items[(queries @ self.items.T).argmax(dim=1)]
        return functional.mse_loss(queries, nearest)

    def update(self, queries):
        """Adds to each item the queries that are nearest to it (Eq. 4 to 6)."""
        queries = queries.flatten(0, 2)
        similarity = queries @ self.items.T  # (queries, items)
        assigned = functional.one_hot(
            similarity.argmax(dim=1), len(self.items)
        ).float()
        weight = assigned * torch.exp(similarity - similarity.amax(dim=0))
        moved = functional.normalize(self.items + weight.T @ queries, dim=1)
        used = assigned.any(dim=0)[:, None]
        self.items = torch.where(used, moved, self.items)

    def _queries(self, clips):
        x = clips.flatten(1, 2)
        for stage in (1, 2, 3):
            x = functional.max_pool2d(
                self._pair(x, f"encoder.moduleConv{stage}"), 2
            )
        name = "encoder.moduleConv4"
        x = self._block(x, f"{name}.0", f"{name}.1")
        x = self._conv(x, f"{name}.3").permute(0, 2, 3, 1)
        return functional.normalize(x.float(), dim=-1)

    def _read(self, queries):
        weights = torch.softmax(queries @ self.items.T, dim=-1)
        return (weights @ self.items).permute(0, 3, 1, 2).contiguous()

    def _raised(self, x):
        for pair, raising in (
            ("moduleConv", "moduleUpsample4"),
            ("moduleDeconv3", "moduleUpsample3"),
            ("moduleDeconv2", "moduleUpsample2"),
        ):
            x = self._pair(x, f"decoder.{pair}")
            name = f"decoder.{raising}"
            x = self._block(x, f"{name}.0", f"{name}.1", transposed=True)
        return x


class Checkout(torch.nn.Module):
    """The authors' public code, imported from a checkout of it.

    Called like `Peer`. Nothing of it is kept here: the folder is put in front
    of the import path, and its `model.lgn_net` is imported.

    Args:
        path: folder that holds `model/lgn_net.py`, or has `LGN-Net/` that does.
        weights: mapping of the authors' tensor names to arrays.
        items: (items, dim), unit rows.

    Raises:
        FileNotFoundError: where there is no such file.
        ValueError: where tensors of the network are not among the weights.
    """

    def __init__(self, path, weights, items):
        """Imports the code and loads the weights."""
        super().__init__()
        folder = next(
            (
                one
                for one in (path, path / "LGN-Net")
                if (one / "model" / "lgn_net.py").is_file()
            ),
            None,
        )
        if folder is None:
            raise FileNotFoundError(
                f"{path}: no checkout of the authors' code: "
                "model/lgn_net.py is not there"
            )
        sys.path.insert(0, str(folder.resolve()))
        module = importlib.import_module("model.lgn_net")
        count, dim = items.shape
        self.network = module.lgn(3, 5, count, dim, dim, 0.1, 0.1)
        missing, _ = self.network.load_state_dict(
            {name: torch.from_numpy(one) for name, one in weights.items()},
            strict=False,
        )
        # Layers that the network makes and never calls have no weights here.
        missing = [
            name
            for name in missing
            if not name.endswith("num_batches_tracked")
            and name not in mapping.UNUSED
        ]
        if missing:
            raise ValueError(
                f"{path}: its network must have the tensors of the published "
                f"one. Found there besides: {', '.join(missing)}"
            )
        self.network.eval()
        self.items = torch.from_numpy(items.copy())

    def forward(self, clips):
        """Predicts (N, C, H, W) from clips (N, T, C, H, W)."""
        return self.predict(clips)[0]

    def predict(self, clips):
        """Does what `Peer.predict` does."""
        outputs = self.network(clips.flatten(1, 2), self.items, False)
        queries = functional.normalize(outputs[1], dim=1).permute(0, 2, 3, 1)
        return outputs[0], queries

    def distance(self, queries):
        """Does what `Peer.distance` does."""
        return self.network.memory.gather_loss(queries, self.items, False)[0]

    def update(self, queries):
        """Does what `Peer.update` does."""
        with _no_gpu():
            self.items = self.network.memory.update(queries, self.items, False)


@contextlib.contextmanager
def _no_gpu():
    """Has `.cuda()` do nothing where there is none: the update calls it."""
    if torch.cuda.is_available():
        yield
        return
    original = torch.Tensor.cuda
    torch.Tensor.cuda = lambda tensor, *_: tensor
    try:
        yield
    finally:
        torch.Tensor.cuda = original
