"""The command line of training: what wins over what, what is refused."""

import dataclasses
from pathlib import Path

import pytest

from lgn_tf.cli import train_flags
from lgn_tf.config.schema import Config, ModelConfig
from lgn_tf.data.datasets.presets import PRESETS, lite

pytestmark = pytest.mark.latest


def parse(*arguments):
    return train_flags.parse(arguments, "train.py")


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_a_dataset_brings_its_preset(name):
    assert parse("--dataset", name)[0] == PRESETS[name]
    assert parse(f"--dataset={name}")[0] == PRESETS[name]


def test_lite():
    assert parse("--lite", "--dataset", "ped2")[0] == lite(PRESETS["ped2"])


def every_setting():
    for section in dataclasses.fields(Config):
        for field in dataclasses.fields(section.default):
            yield section.name, field.name


OTHER = {
    "variant": "glo_net",
    "image_size": "128 64",
    "dtype": "mixed_bfloat16",
    "strategy": "single",
    "update_threshold": "auto",
    "dataset": "avenue",
    "data_root": "/data",
    "labels": "mnad",
    "stores": "elsewhere",
    "channels": "1",
    "normality_weight": "0.25",
    "update_quantile": "0.5",
    "error_weight": "0.5",
    "distance_weight": "0.5",
    "motion_weight": "0.5",
    "width": "0.5",
    "learning_rate": "0.5",
    "save_every": "0.5",
    "compactness_weight": "0.5",
    "separateness_weight": "0.5",
    "rematerialise": "True",
    "residual": "True",
    "store": "False",
    "schedule": "step",
}


@pytest.mark.parametrize(("section", "name"), list(every_setting()))
def test_every_setting_has_a_flag(section, name):
    text = OTHER.get(name, "7")
    flag = ("--no-" if text == "False" else "--") + name.replace("_", "-")
    values = [] if text in ("True", "False") else text.split()
    config, _ = parse("--dataset", "ped2", flag, *values)
    value = getattr(getattr(config, section), name)
    if name == "image_size":
        assert value == (128, 64)
    else:
        assert str(value) == text
        assert value != getattr(getattr(PRESETS["ped2"], section), name)


def test_the_letters_of_the_paper():
    config, _ = parse("--dataset", "ped2", "--gamma=auto", "--lambda", "0.1")
    assert config.scoring.update_threshold == "auto"
    assert config.scoring.normality_weight == 0.1


def test_who_asks_for_epochs_does_not_get_the_steps_of_the_preset(tmp_path):
    config, _ = parse("--dataset", "ped2", "--lite")
    assert config.training.steps > 0
    config, _ = parse("--dataset", "ped2", "--lite", "--epochs", "3")
    assert (config.training.steps, config.training.epochs) == (0, 3)
    path = tmp_path / "mine.toml"
    path.write_text("[training]\nepochs = 4\n")
    arguments = ("--dataset", "ped2", "--lite", "--config", str(path))
    config, _ = parse(*arguments)
    assert (config.training.steps, config.training.epochs) == (0, 4)
    config, _ = parse(*arguments, "--steps", "9")
    assert config.training.steps == 9


def test_a_run_has_one_length():
    _, run = parse("--dataset", "ped2", "--minutes", "2.5")
    assert run.minutes == 2.5
    with pytest.raises(ValueError, match="Received: --epochs --minutes"):
        parse("--dataset", "ped2", "--minutes=1", "--epochs", "3")
    with pytest.raises(ValueError, match="`--minutes` must be positive"):
        parse("--dataset", "ped2", "--minutes", "0")


def test_a_file_without_a_dataset_names_none(tmp_path, capsys):
    path = tmp_path / "mine.toml"
    path.write_text('[data]\ndata_root = "videos"\n')
    with pytest.raises(SystemExit) as stopped:
        parse("--config", str(path))
    assert stopped.value.code == 2
    assert "name a dataset" in capsys.readouterr().err
    config, _ = parse("--config", str(path), "--dataset", "folder")
    assert config.data.data_root == "videos"


