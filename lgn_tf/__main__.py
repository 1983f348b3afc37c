"""The command `lgn`, as `python -m lgn_tf`."""

import sys

from lgn_tf.cli import main

if __name__ == "__main__":
    sys.exit(main.main())
