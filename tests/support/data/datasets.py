"""Datasets of noise in each layout that `ferflow add` recognizes."""

import io
import tarfile
from collections.abc import Sequence
from pathlib import Path

from fer_data.ingestion.class_meanings import NUMBERED
from tests.support.data.archives import image, noise, write_archive

SEVEN = tuple(sorted(NUMBERED["fer2013"].values()))
EIGHT = tuple(sorted((*SEVEN, "contempt")))

Files = dict[str, bytes]


def split_class(
    classes: Sequence[str] = SEVEN,
    *,
    splits: Sequence[str] = ("train", "test"),
    num_each: int = 2,
    form: str = "{split}/{label}/{number}.png",
    **options: object,
) -> Files:
    """Images of each class in each split, all different; `options` go to `image`."""
    cells = [(split, label) for split in splits for label in classes for _ in range(num_each)]
    return {
        form.format(split=split, label=label, number=number): image(number, **options)  # pyright: ignore[reportArgumentType]
        for number, (split, label) in enumerate(cells)
    }


def pixel_table(
    labels: Sequence[object] = range(7),
    *,
    usages: Sequence[str] = ("Training", "PublicTest", "PrivateTest"),
    num_each: int = 2,
    header: str = "emotion,pixels,Usage",
) -> bytes:
    """A CSV as FER2013 has it."""
    cells = [(usage, label) for usage in usages for label in labels for _ in range(num_each)]
    rows = [
        f"{label},{' '.join(map(str, noise(number).ravel()))},{usage}"
        for number, (usage, label) in enumerate(cells)
    ]
    return "\n".join([header, *rows, ""]).encode()


def labeled(header: str = "path,label,split") -> Files:
    """Images in one folder, and a CSV that says what they are."""
    names = [
        (number, SEVEN[number % 7], "test" if number % 4 == 3 else "train") for number in range(56)
    ]
    split = header.count(",") > 1
    rows = [f"images/{n}.png,{label}" + (f",{part}" if split else "") for n, label, part in names]
    return {
        "labels.csv": "\n".join([header, *rows, ""]).encode(),
        **{f"images/{number}.png": image(number) for number, _, _ in names},
    }


def write_folder(folder: Path, files: Files) -> Path:
    """Writes a dataset as a folder."""
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def write_zip(file: Path, files: Files) -> Path:
    """Writes a dataset as a zip."""
    return write_archive(file, files, packed=True)


def write_tar(file: Path, files: Files, *, kind: bytes = tarfile.REGTYPE) -> Path:
    """Writes a dataset as a tar, packed by gzip; its members are of a type."""
    with tarfile.open(file, "w:gz") as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.type, info.linkname = len(data), kind, "/etc/hostname"
            tar.addfile(info, io.BytesIO(data))
    return file
