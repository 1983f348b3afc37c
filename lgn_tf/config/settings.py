"""Frozen dataclasses of settings: checked by msgspec, from tables of values.

Bounds stand with the types: `Annotated[int, msgspec.Meta(ge=1)]`. Each has an
upper one, beyond all that a machine can do, so that a table of settings from
elsewhere is refused before memory is taken for it.
"""

import dataclasses
import math
import typing
from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

import msgspec

LARGEST = 1e30
"""Of a setting that is a number; float32 holds it."""

MOST = 10**9
"""Of a setting that counts something."""

Positive = Annotated[float, msgspec.Meta(gt=0, le=LARGEST)]
NotNegative = Annotated[float, msgspec.Meta(ge=0, le=LARGEST)]
Count = Annotated[int, msgspec.Meta(ge=0, le=MOST)]
AtLeastOne = Annotated[int, msgspec.Meta(ge=1, le=MOST)]
Seed = Annotated[int, msgspec.Meta(ge=0, lt=2**32)]
Text = Annotated[str, msgspec.Meta(max_length=4096, pattern=r"\A[^\0]*\Z")]
"""A name or a path; no path holds a zero."""

Kind = TypeVar("Kind")


def check(settings: Any) -> None:
    """Replaces each field by one of its declared type; for `__post_init__`.

    Raises:
        ValueError: for a value of another type, or out of bounds.
    """
    for name, kind in _hints(type(settings)).items():
        if not dataclasses.is_dataclass(kind):
            value = _convert(kind, getattr(settings, name), name)
            object.__setattr__(settings, name, value)


def build(kind: type[Kind], values: Any, path: str = "") -> Kind:
    """Returns a dataclass from nested tables; what is absent is default.

    Args:
        kind: a dataclass, its fields plain values or dataclasses.
        values: its fields by name.
        path: in front of each name, for errors.

    Raises:
        ValueError: for a setting that does not exist, a value of another type,
            or one out of bounds.
    """
    if not isinstance(values, Mapping):
        name = path.removesuffix(".")
        raise ValueError(
            f"`{name}` must be a table of settings. "
            f"Received: {name}={values!r:.80}"
        )
    hints = _hints(kind)
    for name in sorted(set(values) - set(hints), key=str):
        raise ValueError(
            f"`{path}{name}` is no setting. "
            f"Accepted: {', '.join(path + one for one in sorted(hints))}. "
            f"Received: {path}{name}={values[name]!r:.80}"
        )
    return kind(
        **{
            name: build(hints[name], value, f"{path}{name}.")
            if dataclasses.is_dataclass(hints[name])
            else _convert(hints[name], value, path + name)
            for name, value in values.items()
        }
    )


def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind, include_extras=True)


def _convert(kind: Any, value: Any, name: str) -> Any:
    """Lists become tuples, and whole numbers floats where one is wanted."""
    try:
        # Where there is an upper bound, too, that is what is wrong with it.
        found = value if value == math.inf else msgspec.convert(value, kind)
        if isinstance(found, float) and not math.isfinite(found):
            raise msgspec.ValidationError("Expected `float` that is finite")
    except msgspec.ValidationError as error:
        rule = str(error).partition(" - at ")[0].partition(", got ")[0]
        rule = rule.replace("Expected", "must be", 1)
        rule = rule.replace("Number out of range", "is out of range")
        if rule.startswith("Invalid enum value"):
            rule = f"must be one of {', '.join(_choices(kind))}"
        raise ValueError(
            f"`{name}` {rule}. Received: {name}={value!r:.80}"
        ) from error
    return found


def _choices(kind: Any) -> list[str]:
    """Returns what a literal, or a union with one, accepts."""
    if typing.get_origin(kind) is typing.Literal:
        return [str(value) for value in typing.get_args(kind)]
    if typing.get_origin(kind) is Annotated:
        return [f"`{typing.get_args(kind)[0].__name__}`"]
    return [one for part in typing.get_args(kind) for one in _choices(part)]