def test_flags_win_over_the_file_and_the_file_over_the_preset(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(
        "[data]\ndataset = 'avenue'\n"
        "[training]\nepochs = 3\nseed = 5\n[model]\nwidth = 0.5\n"
    )
    config, run = parse("--config", str(path), "--seed", "9")
    preset = PRESETS["avenue"]
    assert config == dataclasses.replace(
        preset,
        model=dataclasses.replace(preset.model, width=0.5),
        training=dataclasses.replace(preset.training, epochs=3, seed=9),
    )
    assert run.config == path


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[model]\nwdith = 1.0", "`model.wdith` is no setting. Accepted: .*"),
        ("[model]\nwidth = 'a'", "`model.width` must be `float`"),
        ("[model]\nwidth = -1.0", "`width`, .* must be positive"),
        ("[data]\ndataset = 'moon'", "`data.dataset` must be one of"),
        ("width = 1.0", "`width` is no setting"),
        ("[model", "not a TOML file"),
    ],
)
def test_a_bad_file_is_named(tmp_path, text, message):
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(ValueError, match=rf"bad\.toml: {message}"):
        parse("--dataset", "ped2", "--config", str(path))


def test_a_missing_file_is_named():
    with pytest.raises(FileNotFoundError, match=r"none\.toml"):
        parse("--dataset", "ped2", "--config", "none.toml")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--variant", "foo"], "lgn_net"),
        (["--dataset", "moon"], "shanghaitech"),
        (["--epochs", "x"], "--epochs"),
        (["--width", "-1"], "Received: width=-1.0"),
        (["--image-size", "60", "64"], "multiples of 8"),
        (["--epoch-count", "3"], "--epoch-count"),
    ],
)
def test_a_bad_flag_is_refused_with_what_is_accepted(
    capsys, arguments, message
):
    with pytest.raises(SystemExit) as stopped:
        parse("--dataset", "ped2", *arguments)
    assert stopped.value.code == 2
    printed = capsys.readouterr()
    assert message in " ".join((printed.err + printed.out).split())


def test_a_dataset_must_be_named(capsys):
    with pytest.raises(SystemExit) as stopped:
        parse("--epochs", "3")
    assert stopped.value.code == 2
    assert "--dataset" in capsys.readouterr().err


def test_help_has_groups_units_and_the_defaults_of_the_preset(capsys):
    with pytest.raises(SystemExit) as stopped:
        parse("--dataset", "avenue", "--lite", "--help")
    assert stopped.value.code == 0
    text = " ".join(capsys.readouterr().out.replace("│", " ").split())
    for group in ("model options", "training options", "scoring options"):
        assert group in text
    assert "in pixels, multiples of 8. (default: 128 128)" in text
    assert "minutes between checkpoints" in text
    assert "--dataset {avenue,folder,shanghaitech,synthetic,ped2,ped1,umn}" in (
        text
    )
    assert "a registered data set: a benchmark" in text


def test_resume_takes_no_other_flag():
    _, run = parse("--resume", "runs/a")
    assert run.directory("ped2") == Path("runs/a")
    with pytest.raises(ValueError, match="takes no other flag"):
        parse("--resume", "runs/a", "--epochs", "3")
    with pytest.raises(ValueError, match="takes no other flag"):
        parse("--resume", "runs/a", "--dataset", "ped2")


def test_a_run_has_a_name_or_gets_one():
    _, run = parse("--dataset", "ped2", "--name", "mine", "--runs", "all")
    assert run.directory("ped2") == Path("all/mine")
    assert train_flags.Run().directory("ped2").name.startswith("ped2-20")


def test_the_default_is_the_paper_s_size():
    assert parse("--dataset", "ped2")[0].model == ModelConfig()
