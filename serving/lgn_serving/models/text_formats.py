"""Protocol buffers as text that no Python package defines.

`tensorflow-serving-api` defines `models.config`; the batching and monitoring
files' messages are declared here, by the fields' names and types. Text needs
no field numbers to agree with anybody's.
"""

from pathlib import Path
from typing import Any

from google.protobuf import (
    descriptor_pb2,
    descriptor_pool,
    message_factory,
    text_format,
    wrappers_pb2,
)

_FIELD = descriptor_pb2.FieldDescriptorProto
_INT64 = ".google.protobuf.Int64Value"
_BOOL = ".google.protobuf.BoolValue"
_MESSAGES: dict[str, dict[str, Any]] = {
    "BatchingParameters": {
        "max_batch_size": _INT64,
        "batch_timeout_micros": _INT64,
        "max_enqueued_batches": _INT64,
        "num_batch_threads": _INT64,
        "thread_pool_name": ".google.protobuf.StringValue",
        "allowed_batch_sizes": [_FIELD.TYPE_INT64],
        "pad_variable_length_inputs": _FIELD.TYPE_BOOL,
        "enable_large_batch_splitting": _BOOL,
        "max_execution_batch_size": _INT64,
    },
    "PrometheusConfig": {
        "enable": _FIELD.TYPE_BOOL,
        "path": _FIELD.TYPE_STRING,
    },
    "MonitoringConfig": {"prometheus_config": ".lgn_tf.PrometheusConfig"},
}


def _declare() -> dict[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(
        name="lgn_tf/serving.proto",
        package="lgn_tf",
        syntax="proto3",
        dependency=["google/protobuf/wrappers.proto"],
    )
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for number, (field, kind) in enumerate(fields.items(), 1):
            repeated = isinstance(kind, list)
            kind = kind[0] if repeated else kind
            label = _FIELD.LABEL_REPEATED if repeated else _FIELD.LABEL_OPTIONAL
            added = message.field.add(name=field, number=number, label=label)
            if isinstance(kind, str):
                added.type, added.type_name = _FIELD.TYPE_MESSAGE, kind
            else:
                added.type = kind
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(wrappers_pb2.DESCRIPTOR.serialized_pb)
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(
            pool.FindMessageTypeByName(f"lgn_tf.{name}")
        )
        for name in _MESSAGES
    }


_CLASSES = _declare()


def read(path: Path, kind: str) -> Any:
    """Reads a file of one message.

    Args:
        path: the file.
        kind: "BatchingParameters" or "MonitoringConfig".

    Raises:
        ValueError: naming the file, and the line and field where the parser
            stopped.
        OSError: where the file cannot be read.
    """
    return parse(path, _CLASSES[kind]())


def parse(path: Path, message: Any) -> Any:
    """Reads a file into a message of any definition; see `read`."""
    try:
        return text_format.Parse(path.read_text(), message)
    except (text_format.ParseError, UnicodeDecodeError) as error:
        raise ValueError(
            f"{path}: not a readable {message.DESCRIPTOR.name}: {error}"
        ) from error
