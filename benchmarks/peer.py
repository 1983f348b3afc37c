"""The same network in plain PyTorch layers: what speed is compared with.

Written for the benchmarks, from the same names and shapes as
`lgn_tf.conversion`, and without any of our savings: every frame of a window
passes the frame encoder, every gate is computed.
"""

import torch
from torch.nn import functional


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

    def _block(self, x, conv, norm, stride=1, transposed=False):
        kernel = self.weights[f"{conv}.weight"]
        bias = self.weights[f"{conv}.bias"]
        if transposed:
            x = functional.conv_transpose2d(
                x, kernel, bias, stride=2, padding=1, output_padding=1
            )
        else:
            x = functional.conv2d(x, kernel, bias, stride=stride, padding=1)
        x = functional.batch_norm(
            x,
            self.weights[f"{norm}.running_mean"],
            self.weights[f"{norm}.running_var"],
            self.weights[f"{norm}.weight"],
            self.weights[f"{norm}.bias"],
        )
        return functional.relu(x)

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
        x = clips.flatten(1, 2)
        for stage in (1, 2, 3):
            x = functional.max_pool2d(
                self._pair(x, f"encoder.moduleConv{stage}"), 2
            )
        name = "encoder.moduleConv4"
        x = self._block(x, f"{name}.0", f"{name}.1")
        x = functional.normalize(self._conv(x, f"{name}.3"), dim=1)
        queries = x.permute(0, 2, 3, 1)
        weight = torch.softmax(queries @ self.items.T, dim=-1)
        x = (weight @ self.items).permute(0, 3, 1, 2).contiguous()
        for pair, raising in (
            ("moduleConv", "moduleUpsample4"),
            ("moduleDeconv3", "moduleUpsample3"),
            ("moduleDeconv2", "moduleUpsample2"),
        ):
            x = self._pair(x, f"decoder.{pair}")
            name = f"decoder.{raising}"
            x = self._block(x, f"{name}.0", f"{name}.1", transposed=True)
        x = torch.cat([x, self._local(clips)], dim=1)
        x = self._pair(x, "decoder.moduleDeconv1")
        return torch.tanh(self._conv(x, "decoder.moduleDeconv1.6"))
