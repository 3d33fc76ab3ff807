"""What a dataset is recognized as, with the limits and the classes of the tests."""

from pathlib import Path

from fer_data.ingestion.class_meanings import Choices
from fer_data.ingestion.datasets import open_dataset
from fer_data.ingestion.layouts import Recognized, recognize
from fer_data.ingestion.zip_archive import Limits
from tests.support.data.archives import EXPRESSIONS
from tests.support.data.datasets import Files, write_folder

LIMITS = Limits(
    max_member_bytes=100_000,
    max_total_bytes=10_000_000,
    max_compression_ratio=200,
    max_members=1_000,
)


def recognized(path: Path, **choices: object) -> Recognized:
    """What a file or folder is recognized as; `choices` are those of `Choices`."""
    with open_dataset(path, LIMITS) as dataset:
        return recognize(dataset, expressions=EXPRESSIONS, choices=Choices(**choices))  # pyright: ignore[reportArgumentType]


def of(tmp_path: Path, files: Files, **choices: object) -> Recognized:
    """What a folder of these files is recognized as."""
    return recognized(write_folder(tmp_path / "dataset", files), **choices)


def labels_of(found: Recognized) -> dict[str, set[str]]:
    """The names in the dataset that each class has."""
    names: dict[str, set[str]] = {}
    for face in found.faces:
        names.setdefault(face.label, set()).add(face.found.label)
    return names
