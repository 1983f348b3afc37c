"""A model's status and signatures as TensorFlow Serving's messages."""

import inspect
import json
from collections.abc import Iterable
from typing import Any

from google.protobuf import json_format, text_format

from lgn_serving.models.catalogue import Version

# Protocol buffers 5 renamed it.
_WITH_DEFAULTS = next(
    name
    for name in (
        "always_print_fields_with_no_presence",
        "including_default_value_fields",
    )
    if name in inspect.signature(json_format.MessageToJson).parameters
)


def status_response(versions: Iterable[Version]) -> Any:
    """Returns a `GetModelStatusResponse`."""
    from tensorflow_serving.apis import get_model_status_pb2

    kind = get_model_status_pb2.ModelVersionStatus
    response = get_model_status_pb2.GetModelStatusResponse()
    for version in versions:
        entry = response.model_version_status.add(
            version=version.number, state=kind.State.Value(version.state)
        )
        codes = entry.status.DESCRIPTOR.fields_by_name["error_code"].enum_type
        entry.status.error_code = codes.values_by_name[version.code].number
        entry.status.error_message = version.message
    return response


def metadata_response(name: str, number: int, servable: Any) -> Any:
    """Returns a `GetModelMetadataResponse` with all signatures."""
    from tensorflow_serving.apis import get_model_metadata_pb2

    response = get_model_metadata_pb2.GetModelMetadataResponse()
    response.model_spec.name = name
    response.model_spec.version.value = number
    table = get_model_metadata_pb2.SignatureDefMap()
    for key, signature in servable.signatures.items():
        table.signature_def[key].CopyFrom(signature)
    response.metadata["signature_def"].Pack(table)
    return response


def status_text(versions: Iterable[Version]) -> str:
    """Returns the REST page of a model's status."""
    return f"{_json(status_response(versions))}\n"


def metadata_text(name: str, number: int, servable: Any) -> str:
    """Returns the REST page of a model's signatures."""
    from tensorflow_serving.apis import get_model_metadata_pb2

    response = metadata_response(name, number, servable)
    table = get_model_metadata_pb2.SignatureDefMap()
    response.metadata["signature_def"].Unpack(table)
    # The version is a string here, as in the JSON of the message.
    spec = {"name": name, "signature_name": "", "version": str(number)}
    return (
        f'{{\n"model_spec":{json.dumps(spec, indent=1)}\n,\n'
        f'"metadata": {{"signature_def": {_json(table)}\n}}\n}}\n'
    )


def signature_text(signature: Any) -> str:
    """Returns a signature definition as text, as errors quote it."""
    return str(text_format.MessageToString(signature))


def _json(message: Any) -> str:
    return str(
        json_format.MessageToJson(
            message,
            preserving_proto_field_name=True,
            indent=1,
            **{_WITH_DEFAULTS: True},
        )
    )
