"""The training step in plain PyTorch: what its speed is compared with.

Losses, batch statistics, memory and optimizer are those of
`lgn_tf.model.frame_predictor`; the layers are those of
`benchmarks.peers.network`, and none of our savings are in it.
"""

import torch
from torch.nn import functional

from benchmarks.peers.network import Peer

COMPACTNESS_WEIGHT = 10.0
SEPARATENESS_WEIGHT = 5.0
LEARNING_RATE = 2e-4
MOMENTUM = 0.1
"""Share of the batch in the running statistics."""

STATISTICS = ("running_mean", "running_var")


class TrainingPeer(Peer):
    """LGN-Net in training mode, eager, channels first.

    Clips are tensors (N, T, C, H, W) and targets (N, C, H, W), float32 in
    [-1, 1] and on the peer's device. After a step, the gradients stand at
    `weights[name].grad`.

    Args:
        weights: mapping of the authors' tensor names to arrays.
        items: (items, dim), unit rows.
        device: where the tensors lie.
        memory_format: of the kernels; the features take it from them.
        half: a dtype for the layers under `torch.autocast`, or None for
            float32. Weights, memory and losses stay float32.
    """

    def __init__(
        self,
        weights,
        items,
        *,
        device="cpu",
        memory_format=torch.contiguous_format,
        half=None,
    ):
        """Copies the arrays to tensors, and makes Adam."""
        super().__init__(weights, items)
        self.device, self.half = torch.device(device), half
        self.momentum = 0.0
        self.place(self.device, memory_format)
        for name, tensor in self.weights.items():
            tensor.requires_grad_(not name.endswith(STATISTICS))
        self.optimizer = torch.optim.Adam(
            [w for w in self.weights.values() if w.requires_grad],
            LEARNING_RATE,
            eps=1e-8,
            fused=self.device.type == "cuda",
        )

    def loss(self, clips, targets):
        """Returns the loss of a batch as a float, and changes nothing."""
        self.momentum = 0.0
        with torch.no_grad():
            return self._loss(*self(clips), targets).item()

    def step(self, clips, targets):
        """Takes a step of Adam and writes the memory.

        Returns:
            The loss before the step, as a float.
        """
        return self.advance(clips, targets).item()

    def advance(self, clips, targets):
        """Does what `step` does, and does not wait for the device.

        Returns:
            The loss as a tensor.
        """
        self.momentum = MOMENTUM
        self.optimizer.zero_grad()
        prediction, queries = self(clips)
        loss = self._loss(prediction, queries, targets)
        loss.backward()
        self.optimizer.step()
        with torch.no_grad():
            self.update(queries)
        return loss.detach()

    def forward(self, clips):
        """Predicts the next frames, by the statistics of the batch.

        Returns:
            (prediction, queries): float32 (N, C, H, W), and float32 unit
            vectors (N, H / 8, W / 8, dim).
        """
        with torch.autocast(
            self.device.type, self.half, enabled=self.half is not None
        ):
            prediction, queries = self.predict(clips)
        return prediction.float(), queries

    def _read(self, queries):
        """Reads in float32; no gradient passes, to weights nor items."""
        with torch.autocast(self.device.type, enabled=False):
            return super()._read(queries.detach())

    def _norm(self, x, name):
        """Normalizes by the statistics of the batch."""
        return super()._norm(x, name, training=True, momentum=self.momentum)

    def _loss(self, prediction, queries, targets):
        queries = queries.flatten(0, 2)  # (N h w, dim)
        similarity = queries.detach() @ self.items.T
        first, second = similarity.topk(2).indices.unbind(-1)
        compactness = functional.mse_loss(queries, self.items[first])
        # The hinge of two distances, with 1e-6 in each difference.
        separateness = functional.triplet_margin_loss(
            queries, self.items[first], self.items[second], margin=1.0
        )
        return (
            functional.mse_loss(prediction, targets)
            + COMPACTNESS_WEIGHT * compactness
            + SEPARATENESS_WEIGHT * separateness
        )
