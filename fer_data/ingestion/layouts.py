"""Recognizes the layout of a dataset: which files are faces, of which class and original split.

A row of `LAYOUTS` each.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from fer_data.core.errors import UserError
from fer_data.core.schema import (
    KNOWN_EXPRESSIONS,
    ORIGINAL_SPLIT_FOLDERS,
    TESTING,
    TRAINING,
)
from fer_data.ingestion.class_meanings import (
    NUMBERED,
    Choices,
    check_choices,
    is_number,
    is_skipped,
    meanings_of,
    unknown_classes,
)
from fer_data.ingestion.datasets import Dataset
from fer_data.ingestion.finders import (
    PRIVATE_TEST,
    PUBLIC_TEST,
    Findings,
    Found,
    by_folders,
    class_above_split,
    class_alone,
    fer2013_rows,
    is_image,
    labeled_paths,
    pixel_rows,
    split_above_class,
)
from fer_data.ingestion.unrecognized import is_packed, rows_in_words, unrecognized
from fer_data.ingestion.zip_archive import Member


@dataclass(frozen=True)
class Layout:
    """A way in which datasets are laid out."""

    name: str
    find: Callable[[Dataset], Findings]
    numbers: Mapping[str, str] = field(default_factory=dict)
    """What numbers mean in it; empty: it does not say."""


LAYOUTS: Final = (
    Layout("fer2013.csv", fer2013_rows, NUMBERED["fer2013"]),
    Layout("CSV of emotion,pixels[,Usage]", pixel_rows),
    Layout("SPLIT/CLASS/image", by_folders(split_above_class)),
    Layout("CSV of path,label[,split] beside images", labeled_paths),
    Layout("CLASS/SPLIT/image", by_folders(class_above_split)),
    Layout("CLASS/image", by_folders(class_alone)),
)
"""The one that finds most faces of known classes counts, of equal ones the first."""


@dataclass(frozen=True, slots=True)
class Face:
    """A face with its place in the archive."""

    found: Found
    label: str
    original_split: str


@dataclass(frozen=True)
class LeftOut:
    """What does not come into the archive."""

    source: str
    reason: str
    is_face: bool
    """Whether that may be a mistake: past `ingest.max_rejected_fraction` nothing is taken."""


@dataclass(frozen=True)
class Recognized:
    """What a dataset was taken for."""

    layout: Layout
    faces: list[Face]
    left_out: list[LeftOut]
    expressions: tuple[str, ...]
    """The classes found: as `data.expressions` has them where they are the same, else by name."""


def recognize(
    dataset: Dataset, *, expressions: tuple[str, ...], choices: Choices | None = None
) -> Recognized:
    """Decides how a dataset is laid out, and what of it is a face of which class and split.

    Args:
        dataset: What is to be added.
        expressions: The workspace's classes, which are known beside `KNOWN_EXPRESSIONS`.
        choices: What the person says about it, if anything.

    Raises:
        UserError: No layout fits; a class or a split has a name that nothing says the meaning of; a
            choice is of a name that is not there; there is no face of Training, or of one class alone.
    """
    choices = choices or Choices()
    known = (*expressions, *KNOWN_EXPRESSIONS)
    tried: list[tuple[Mapping[str, str | None], Layout, Findings]] = []
    errors: list[UserError] = []
    for one in LAYOUTS:
        try:
            found = one.find(dataset)
        except UserError as error:  # of a CSV that may not matter
            errors.append(error)
        else:
            tried.append((_meanings(found, one, choices, known), one, found))
    meanings, layout, findings = max(tried, key=lambda each: _score(each[0], each[2]))
    if errors and not _score(meanings, findings)[0]:
        raise errors[0]
    if not findings.faces:
        lost = [row for _, _, one in tried for row in one.left_out]
        raise unrecognized(dataset, [one.name for one in LAYOUTS], rows=lost)
    check_choices(choices, meanings, of=dataset.path)
    skipped = {label for label, meant in meanings.items() if is_skipped(label, meant, choices.skip)}
    left_out = [LeftOut(source, reason, is_face=True) for source, reason in findings.left_out]
    kept = [found for found in findings.faces if found.label not in skipped]
    left_out += [
        LeftOut(source_of(found), f"--skip {found.label}", is_face=False)
        for found in findings.faces
        if found.label in skipped
    ]
    lost = rows_in_words(findings.left_out, len(findings.faces))
    unknown = Counter(found.label for found in kept if not meanings[found.label])
    if unknown:
        raise unknown_classes(unknown, of=f"{dataset.path} ({layout.name}){lost}")
    some_named = any(found.split for found in kept)
    left_out += [
        LeftOut(source_of(found), "of no split, as others are", is_face=True)
        for found in kept
        if some_named and not found.split
    ]
    faces = [
        Face(found, str(meanings[found.label]), _split_of(found, dataset, choices.public_test))
        for found in kept
        if found.split or not some_named
    ]
    used = {found.member.path for found in findings.faces}
    left_out += [
        LeftOut(member.path, *_why(member, layout))
        for member in dataset.members
        if member.path not in used
    ]
    classes = _classes_in(faces, expressions, of=f"{dataset.path}{lost}")
    return Recognized(layout, faces, left_out, classes)


def source_of(found: Found) -> str:
    """Where a face stands in the dataset."""
    return found.member.path + ("" if found.row is None else f", row {found.row}")


def _meanings(
    findings: Findings, layout: Layout, choices: Choices, known: tuple[str, ...]
) -> dict[str, str | None]:
    labels = {found.label for found in findings.faces}
    return meanings_of(labels, choices, numbers=layout.numbers, known=known)


def _score(meanings: Mapping[str, str | None], findings: Findings) -> tuple[int, int]:
    """How many faces a layout finds of classes with a meaning, or a number, and how many at all."""
    fit = {label for label, meant in meanings.items() if meant or is_number(label)}
    return sum(found.label in fit for found in findings.faces), len(findings.faces)


def _why(member: Member, layout: Layout) -> tuple[str, bool]:
    """Why a file without a face is left out, and whether that may be a mistake."""
    if is_image(member):
        return f"image that is not in {layout.name}", True
    return ("archive within" if is_packed(member) else "no image by its name"), False


def _split_of(found: Found, dataset: Dataset, public_test: str) -> str:
    if not found.split:
        return TRAINING
    splits = {**ORIGINAL_SPLIT_FOLDERS, PUBLIC_TEST: public_test, PRIVATE_TEST: TESTING}
    name = found.split.strip().casefold()
    if name not in splits:
        raise UserError(
            f"{dataset.path}: {source_of(found)} is of a split {found.split!r}, expected one of "
            f"{', '.join(splits)}"
        )
    return splits[name]


def _classes_in(faces: list[Face], expressions: tuple[str, ...], *, of: str) -> tuple[str, ...]:
    """The classes found, after a check that they and Training suffice."""
    found = {face.label for face in faces}
    if len(found) < 2:
        raise UserError(
            f"{of} has faces of {min(found, default='no class')} alone, expected two classes "
            "or more"
        )
    if all(face.original_split != TRAINING for face in faces):
        names = ", ".join(sorted({face.found.split for face in faces}))
        raise UserError(
            f"{of} has no face of Training, but of {names} alone: add the folder that holds "
            "both, or rename one"
        )
    return expressions if found == set(expressions) else tuple(sorted(found))
