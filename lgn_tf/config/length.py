"""The length of a training in steps."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Length:
    """The steps of a run; its last epoch may be cut short.

    Attributes:
        steps_per_epoch: of a whole epoch.
        total: of the run.
    """

    steps_per_epoch: int
    total: int

    @property
    def epochs(self) -> int:
        """Epochs, the last one whole or not."""
        return -(-self.total // self.steps_per_epoch)

    def steps_of(self, epoch: int) -> int:
        """Returns the steps of one epoch, counted from 0."""
        done = epoch * self.steps_per_epoch
        return min(self.steps_per_epoch, self.total - done)
