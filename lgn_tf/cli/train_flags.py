"""From the command line of training to a configuration.

    preset of --dataset  <-  --lite  <-  --config FILE.toml  <-  flags

What stands further to the right wins. The flags, their types, bounds and help
are made from the dataclasses of `lgn_tf.config.schema`.
"""

import argparse
import dataclasses
import tomllib
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TypeAlias

import tyro

from lgn_tf.config import schema
from lgn_tf.config.schema import Config, DataConfig
from lgn_tf.data.datasets import presets
from lgn_tf.files import untrusted

_SHORT = {"--gamma": "--update-threshold", "--lambda": "--normality-weight"}
"""The paper's letters."""

_TOML_BYTES = 2**14
"""Of a file of settings; its parser is slow with what is nested."""


@dataclasses.dataclass(frozen=True)
class Run:
    """The place of the run, and the sources of its settings.

    Attributes:
        name: of the run directory; default the dataset and the time.
        runs: folder of all runs.
        overwrite: remove an earlier run of that name.
        resume: run directory of a run that was stopped; goes on with its own
            settings, and takes no other flag.
        lite: for machines without a GPU: 128 x 128 pixels, a quarter of the
            channels, gray where the data are, the change predicted, no update
            at test time, two training videos held out, 3,200 steps of four
            clips.
        minutes: of training on this machine, instead of epochs: a step is
            measured first, and the number of steps written into the
            configuration. Decoding before it and calibration after it are not
            counted.
        config: TOML file with tables model, training, scoring, data; flags
            win over it.
    """

    name: str = ""
    runs: Path = Path("runs")
    overwrite: bool = False
    resume: Path | None = None
    lite: bool = False
    minutes: float | None = None
    config: Path | None = None

    def directory(self, dataset: str) -> Path:
        """Returns the run directory."""
        if self.resume is not None:
            return self.resume
        moment = datetime.now().strftime("%Y%m%d-%H%M%S")
        return self.runs / (self.name or f"{dataset}-{moment}")


if TYPE_CHECKING:
    DatasetName: TypeAlias = str
else:
    # The registry says what there is to choose from, and `--help` lists it.
    DatasetName = tyro.extras.literal_type_from_choices(list(presets.PRESETS))


@dataclasses.dataclass(frozen=True)
class _Data(DataConfig):
    dataset: DatasetName = "ped2"


@dataclasses.dataclass(frozen=True)
class _Command(Config):
    data: _Data = _Data()
    run: Run = Run()


def parse(arguments: Sequence[str], program: str) -> tuple[Config, Run]:
    """Reads the command line; bad flags end in a message and exit status 2.

    Args:
        arguments: what follows the program's name.
        program: its name, for the help.

    Returns:
        The configuration, and where the run goes. With `resume` set the
        configuration is the default and means nothing.

    Raises:
        SystemExit: for `--help`, and for flags that cannot be.
        ValueError: for a TOML file that cannot be, and for a length of
            training that is no length, or said twice.
        OSError: where that file cannot be read.
    """
    arguments = [_long(argument) for argument in arguments]
    chosen, rest = _first(program).parse_known_args(arguments)
    if chosen.resume is not None:
        if rest or chosen.dataset or chosen.lite or chosen.config:
            raise ValueError(
                "`--resume` goes on with the settings of its run, and takes "
                f"no other flag. Received: {' '.join(arguments)}"
            )
        return Config(), Run(resume=chosen.resume)
    length = _length(arguments)
    values = _read_toml(chosen.config) if chosen.config else {}
    default = _default(chosen, values, by_epochs=length == "--epochs")
    command = tyro.cli(
        Annotated[_Command, tyro.conf.OmitArgPrefixes],
        prog=program,
        description="Trains LGN-Net on normal videos, and leaves a run "
        "directory. Defaults are those of the dataset's preset.",
        default=_Command(
            default.model,
            default.training,
            default.scoring,
            _Data(**dataclasses.asdict(default.data)),
        ),
        args=arguments,
    )
    result = Config(
        command.model,
        command.training,
        command.scoring,
        DataConfig(**dataclasses.asdict(command.data)),
    )
    if command.run.minutes is not None and not command.run.minutes > 0:
        raise ValueError(
            "`--minutes` must be positive. "
            f"Received: minutes={command.run.minutes}"
        )
    if not (chosen.dataset or _dataset(values, "")):
        _fail(program, "name a dataset with --dataset")
    return result, command.run


def _length(arguments: Sequence[str]) -> str | None:
    """Returns the flag that says how long the run is; None without one."""
    given = {argument.partition("=")[0] for argument in arguments}
    found = [
        flag for flag in ("--epochs", "--steps", "--minutes") if flag in given
    ]
    if len(found) > 1:
        raise ValueError(
            "A run is as long as one of `--epochs`, `--steps` and `--minutes` "
            f"says. Received: {' '.join(found)}"
        )
    return found[0] if found else None


def _long(argument: str) -> str:
    flag, equals, value = argument.partition("=")
    return _SHORT.get(flag, flag) + equals + value


def _first(program: str) -> argparse.ArgumentParser:
    """Returns a parser of the flags that decide the other flags' defaults."""
    parser = argparse.ArgumentParser(
        prog=program, add_help=False, allow_abbrev=False
    )
    parser.add_argument("--dataset", choices=tuple(presets.PRESETS))
    parser.add_argument("--lite", action="store_true")
    parser.add_argument("--config", type=Path)
    parser.add_argument("--resume", type=Path)
    return parser


def _default(
    chosen: argparse.Namespace, values: Mapping[str, Any], by_epochs: bool
) -> Config:
    in_file = _dataset(values, "ped2")
    if in_file not in list(presets.PRESETS):
        raise ValueError(
            f"{chosen.config}: `data.dataset` must be one of "
            f"{', '.join(presets.PRESETS)}. Received: data.dataset={in_file!r}"
        )
    base = presets.PRESETS[chosen.dataset or in_file]
    if chosen.lite:
        base = presets.lite(base)
    merged = schema.to_dict(base)
    for section, settings in values.items():
        if isinstance(settings, Mapping) and section in merged:
            merged[section] = {**merged[section], **settings}
        else:
            merged[section] = settings
    given = values.get("training")
    if by_epochs or (isinstance(given, Mapping) and "epochs" in given):
        # Who asks for epochs does not mean the steps of the preset.
        steps = given.get("steps", 0) if isinstance(given, Mapping) else 0
        merged["training"]["steps"] = 0 if by_epochs else steps
    try:
        return schema.from_dict(merged)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{chosen.config}: {error}") from error


def _read_toml(path: Path) -> dict[str, Any]:
    text = untrusted.read_text(path, _TOML_BYTES)
    try:
        values = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: not a TOML file: {error}") from error
    untrusted.require_flat(path, values)
    return values


def _dataset(values: Mapping[str, Any], usual: str) -> Any:
    data = values.get("data")
    return data.get("dataset", usual) if isinstance(data, Mapping) else usual


def _fail(program: str, message: str) -> NoReturn:
    _first(program).error(message)
