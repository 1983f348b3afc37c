"""Writes drawn videos to disk the way the published archives lie there."""

from pathlib import Path

from lgn_tf.data.datasets import kinds, labels, layouts
from lgn_tf.data.synthetic.walkways import Walkway


def write_drawn(
    walkway: Walkway, root: Path, layout: str, *, name: str = "synthetic"
) -> None:
    """Writes videos, labels, masks, and `kinds.csv` in the folder itself.

    Args:
        walkway: from `walkways.draw`.
        root: a folder that does not exist yet, or is empty.
        layout: one of `layouts.written_layouts`.
        name: what label files are named after.

    Raises:
        ValueError: for another layout, or a folder that holds something.
        OSError: where a file cannot be written.
    """
    writers = layouts.written_layouts()
    if layout not in writers:
        raise ValueError(
            f"`layout` must be one of {', '.join(writers)}. "
            f"Received: layout={layout!r}"
        )
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise ValueError(f"{root}: must be empty or not exist")
    root.mkdir(parents=True, exist_ok=True)
    labelled = writers[layout](walkway, root, name)
    kinds.write_kinds(
        root / kinds.FILE,
        [
            (video, interval, clip.kind)
            for (video, marks), clip in zip(
                labelled.items(), walkway.test, strict=True
            )
            for interval in labels.to_intervals(marks)
        ],
    )
