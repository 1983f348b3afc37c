"""Table II of the paper: the whole model and its ablations, at equal budget.

    python -m experiments.ablation --dataset synthetic --seeds 0 1 2
    python -m experiments.ablation --dataset ped2 --data-root UCSDped2 \
        --lite --epochs 6 --seeds 0 1 2

Trains each variant with each seed, evaluates the weights of the last epoch,
and prints the frame AUC, mean and spread over the seeds, and what the numbers
stand on. The runs lie in RUNS/ablation-DATASET/VARIANT-SEED (`--runs`, and
`--name` for another folder). One that is there already is not trained again,
so the same command goes on with an interrupted table; one of other settings is
refused. All other flags of `train.py` are taken. The last line is JSON.
"""

import argparse
import dataclasses
import json
import os
import statistics
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

PARTS = {
    "loc_net": ("ConvLSTM", "-"),
    "glo_net": ("-", "memory"),
    "lgn_st": ("ConvLSTM", "memory"),
    "lgn_net": ("ST-LSTM", "memory"),
}
"""Local and global branch of each variant."""

REFUSED = {
    "--seed": "`--seeds` names the seeds",
    "--variant": "`--variants` names the variants",
    "--resume": "the same command goes on with a table",
    "--overwrite": "a new `--name` begins another table",
}
"""Flags of training that mean nothing here, and why."""

SCORES = ("paper", "online")


def main(arguments: Sequence[str] | None = None) -> int:
    """Fills the table, and prints it.

    Returns:
        0, 2 where the input was at fault, or 130 where the user stopped it.
    """
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0],
        epilog="All other flags of train.py are taken.",
        allow_abbrev=False,
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument(
        "--variants", nargs="+", choices=tuple(PARTS), default=tuple(PARTS)
    )
    options, flags = parser.parse_known_args(arguments)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from lgn_tf.cli import main as cli
    from lgn_tf.training import callbacks

    try:
        _fill(options.variants, options.seeds, flags)
    except (ValueError, OSError) as error:
        print(f"ablation: {error}", file=sys.stderr)
        return 2
    except callbacks.Interrupted as stopped:
        print(f"ablation: {stopped}; the same command goes on", file=sys.stderr)
        return cli.INTERRUPTED
    except KeyboardInterrupt:
        print("ablation: stopped; the same command goes on", file=sys.stderr)
        return cli.INTERRUPTED
    return 0


def _fill(
    variants: Sequence[str], seeds: Sequence[int], flags: Sequence[str]
) -> None:
    from lgn_tf.cli import train_flags
    from lgn_tf.data import sources

    for flag in flags:
        _refuse(flag.partition("=")[0])
    config, run = train_flags.parse(flags, "ablation")
    # From a TOML file, where the default is no other.
    for section, name in (("training", "seed"), ("model", "variant")):
        settings = getattr(config, section)
        if getattr(settings, name) != getattr(type(settings)(), name):
            _refuse(f"--{name}")
    folder = run.runs / (run.name or f"ablation-{config.data.dataset}")
    wanted = {
        (variant, seed): _settings(config, variant, seed)
        for variant in dict.fromkeys(variants)
        for seed in dict.fromkeys(seeds)
    }
    for (variant, seed), settings in wanted.items():
        _refuse_others(folder / f"{variant}-{seed}", settings)
    source = sources.open_source(config)
    _require_labels(source, config)
    found: dict[str, list] = {}
    for (variant, seed), settings in wanted.items():
        one = _one(settings, folder / f"{variant}-{seed}", source)
        found.setdefault(variant, []).append(one)
        areas = (f"{name} AUC {_areas([one], name)[0]:.1f}" for name in SCORES)
        print(f"{variant}, seed {seed}: {', '.join(areas)}")
    _print(found)


def _refuse(flag: str) -> None:
    if flag in REFUSED:
        raise ValueError(
            f"`{flag}` is not taken: {REFUSED[flag]}. Received: {flag}"
        )


def _settings(config, variant: str, seed: int):
    return dataclasses.replace(
        config,
        model=dataclasses.replace(config.model, variant=variant),
        training=dataclasses.replace(config.training, seed=seed),
    )


