"""Runs the command `lgn-client` as `python -m lgn_client`."""

import sys

from lgn_client import client

if __name__ == "__main__":
    sys.exit(client.main())
