"""Hooks of MkDocs: pages under their places in the repository, and the rooms.

MkDocs names a page by its place in docs/. Here every page is named by its place
in the repository, so that the README and the pages of serving/ can be part of
the site, and one relative link is right on the site and between the files.
"""

from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[2]
OUTSIDE = (
    "*.md",
    "serving/**/*.md",
    "benchmarks/**/*.md",
    "benchmarks/**/*.svg",
)
"""Pages and pictures outside docs/."""
PACKAGES = ("lgn_tf", "serving/lgn_client", "serving/lgn_serving")
ROOMS = "Rooms of the code"
"""Entry of the navigation that lists the rooms."""


def on_config(config: Any) -> Any:
    """Lists a page for each room in the navigation."""
    listed = [{room: _page(room)} for room in rooms()]
    for part in config.nav:
        for entry in part.get("Reference", ()):
            if ROOMS in entry:
                entry[ROOMS] = listed
    return config


def on_files(files: Files, config: Any) -> Files:
    """Names pages by their places in the repository, and adds the rooms."""
    # The others are the theme's.
    named = [file for file in files if file.src_dir != config.docs_dir]
    paths = [path for path in (ROOT / "docs").rglob("*") if path.is_file()]
    for pattern in OUTSIDE:
        paths.extend(ROOT.glob(pattern))
    for path in paths:
        uri = path.relative_to(ROOT).as_posix()
        named.append(File.generated(config, uri, abs_src_path=str(path)))
    for room, modules in rooms().items():
        text = "".join(f"::: {module}\n\n" for module in modules)
        text = f"# {room}\n\n{text}"
        named.append(File.generated(config, _page(room), content=text))
    return Files(named)


def rooms() -> dict[str, list[str]]:
    """Returns the modules of each room, both by their dotted names."""
    found = {}
    for package in PACKAGES:
        top = ROOT / package
        for init in sorted(top.rglob("__init__.py")):
            folder = init.parent
            names = [
                path.stem
                for path in sorted(folder.glob("*.py"))
                if not path.stem.startswith("_")
                and not path.stem.endswith("_pb2")
            ]
            room = ".".join(folder.relative_to(top.parent).parts)
            # docs/python.md has the front door.
            if names:
                found[room] = [f"{room}.{name}" for name in names]
    return found


def _page(room: str) -> str:
    return f"docs/rooms/{room}.md"
