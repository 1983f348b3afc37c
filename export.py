"""Writes a run as a SavedModel for TensorFlow Serving; as `lgn export`.

python export.py --run runs/NAME --out saved_models/lgn_net
python export.py --help
"""

import sys

from lgn_tf import cli

if __name__ == "__main__":
    sys.exit(cli.main(["export", *sys.argv[1:]]))
