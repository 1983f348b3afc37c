"""The images' digests, asked of a registry that runs here."""

import importlib.util
import json
import shutil
from pathlib import Path

import pytest
import yaml

from tests.serving import listeners

DEPLOY = Path(__file__).parents[3] / "serving/deploy"
_spec = importlib.util.spec_from_file_location(
    "resolve_digests", DEPLOY / "resolve_digests.py"
)
resolve_digests = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(resolve_digests)
DIGEST = f"sha256:{'0a' * 32}"


class Registry(listeners.Handler):
    """Gives digests to those who have fetched a pass."""

    seen = ()
    digest = DIGEST
    status = 200

    def do_HEAD(self):
        type(self).seen = (*self.seen, self.path)
        known = self.headers["authorization"] == "Bearer pass"
        self.send_response(self.status if known else 401)
        if known:
            assert "image.index" in self.headers["accept"]
            self.send_header("docker-content-digest", self.digest)
        else:
            realm = f"http://{self.headers['host']}/pass"
            self.send_header(
                "www-authenticate",
                f'Bearer realm="{realm}",service="here",scope="pull"',
            )
        self.end_headers()

    def do_GET(self):
        assert self.path == "/pass?service=here&scope=pull"
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({"token": "pass"}).encode())


@pytest.fixture
def registry(monkeypatch):
    monkeypatch.setattr(Registry, "seen", ())
    with listeners.over_http(Registry) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def folder(tmp_path):
    for name in resolve_digests.FILES:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(DEPLOY / name, tmp_path / name)
    return tmp_path


def texts(folder):
    return {path: path.read_text() for path in folder.rglob("*.y*ml*")}


def resolve(folder, registry, *more):
    place = ["--folder", str(folder), "--docker-hub", registry]
    return resolve_digests.main([*place, *more])


def used(value):
    """Returns every image that a parsed file names."""
    if isinstance(value, dict):
        found = [value["image"]] if "image" in value else []
        return found + [n for each in value.values() for n in used(each)]
    if isinstance(value, list):
        return [n for each in value for n in used(each)]
    return []


def images(folder):
    return [
        image
        for name in resolve_digests.FILES
        for page in yaml.safe_load_all((folder / name).read_text())
        for image in used(page)
    ]


def test_every_image_gets_its_digest(folder, registry, capsys):
    tags = [each.partition("@")[0] for each in images(folder)]
    assert len(tags) == 8
    assert resolve(folder, registry, "--check") == 1
    assert resolve(folder, registry) == 0
    assert images(folder) == [f"{tag}@{DIGEST}" for tag in tags]
    assert "/v2/tensorflow/serving/manifests/2.17.1" in Registry.seen
    assert f"tensorflow/serving:2.17.1@{DIGEST}\n" in capsys.readouterr().out
    # Nothing else has changed, and a second run changes nothing.
    for name in resolve_digests.FILES:
        plain = (folder / name).read_text().replace(f"@{DIGEST}", "")
        assert (
            resolve_digests.pin(plain, dict.fromkeys(tags, DIGEST))
            == (folder / name).read_text()
        )
    assert resolve(folder, registry, "--check") == 0


def test_a_moved_tag_is_noticed(folder, registry, monkeypatch, capsys):
    assert resolve(folder, registry) == 0
    moved = f"sha256:{'1b' * 32}"
    monkeypatch.setattr(Registry, "digest", moved)
    before = texts(folder)
    assert resolve(folder, registry, "--check") == 1
    assert "docker-compose.yml: differs" in capsys.readouterr().err
    assert texts(folder) == before
    assert resolve(folder, registry) == 0
    assert set(each.partition("@")[2] for each in images(folder)) == {moved}


def check_refusal(folder, registry, capsys, expected):
    before = texts(folder)
    assert resolve(folder, registry) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("resolve_digests: ") and expected in line
    assert texts(folder) == before


def test_no_network(folder, capsys):
    check_refusal(folder, "http://127.0.0.1:1", capsys, "is not reached")


def test_a_tag_that_is_not_there(folder, registry, monkeypatch, capsys):
    monkeypatch.setattr(Registry, "status", 404)
    check_refusal(folder, registry, capsys, "answered 404")


def test_an_answer_without_a_digest(folder, registry, monkeypatch, capsys):
    monkeypatch.setattr(Registry, "digest", "sha256:0")
    check_refusal(folder, registry, capsys, "must answer with a digest")


@pytest.mark.parametrize("image", ["nginx", "localhost:5000/nginx"])
def test_an_image_without_a_tag(image):
    with pytest.raises(ValueError, match=rf"must have a tag.*{image}"):
        resolve_digests.resolve(image, "http://127.0.0.1:1")


def test_the_names_of_images(monkeypatch):
    asked = []
    monkeypatch.setattr(
        resolve_digests,
        "_manifest",
        lambda url: asked.append(url) or {"docker-content-digest": DIGEST},
    )
    for image in ("nginx:1", "a/b:1", "quay.io/a/b:1", "host:5000/b:1"):
        assert resolve_digests.resolve(image, "https://hub") == DIGEST
    assert asked == [
        "https://hub/v2/library/nginx/manifests/1",
        "https://hub/v2/a/b/manifests/1",
        "https://quay.io/v2/a/b/manifests/1",
        "https://host:5000/v2/b/manifests/1",
    ]
