"""Writes a run as a SavedModel for TensorFlow Serving; as `lgn export`.

python export.py --run runs/NAME --out saved_models/lgn_net
python export.py --help
"""

import sys

from lgn_tf.cli import main

if __name__ == "__main__":
    sys.exit(main.main(["export", *sys.argv[1:]]))
