"""The signatures of a version: their names, inputs and outputs."""

from collections.abc import Mapping
from typing import Any

from lgn_serving.arrays import dtype_name
from lgn_serving.failure import invalid

DEFAULT = "serving_default"
"""The signature of a request that names none."""


class Signatures:
    """The signatures of a version.

    Attributes:
        signatures: the signature definitions, by name.
    """

    def __init__(self, signatures: Mapping[str, Any]) -> None:
        """Stores them."""
        self.signatures = signatures

    def signature(self, name: str) -> Any:
        """Returns a signature definition; an empty name means the default.

        Raises:
            Failure: where there is none of that name.
        """
        name = name or DEFAULT
        if name not in self.signatures:
            raise invalid(
                f'Serving signature name: "{name}" not found in signature def'
            )
        return self.signatures[name]

    def input_dtypes(self, name: str) -> dict[str, str]:
        """Returns the type of each input of a signature, by name."""
        return {
            key: dtype_name(info.dtype)
            for key, info in self.signature(name).inputs.items()
        }
