"""Table II of the paper: the whole model and its ablations, at equal budget.

    python -m benchmarks.ablation --dataset synthetic --seeds 0 1 2
    python -m benchmarks.ablation --dataset ped2 --data-root UCSDped2 \
        --lite --epochs 6 --seeds 0 1 2

Trains each variant with each seed, evaluates the weights of the last epoch,
and prints the frame AUC, mean and spread over the seeds. A run that is there
already is not trained again, so that an interrupted table goes on. All flags
of `train.py` are taken. The last line is JSON.
"""

import argparse
import dataclasses
import json
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path

PARTS = {
    "loc_net": ("ConvLSTM", "-"),
    "glo_net": ("-", "memory"),
    "lgn_st": ("ConvLSTM", "memory"),
    "lgn_net": ("ST-LSTM", "memory"),
}
"""Local and global branch of each variant."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Fills the table, and prints it."""
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], allow_abbrev=False
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument(
        "--variants", nargs="+", choices=tuple(PARTS), default=tuple(PARTS)
    )
    options, flags = parser.parse_known_args(arguments)
    from lgn_tf import flags as flags_module

    config, run = flags_module.parse(flags, "ablation")
    folder = run.directory("ablation")
    rows: dict[str, list[tuple[float, float]]] = {}
    for variant in options.variants:
        for seed in options.seeds:
            result = _one(config, folder / f"{variant}-{seed}", variant, seed)
            rows.setdefault(variant, []).append(result)
            print(f"{variant} seed {seed}: paper, online AUC {result}")
    _print(rows)
    return 0


def _one(config, run_dir: Path, variant: str, seed: int):
    """Trains and evaluates one run; returns its paper and online AUC."""
    import keras

    from lgn_tf import checkpoints, protocol, results, run_calibration, training
    from lgn_tf.data import sources

    keras.utils.clear_session()
    config = dataclasses.replace(
        config,
        model=dataclasses.replace(config.model, variant=variant),
        training=dataclasses.replace(config.training, seed=seed),
    )
    out = run_dir / "evaluation"
    if not (out / results.FILE).is_file():
        source = sources.open_source(config)
        finished = (run_dir / checkpoints.WEIGHTS).is_file()
        if not finished:
            resume = (run_dir / checkpoints.CONFIG).is_file()
            training.train(config, run_dir, resume=resume, source=source)
        config, model = checkpoints.load(run_dir)
        protocol.evaluate(
            model,
            config,
            source.store.split("test"),
            source.dataset,
            out,
            calibration=run_calibration.of_run(run_dir, config, model, source),
            options=protocol.Options(gamma_sweep=False),
        )
    found = results.read(out)
    return tuple(
        round(100 * found.scores[name].micro_auc, 1)
        for name in ("paper", "online")
    )


def _print(rows: dict[str, list[tuple[float, float]]]) -> None:
    import rich.console
    import rich.table

    table = rich.table.Table(
        "variant", "local branch", "global branch", "paper AUC", "online AUC"
    )
    for variant, values in rows.items():
        columns = [_spread(column) for column in zip(*values, strict=True)]
        table.add_row(variant, *PARTS[variant], *columns)
    rich.console.Console().print(table)
    print(json.dumps(rows))


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
