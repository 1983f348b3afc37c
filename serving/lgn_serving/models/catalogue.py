"""Models, their versions and labels, and the requests that use them.

A new version is loaded while the old one answers. The old version is retired
only when the new one is available, and closed only when its last request is
done. A version whose process has ended is loaded anew where it still serves:
one of those that the settings choose, or an old one while none of them loads.
"""

import contextlib
import dataclasses
import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from lgn_serving.failure import Failure, invalid
from lgn_serving.models.settings import ModelSettings, version_folders
from lgn_serving.models.version import END, UNLOADING, Version

_log = logging.getLogger(__name__)


class Catalogue:
    """All models of a server.

    Args:
        load: returns a servable from a version's folder, or raises `Failure`.
        unavailable_labels: whether a label may name a version that is not
            loaded.
    """

    def __init__(
        self, load: Callable[[Path], Any], unavailable_labels: bool = False
    ) -> None:
        """Starts empty; see `update`."""
        self._load = load
        self._unavailable_labels = unavailable_labels
        self._lock = threading.RLock()
        self._polling = threading.Lock()
        self._settings: dict[str, ModelSettings] = {}
        self._labels: dict[str, dict[str, int]] = {}
        self._versions: dict[str, dict[int, Version]] = {}
        self._closed = False

    def update(self, models: Iterable[ModelSettings]) -> None:
        """Loads new versions, moves labels, then unloads other versions.

        Raises:
            Failure: where a label names a version that is not loaded;
                everything then stays as it was.
        """
        models = tuple(models)
        try:
            with self._polling:
                self._note_deaths()
                for model in models:
                    self._check_labels(model, self._loadable(model))
                # New versions are loaded first, so that the labels can move to
                # them. Old versions are unloaded last, so that every label
                # always has its version.
                for model in models:
                    self._load_missing(model)
                with self._lock:
                    for model in models:
                        self._check_labels(model, set())
                    self._settings = {each.name: each for each in models}
                    self._labels = {
                        each.name: dict(each.labels) for each in models
                    }
        finally:
            # Where the settings were refused, this unloads the versions that
            # were loaded for them.
            self.poll()

    def _check_labels(self, model: ModelSettings, loadable: set[int]) -> None:
        if self._unavailable_labels:
            return
        for label, number in model.labels.items():
            with self._lock:
                version = self._versions.get(model.name, {}).get(number)
                there = version is not None and (
                    version.answers
                    # A process that has ended keeps no other settings away.
                    or (
                        version.returns()
                        and self._labels.get(model.name, {}).get(label)
                        == number
                    )
                )
            if not there and number not in loadable:
                raise Failure(
                    "FAILED_PRECONDITION",
                    f"Request has label assigned to version {number} of model "
                    f"{model.name}, which is not available: {label}",
                )

    def _loadable(self, model: ModelSettings) -> set[int]:
        """Returns the chosen versions that are worth a try to load."""
        table = self._versions.get(model.name, {})
        disk = model.on_disk()
        return {
            number
            for number in model.chosen(list(disk))
            if number not in table or table[number].is_loadable(disk[number][1])
        }

    def _note_deaths(self) -> None:
        with self._lock:
            lost = [
                version
                for table in self._versions.values()
                for version in table.values()
                if version.is_lost
            ]
            for version in lost:
                version.lose()
        for version in lost:
            self._close_unused(version)

    def poll(self) -> None:
        """Looks at the disk once: loads new versions, unloads old ones."""
        with self._polling:
            self._note_deaths()
            for model in list(self._settings.values()):
                self._load_missing(model)
                self._unload_surplus(model)
            for name in set(self._versions) - set(self._settings):
                for version in self._versions[name].values():
                    self._retire(version)

    def _load_missing(self, model: ModelSettings) -> None:
        with self._lock:
            table = self._versions.setdefault(model.name, {})
        disk = model.on_disk()
        chosen = model.chosen(list(disk))
        for number in chosen:
            self._load_if_missing(model.name, number, *disk[number])
        old = []
        if not self._any_answers(table, chosen):
            # An old version is better than none, and those that served until
            # their process ended are all that there are.
            old = [each for each in table if table[each].anew and each in disk]
            for number in sorted(set(old) - set(chosen), reverse=True):
                self._load_if_missing(model.name, number, *disk[number])
        with self._lock:
            for number, version in table.items():
                version.wanted = number in chosen or number in old

    def _any_answers(
        self, table: dict[int, Version], numbers: Iterable[int]
    ) -> bool:
        with self._lock:
            return any(table[each].answers for each in numbers if each in table)

    def _load_if_missing(
        self, name: str, number: int, folder: Path, stamp: int
    ) -> None:
        old = self._versions[name].get(number)
        if self._closed or not (old is None or old.is_loadable(stamp)):
            return
        version = Version(
            number, stamp=stamp, anew=old is not None and old.anew
        )
        with self._lock:
            self._versions[name][number] = version
        self._load_version(name, version, folder)

    def _load_version(self, name: str, version: Version, folder: Path) -> None:
        try:
            servable = self._load(folder)
        # Other versions are not harmed, whatever is wrong with this one.
        except Exception as error:
            failure = error
            if not isinstance(failure, Failure):
                failure = Failure("UNKNOWN", f"{folder}: {error!r}")
            if not self._closed:
                _log.error("%s %d: %s", name, version.number, failure.message)
            with self._lock:
                version.fail(failure)
            return
        with self._lock:
            version.load(servable)
        _log.info("%s %d: loaded", name, version.number)
        if self._closed:
            self._retire(version)

    def _unload_surplus(self, model: ModelSettings) -> None:
        table = self._versions[model.name]
        wanted = set(model.chosen(sorted(version_folders(model.base_path))))
        if not self._any_answers(table, wanted):
            # An old version is better than none.
            return
        for number, version in list(table.items()):
            if number not in wanted:
                self._retire(version)

    def _retire(self, version: Version) -> None:
        with self._lock:
            version.retire()
        self._close_unused(version)

    def _close_unused(self, version: Version) -> None:
        with self._lock:
            if version.state != UNLOADING or version.users:
                return
            servable, version.servable = version.servable, None
        if servable is None:
            # Another thread is closing it.
            return
        # Closing takes a while, and every request needs the lock.
        try:
            servable.close()
        finally:
            with self._lock:
                version.state = END

    @contextlib.contextmanager
    def borrow(
        self, name: str, number: int | None = None, label: str | None = None
    ) -> Iterator[tuple[int, Any]]:
        """Yields (version, servable), which stays loaded inside the context.

        Args:
            name: the model.
            number: its version; the newest that is available where None.
            label: its label, instead of a version.

        Raises:
            Failure: where there is no such model, version or label.
        """
        with self._lock:
            version = self._find(name, number, label)
            version.users += 1
        try:
            yield version.number, version.servable
        finally:
            with self._lock:
                version.users -= 1
            self._close_unused(version)

    def _find(
        self, name: str, number: int | None, label: str | None
    ) -> Version:
        table = self._versions.get(name, {})
        if label is not None:
            number = self._labelled(name, label)
        if number is not None:
            known = [table[number]] if number in table else []
            asked = f"Specific({name}, {number})"
        else:
            known = list(table.values())
            asked = f"Latest({name})"
        available = [each for each in known if each.answers]
        if available:
            return max(available, key=lambda each: each.number)
        if any(each.returns() for each in known):
            raise Failure("UNAVAILABLE", f"Servable is loaded anew: {asked}")
        raise Failure("NOT_FOUND", f"Servable not found for request: {asked}")

    def _labelled(self, name: str, label: str) -> int:
        labels = self._labels.get(name, {})
        if label not in labels:
            raise invalid(f"Unrecognized servable version label: {label}")
        return labels[label]

    def status(
        self, name: str, number: int | None = None, label: str | None = None
    ) -> list[Version]:
        """Returns copies of the versions of a model, the newest first.

        Raises:
            Failure: where there is no such model, version or label.
        """
        with self._lock:
            if label is not None:
                number = self._labelled(name, label)
            found = [
                dataclasses.replace(version)
                for key, version in self._versions.get(name, {}).items()
                if number in (None, key)
            ]
        for version in found:
            if version.is_lost:
                version.lose()
        if found:
            return sorted(found, key=lambda each: -each.number)
        what = "any versions" if number is None else f"version {number}"
        raise Failure("NOT_FOUND", f"Could not find {what} of model {name}")

    def ready(self) -> bool:
        """Returns whether every model has a version that answers."""
        with self._lock:
            tables = [self._versions.get(name, {}) for name in self._settings]
            return all(self._any_answers(table, table) for table in tables)

    def close(self) -> None:
        """Unloads all versions, each after its last request.

        A version that is being loaded is unloaded as soon as it is loaded.
        """
        with self._lock:
            self._closed = True
            self._settings = {}
            versions = [
                version
                for table in self._versions.values()
                for version in table.values()
            ]
        for version in versions:
            self._retire(version)