def _refuse_others(run_dir: Path, config) -> None:
    """Refuses a run that was made with other settings."""
    from lgn_tf.config import schema
    from lgn_tf.runs import directory

    if not (run_dir / directory.CONFIG).is_file():
        return
    wanted, there = (
        {
            f"{section}.{name}": value
            for section, values in schema.to_dict(one).items()
            for name, value in values.items()
        }
        for one in (config, directory.read_config(run_dir))
    )
    different = [name for name in wanted if wanted[name] != there[name]]
    if different:
        texts = [
            f"{name}={wanted[name]!r} instead of {there[name]!r}"
            for name in different
        ]
        raise ValueError(
            f"{run_dir}: the run that is there must have the settings of the "
            "table; choose another `--name`, or remove it. "
            f"Received: {', '.join(texts)}"
        )


def _require_labels(source, config) -> None:
    """Refuses data without an AUC, before anything is trained."""
    import numpy as np

    from lgn_tf.data import sources
    from lgn_tf.data.datasets.labels import align

    inputs = config.model.frames
    labels = source.test_set(sources.version(config)).labels
    marks = [
        align(one, inputs)
        for one in (labels or {}).values()
        if len(one) > inputs
    ]
    if not marks or len(np.unique(np.concatenate(marks))) < 2:
        raise ValueError(
            f"{source.dataset.root}: the table needs test videos with labels "
            "of both classes. "
            f"Found there: {'labels of one class' if marks else 'no labels'}"
        )


def _one(config, run_dir: Path, source):
    """Trains and evaluates one run, where it is not there; returns results."""
    import keras

    from lgn_tf.data import sources
    from lgn_tf.evaluation import protocol, results
    from lgn_tf.runs import directory
    from lgn_tf.runs.run import Run
    from lgn_tf.training import train

    keras.utils.clear_session()
    out = run_dir / "evaluation"
    if not (out / results.FILE).is_file():
        if not (run_dir / directory.WEIGHTS).is_file():
            resume = (run_dir / directory.CONFIG).is_file()
            train.train(config, run_dir, resume=resume, source=source)
        run = Run(run_dir)
        run.calibrate(source)
        run.evaluate(
            source.test_set(sources.version(config)),
            out,
            protocol.Options(gamma_sweep=False),
        )
    return results.read_results(out)


def _areas(found: Sequence, name: str) -> list[float]:
    return [100 * one.scores[name].micro_auc for one in found]


def _print(found: Mapping[str, Sequence]) -> None:
    import rich.console
    import rich.table

    from lgn_tf.runs.provenance import IN_SAMPLE

    every = [one for results in found.values() for one in results]
    holdout = every[0].provenance.holdout
    in_sample = any(one.provenance.in_sample for one in every)
    marked = IN_SAMPLE if in_sample else ""
    table = rich.table.Table(
        "variant",
        "local branch",
        "global branch",
        "paper AUC",
        f"online AUC{marked}",
        title=f"table II, K = {holdout} training clips held out",
    )
    for variant, results in found.items():
        columns = [_spread(_areas(results, name)) for name in SCORES]
        table.add_row(variant, *PARTS[variant], *columns)
    rich.console.Console().print(table)
    for line in _notes(found):
        print(line)
    summary = {
        "holdout": holdout,
        "in_sample": in_sample,
        "seeds": [one.provenance.seed for one in next(iter(found.values()))],
    }
    for name in SCORES:
        summary[name] = {
            variant: [round(area, 2) for area in _areas(results, name)]
            for variant, results in found.items()
        }
    print(json.dumps(summary))


def _notes(found: Mapping[str, Sequence]) -> list[str]:
    """Prints the notes of all results: each once, with its variants."""
    from lgn_tf.evaluation import notes

    whose: dict[str, dict[str, None]] = {}
    for variant, results in found.items():
        for one in results:
            for line in notes.notes(one):
                whose.setdefault(line, {})[variant] = None
    return [
        line if len(names) == len(found) else f"{', '.join(names)}: {line}"
        for line, names in whose.items()
    ]


def _spread(values: Sequence[float]) -> str:
    mean = statistics.fmean(values)
    if len(values) == 1:
        return f"{mean:.1f}"
    return (
        f"{mean:.1f} +- {statistics.stdev(values):.1f} "
        f"({min(values):.1f} to {max(values):.1f}, {len(values)} seeds)"
    )


if __name__ == "__main__":
    sys.exit(main())
