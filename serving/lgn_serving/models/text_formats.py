"""Reads protocol buffers that are written as text, such as `models.config`.

`tensorflow-serving-api` defines the message of `models.config`. The messages
of the batching and monitoring files are defined in `text_formats.proto`, from
which `make protos` generates `text_formats_pb2`.
"""

from pathlib import Path
from typing import Any

from google.protobuf import text_format


def read(path: Path, message: Any) -> Any:
    """Reads a file into a message.

    Args:
        path: the file.
        message: an empty message of the definition that the file follows.

    Returns:
        The same message, filled.

    Raises:
        ValueError: naming the file, and the line and field where the parser
            stopped.
        OSError: where the file cannot be read.
    """
    try:
        return text_format.Parse(path.read_text(), message)
    except (text_format.ParseError, UnicodeDecodeError) as error:
        raise ValueError(
            f"{path}: not a readable {message.DESCRIPTOR.name}: {error}"
        ) from error
