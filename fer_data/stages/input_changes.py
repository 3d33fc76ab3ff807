"""Detects inputs of a stage that were edited while it ran.

DVC hashes dependencies and settings again after a stage's command, so it would record an edit made
meanwhile as if the stage had used it. A stage that ends with an error records nothing.
"""

import hashlib
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fer_data
from fer_data.core.catalog import GRAPH_FILE, PARAMS_FILE, stages_in
from fer_data.core.errors import InputsChangedError, UserError
from fer_data.core.yaml_files import read_yaml
from fer_data.stages.defaults import descend
from fer_data.stages.recorded_inputs import check_recorded

STAGE = "DVC_STAGE"
"""The variable by which DVC tells a command the name of its stage."""

_ALWAYS_READ_BYTES = 2**20
"""Up to this size, files are compared by what they hold, whatever their time of change says."""
_NEVER_READ_BYTES = 2**30
"""Files beyond it are compared by size, time and inode alone: to read them takes seconds."""


@dataclass(frozen=True)
class _File:
    """A file at one moment."""

    stamp: tuple[int, ...]
    """Size, time of its content and inode, and the time of any change."""
    content: bytes
    """A hash of what it holds; empty if it is too large to be read."""


class Inputs:
    """The inputs of a stage as they were at its start."""

    def __init__(self, stage: str, *, deps: list[str], params: list[str], folder: Path) -> None:
        """Takes the inputs down as they are now.

        Args:
            stage: The stage's name, for the message.
            deps: Files and folders that it reads.
            params: Keys of `params.yaml`; dots descend.
            folder: The folder that the paths are relative to.
        """
        self._stage, self.deps, self._params, self._folder = stage, deps, params, folder
        self._files = {dep: _files(folder / dep) for dep in deps}
        self._settings = self._read_settings()

    def check(self) -> None:
        """Compares the inputs with their current state.

        Raises:
            InputsChangedError: They are others; the message names them.
        """
        changed = [dep for dep in self.deps if self._is_changed(dep)]
        changed += [f"{PARAMS_FILE}: {key}" for key in self._changed_settings()]
        if changed:
            raise changed_error(changed, self._stage)

    def check_code(self, since: int) -> None:
        """Looks for code that was edited after this process began to import it.

        Args:
            since: When that was, in nanoseconds since 1970.

        Raises:
            InputsChangedError: Some of it may have been imported before it was edited.
        """
        now = time.time_ns()  # of a file of tomorrow, another machine's clock is to blame
        changed = [
            dep
            for dep, files in self._files.items()
            if dep.endswith(".py")
            for file in files.values()
            if since < file.stamp[1] < now
        ]
        if changed:
            raise changed_error(changed, self._stage)

    def _is_changed(self, dep: str) -> bool:
        now = _files(self._folder / dep, known=self._files[dep])
        return _contents(now) != _contents(self._files[dep])

    def _changed_settings(self) -> list[str]:
        try:
            now = self._read_settings()
        except UserError:
            return self._params
        return [key for key in self._params if now[key] != self._settings[key]]

    def _read_settings(self) -> dict[str, Any]:
        if not self._params:
            return {}
        values = read_yaml(self._folder / PARAMS_FILE)
        return {key: descend(values, key) for key in self._params}


def changed_error(changed: list[str], stage: str) -> InputsChangedError:
    """The error of a stage whose inputs changed; `retry_policy` of flows knows its words."""
    return InputsChangedError(
        f"{', '.join(changed)} changed while '{stage}' ran: nothing was recorded; run it again"
    )


_inputs: ContextVar[Inputs | None] = ContextVar("inputs", default=None)


