"""Where the memory of a training step goes.

    python -m tools.memory_account --dataset ped2

Its flags are those of `lgn train`, made from the configuration.
"""

import dataclasses
import sys
from collections.abc import Sequence

from lgn_tf.cli import train_flags
from lgn_tf.config.schema import Config
from tools.memory_account.account import UNCOUNTED, Account, account

PROGRAM = "python -m tools.memory_account"
HELP = (
    "Prints where the memory of a training step goes. Nothing is trained, and "
    "no video\nis read. The flags are those of `lgn train`:\n"
)
MIB = 2**20


def run(arguments: Sequence[str]) -> None:
    """Prints the accounts of a training step.

    Args:
        arguments: flags of `lgn train`.

    Raises:
        SystemExit: for `--help`, and for flags that cannot be.
        ValueError: for a TOML file that cannot be, or for `--resume`.
        OSError: where that file cannot be read.
    """
    if {"-h", "--help"} & set(arguments):
        print(HELP)
    config, where = train_flags.parse(arguments, PROGRAM)
    if where.resume is not None:
        raise ValueError(
            "`--resume` goes on with a run; name its settings instead. "
            f"Received: --resume {where.resume}"
        )
    print("\n".join(report(config)))


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command, and returns its exit status."""
    try:
        run(sys.argv[1:] if arguments is None else arguments)
    except (ValueError, OSError) as error:
        print(f"{PROGRAM}: {error}", file=sys.stderr)
        return 2
    return 0


def report(config: Config) -> list[str]:
    """Returns the lines that are printed: what, how much, and without what."""
    model = config.model
    height, width = model.image_size
    lines = [
        f"MiB of a training step of {config.training.batch_size} clips on one "
        "device",
        f"{model.variant}, {height} x {width} x {model.channels}, "
        f"{model.frames} frames, width {model.width:g}"
        + (", predicting the change" if model.residual else ""),
        "",
        *table(config),
        "",
        "Not counted:",
    ]
    return lines + [f"- {one}" for one in UNCOUNTED]


def table(config: Config) -> list[str]:
    """Returns a row for each place that memory goes to, and a column a way.

    The way that `config` describes has a star.
    """
    half = config.model.dtype
    half = "mixed_bfloat16" if half == "float32" else half
    columns = []
    for dtype in ("float32", half):
        for again in (False, True):
            way = dataclasses.replace(
                config,
                model=dataclasses.replace(config.model, dtype=dtype),
                training=dataclasses.replace(
                    config.training, rematerialise=again
                ),
            )
            star = " *" if way == config else ""
            rows = _rows(account(way))
            values = [f"{value / MIB:,.0f}" for value in rows.values()]
            name = "rematerialised" if again else "all kept"
            columns.append([dtype, name + star, *values])
    columns.insert(0, ["", "", *rows])
    left, *right = [_padded(column) for column in columns]
    return [
        "  ".join([name.ljust(len(left[0])), *cells]).rstrip()
        for name, *cells in zip(map(str.strip, left), *right, strict=True)
    ]


def _rows(found: Account) -> dict[str, float]:
    return {
        "weights": found.weights,
        "Adam's moments": found.optimizer,
        "gradients": found.gradients,
        "clips": found.clips,
        **{f"kept: {part}": size for part, size in found.kept.items()},
        "given back by then": -found.released,
        "worked on": found.working,
        "peak": found.peak,
    }


def _padded(column: list[str]) -> list[str]:
    size = max(map(len, column))
    return [cell.rjust(size) for cell in column]


if __name__ == "__main__":
    sys.exit(main())
