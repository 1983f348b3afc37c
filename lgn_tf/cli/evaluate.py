"""`lgn evaluate`."""

from lgn_tf.cli.options import (
    Best,
    CueWeight,
    Gamma,
    NumberOption,
    PathOption,
    ResetMemory,
    RunFolder,
    TextOption,
    command,
    cue_weights,
)
from lgn_tf.cli.progress import bar


@command
def evaluate(
    run: RunFolder,
    *,
    data_root: TextOption = None,
    labels_version: TextOption = None,
    no_store: bool = False,
    gamma: Gamma = None,
    reset_memory: ResetMemory = False,
    no_gamma_sweep: bool = False,
    smoothing: NumberOption = None,
    fps: NumberOption = None,
    error_weight: CueWeight = None,
    distance_weight: CueWeight = None,
    motion_weight: CueWeight = None,
    best: Best = False,
    out: PathOption = None,
) -> None:
    """Scores and evaluates the test videos of a run.

    Args:
        run: the run directory.
        data_root: folder of the data set; that of the run where it is not
            given.
        labels_version: of the frame labels; that of the run where it is not
            given.
        no_store: decode frames whenever they are read, and keep none on disk.
        gamma: see `Gamma`.
        reset_memory: see `ResetMemory`.
        no_gamma_sweep: score no other thresholds in the same pass.
        smoothing: seconds of the causal average of the online scores that is
            reported besides; 0 leaves it out, 0.3 where the frame rate is
            known and nothing is given.
        fps: frames a second, to time alarms by; the published rate of the
            data set where it is not given.
        error_weight: see `CueWeight`.
        distance_weight: see `CueWeight`.
        motion_weight: see `CueWeight`.
        best: see `Best`.
        out: folder to write, in the place of an older evaluation;
            RUN/evaluation where it is not given.
    """
    import rich.console

    from lgn_tf.data import sources
    from lgn_tf.evaluation import protocol, tables
    from lgn_tf.runs import directory
    from lgn_tf.runs.run import Run

    if fps is not None and not fps > 0:
        raise ValueError(f"`--fps` must be positive. Received: fps={fps:g}")
    chosen = Run(run, "best" if best else "last").changed(
        data_root=data_root,
        labels=labels_version,
        store=False if no_store else None,
        cue_weights=cue_weights(error_weight, distance_weight, motion_weight),
    )
    # What cannot be is refused before anything is decoded.
    protocol.require_replaceable(out or run / directory.EVALUATION)
    _ = chosen.model
    with bar("preparing") as progress:
        source = chosen.source(progress)
    with bar("calibrating") as progress:
        chosen.calibrate(source, progress)
    options = protocol.Options(
        gamma=gamma,
        reset_memory=reset_memory,
        gamma_sweep=not no_gamma_sweep,
        smoothing=smoothing,
        frame_rate=fps,
    )
    with bar("scoring") as progress:
        test_set = source.test_set(sources.version(chosen.config))
        results = chosen.evaluate(test_set, out, options, progress)
    console = rich.console.Console(markup=False, emoji=False)
    for line in tables.all_tables(results):
        console.print(line)
