"""Faces of noise, and archives of them, good and bad."""

import io
import stat
import struct
import sys
import warnings
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

EXPRESSIONS = ("angry", "fear", "happy", "neutral", "sad", "surprise")
FOLDERS = ("Angry", "Fear", "Happy", "Neutral", "Sad", "Suprise")

# Where a field stands in an entry of a zip's directory.
FLAGS, METHOD, CHECKSUM, PACKED_SIZE, SIZE, OFFSET = 8, 10, 16, 20, 24, 42

ARCHIVE, FACES = Path("data/raw/archive.zip"), Path("data/faces")
INGEST_FLAGS = (
    *("--raw", "data/raw", "--manifest", "data/faces/manifest.parquet"),
    *("--pixels", "data/faces/pixels.npy", "--rejected", "data/faces/rejected.csv"),
)
INGEST_SETTINGS = {
    "max_rejected_fraction": 0.5,
    "resize": False,
    "max_member_bytes": 100_000,
    "max_total_bytes": 10_000_000,
    "max_compression_ratio": 200,
    "max_members": 1_000,
}


def enter_workspace(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes a folder the current one, with settings, and the flags that `ingest.main` parses."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", ["ingest", *INGEST_FLAGS])
    write_settings()


def write_settings(**settings: object) -> None:
    """Writes `params.yaml`, with other settings for `ingest` where they are given."""
    section = {**INGEST_SETTINGS, **settings}
    sections = {"data": {"expressions": list(EXPRESSIONS)}, "ingest": section}
    Path("params.yaml").write_text(yaml.safe_dump(sections))


def outputs() -> dict[str, bytes]:
    """What the stage wrote: the bytes of each file by its name."""
    return {file.name: file.read_bytes() for file in FACES.iterdir()}


def rejected() -> dict[str, str]:
    """What the stage refused: reasons by path, in the order of `rejected.csv`."""
    frame = pd.read_csv(FACES / "rejected.csv")
    assert list(frame.columns) == ["path", "reason"]
    return dict(zip(frame["path"], frame["reason"], strict=True))


def noise(seed: int, *, width: int = 48, height: int = 48) -> np.ndarray:
    """Random gray levels, uint8 (height, width)."""
    return np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)


def image(
    seed: int = 0,
    *,
    kind: str = "PNG",
    mode: str = "L",
    size: tuple[int, int] = (48, 48),
    **options: Any,
) -> bytes:
    """The bytes of an image of noise; `options` go to Pillow."""
    width, height = size
    return encode(
        Image.fromarray(noise(seed, width=width, height=height)).convert(mode), kind, **options
    )


def encode(image: Image.Image, kind: str, **options: Any) -> bytes:
    """The bytes of an image file."""
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def bare_png(width: int, height: int, *, depth: int = 8, color: int = 0) -> bytes:
    """A PNG of zeros with any header: its pixels end after the first hundred rows."""
    channels = {0: 1, 2: 3}[color]
    row = bytes(1 + width * channels * depth // 8)
    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    return png_of(
        (b"IHDR", header), (b"IDAT", zlib.compress(row * min(height, 100))), (b"IEND", b"")
    )


def png_of(*chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG of chunks with these names and contents, whose checksums are right."""
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in chunks
    )


def good_members(num_each: int = 1) -> dict[str, bytes]:
    """Images of each class in each of the two folders, all different."""
    members: dict[str, bytes] = {}
    for original_split in ("Training", "Testing"):
        for folder in FOLDERS:
            for number in range(num_each):
                seed = len(members)
                members[f"{original_split}/{folder}/{number}.png"] = image(seed)
    return members


def write_archive(
    file: Path,
    members: dict[str, bytes] | list[tuple[str, bytes]],
    *,
    links: tuple[str, ...] = (),
    packed: bool = False,
) -> Path:
    """Writes a zip, with names as they are given; those in `links` are symbolic links."""
    pairs = members.items() if isinstance(members, dict) else members
    method = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
    file.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(file, "w", method) as archive, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Duplicate name")
        for name, data in pairs:
            info = zipfile.ZipInfo(name)
            info.compress_type = method
            kind = stat.S_IFLNK if name in links else stat.S_IFREG
            info.external_attr = (kind | 0o644) << 16
            archive.writestr(info, data)
    return file


def patch_entry(file: Path, name: str, field: int, value: int, *, size: int = 4) -> None:
    """Overwrites a number in the directory entry of a member."""
    data = bytearray(file.read_bytes())
    entry = data.rindex(name.encode()) - 46
    assert data[entry : entry + 4] == b"PK\x01\x02"
    data[entry + field : entry + field + size] = value.to_bytes(size, "little")
    file.write_bytes(data)


def patch_bytes(file: Path, old: bytes, new: bytes, *, count: int = -1) -> None:
    """Replaces bytes of a file by as many others."""
    data = file.read_bytes()
    assert old in data
    assert len(old) == len(new)
    file.write_bytes(data.replace(old, new, count))
