"""Datasets of strangers are taken right, or refused in one line, whatever is in them."""

import csv
import gzip
import io
import tempfile
import warnings
import zipfile
from pathlib import Path

from hypothesis import example, given
from hypothesis import strategies as st

from fer_data.core.errors import UserError
from fer_data.ingestion.canonical_archive import Written, write_canonical, write_mapping
from fer_data.ingestion.class_meanings import NUMBERED, Choices, classes_of
from fer_data.ingestion.datasets import open_dataset
from fer_data.ingestion.layouts import Recognized, recognize
from fer_data.ingestion.zip_archive import Limits, open_archive
from tests.support.data.archives import EXPRESSIONS, image, noise
from tests.support.data.datasets import Files, write_folder, write_tar
from tests.support.hostile import CHANGES, ODD, TEXTS, flipped, outcome

LIMITS = Limits(
    max_member_bytes=10_000, max_total_bytes=3_000_000, max_compression_ratio=50, max_members=100
)
FACE = " ".join(map(str, noise(1).ravel()))
PARTS = st.sampled_from(["train", "Test", "val", "PublicTest", "angry", "Happy", "0", "03"])
PATHS = st.lists(PARTS | ODD | TEXTS, min_size=1, max_size=4).map("/".join)
CELLS = (
    PARTS | ODD | TEXTS | st.sampled_from([FACE, "1 2 3 4", "0 256 1 1", "a/1.png", "y" * 140_000])
)
COLUMNS = st.sampled_from(
    ["emotion,pixels,Usage", "pixels,label", "path,label,split", "name,class", "label,label,pixels"]
)
CHOICES = st.builds(
    Choices,
    classes=st.sampled_from(
        [{}, NUMBERED["fer2013"], {"0": "angry"}, {"x": "fear", "a\nb": "sad"}]
    ),
    skip=st.sampled_from([(), ("happy",), ("a\nb",)]),
)


USUAL = [["happy", FACE, "train"], ["fear", FACE, "train"], ["angry", FACE, "test"]]


@st.composite
def tables(draw: st.DrawFn) -> bytes:
    """A CSV, or nearly one."""
    header = draw(COLUMNS)
    stream = io.StringIO()
    table = csv.writer(stream, lineterminator=draw(st.sampled_from(["\n", "\r\n", "\r", "\n\n"])))
    table.writerow(header.split(","))
    width = header.count(",") + 1
    odd = st.lists(CELLS, min_size=width - 1, max_size=width + 1)
    table.writerows(draw(st.lists(odd, max_size=4)))
    table.writerows(row[:width] for row in USUAL[: draw(st.integers(0, 3))])
    return stream.getvalue().encode(draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16"])))


IMAGES = st.sampled_from([image(1), image(2), b"", b"no image"])
GOOD = {"train/happy/1.png": image(1), "train/fear/1.png": image(2), "test/fear/1.png": image(3)}
HARMLESS = st.sampled_from(
    [
        *("e\u0301", "\xe9", "te\ufb06", "\u2028", "\u202e", "x" * 200, " a ", "1", "test"),
        *("[b]", "%s{0}$HOME", "@x", "=1+1", "<b>"),
    ]
)
"""Parts of names that are taken as they are."""
PLACES = st.sampled_from(["train/{}/happy/1.PNG", "train/fear/{}.png", "{}.txt"])
NAMES = st.builds(str.format, PLACES, st.lists(HARMLESS, min_size=1, max_size=3).map("/".join))
FILES = st.dictionaries(
    PATHS.map("{}/1.png".format) | PATHS | st.sampled_from([*GOOD]), IMAGES, max_size=6
) | st.dictionaries(
    st.sampled_from(["fer2013.csv", "a.csv", "a/b.csv", "a/1.png"]) | PATHS,
    tables() | IMAGES | st.binary(max_size=60),
    max_size=3,
)


def packed(folder: Path, files: Files, form: str) -> Path:
    """The files as a folder (those that a file system can hold), a zip or a tar."""
    if form == "folder":
        (folder / "given").mkdir()
        for name, data in files.items():
            try:
                if ".." not in name and not name.startswith(("/", "~")):
                    write_folder(folder / "given", {name: data})
            except (OSError, ValueError):
                continue
        return folder / "given"
    if form == "tar":
        return write_tar(folder / "given.tar.gz", files)
    with warnings.catch_warnings(), zipfile.ZipFile(folder / "given.zip", "w") as archive:
        warnings.simplefilter("ignore", UserWarning)  # of names that occur twice
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name), data)
    return folder / "given.zip"


