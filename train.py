"""Trains LGN-Net and leaves a run directory; `lgn train` does the same.

python train.py --dataset ped2 --data-root UCSDped2
python train.py --dataset ped2 --data-root UCSDped2 --lite --epochs 6
python train.py --resume runs/NAME
python train.py --help
"""

import sys

from lgn_tf.cli import main

if __name__ == "__main__":
    sys.exit(main.main(["train", *sys.argv[1:]], program="train.py"))
