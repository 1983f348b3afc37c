"""Arrays that grow row by row, in memory while they are small.

Above `LIMIT` the rows go to a temporary file without a name, which the system
removes with the process: a day of video does not have to fit into memory.
"""

import tempfile
import weakref
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

LIMIT = 8 << 20
"""Bytes of one array that are held in memory."""


class Spool:
    """One array, of rows that come a few at a time.

    Args:
        limit: bytes that are held in memory.
    """

    def __init__(self, limit: int = LIMIT) -> None:
        """Holds nothing yet."""
        self._limit = limit
        self._held: list[NDArray[Any]] = []
        self._bytes = 0
        self._rows = 0
        self._file: BinaryIO | None = None

    def append(self, rows: NDArray[Any]) -> None:
        """Adds rows (n, ...); all of one type and one shape of a row.

        Raises:
            OSError: where the temporary folder is full, naming it.
        """
        self._held.append(rows)
        self._rows += len(rows)
        self._bytes += rows.nbytes
        if self._bytes > self._limit:
            self._spill()

    def _spill(self) -> None:
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile(prefix="lgn-")
                # Also where scoring fails midway, and nobody asks for rows.
                weakref.finalize(self, self._file.close)
            for rows in self._held:
                self._file.write(np.ascontiguousarray(rows).data)
            self._file.flush()
        except OSError as error:
            raise OSError(
                error.errno, error.strerror, tempfile.gettempdir()
            ) from error
        # One row stays: its type and shape are those of all.
        self._held = [self._held[-1][:0]]
        self._bytes = 0

    def array(self) -> NDArray[Any]:
        """Returns all rows; from a file, they are read when looked at.

        Raises:
            ValueError: where there are none.
            OSError: where the temporary folder is full, naming it.
        """
        if not self._held:
            raise ValueError("A spool must hold rows. Received: none")
        if self._file is None:
            return np.concatenate(self._held)
        self._spill()
        like = self._held[0]
        # Reads alone: the file is nobody else's, and a copy would fill memory.
        mapped = np.memmap(
            self._file,
            like.dtype,
            mode="r",
            shape=(self._rows, *like.shape[1:]),
        )
        # The map has a hold of the file of its own.
        return mapped.view(np.ndarray)
