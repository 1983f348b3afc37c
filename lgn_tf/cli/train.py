"""`lgn train`, which is `train.py`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lgn_tf.cli import train_flags
from lgn_tf.cli.options import INTERRUPTED
from lgn_tf.cli.progress import bar

if TYPE_CHECKING:
    from lgn_tf.config.schema import Config
    from lgn_tf.data.sources import Source


def train(arguments: Sequence[str], program: str) -> int:
    """Trains, and returns the exit status."""
    config, flags = train_flags.parse(arguments, program)
    run_dir = flags.directory(config.data.dataset)
    from lgn_tf.data import sources
    from lgn_tf.runs import directory
    from lgn_tf.training import callbacks, train

    if flags.resume is not None:
        config = directory.read_config(run_dir)
    elif not flags.overwrite:
        directory.refuse_existing(run_dir)
    source = None
    # Several processes prepare one after the other, inside `train`.
    if config.training.strategy != "data_parallel":
        with bar("decoding") as progress:
            source = sources.open_source(config, progress)
        print(source.dataset.summary())
    if flags.minutes is not None:
        config = _within(config, source, flags.minutes)
    print(f"run directory: {run_dir}")
    try:
        train.train(
            config,
            run_dir,
            resume=flags.resume is not None,
            overwrite=flags.overwrite,
            source=source,
        )
    except callbacks.Interrupted as stopped:
        print(f"{stopped}; go on with: python train.py --resume {run_dir}")
        return INTERRUPTED
    return 0


def _within(
    config: "Config", source: "Source | None", minutes: float
) -> "Config":
    """Returns the configuration with as many steps as fit, and says so."""
    from lgn_tf.training import budget

    if source is None:
        raise ValueError(
            "`--minutes` measures on one machine, and several take part. "
            "Choose --steps. Received: strategy=data_parallel"
        )
    found, speed = budget.fill(config, source, 60 * minutes)
    print(
        f"a step takes {speed.step:.2f} s here: {found.training.steps} steps "
        f"in {minutes:g} minutes"
    )
    return found
