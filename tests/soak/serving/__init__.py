"""The server as a process of its own, and processes that ask it."""