def added(given_: Path, folder: Path, choices: Choices) -> tuple[Recognized, Written]:
    """What `ferflow add` does with a dataset, without a workspace."""
    with open_dataset(given_, LIMITS) as dataset:
        found = recognize(dataset, expressions=EXPRESSIONS, choices=choices)
        written = write_canonical(dataset, found, folder / "archive.zip", max_rejected_fraction=0.9)
    write_mapping(found, written, folder / "mapping.csv")
    return found, written


def check(files: Files, form: str, choices: Choices) -> Written | None:
    """Adds a dataset; returns what came of it, or None if it was refused."""
    with tempfile.TemporaryDirectory() as scratch:
        source, target = Path(scratch, "source"), Path(scratch, "target")
        source.mkdir()
        target.mkdir()
        path = packed(source, files, form)
        before = sorted(source.rglob("*"))
        result = outcome(lambda: added(path, target, choices))
        assert sorted(source.rglob("*")) == before
        assert {file.name for file in target.iterdir()} <= {"archive.zip", "mapping.csv"}
        assert sorted(file.name for file in Path(scratch).iterdir()) == ["source", "target"]
        if isinstance(result, UserError):
            return None
        found, written = result
        with open_archive(target / "archive.zip", LIMITS) as archive:
            assert len(archive.members) == written.taken.total()
            folders = {tuple(member.path.split("/")[:-1]) for member in archive.members}
        assert folders <= {(one.original_split.title(), one.label) for one in found.faces}
        return written


@example(
    {f"train/happy/{'x' * 65_518}.png": image(1), "train/fear/1.png": image(2)}, "zip", Choices()
)
@given(FILES, st.sampled_from(["folder", "zip", "tar"]), CHOICES)
def test_any_dataset_is_taken_or_refused_in_one_line(
    files: Files, form: str, choices: Choices
) -> None:
    check(files, form, choices)


@given(st.dictionaries(NAMES, IMAGES, max_size=5), st.sampled_from(["folder", "zip"]))
def test_odd_names_beside_good_faces_change_none_of_them(files: Files, form: str) -> None:
    written = check(files | GOOD, form, Choices())
    assert written is None or written.taken.total() >= len(GOOD)


@given(st.lists(st.tuples(st.sampled_from(["happy", "fear"]), CELLS, st.just("train")), max_size=4))
def test_odd_pixels_beside_good_ones_are_left_out(rows: list[tuple[str, ...]]) -> None:
    stream = io.StringIO()
    csv.writer(stream).writerows([["emotion", "pixels", "Usage"], *USUAL, *rows])
    written = check({"x.csv": stream.getvalue().encode()}, "folder", Choices())
    if written is not None:
        assert written.taken.total() + len(written.left_out) == len(USUAL) + len(rows)


@example(b'label,pixels\n"a\nb",1\n', "x.csv", Choices())
@example(b'label,pixels\n"a\nb",1\n', "x.csv", Choices(skip=("happy",)))
@example(b"label,pixels\n" + b"9" * 5_000 + b",1\n", "x.csv", Choices())
@given(tables() | st.binary(max_size=200), st.sampled_from(["fer2013.csv", "x.csv"]), CHOICES)
def test_any_table_of_faces_is_taken_or_refused_in_one_line(
    table: bytes, name: str, choices: Choices
) -> None:
    check({name: table}, "folder", choices)


@given(st.sampled_from(["zip", "tar"]), CHANGES, st.booleans())
def test_a_damaged_archive_is_refused_in_one_line(
    form: str, changes: list[tuple[int, int]], at_end: bool
) -> None:
    files = {
        f"{split}/{name}/1.png": image(1) for split in ("train", "test") for name in EXPRESSIONS
    }
    with tempfile.TemporaryDirectory() as scratch:
        path = packed(Path(scratch), files, form)
        data = path.read_bytes()
        if form == "tar":  # packed, a flipped byte would only ever break gzip's checksum
            data, path = gzip.decompress(data), path.with_suffix("")
        if at_end:  # where a zip's directory is
            changes = [(len(data) - 1 - place % 2_000, value) for place, value in changes]
        path.write_bytes(flipped(data, changes))
        outcome(lambda: added(path, Path(scratch), Choices()))


@given(ODD | TEXTS | st.lists(PARTS | ODD | TEXTS, max_size=4).map("=".join))
def test_what_classes_mean_is_read_or_refused_in_one_line(text: str) -> None:
    meanings = outcome(lambda: classes_of(text))
    assert isinstance(meanings, UserError) or all(meanings.values())
