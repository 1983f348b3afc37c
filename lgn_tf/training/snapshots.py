"""The whole state of training at one step, from which a run goes on exactly.

`snapshot.npz` holds the weights with the memory's items, the state of the
optimizer and of the metrics, and where in the run they belong. The order of
the clips is a function of seed, epoch and step, so it needs no state.
"""

import dataclasses
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import msgspec
import numpy as np

from lgn_tf.config.settings import Count
from lgn_tf.files import arrays, atomic
from lgn_tf.files.arrays import Header

SNAPSHOT = "snapshot.npz"
_PROGRESS = "progress"


@dataclasses.dataclass(frozen=True)
class Progress:
    """The epoch and step that a run has reached.

    Attributes:
        epoch: epochs that are done.
        step: steps of the next epoch that are done.
        best: the least loss on held-out videos so far.
        seconds: time spent in training so far.
    """

    epoch: Count = 0
    step: Count = 0
    best: float | None = None
    seconds: float = 0.0


def save(run_dir: Path, model: keras.Model, progress: Progress) -> None:
    """Writes the snapshot of a run in one step.

    Raises:
        OSError: where there is no space left; the former snapshot stays.
    """
    values = {
        name: keras.ops.convert_to_numpy(variable)
        for name, variable in _variables(model).items()
    }
    values[_PROGRESS] = np.array(json.dumps(dataclasses.asdict(progress)))
    size = sum(array.nbytes + 1024 for array in values.values())
    # An archive that is broken off reports it once more when it is forgotten.
    atomic.require_space(run_dir, size + 2**16)
    with atomic.replaced(run_dir / SNAPSHOT) as partial:
        atomic.write_arrays(partial, values)


def load(run_dir: Path, model: keras.Model) -> Progress:
    """Puts the snapshot of a run into a compiled model.

    Metric states are put there too; `fit` resets them at the start of an
    epoch, see `metric_states`.

    Raises:
        FileNotFoundError: where there is none.
        ValueError: where it is damaged, or of another model.
    """
    path = run_dir / SNAPSHOT
    variables = _variables(model)
    shapes = {name: tuple(value.shape) for name, value in variables.items()}

    def accept(found: Mapping[str, Header]) -> None:
        # Before the numbers are read: they are as many as the model's.
        theirs = {name: one.shape for name, one in found.items()}
        progress = found.get(_PROGRESS)
        if progress is None or progress.shape != () or progress.bytes > 2**16:
            raise ValueError(f"{path}: no readable snapshot: no {_PROGRESS}")
        del theirs[_PROGRESS]
        if shapes != theirs:
            other = sorted(set(shapes.items()) ^ set(theirs.items()))[0]
            raise ValueError(
                f"{path}: the snapshot of another model. Found there: {other}"
            )
        letters = [
            name for name in theirs if found[name].dtype.kind not in "biuf"
        ]
        if letters:
            raise ValueError(f"{path}: no readable snapshot: {letters[0]}")

    # Of the same shapes, another snapshot holds wider numbers at most.
    most = 2**20 + sum(8 * math.prod(shape) for shape in shapes.values())
    try:
        found = arrays.read_arrays(path, most=most, accept=accept)
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"{path} is missing: there is nothing to go on from"
        ) from error
    progress = _progress(str(found[_PROGRESS]), path)
    for name, variable in variables.items():
        variable.assign(found[name])
    return progress


def _progress(text: str, path: Path) -> Progress:
    try:
        # The least loss may be none that JSON knows.
        return msgspec.convert(json.loads(text), Progress)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: no readable snapshot: {error}") from error


def metric_states(model: keras.Model) -> list[Any]:
    """Returns the metric states, to be put back after `fit` resets them."""
    return [
        keras.ops.convert_to_numpy(variable)
        for variable in model.metrics_variables
    ]


def _variables(model: keras.Model) -> dict[str, Any]:
    groups = {
        "weights": model.weights,
        "optimizer": model.optimizer.variables,
        "metrics": model.metrics_variables,
    }
    # By place: the name of an optimizer counts those made before it.
    return {
        f"{group}/{place:04d}": variable
        for group, variables in groups.items()
        for place, variable in enumerate(variables)
    }
