"""Writes behind each image of this folder the digest that its tag stands for.

    python resolve_digests.py            # image: NAME:TAG@sha256:...
    python resolve_digests.py --check    # writes nothing; 1 where one differs

A tag may be moved to another image; a digest may not. The registries are asked
over HTTPS, without an account. It needs Python alone.
"""

import argparse
import json
import re
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence
from http.client import HTTPException, HTTPMessage
from pathlib import Path

FILES = (
    "docker-compose.yml",
    "docker-compose.gpu.yml",
    "kubernetes/serving.yaml",
)
_IMAGE = re.compile(
    r"^( *(?:- )?image: )([^\s@#]+)(@sha256:[0-9a-f]{64})?$", re.MULTILINE
)
_DIGEST = re.compile("sha256:[0-9a-f]{64}")
# The lists of an image for several processors come first.
_KINDS = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_SECONDS = 20


class Refused(OSError):
    """A registry answered with an error.

    Attributes:
        code: HTTP's status.
        challenge: what it asks for.
    """

    def __init__(self, url: str, code: int, challenge: str) -> None:
        """Stores the answer."""
        super().__init__(f"{url} answered {code} {challenge}".rstrip())
        self.code = code
        self.challenge = challenge


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command.

    Args:
        arguments: the words after the command's name; default `sys.argv`.

    Returns:
        0; 1 where `--check` found a difference; 2 where something was wrong,
        with one line on stderr. Then no file is changed.
    """
    options = _parser().parse_args(arguments)
    try:
        texts = {
            path: path.read_text(encoding="utf-8")
            for path in (options.folder / each for each in FILES)
        }
        digests = {
            image: resolve(image, options.docker_hub)
            for image in sorted(
                {found[2] for text in texts.values() for found in images(text)}
            )
        }
        pinned = {path: pin(text, digests) for path, text in texts.items()}
        changed = [path for path in texts if pinned[path] != texts[path]]
        for image, digest in digests.items():
            print(f"{image}@{digest}")
        if options.check:
            for path in changed:
                print(f"{path}: differs", file=sys.stderr)
            return 1 if changed else 0
        for path in changed:
            _replace(path, pinned[path])
    except (ValueError, OSError, HTTPException) as error:
        print(f"resolve_digests: {error}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description="Writes behind each image the digest of its tag."
    )
    parser.add_argument(
        "--check", action="store_true", help="compare, and write nothing"
    )
    parser.add_argument(
        "--docker-hub",
        default="https://registry-1.docker.io",
        metavar="URL",
        help="Docker Hub, or a mirror of it (default: %(default)s)",
    )
    parser.add_argument(
        "--folder",
        type=Path,
        default=Path(__file__).parent,
        help="of the files (default: this script's)",
    )
    return parser


def images(text: str) -> list[re.Match[str]]:
    """Returns the lines that name an image: start, name with tag, digest."""
    return list(_IMAGE.finditer(text))


def pin(text: str, digests: dict[str, str]) -> str:
    """Returns the text with a digest behind each image."""
    return _IMAGE.sub(
        lambda found: f"{found[1]}{found[2]}@{digests[found[2]]}", text
    )


def resolve(image: str, docker_hub: str) -> str:
    """Asks a registry for the digest of a tag.

    Args:
        image: "NAME:TAG", with the registry's host before it where it is not
            Docker Hub.
        docker_hub: the address of Docker Hub.

    Returns:
        "sha256:" and 64 digits.

    Raises:
        ValueError: where the name has no tag, or the answer no digest.
        OSError: where the registry is not reached, or refuses.
    """
    name, separator, tag = image.rpartition(":")
    if not separator or "/" in tag:
        raise ValueError(f"an image must have a tag. Received: {image}")
    host, slash, rest = name.partition("/")
    if slash and ("." in host or ":" in host):
        base, name = f"https://{host}", rest
    else:
        base, name = docker_hub, name if slash else f"library/{name}"
    url = f"{base.rstrip('/')}/v2/{name}/manifests/{tag}"
    answer = _manifest(url)
    digest = answer.get("docker-content-digest", "")
    if not _DIGEST.fullmatch(digest):
        raise ValueError(
            f"{image}: {url} must answer with a digest. Found there: {digest!r}"
        )
    return digest


def _manifest(url: str) -> HTTPMessage:
    """Returns the headers of a manifest."""
    headers = {"accept": ", ".join(_KINDS)}
    try:
        return _open(url, "HEAD", headers)[0]
    except Refused as refused:
        if refused.code != 401:
            raise
        headers["authorization"] = f"Bearer {_pass(refused)}"
    return _open(url, "HEAD", headers)[0]


def _pass(refused: Refused) -> str:
    """Fetches the pass that a registry gives to anybody who asks."""
    asked = dict(re.findall(r'(\w+)="([^"]*)"', refused.challenge))
    if not refused.challenge.startswith("Bearer ") or "realm" not in asked:
        raise refused
    realm = asked["realm"]
    query = urllib.parse.urlencode(
        {key: asked[key] for key in ("service", "scope") if key in asked}
    )
    _, body = _open(f"{realm}?{query}", "GET", {})
    try:
        given = json.loads(body)
        return str(given.get("token") or given["access_token"])
    except (ValueError, KeyError, AttributeError) as error:
        raise ValueError(
            f"{realm} must answer with a token. Found there: {body[:80]!r}"
        ) from error


def _open(
    url: str, method: str, headers: dict[str, str]
) -> tuple[HTTPMessage, bytes]:
    if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
        raise ValueError(f"an address must be http(s)://. Received: {url}")
    asked = urllib.request.Request(url, headers=headers, method=method)
    try:
        with urllib.request.urlopen(asked, timeout=_SECONDS) as answer:
            return answer.headers, answer.read(2**20)
    except urllib.error.HTTPError as error:
        challenge = error.headers.get("www-authenticate", "")
        raise Refused(url, error.code, challenge) from error
    except OSError as error:
        reason = getattr(error, "reason", error)
        raise OSError(f"{url} is not reached: {reason}") from error


def _replace(path: Path, text: str) -> None:
    whole = path.with_name(f"{path.name}.part")
    whole.write_text(text, encoding="utf-8")
    whole.replace(path)


if __name__ == "__main__":
    sys.exit(main())
