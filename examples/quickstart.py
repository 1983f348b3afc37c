"""First steps with lgn_tf: from drawn videos to a model that can be served.

    python examples/quickstart.py              # some minutes on two cores
    python examples/quickstart.py --steps 20   # a short try: poor scores

Needs: pip install 'lgn-tf[serving]'. `quickstart.ipynb` has the same steps.
"""

# %% [markdown]
# # First steps with lgn_tf
#
# A model learns what normal video looks like. Then it scores new video: a
# frame with a high score is unusual. This page draws videos, trains a small
# model on them, scores, evaluates, and exports it.

# %% [script]
import argparse

# %%
import dataclasses
import os
from pathlib import Path

import lgn_tf

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow starts quietly

# %% [script]
parser = argparse.ArgumentParser(
    description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
)
parser.add_argument("--steps", type=int, default=600, help="of training")
parser.add_argument(
    "--out", type=Path, default=Path("quickstart"), help="folder to write to"
)
options = parser.parse_args()
steps, out = options.steps, options.out

# %% [notebook]
# steps = 600  # of training; 20 are enough for a short try
# out = Path("quickstart")  # for everything that is written

# %% [markdown]
# ## Configure and train
#
# A preset holds all settings for a data set. `synthetic` is a drawn walkway: a
# small model, and videos that are drawn when they are first needed.

# %%
config = lgn_tf.preset("synthetic")
config = dataclasses.replace(
    config,
    training=dataclasses.replace(config.training, steps=steps),
    data=dataclasses.replace(config.data, stores=str(out / "stores")),
)
run = lgn_tf.train(config, out / "run", overwrite=True)

# %% [markdown]
# ## Score a video
#
# Training leaves a run directory; `lgn_tf.load("quickstart/run")` opens it
# later. A run scores any video file or folder of frames. The online score lies
# between 0 (normal) and 1 (unusual), and needs no later frames.

# %%
video = run.test_set().videos["Test001"]
for scores in run.score(video.source):
    place = int(scores.online_motion.argmax())
    print(
        f"{scores.name}: frame {scores.first + place} is the most unusual, "
        f"its score is {scores.online_motion[place]:.2f}"
    )

# %% [markdown]
# ## Evaluate
#
# The area under the ROC curve (AUC) says how well a score tells abnormal frames
# from normal ones: 50 % is chance, 100 % is perfect. The last row is the best
# score that needs no model: the model should beat it.

# %%
results = run.evaluate()
for name in ("paper", "online", "online motion"):
    print(f"{100 * results.scores[name].micro_auc:.1f} %  {name}")
areas = {name: one.micro_auc for name, one in results.baselines.items()}
best = max(areas, key=areas.get)
print(f"{100 * areas[best]:.1f} %  without a model: {best}")

# %% [markdown]
# ## Report and export
#
# The report is one page of HTML. The export is a SavedModel, and
# `lgn serve quickstart/saved_models/lgn_net` serves it on your machine.

# %%
print(run.report())
exported = run.export(out / "saved_models" / "lgn_net", warm_up_batches=(1,))
print(exported.path)
