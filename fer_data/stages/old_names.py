"""Names that settings had in earlier versions, and what they are called now."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import Any

from fer_data.core.schema import FACE_SIZE
from fer_data.stages.defaults import descend

_OF_TRAININGS = ("training", "fine_tuning", "ensemble", "models.*")


@dataclass(frozen=True)
class Renamed:
    """A setting or a section with another name, in another place, or gone."""

    old: str
    """Its key then; dots descend, and `*` stands for one part."""
    new: str | None
    """Its key now, with the same `*`; None: there is no such setting any more."""
    values: Mapping[Any, Any] = field(default_factory=dict)
    """What its values are now, where they changed too."""
    reason: str = ""
    """Why it is gone."""
    convert: Callable[[Any], Any] | None = None
    """From its value then to that of now, where its unit or form is another; several settings in place
    of one are a mapping, which belongs into the section `new`."""
    instead: str = ""
    """In words, what several settings stand in its place."""

    def now(self, key: str) -> str | None:
        """The new name of a key that matches `old`; None: it is gone."""
        if self.new is None:
            return None
        parts = [
            part
            for part, old in zip(key.split("."), self.old.split("."), strict=True)
            if old == "*"
        ]
        return ".".join(parts.pop(0) if part == "*" else part for part in self.new.split("."))

    def value(self, old: Any) -> Any:
        """What an old value is now.

        Raises:
            ValueError, TypeError: There is no such value now.
        """
        if self.convert is not None:
            return self.convert(old)
        return self.values.get(old, old) if isinstance(old, str) else old

    def in_words(self, key: str) -> str:
        """What became of a key that matches `old`."""
        now = self.now(key)
        if now is None:
            return f"'{key}' is no setting any more: {self.reason}"
        return f"'{key}' is {self.instead or repr(now)} now"


def _of_phases(phases: Any) -> dict[str, Any]:
    """The settings of folds that were trained in phases, with what they did without a setting."""
    (size, num_small), (whole, num_whole) = phases if len(phases) == 2 else [(32, 0), *phases]
    if whole != FACE_SIZE or size > whole:
        raise ValueError
    return {
        "residual": False,
        "epochs": num_small + num_whole,
        "small_faces": {"size": size, "epochs": num_small},
        "optimizer": "adam",
        "schedule": "cosine",
        "warmup_fraction": 0.1,
        "monitor": "val_accuracy",
        "restore_best_weights": False,
        "patience": None,
        "augmentation": {
            "horizontal_flip": True,
            "contrast_fraction": 0.0,
            "random_erasing_fraction": 0.0,
            "salt_and_pepper_fraction": 0.0,
            "salt_and_pepper_copies": False,
        },
    }


_NEIGHBORS_ARE_SHOWN = "people see neighbors, eight a face, and their labels weigh nothing"


RENAMED = (
    Renamed("relabel", "review_app"),
    Renamed("training.resume", "checkpoints.resume"),
    Renamed(
        "crossval.phases",
        "crossval",
        convert=_of_phases,
        instead="'crossval.epochs' and 'crossval.small_faces'",
    ),
    Renamed(
        "crossval.shift",
        "crossval.augmentation.translation_fraction",
        convert=lambda pixels: round(pixels / FACE_SIZE, 4),
    ),
    Renamed(
        "crossval.rotation",
        "crossval.augmentation.rotation_degrees",
        convert=lambda radians: round(math.degrees(radians), 2),
    ),
    Renamed("crossval.zoom", "crossval.augmentation.zoom_fraction"),
    *(
        Renamed(old, None, reason=_NEIGHBORS_ARE_SHOWN)
        for old in (
            *("crossval.num_neighbours", "crossval.num_neighbors"),
            *("mislabels.neighbour_weight", "mislabels.neighbor_weight"),
        )
    ),
    Renamed("mislabels.budget", "review_queue.budget"),
    Renamed("mislabels.balance", "review_queue.balance"),
    Renamed("mislabels.twin_reliability", "mislabels.duplicate_reliability"),
    Renamed("mislabels.min_oddness", "mislabels.min_outlier_score"),
    *(
        Renamed(f"{section}.augmentation.{old}", f"{section}.augmentation.{new}")
        for section in _OF_TRAININGS
        for old, new in (
            ("mirror", "horizontal_flip"),
            ("shift_fraction", "translation_fraction"),
            ("erased_fraction", "random_erasing_fraction"),
        )
    ),
    *(
        Renamed(
            f"{section}.keep_epoch",
            f"{section}.restore_best_weights",
            values=MappingProxyType({"best": True, "last": False}),
        )
        for section in _OF_TRAININGS
    ),
    *(
        Renamed(f"{section}.salt_and_pepper.{old}", f"{section}.augmentation.{new}")
        for section in _OF_TRAININGS
        for old, new in (
            ("fraction", "salt_and_pepper_fraction"),
            ("apply", "salt_and_pepper_copies"),
        )
    ),
    *(
        Renamed(
            f"{section}.loss",
            None,
            reason="both names meant one function, and label_smoothing suffices",
        )
        for section in _OF_TRAININGS
    ),
)


def what_became_of(key: str) -> str | None:
    """What a setting of an earlier version is called now, in words; None, if it was never renamed."""
    for renamed in RENAMED:
        if _matches(key, renamed.old):
            return renamed.in_words(key)
    return None


def old_keys(params: Mapping[str, Any]) -> Iterator[tuple[str, Renamed]]:
    """Each old name in a parameter file.

    Args:
        params: The whole of the file.

    Yields:
        The key, and what became of it.
    """
    for renamed in RENAMED:
        head, star, tail = renamed.old.partition(".*")
        inner = descend(params, head) if star else None
        names = list(inner) if isinstance(inner, Mapping) else []
        for key in [f"{head}.{name}{tail}" for name in names] if star else [renamed.old]:
            section, _, last = key.rpartition(".")
            values = descend(params, section) if section else params
            if isinstance(values, Mapping) and last in values:
                yield key, renamed


def old_keys_in_words(params: Mapping[str, Any]) -> str:
    """The old names in a parameter file, each once, and how to be rid of them; empty: there are none."""
    found: dict[str, str] = {}
    for key, renamed in old_keys(params):
        found.setdefault(renamed.old.rpartition(".")[2], renamed.in_words(key))
    return f"{'; '.join(found.values())}: `ferflow upgrade` rewrites the file" if found else ""


def _matches(key: str, pattern: str) -> bool:
    return key.count(".") == pattern.count(".") and fnmatchcase(key, pattern)
