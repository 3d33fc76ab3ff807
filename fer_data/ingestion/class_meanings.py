"""What the names and numbers of a dataset's classes stand for.

Numbers stand for classes only where the layout's name, or the person who adds the dataset, says which:
taken for the wrong classes, they would look like a dataset that is hard to learn.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from fer_data.core.errors import UserError, one_line
from fer_data.core.schema import KNOWN_EXPRESSIONS, TESTING, expression_of_folder

NUMBERED: Final[Mapping[str, Mapping[str, str]]] = {
    dataset: {str(number): name for number, name in enumerate(names.split(), start=first)}
    for dataset, first, names in (
        ("fer2013", 0, "angry disgust fear happy sad surprise neutral"),
        ("raf-db", 1, "surprise fear disgust happy sad angry neutral"),
    )
}
"""What the numbers of classes mean, by the dataset that counts so."""
_NUMBER = re.compile(r"[0-9]+")
_SHOWN = 80
"""Letters of a name in a message."""


@dataclass(frozen=True)
class Choices:
    """What the person who adds a dataset says about it."""

    classes: Mapping[str, str] = field(default_factory=dict)
    """The classes that names in the dataset, in lower case, stand for."""
    skip: tuple[str, ...] = ()
    """Classes, or names of them, whose faces are left out."""
    public_test: str = TESTING
    """The original split that FER2013's PublicTest is."""


def classes_of(text: str) -> dict[str, str]:
    """Reads what names stand for: a dataset that counts its classes, or `NAME=CLASS,NAME=CLASS`.

    Raises:
        UserError: It is neither.
    """
    for dataset, meanings in NUMBERED.items():
        if _letters(text) == _letters(dataset):
            return dict(meanings)
    pairs = [[part.strip() for part in pair.split("=")] for pair in text.split(",")]
    if not all(len(pair) == 2 and all(pair) for pair in pairs):
        raise UserError(
            f"got the classes {text!r}, expected {', '.join(NUMBERED)}, or NAME=CLASS, as in "
            "0=angry,1=disgust"
        )
    return {_key(name): meant for name, meant in pairs}


def _letters(name: str) -> str:
    """A dataset's name as it may be typed: `RAFDB` for `raf-db`."""
    return "".join(filter(str.isalnum, name.casefold()))


def is_number(label: str) -> bool:
    """Whether a dataset's name of a class says nothing of itself."""
    return bool(_NUMBER.fullmatch(label))


def meanings_of(
    labels: Iterable[str],
    choices: Choices,
    *,
    numbers: Mapping[str, str],
    known: tuple[str, ...],
) -> dict[str, str | None]:
    """Finds the class that each name stands for.

    Args:
        labels: Names of classes, as the dataset has them.
        choices: What the person says; where that is of any number, `numbers` does not count.
        numbers: What numbers mean in the dataset's layout; empty: it does not say. They count only where
            the dataset has all of them and no other: one whose numbers were changed does not.
        known: Classes that are known by their name.

    Returns:
        The class by name; None: nothing says.
    """
    labels = set(labels)
    are_all = {_key(label) for label in labels if is_number(label)} == set(numbers)
    if not are_all or any(map(is_number, choices.classes)):
        numbers = {}
    meanings: dict[str, str | None] = {}
    for label in labels:
        named = choices.classes.get(_key(label)) or numbers.get(_key(label))
        meanings[label] = expression_of_folder(named or label, known) or named
    return meanings


def is_skipped(label: str, meant: str | None, skip: Iterable[str]) -> bool:
    """Whether a name of a class, or the class that it stands for, is among those to leave out."""
    return any(
        _key(one) == _key(label) or meant == expression_of_folder(one, (*KNOWN_EXPRESSIONS, one))
        for one in skip
    )


def check_choices(choices: Choices, meanings: Mapping[str, str | None], *, of: Path) -> None:
    """Refuses a choice about a class name that the dataset does not have.

    Args:
        choices: What the person says.
        meanings: As `meanings_of` returns them.
        of: The dataset, for the message.

    Raises:
        UserError: A name is not there.
    """
    names = {_key(label) for label in meanings}
    unused = [
        ("--skip", one)
        for one in choices.skip
        if not any(is_skipped(label, meant, [one]) for label, meant in meanings.items())
    ]
    if choices.classes not in NUMBERED.values():
        unused += [("--classes", one) for one in choices.classes if one not in names]
    for option, one in unused:
        raise UserError(
            f"{of} has no class {one!r}, which `{option}` names: expected one of "
            f"{', '.join(one_line(name[:_SHOWN]) for name in sorted(names)[:20])}"
        )


def unknown_classes(unknown: Counter[str], *, of: str) -> UserError:
    """The error that classes without a known meaning deserve.

    Args:
        unknown: Their names, with the numbers of their faces.
        of: The dataset, for the message.
    """
    shown = ", ".join(
        f"{label[:_SHOWN]!r} ({count:,})" for label, count in sorted(unknown.items())[:12]
    )
    # By length first: Python takes no number of thousands of digits.
    numbers = sorted(filter(is_number, unknown), key=lambda one: (len(_key(one)), _key(one)))
    if numbers:
        counted = "; ".join(
            f"`--classes {name}`: " + ", ".join(f"{one} {meant}" for one, meant in meanings.items())
            for name, meanings in NUMBERED.items()
        )
        return UserError(
            f"{of} has numbers for classes, {shown}, and datasets count differently: say what they mean "
            f"({counted}; or `--classes {numbers[0][:_SHOWN]}=CLASS,...`)"
        )
    first = one_line(min(unknown)[:_SHOWN])
    return UserError(
        f"{of} has classes whose meaning is not known, {shown}: `--classes {first}=CLASS` says it, "
        f"`--skip {first}` leaves them out (known: {', '.join(KNOWN_EXPRESSIONS)})"
    )


def _key(name: str) -> str:
    """A name without case, a number without leading zeros."""
    name = name.strip().casefold()
    return (name.lstrip("0") or "0") if is_number(name) else name
