"""Types of options that commands share, and functions as commands."""

import functools
import inspect
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells have it."""

Command = Callable[[Sequence[str], str], int | None]
"""Called with the arguments and the program's name; returns the exit status."""

RunFolder = tyro.conf.Positional[
    Annotated[Path, tyro.conf.arg(metavar="RUN", help="the run directory")]
]

PathOption = Annotated[Path | None, tyro.conf.arg(metavar="PATH")]
TextOption = Annotated[str | None, tyro.conf.arg(metavar="TEXT")]
NumberOption = Annotated[float | None, tyro.conf.arg(metavar="NUMBER")]
CountOption = Annotated[int | None, tyro.conf.arg(metavar="N")]

Gamma = Annotated[
    float | Literal["auto"] | None,
    tyro.conf.arg(
        metavar="NUMBER|auto",
        help="update threshold at test time; 0 never updates, auto takes a "
        "quantile of the calibration; the run's own where it is not given",
    ),
]

ResetMemory = Annotated[
    bool, tyro.conf.arg(help="start each video with the trained items")
]

Best = Annotated[
    bool,
    tyro.conf.arg(
        help="the best weights by held-out videos instead of the last"
    ),
]

CueWeight = Annotated[
    float | None,
    tyro.conf.arg(
        metavar="WEIGHT",
        help="of this cue in the online score; 0 leaves it out, the run's own "
        "where it is not given",
    ),
]


def cue_weights(
    error: float | None, distance: float | None, motion: float | None
) -> dict[str, float]:
    """Returns the weights that were given, by the name of the cue."""
    given = {"error": error, "distance": distance, "motion": motion}
    return {cue: value for cue, value in given.items() if value is not None}


def command(function: Callable[..., int | None]) -> Command:
    """Makes a command of a function: its arguments are the options.

    Types, defaults and help are those of the signature and the docstring.
    """
    # tyro keeps the line breaks inside the help of an argument.
    text = inspect.cleandoc(function.__doc__ or "")
    function.__doc__ = re.sub(r"\n {8}(?=\S)", " ", text)

    @functools.wraps(function)
    def run(arguments: Sequence[str], program: str) -> int | None:
        return parse(function, arguments, program)

    return run


def parse(
    kind: Any, arguments: Sequence[str], program: str, **more: Any
) -> Any:
    """Parses arguments into a dataclass, or calls a function with them.

    Raises:
        SystemExit: for `--help`, and with status 2 for what cannot be parsed.
    """
    return tyro.cli(
        kind,
        prog=program,
        args=list(arguments),
        config=(tyro.conf.FlagCreatePairsOff,),
        **more,
    )


def needs_serving(function: Callable[..., int | None]) -> Callable[..., Any]:
    """Names the package that is missing where the extra is not installed.

    Raises:
        ValueError: from the function that is returned.
    """

    @functools.wraps(function)
    def wrapped(*arguments: Any, **options: Any) -> int | None:
        try:
            return function(*arguments, **options)
        except ImportError as error:
            raise ValueError(
                f"{error.name} is missing. It comes along with "
                "pip install 'lgn-tf[serving]'"
            ) from error

    return wrapped
