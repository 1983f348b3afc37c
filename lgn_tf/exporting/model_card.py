"""The model card: an exported version described to people and programs."""

import dataclasses
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from lgn_tf.config import schema
from lgn_tf.config.schema import Config
from lgn_tf.evaluation import notes, results
from lgn_tf.evaluation.results import Results
from lgn_tf.exporting.signatures import Endpoint
from lgn_tf.files import untrusted
from lgn_tf.runs import environment
from lgn_tf.runs.run import Run

JSON = "model_card.json"
TEXT = "model_card.md"

MOST_BYTES = 2 * results.MOST_BYTES
"""Of the card, which holds the results."""


def make_card(
    run: Run,
    config: Config,
    endpoints: Sequence[Endpoint],
    sizes: Mapping[str, int],
    files: Mapping[str, Path],
) -> dict[str, Any]:
    """Returns the card as plain values.

    Args:
        run: the run that was exported.
        config: of the exported model.
        endpoints: what it answers.
        sizes: of the parts of the version, in bytes.
        files: whose hashes are noted, by the name to note them under.

    Raises:
        ValueError: where the run's results are damaged, or of another version.
    """
    evaluated, calibration = run.results, run.calibration
    return {
        "run": run.folder.name,
        "dataset": config.data.dataset,
        "config": schema.to_dict(config),
        "calibration": calibration
        and {
            "clips": list(calibration.names),
            "frames": calibration.frames,
            "in_sample": calibration.in_sample,
            "cue_weights": calibration.cue_weights,
        },
        "verdicts": evaluated and notes.verdicts(evaluated),
        "notes": evaluated
        and [*_other_weights(evaluated, calibration), *notes.notes(evaluated)],
        "results": evaluated and msgspec.to_builtins(evaluated),
        "endpoints": [dataclasses.asdict(each) for each in endpoints],
        "bytes": dict(sizes),
        "sha256": {name: sha256(path) for name, path in files.items()},
        "revision": environment.revision(),
        "packages": environment.versions(),
    }


def _other_weights(evaluated: Results, calibration: Any) -> list[str]:
    """Says where the results are of other weights than the version's."""
    theirs = evaluated.provenance.cue_weights
    if calibration is None or not theirs or theirs == calibration.cue_weights:
        return []
    return [
        "the online scores below weigh the cues otherwise than this version: "
        + weights_text(theirs)
    ]


def weights_text(weights: Mapping[str, float]) -> str:
    """Returns weights of cues in words."""
    return ", ".join(f"{name} {value:g}" for name, value in weights.items())


def read_config(extra: Path) -> Config:
    """Reads from a card the configuration of the version.

    Args:
        extra: the folder of the card.

    Raises:
        FileNotFoundError: where there is no card.
        ValueError: where it is damaged, naming the file.
    """
    path = extra / JSON
    card = untrusted.read_json(path, MOST_BYTES)
    try:
        return schema.from_dict(card.get("config", ""))
    except ValueError as error:
        raise ValueError(
            f"{path}: must be a model card. Found there: {error}"
        ) from error


def sha256(path: Path) -> str:
    """Returns the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_card(card: Mapping[str, Any], folder: Path) -> None:
    """Writes the card as JSON and as Markdown."""
    text = json.dumps(card, indent=2, ensure_ascii=False)
    (folder / JSON).write_text(f"{text}\n", encoding="utf-8")
    (folder / TEXT).write_text(_markdown(card), encoding="utf-8")


def escaped(text: object) -> str:
    """Returns text that Markdown shows as it is: one line, no link, no HTML."""
    line = untrusted.one_line(text)
    # `://` would be a link without any brackets.
    return re.sub(r"([\\`*_{}\[\]<>#|~&!$@]|:(?=//))", r"\\\1", line)


def _markdown(card: Mapping[str, Any]) -> str:
    lines = [f"# LGN-Net, {escaped(card['run'])}", "", "| | |", "|---|---|"]
    lines += [
        f"| {name} | {escaped(value)} |" for name, value in _facts(card).items()
    ]
    lines += ["", "## Endpoints", ""]
    for endpoint in card["endpoints"]:
        lines += _endpoint_lines(endpoint)
    lines += _memory_lines(card.get("memory", {}))
    found = json.dumps(card["results"], indent=2, ensure_ascii=False)
    sentences = [*(card["verdicts"] or ()), *(card["notes"] or ())]
    lines += ["## Results", "", *(f"- {escaped(one)}" for one in sentences)]
    lines += ["", "```json", found, "```", ""]
    return "\n".join(lines)


def _memory_lines(memory: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Says what a request needs besides its inputs; nothing where unknown."""
    if not memory:
        return []
    return [
        "## Memory",
        "",
        "Bytes that a request needs in the graph besides its inputs, as "
        "measured when the version was exported: for any request, for each "
        "row, for each frame of a row, for each pixel of the largest frame, "
        "and for each line of pixels of the highest.",
        "",
        "| endpoint | request | row | frame | pixel | line |",
        "|---|---|---|---|---|---|",
        *(
            f"| `{name}` | {each['request']} | {each['row']} "
            f"| {each['frame']} | {each['pixel']} | {each['line']} |"
            for name, each in memory.items()
        ),
        "",
    ]


def _facts(card: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the rows of the first table, by their titles."""
    model = card["config"]["model"]
    height, width = model["image_size"]
    return {
        "run": card["run"],
        "dataset": card["dataset"],
        "variant": model["variant"],
        "frames": f"{height} x {width} x {model['channels']}",
        "predicts": "the change to the last frame"
        if model["residual"]
        else "the next frame",
        "width": model["width"],
        "memory items": model["memory_items"],
        "precision": model["dtype"],
        "calibration": _calibration_text(card["calibration"]),
        "revision": card["revision"],
        **{
            f"most {name.replace('_', ' ')} of a request": most
            for name, most in card.get("limits", {}).items()
        },
        **{f"{name}, bytes": size for name, size in card["bytes"].items()},
        **{f"SHA-256 of {name}": each for name, each in card["sha256"].items()},
        **card["packages"],
    }


def _calibration_text(calibration: Mapping[str, Any] | None) -> str:
    if calibration is None:
        return "none: there is no online score"
    kind = "in-sample" if calibration["in_sample"] else "held out"
    return (
        f"{calibration['frames']} frames of {len(calibration['clips'])} "
        f"clips, {kind}; weights of the cues: "
        f"{weights_text(calibration['cue_weights'])}"
    )


def _endpoint_lines(endpoint: Mapping[str, Any]) -> list[str]:
    lines = [f"### `{endpoint['name']}`", "", endpoint["meaning"], ""]
    lines += ["| | | type | shape | |", "|---|---|---|---|---|"]
    for way in ("inputs", "outputs"):
        for tensor in endpoint[way]:
            shape = ", ".join(
                "any" if size is None else str(size) for size in tensor["shape"]
            )
            lines.append(
                f"| {way[:-1]} | `{tensor['name']}` | {tensor['dtype']} "
                f"| ({shape}) | {tensor['meaning']} |"
            )
    return [*lines, ""]