@contextmanager
def watched() -> Iterator[bool]:
    """Compares the inputs of the running stage at its start and at its end, and with DVC's record.

    Outside of DVC, such as for a module that is run by hand, it does nothing.

    Yields:
        Whether DVC runs a stage here.

    Raises:
        InputsChangedError: They changed, whatever else went wrong.
        UserError: They are not what the stages made that they come from.
    """
    inputs = _inputs_of_this_process()
    if inputs is None:
        yield False
        return
    token = _inputs.set(inputs)
    try:
        inputs.check_code(since=fer_data.IMPORTED_AT)
        check_recorded(inputs.deps)
        yield True
    except (UserError, OSError, ValueError):
        inputs.check()  # what went wrong may be that an edit was half done
        raise
    finally:
        _inputs.reset(token)
    inputs.check()


def check_inputs() -> None:
    """Compares the inputs of the running stage with those at its start; for long work to call.

    Raises:
        InputsChangedError: They changed, so that the stage need not go on.
    """
    inputs = _inputs.get()
    if inputs is not None:
        inputs.check()


def _inputs_of_this_process() -> Inputs | None:
    """The inputs of the stage that DVC runs here, by `dvc.yaml`; None if it runs none."""
    # DVC runs a command in the folder of its `dvc.yaml`, and names another one than ours by its path.
    name = os.environ.get(STAGE, "").rpartition(":")[2]
    if not name or not Path(GRAPH_FILE).is_file():
        return None
    inputs = stage_inputs(name, folder=Path())
    return inputs and Inputs(name, deps=inputs[0], params=inputs[1], folder=Path())


def stage_inputs(name: str, *, folder: Path) -> tuple[list[str], list[str]] | None:
    """The dependencies of a stage.

    Args:
        name: Its name, for one of several with its item: `train@scratch`.
        folder: The folder of `dvc.yaml`.

    Returns:
        Its paths, and its keys of `params.yaml`. None if `dvc.yaml` has no such stage.
    """
    group, _, item = name.partition("@")
    stage = stages_in(folder).get(group)
    if stage is None:
        return None
    values = item_values(item, stage.get("foreach"))
    values |= {f"item.{axis}": item for axis in stage.get("matrix", {})}  # all have one
    lists = [stage.get("do", stage).get(key, []) for key in ("deps", "params")]
    deps, params = ([filled(text, values) for text in texts] for texts in lists)
    return deps, params


def item_values(item: str, items: Any) -> dict[str, str]:
    """What the `${...}` of a stage's template stand for, by name.

    Args:
        item: The name of one of the stages.
        items: The template's `foreach`: a list of names, or values by name.
    """
    values = {"key": item, "item": item}
    if isinstance(items, Mapping):
        values |= {f"item.{key}": str(value) for key, value in items.get(item, {}).items()}
    return values


def filled(text: str, values: Mapping[str, str]) -> str:
    """A text of a template with its values; see `item_values`."""
    for name, value in values.items():
        text = text.replace(f"${{{name}}}", value)
    return text


def _files(path: Path, *, known: Mapping[str, _File] | None = None) -> dict[str, _File]:
    """The files at or below a path; those of `known` are read again only if their stamp is another."""
    paths = [path]
    if path.is_dir():
        paths = [Path(at, name) for at, _, names in os.walk(path) for name in names]
    found: dict[str, _File] = {}
    for one in paths:
        try:
            found[str(one)] = _file(one, (known or {}).get(str(one)))
        except (
            FileNotFoundError,
            NotADirectoryError,
        ):  # or just replaced
            continue
    return found


def _file(path: Path, known: _File | None) -> _File:
    status = path.stat()
    stamp = (status.st_size, status.st_mtime_ns, status.st_ino, status.st_ctime_ns)
    if known and known.stamp == stamp and status.st_size > _ALWAYS_READ_BYTES:
        return known
    if status.st_size > _NEVER_READ_BYTES:
        return _File(stamp, b"")
    with path.open("rb") as opened:
        return _File(stamp, hashlib.file_digest(opened, "blake2b").digest())


def _contents(files: Mapping[str, _File]) -> dict[str, object]:
    """What makes files differ: their content, or their stamp where they were not read."""
    return {path: file.content or file.stamp[:3] for path, file in files.items()}
