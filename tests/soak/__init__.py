"""What the commands and the server stand: kills, full disks, bad requests.

    python -m tests.soak --help

Everything is done from outside: through the commands and over REST and gRPC.
Every random choice follows from one seed. `docs/reliability.md` says what is
tried and holds the table that a run prints.
"""
