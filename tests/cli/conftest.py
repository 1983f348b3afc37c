"""The small model that the tests of the server have too."""

from tests.serving.conftest import serve, toy_dir, toy_version

__all__ = ["serve", "toy_dir", "toy_version"]
