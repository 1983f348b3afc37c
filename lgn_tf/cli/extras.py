"""Commands that need packages of an extra."""

import argparse
from collections.abc import Callable


def needs_serving(
    run: Callable[[argparse.Namespace], None],
) -> Callable[[argparse.Namespace], None]:
    """Returns a command that names the package where one is missing.

    Args:
        run: the command, which needs the extra `serving`.

    Raises:
        ValueError: from the command that is returned, for a missing package.
    """

    def wrapped(options: argparse.Namespace) -> None:
        try:
            run(options)
        except ImportError as error:
            raise ValueError(
                f"{error.name} is missing. It comes along with "
                "pip install 'lgn-tf[serving]'"
            ) from error

    return wrapped
