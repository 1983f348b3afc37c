"""Settings of the models, their versions and labels, and of batching.

`models.config` and the batching file have TensorFlow Serving's own formats,
which are protocol buffers as text. A setting that the embedded server does not
know is refused, never ignored.
"""

import contextlib
import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lgn_serving.models import text_formats, text_formats_pb2

LARGEST = 2**63 - 1
"""The largest number of a version that the protocols can name."""


@dataclasses.dataclass(frozen=True)
class ModelSettings:
    """One model.

    Attributes:
        name: its name in requests.
        base_path: the folder whose numbered folders are its versions.
        newest: number of the newest versions to serve; 0 serves all.
        versions: numbers of the versions to serve, instead of the newest.
        labels: the version of each label.
    """

    name: str
    base_path: Path
    newest: int = 1
    versions: tuple[int, ...] = ()
    labels: Mapping[str, int] = dataclasses.field(default_factory=dict)

    def chosen(self, present: list[int]) -> list[int]:
        """Returns those of the present versions that are to be served."""
        if self.versions:
            return [each for each in present if each in self.versions]
        return sorted(present)[-self.newest :] if self.newest else present

    def on_disk(self) -> dict[int, tuple[Path, int]]:
        """Returns all versions that are on the disk.

        Returns:
            The folder of each version, and the time in nanoseconds at which it
            was written, by number; the smallest number first.
        """
        found = {}
        for number, folder in sorted(version_folders(self.base_path).items()):
            # The folder may be deleted by now.
            with contextlib.suppress(FileNotFoundError):
                found[number] = folder, folder.stat().st_mtime_ns
        return found


def version_folders(base_path: Path) -> dict[int, Path]:
    """Returns the version folders of a model, by number.

    A name whose number is beyond 64 bits is none, as in TensorFlow Serving. Of
    several names for a number, such as "1" and "01", the shortest counts.
    """
    if not base_path.is_dir():
        return {}
    names = [
        path.name
        for path in base_path.iterdir()
        if path.name.isascii() and path.name.isdigit() and path.is_dir()
    ]
    return {
        int(name): base_path / name
        for name in sorted(names, key=len, reverse=True)
        if int(name) <= LARGEST
    }


@dataclasses.dataclass(frozen=True)
class BatchSettings:
    """The bounds within which requests are merged.

    Attributes:
        max_batch_size: largest number of rows of a merged batch.
        timeout: seconds that the first request waits for others.
        max_enqueued: number of batches that may wait; more are refused.
        threads: number of batches that run at the same time.
    """

    max_batch_size: int = 8
    timeout: float = 0.005
    max_enqueued: int = 100
    threads: int = 2


def read_models(path: Path) -> tuple[ModelSettings, ...]:
    """Reads a `models.config`.

    Raises:
        ValueError: naming the file, and the line and field where the parser
            stopped.
        OSError: where the file cannot be read.
    """
    from tensorflow_serving.config import model_server_config_pb2

    config = text_formats.read(
        path, model_server_config_pb2.ModelServerConfig()
    )
    models = tuple(
        _model(path, each) for each in config.model_config_list.config
    )
    if not models:
        raise ValueError(f"{path}: must list a model. Found there: none")
    names = [model.name for model in models]
    if len(set(names)) < len(names):
        raise ValueError(
            f"{path}: each model must have its own name. Found there: "
            f"{', '.join(names)}"
        )
    return models


def _model(path: Path, config: Any) -> ModelSettings:
    if not config.name or not config.base_path:
        raise ValueError(
            f"{path}: a model must have a name and a base_path. Found there: "
            f"name={config.name!r}, base_path={config.base_path!r}"
        )
    policy = config.model_version_policy
    kind = policy.WhichOneof("policy_choice")
    return ModelSettings(
        config.name,
        Path(config.base_path),
        newest=0 if kind == "all" else max(1, policy.latest.num_versions),
        versions=tuple(policy.specific.versions),
        labels=dict(config.version_labels),
    )


def read_batching(path: Path) -> BatchSettings:
    """Reads a batching parameters file.

    Raises:
        ValueError: naming the file, and the setting that is unknown or wrong.
        OSError: where the file cannot be read.
    """
    given = text_formats.read(path, text_formats_pb2.BatchingParameters())
    known = {
        "max_batch_size": ("max_batch_size", 1),
        "batch_timeout_micros": ("timeout", 1e6),
        "max_enqueued_batches": ("max_enqueued", 1),
        "num_batch_threads": ("threads", 1),
    }
    values: dict[str, Any] = {}
    for field, setting in given.ListFields():
        if field.name not in known:
            raise ValueError(
                f"{path}: the embedded server knows {', '.join(known)}. "
                f"Found there: {field.name}"
            )
        name, unit = known[field.name]
        values[name] = setting.value if unit == 1 else setting.value / unit
        if setting.value < (0 if name == "timeout" else 1):
            raise ValueError(
                f"{path}: {field.name} must be positive. "
                f"Found there: {setting.value}"
            )
    return BatchSettings(**values)
