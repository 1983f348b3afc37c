"""Plain values into frozen dataclasses, with types and bounds checked."""

import dataclasses
import math
import types
import typing
from collections.abc import Mapping
from typing import Any, get_args, get_origin, get_type_hints


def convert(kind: Any, value: Any, path: str) -> Any:
    """Returns `value` as the declared type `kind`.

    Tables become dataclasses, lists tuples, whole numbers floats.

    Args:
        kind: a type, a tuple of types or a dataclass.
        value: what was read.
        path: its name, for the error.

    Raises:
        TypeError: for a value of another type.
        ValueError: for a setting that does not exist or is out of bounds.
    """
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        if not isinstance(value, Mapping):
            raise TypeError(
                f"`{path}` must be a table of settings. "
                f"Received: {path}={value!r}"
            )
        return build(kind, value, path + ".")
    if get_origin(kind) in (typing.Union, types.UnionType):
        return _first_that_fits(get_args(kind), value, path)
    if get_origin(kind) is typing.Literal:
        if value not in get_args(kind):
            raise ValueError(
                f"`{path}` must be one of "
                f"{', '.join(map(str, get_args(kind)))}. "
                f"Received: {path}={value!r}"
            )
        return value
    if get_origin(kind) is tuple:
        kinds = get_args(kind)
        if not isinstance(value, (list, tuple)) or len(value) != len(kinds):
            raise TypeError(
                f"`{path}` must hold {len(kinds)} values. "
                f"Received: {path}={value!r}"
            )
        return tuple(
            convert(one, item, path)
            for one, item in zip(kinds, value, strict=True)
        )
    if kind is float and type(value) is int:
        # A number that no float can hold is refused as infinite.
        return float(value) if abs(value) < 2**1023 else math.inf
    if type(value) is not kind:
        raise TypeError(
            f"`{path}` must be of type {typing.cast(type, kind).__name__}. "
            f"Received: {path}={value!r}"
        )
    return value


def _first_that_fits(kinds: tuple[Any, ...], value: Any, path: str) -> Any:
    rules = []
    for kind in kinds:
        try:
            return convert(kind, value, path)
        except (TypeError, ValueError) as error:
            rules.append(str(error).partition(". Received:")[0])
    raise ValueError(f"{', or '.join(rules)}. Received: {path}={value!r}")


def check_types(config: Any) -> None:
    """Replaces each field by one of the declared type, or raises TypeError."""
    for name, kind in get_type_hints(type(config)).items():
        value = convert(kind, getattr(config, name), name)
        object.__setattr__(config, name, value)


def require_positive(config: Any, name: str) -> None:
    """Raises ValueError where the field `name` is not above zero."""
    value = getattr(config, name)
    if not (math.isfinite(value) and value > 0):
        raise ValueError(f"`{name}` must be positive. Received: {name}={value}")


def require_not_negative(config: Any, name: str) -> None:
    """Raises ValueError where the field `name` is below zero."""
    value = getattr(config, name)
    if not (math.isfinite(value) and value >= 0):
        raise ValueError(
            f"`{name}` must not be negative. Received: {name}={value}"
        )


def build(kind: type, values: Mapping[str, Any], path: str) -> Any:
    """Returns the dataclass `kind` from nested tables; the rest is default.

    Args:
        kind: a dataclass.
        values: its fields by name.
        path: in front of each name, for errors.

    Raises:
        TypeError: for a value of another type.
        ValueError: for a setting that does not exist or is out of bounds.
    """
    hints = get_type_hints(kind)
    unknown = sorted(set(values) - set(hints), key=str)
    if unknown:
        raise ValueError(
            f"`{path}{unknown[0]}` is no setting. "
            f"Accepted: {', '.join(path + name for name in sorted(hints))}. "
            f"Received: {path}{unknown[0]}={values[unknown[0]]!r}"
        )
    arguments = {
        name: convert(hints[name], value, path + name)
        for name, value in values.items()
    }
    return kind(**arguments)
