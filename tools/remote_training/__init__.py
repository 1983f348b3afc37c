r"""Full-size training on a bare accelerator that is lent for some minutes.

There is no TensorFlow there and no network: what travels are files of limited
size. At home, once:

    python -m tools.remote_training pack DATA_ROOT packs

There, with wheels of Keras and of what else is missing on PYTHONPATH, two
commands, which may be two calls of ten and of three minutes:

    python -m tools.remote_training train 540 packs/train-*.tar.xz \
        --work WORK --out OUT
    python -m tools.remote_training score packs/test-*.tar.xz \
        --work WORK --out OUT

`train` measures a step, chooses as many epochs as end in time, and trains; cut
short, it keeps the weights of its last step. `score` leaves scores and
half-precision weights in OUT, in pieces that can be carried. At home again:

    python -m tools.remote_training home OUT DATA_ROOT RUN

makes a run directory: evaluated, and with weights.
"""
