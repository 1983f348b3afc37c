"""The server's ports, and what it does where it cannot have them."""

import socket

import pytest

from lgn_tf.serving.failure import Failure
from lgn_tf.serving.model_settings import ModelSettings
from lgn_tf.serving.server import EmbeddedServer


def test_small_answers_are_not_held_back(toy):
    # asyncio switches the delay off for sockets that name TCP alone.
    assert toy.server._socket.proto == socket.IPPROTO_TCP


@pytest.mark.parametrize("which", ["rest_port", "grpc_port"])
def test_a_port_that_is_taken(which):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=rf"127\.0\.0\.1:{port}: cannot be b"):
            EmbeddedServer(lambda: (), **{which: port})


def test_a_label_without_its_version_at_the_start(toy_dir):
    models = (ModelSettings("toy", toy_dir, labels={"stable": 5}),)
    server = EmbeddedServer(lambda: models)
    with pytest.raises(Failure, match=r"version 5 of model toy.*stable"):
        server.start()
    # The port is free again.
    with socket.create_server(("127.0.0.1", server.rest_port)):
        pass
