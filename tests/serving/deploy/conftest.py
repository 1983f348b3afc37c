"""The shipped proxy, in front of a server that notes what reaches it."""

import pytest

from tests.serving.deploy.proxy import Proxy
from tests.serving.deploy.upstream import Upstream


@pytest.fixture(scope="module")
def upstream():
    with Upstream() as upstream:
        yield upstream


@pytest.fixture
def proxy(upstream, tmp_path):
    upstream.seen.clear()
    proxy = Proxy(tmp_path, upstream.rest, upstream.grpc)
    with proxy.running():
        yield proxy
