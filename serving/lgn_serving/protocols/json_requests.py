"""Reads the tensors of REST requests.

A request has the form `{"instances": [...]}`, with one element for each row,
or `{"inputs": ...}`, with whole tensors. The texts of errors are those of
TensorFlow Serving 2.17.1. Errors of the syntax have the texts of RapidJSON,
the parser that TensorFlow Serving uses.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import rapidjson

from lgn_serving.arrays import Array
from lgn_serving.failure import Failure, invalid
from lgn_serving.protocols.json_values import is_base64, text_of, to_array

_SIZES = ((b"[", 72), (b"{", 280), (b",", 40))
"""Bytes that Python needs for a list, an object of one key, and for another
value in either."""


def memory(body: bytes) -> int:
    """Returns about how many bytes a body takes when it is parsed.

    It counts characters, so it takes no time, and is too large where texts
    hold such characters.
    """
    return len(body) + sum(size * body.count(mark) for mark, size in _SIZES)


def parse(body: bytes) -> dict[str, Any]:
    """Reads a request's body.

    Raises:
        Failure: where it is no JSON object, with RapidJSON's text.
    """
    if not body:
        raise invalid("JSON Parse error: The document is empty")
    try:
        document = rapidjson.loads(body, number_mode=rapidjson.NM_NAN)
    except RecursionError:
        raise invalid("JSON Parse error: nested too deeply") from None
    except UnicodeDecodeError as error:
        raise invalid(
            "JSON Parse error: Invalid encoding in string. at offset: "
            f"{error.start}"
        ) from None
    except (rapidjson.JSONDecodeError, ValueError) as error:
        raise invalid(f"JSON Parse error: {_reordered(str(error))}") from None
    if not isinstance(document, dict):
        raise invalid(f"JSON Value: {text_of(document)} Is not object")
    return document


def _reordered(text: str) -> str:
    # "Parse error at offset 1: Missing a name." from the binding.
    place, _, reason = text.partition(": ")
    return f"{reason} at offset: {place.rpartition(' ')[2]}"


def signature_name(document: Mapping[str, Any]) -> str:
    """Returns the signature that a request names; empty for the default."""
    name = document.get("signature_name", "")
    if not isinstance(name, str):
        raise invalid(
            f"JSON Value: {text_of(document)} not formatted correctly. "
            "'signature_name' key must be a string value."
        )
    return name


def read_inputs(
    document: Mapping[str, Any], dtypes: Mapping[str, str]
) -> tuple[dict[str, Array], bool]:
    """Takes the tensors out of a predict request.

    Args:
        document: the request, from `parse`.
        dtypes: type of each input of the signature, by name.

    Returns:
        The arrays by name, and whether the request came in rows.

    Raises:
        Failure: where the values do not fit, naming the first that does not.
    """
    if not dtypes:
        name = signature_name(document) or "DEFAULT"
        raise invalid(f"Failed to get input map for signature: {name}")
    if "instances" in document:
        if "inputs" in document:
            raise invalid(
                f"JSON Value: {text_of(document)} Not formatted correctly "
                "expecting only one of 'inputs' or 'instances' keys to exist "
            )
        return _read_rows(document, dtypes), True
    if "inputs" in document:
        return _read_columns(document["inputs"], dtypes), False
    raise invalid("Missing 'inputs' or 'instances' key")


def _read_rows(
    document: Mapping[str, Any], dtypes: Mapping[str, str]
) -> dict[str, Array]:
    rows = document["instances"]
    if not isinstance(rows, list):
        raise invalid(
            f"JSON Value: {text_of(document)} Excepting 'instances' to be an "
            "list/array"
        )
    if not rows:
        raise invalid(
            f"JSON Value: {text_of(document)} No values in 'instances' array"
        )
    if not isinstance(rows[0], dict) and len(dtypes) > 1:
        raise invalid(
            "instances is a plain list, but expecting list of objects as "
            "multiple input tensors required as per tensorinfo_map"
        )
    named = _is_named(rows[0])
    columns: dict[str, list[Array]] = {name: [] for name in dtypes}
    for place, row in enumerate(rows):
        if named and not _is_named(row):
            raise invalid(
                f"Expecting object but got list at item {place} of input list"
            )
        if not named and _is_named(row):
            raise invalid(
                f"Expecting value/list but got object at item {place} of "
                "input list"
            )
        _read_row(row if named else None, row, place, dtypes, columns)
    try:
        return {name: np.stack(values) for name, values in columns.items()}
    except (ValueError, IndexError) as error:
        # The rows have as many dimensions as NumPy allows, and stacking them
        # adds one.
        raise invalid(f"Failed to stack 'instances': {error}") from None


def _is_named(row: Any) -> bool:
    return isinstance(row, dict) and not is_base64(row)


def _read_row(
    named: Mapping[str, Any] | None,
    row: Any,
    place: int,
    dtypes: Mapping[str, str],
    columns: dict[str, list[Array]],
) -> None:
    items = {next(iter(dtypes)): row} if named is None else named
    for name, value in items.items():
        try:
            if name not in dtypes:
                raise invalid(f"JSON object: does not have named input: {name}")
            array = to_array(value, dtypes[name])
            _check_like_first(array, columns[name])
        except Failure as failure:
            key = "" if named is None else f" key: {name}"
            raise invalid(
                f"Failed to process element: {place}{key} of 'instances' "
                f"list. Error: {failure.code}: {failure.message}"
            ) from None
        columns[name].append(array)
    if set(items) != set(dtypes):
        raise invalid(
            f"Failed to process element: {place} of 'instances' list. JSON "
            f"object: {text_of(row)} keys must be equal to: "
            f"{','.join(sorted(dtypes))}"
        )


def _check_like_first(array: Array, before: list[Array]) -> None:
    if not before or array.shape == before[0].shape:
        return
    if array.size != before[0].size:
        raise invalid(
            f"Expecting tensor size: {before[0].size} but got: {array.size}"
        )
    expected, found = (
        ",".join(map(str, shape)) for shape in (before[0].shape, array.shape)
    )
    raise invalid(f"Expecting shape [{expected}] but got: [{found}]")


def _read_columns(value: Any, dtypes: Mapping[str, str]) -> dict[str, Array]:
    if not _is_named(value):
        if len(dtypes) > 1:
            raise invalid(
                "inputs is a plain value/list, but expecting an object as "
                "multiple input tensors required as per tensorinfo_map"
            )
        name = next(iter(dtypes))
        return {name: to_array(value, dtypes[name])}
    for name in dtypes:
        if name not in value:
            raise invalid(f"Missing named input: {name} in 'inputs' object.")
    return {name: to_array(value[name], kind) for name, kind in dtypes.items()}
