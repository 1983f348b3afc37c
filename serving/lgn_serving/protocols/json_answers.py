"""Writes tensors as REST answers, in TensorFlow Serving's two forms."""

import base64
import json
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from lgn_serving.arrays import Array
from lgn_serving.failure import invalid


def dump(outputs: Mapping[str, Array], rows: bool) -> str:
    """Writes the answer to a predict request.

    Args:
        outputs: arrays by name; of `bytes` objects where strings.
        rows: whether the request came in rows.

    Returns:
        JSON with `predictions`, one element for each row, or with `outputs`.
        A single tensor is written without its name.

    Raises:
        Failure: in rows, where the tensors are not of one batch size.
    """
    if not outputs:
        raise invalid("Cannot convert empty tensor map to JSON")
    texts = {name: list(_rows(name, array)) for name, array in outputs.items()}
    if not rows:
        fields = {
            name: f"[{', '.join(texts[name])}]"
            if array.ndim
            else texts[name][0]
            for name, array in outputs.items()
        }
        return f'{{\n    "outputs": {_object(fields, 4)}\n}}\n'
    size = _batch_size(outputs)
    elements = [
        _object({name: texts[name][row] for name in outputs}, 8)
        for row in range(size)
    ]
    inside = ",\n        ".join(elements)
    return f'{{\n    "predictions": [\n        {inside}\n    ]\n}}\n'


def _batch_size(outputs: Mapping[str, Array]) -> int:
    """Returns the rows that all tensors have."""
    size = None
    for name, array in outputs.items():
        if not array.ndim:
            raise invalid(f"Tensor name: {name} has no shape information ")
        if size is not None and len(array) != size:
            raise invalid(
                f"Tensor name: {name} has inconsistent batch size: "
                f"{len(array)} expecting: {size}"
            )
        size = len(array)
    return size or 0


def _object(fields: Mapping[str, str], indent: int) -> str:
    if len(fields) == 1:
        return next(iter(fields.values()))
    space = "\n" + " " * indent
    lines = ",".join(
        f"{space}    {json.dumps(name)}: {text}"
        for name, text in fields.items()
    )
    return f"{{{lines}{space}}}"


def _rows(name: str, array: Array) -> Iterator[str]:
    if not array.ndim:
        yield _value(array[()], name)
        return
    for row in array:
        yield _nested(np.asarray(row, array.dtype), name)


def _nested(array: Array, name: str) -> str:
    if not array.ndim:
        return _value(array[()], name)
    return f"[{', '.join(_nested(row, name) for row in array)}]"


def _value(value: Any, name: str) -> str:
    if isinstance(value, bytes):
        if name.endswith("_bytes"):
            return f'{{"b64": "{base64.b64encode(value).decode()}"}}'
        return json.dumps(value.decode(errors="replace"), ensure_ascii=False)
    if isinstance(value, np.floating):
        return _decimal(value)
    return json.dumps(value.item() if hasattr(value, "item") else value)


def _decimal(value: np.floating[Any]) -> str:
    if not np.isfinite(value):
        name = "NaN" if np.isnan(value) else "Infinity"
        return f"-{name}" if value < 0 else name
    # Six digits where they are enough to read the value back, else all.
    text = f"{value:.6g}"
    if type(value)(text) != value:
        text = f"{value:.{9 if value.dtype == np.float32 else 17}g}"
    return text if "." in text or "e" in text else f"{text}.0"
