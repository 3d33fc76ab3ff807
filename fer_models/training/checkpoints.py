"""Saves and restores checkpoints, so that a killed training resumes after its last finished epoch.

The checkpoints of a training lie in `FOLDER/FINGERPRINT/epoch-0003.npz`: outside of DVC's outputs, which
DVC deletes before it runs a stage, and in a folder for each fingerprint of data, settings and code, so
that a training never resumes from another one's.
"""

import errno
import hashlib
import json
import logging
import re
import shutil
import struct
import sys
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from fer_data.core.errors import UserError
from fer_data.core.files import atomic_write
from fer_data.core.locks import held
from fer_models.training.conditions import differences

logger = logging.getLogger(__name__)

NUM_CHECKPOINTS = 2
"""How many checkpoints stay: the newest, and the one before in case the newest is damaged."""

_STATE = "state"
_DAMAGED = (
    *(zipfile.BadZipFile, zlib.error, struct.error, EOFError, KeyError, ValueError),
    RuntimeError,  # a flipped bit calls a member encrypted, or packed in a way that zipfile lacks
)
"""What `_read` raises for a damaged file; an `OSError`, such as of a lost disk, is none of them."""


@dataclass(frozen=True)
class Checkpoint:
    """All that a training needs to resume after an epoch."""

    epoch: int
    """How many epochs are finished."""
    arrays: Mapping[str, Sequence[np.ndarray]]
    """Named lists of arrays: variables of the model, of the optimizer, the best weights."""
    state: Mapping[str, Any]
    """What JSON can hold: the history, and how the best epoch did."""
    conditions: Mapping[str, str] | None = None
    """The conditions it was written under (`conditions.py`); None in files of version 0.1.0."""
    resumed: Sequence[dict[str, Any]] = ()
    """`Checkpoints.resumed` at that time."""


@dataclass(frozen=True)
class Checkpoints:
    """The checkpoints of one training, locked by this process."""

    folder: Path
    """The folder of one fingerprint."""
    conditions: Mapping[str, str] = field(default_factory=dict)
    """Those of this process; resuming under other conditions changes the last bits."""
    exact: bool = False
    """Whether checkpoints of other conditions are refused."""
    resumed: list[dict[str, Any]] = field(default_factory=list)
    """Each time that the training went on under other conditions: `after_epoch`, and the `differences`
    in words."""

    def newest(self) -> Checkpoint | None:
        """Reads the newest undamaged checkpoint; damaged ones are renamed, with a warning.

        Raises:
            UserError: It was written under other conditions, and `exact` refuses that.
        """
        for file in self._files():
            try:
                found = _read(file)
            except _DAMAGED as error:
                aside = file.with_suffix(".damaged")
                file.replace(aside)
                logger.warning("%s is damaged (%s): set aside as %s", file, error, aside.name)
            else:
                self._compare(found)
                return found
        return None

    def save(self, checkpoint: Checkpoint) -> None:
        """Writes a checkpoint atomically, and deletes the oldest ones."""
        # A flat archive of arrays: `model/00000`, `model/00001` ... and the rest as JSON in `state`.
        members = {
            f"{name}/{number:05d}": array
            for name, arrays in checkpoint.arrays.items()
            for number, array in enumerate(arrays)
        }
        names = {name: len(arrays) for name, arrays in checkpoint.arrays.items()}
        content = {"epoch": checkpoint.epoch, "names": names, "state": checkpoint.state}
        content |= {"conditions": self.conditions, "resumed": self.resumed}
        state = json.dumps(content, allow_nan=False)
        members[_STATE] = np.frombuffer(state.encode(), np.uint8)
        target = self.folder / f"epoch-{checkpoint.epoch:04d}.npz"
        with atomic_write(target) as beside, beside.open("wb") as file:
            np.savez(file, allow_pickle=False, **members)  # its members carry checksums
        for old in self._files()[NUM_CHECKPOINTS:]:
            old.unlink()

    def _compare(self, checkpoint: Checkpoint) -> None:
        """Compares the conditions of a checkpoint with those of this process, and notes differences."""
        self.resumed[:] = checkpoint.resumed
        differing = differences(checkpoint.conditions, self.conditions)
        if not differing:
            return
        if self.exact:
            raise UserError(
                f"{self.folder} was begun under other conditions ({differing}): resume under those, set "
                "`checkpoints.resume: continue` in params.yaml, or remove the folder to start again"
            )
        self.resumed.append({"after_epoch": checkpoint.epoch, "differences": differing})
        logger.warning(
            "resumed after epoch %d under other conditions (%s): not repeatable to the bit",
            *(checkpoint.epoch, differing),
        )

    def _files(self) -> list[Path]:
        """Newest first."""
        return sorted(self.folder.glob("epoch-*.npz"), reverse=True)


@contextmanager
def open_checkpoints(
    folder: Path,
    fingerprint: str,
    *,
    conditions: Mapping[str, str] | None = None,
    exact: bool = False,
) -> Iterator[Checkpoints]:
    """Locks the checkpoints of a model against other processes, and removes them after success.

    Args:
        folder: The model's folder of checkpoints; it is made if it is missing.
        fingerprint: Of the data, the settings and the code: only equal trainings share checkpoints.
        conditions: Those of this process, as `fer_models.training.conditions` tells them.
        exact: Whether checkpoints of other conditions are refused.

    Yields:
        The checkpoints of that fingerprint.

    Raises:
        UserError: Another process holds the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    refusal = (
        f"process {{holder}} trains with {folder} already: wait for it, or end it; its "
        "checkpoints stay"
    )
    with held(folder / "lock", refusal=refusal):
        own = folder / fingerprint
        own.mkdir(exist_ok=True)
        yield Checkpoints(own, conditions or {}, exact)
        for trained in folder.iterdir():  # those of earlier settings, too
            if trained.is_dir():
                shutil.rmtree(trained)


def fingerprint_of(settings: Mapping[str, Any], *arrays: np.ndarray, files: Sequence[Path]) -> str:
    """Hashes what a training depends on: settings, data, files, library versions, our loaded code.

    Args:
        settings: What JSON can hold.
        *arrays: The data.
        files: Such as initial weights.

    Returns:
        16 hexadecimal digits.
    """
    # The specification has the real name of a module that runs as `__main__`, too.
    specifications = [getattr(module, "__spec__", None) for module in sys.modules.values()]
    sources = {
        spec.name: Path(spec.origin).read_bytes()
        for spec in specifications
        if spec and spec.has_location and re.match(r"(fer_data|fer_models)\.", spec.name)
    }
    modules = [sources[name] for name in sorted(sources)]
    versions = [keras.__version__, tf.__version__, np.__version__]
    digest = hashlib.sha256(json.dumps([settings, versions], sort_keys=True).encode())
    for content in (*modules, *(file.read_bytes() for file in files)):
        digest.update(hashlib.sha256(content).digest())
    for array in arrays:
        digest.update(f"{array.dtype}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()[:16]


def _read(file: Path) -> Checkpoint:
    with file.open("rb") as opened:
        try:
            with np.load(opened) as members:
                content = json.loads(members[_STATE].tobytes())
                arrays = {
                    name: [members[f"{name}/{number:05d}"] for number in range(count)]
                    for name, count in content["names"].items()
                }
        except OSError as error:
            if error.errno != errno.EINVAL:  # of a member that is said to begin before the file
                raise
            raise ValueError(str(error)) from error
    return Checkpoint(
        epoch=content["epoch"],
        arrays=arrays,
        state=content["state"],
        conditions=content.get("conditions"),
        resumed=content.get("resumed", ()),
    )
