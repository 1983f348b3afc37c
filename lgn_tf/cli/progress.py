"""The progress bar of all commands."""

import contextlib
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def bar(name: str) -> Iterator[Callable[[int, int], None]]:
    """Shows a progress bar while the block runs; it leaves no line behind.

    Args:
        name: of the work.

    Yields:
        A function of what is done and how much there is.
    """
    import rich.progress

    columns = (
        *rich.progress.Progress.get_default_columns(),
        rich.progress.MofNCompleteColumn(),
    )
    with rich.progress.Progress(*columns, transient=True) as shown:
        task = shown.add_task(name, total=None)
        yield lambda done, total: shown.update(
            task, completed=done, total=total
        )
