"""The job that bulk scoring hands to every machine; the files of one video.

out/
scored_with.json    with what all of them were scored
frames/NAME.csv     as `lgn score` writes them, the same bytes
maps/NAME.npz
sources/NAME.json   written last: of which source the other two are
"""

import dataclasses
import json

from lgn_tf.data.store.manifest import Entry
from lgn_tf.inference.run_scorer import Scoring
from lgn_tf.parallel import storage
from lgn_tf.scores import video_scores

DESCRIPTION = "scored_with.json"
SOURCES = "sources"


@dataclasses.dataclass(frozen=True)
class Job:
    """All that a machine must know to score videos of a store.

    Attributes:
        run_dir: of the run, a local path or a URL; see `storage`.
        store: folder of the store, likewise.
        out: folder that is written to, likewise.
        scoring: with what the videos are scored.
        motion: whether the online score with motion is given, from the motion
            that the store holds.
    """

    run_dir: str
    store: str
    out: str
    scoring: Scoring
    motion: bool = False

    def files(self, name: str) -> list[str]:
        """Returns the paths of both files of a video."""
        return [
            storage.join(self.out, folder, f"{name}{suffix}")
            for folder, suffix in (
                (video_scores.FRAMES, ".csv"),
                (video_scores.MAPS, ".npz"),
            )
        ]

    def record(self, name: str) -> str:
        """Returns the path of the file that says which source was scored."""
        return storage.join(self.out, SOURCES, f"{name}.json")

    def is_done(self, entry: Entry) -> bool:
        """Returns whether both files of a video are whole, of this source."""
        record = self.record(entry.name)
        if not all(map(storage.exists, [record, *self.files(entry.name)])):
            return False
        wanted = _record_of(entry)
        return storage.read(record, len(wanted) + 1) == wanted

    def begin(self, entry: Entry) -> None:
        """Forgets what was there of a video, before its files change."""
        storage.remove(self.record(entry.name))

    def finish(self, entry: Entry) -> None:
        """Says that both files of a video are whole."""
        storage.write(self.record(entry.name), _record_of(entry))


def _record_of(entry: Entry) -> bytes:
    return json.dumps({"source": entry.source.checksum}).encode()
