"""The contents of a wheel, and its version, beside those of the checkout."""

import re
import stat
import zipfile
from pathlib import Path

from tools.check_wheel.processes import WheelError

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("lgn_tf", "serving/lgn_client", "serving/lgn_serving")


def check(wheel: Path, root: Path = ROOT) -> None:
    """Compares the files of a wheel with the packages of the checkout.

    Raises:
        WheelError: naming the files that are missing, that should not be
            there, that hold something else, or that are links.
    """
    wanted = {
        file.relative_to(folder.parent).as_posix(): file
        for folder in (root / name for name in PACKAGES)
        for file in folder.rglob("*")
        # Of the sources, what is there to be read stays out.
        if file.is_file()
        and file.suffix not in (".md", ".proto", ".pyc")
        and "__pycache__" not in file.parts
    }
    with zipfile.ZipFile(wheel) as archive:
        found = {
            one.filename: one
            for one in archive.infolist()
            if not re.match(r"[^/]+\.dist-info/", one.filename)
        }
        faults = {
            "missing": sorted(wanted.keys() - found.keys()),
            "not of the packages": sorted(found.keys() - wanted.keys()),
            "other than in the checkout": [
                name
                for name in sorted(wanted.keys() & found.keys())
                if archive.read(name) != wanted[name].read_bytes()
            ],
            "links": [
                name
                for name, one in sorted(found.items())
                if stat.S_ISLNK(one.external_attr >> 16)
            ],
        }
    lines = [
        f"{fault}: {', '.join(names)}"
        for fault, names in faults.items()
        if names
    ]
    if lines:
        raise WheelError(f"{wheel}: " + "; ".join(lines))


def check_version(
    wheel: Path, tag: str | None = None, root: Path = ROOT
) -> str:
    """Compares all places that name the version.

    Args:
        wheel: its metadata name the version.
        tag: of the release; then the changelog must have a dated heading too.
        root: of the checkout.

    Returns:
        The version.

    Raises:
        WheelError: where two places disagree.
    """
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (
            name
            for name in archive.namelist()
            if name.endswith(".dist-info/METADATA")
        )
        metadata = archive.read(name).decode()
        code = archive.read("lgn_tf/__init__.py").decode()
    version = _only(r"^Version: (.+)$", metadata, name)
    places = {
        "lgn_tf.__version__": _only(r'^__version__ = "(.+)"$', code, "lgn_tf"),
        "the name of the file": wheel.name.split("-")[1],
    }
    if tag is not None:
        places["the tag without its v"] = tag.removeprefix("v")
        changelog = (root / "CHANGELOG.md").read_text(encoding="utf-8")
        heading = rf"^## \[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d$"
        if not re.search(heading, changelog, re.MULTILINE):
            raise WheelError(
                f"CHANGELOG.md must have a heading `## [{version}] - "
                "YYYY-MM-DD`. Found there: "
                + ", ".join(re.findall(r"^## (.+)$", changelog, re.MULTILINE))
            )
    for place, told in places.items():
        if told != version:
            raise WheelError(
                f"{place} must be the version {version} of the metadata. "
                f"Received: {told}"
            )
    return version


def _only(pattern: str, text: str, place: str) -> str:
    found = re.findall(pattern, text, re.MULTILINE)
    if len(found) != 1:
        raise WheelError(f"{place}: must match {pattern} once. Found: {found}")
    return str(found[0])
