import tracemalloc
import zipfile
from pathlib import Path

import pytest

from fer_data.core.errors import UserError
from fer_data.ingestion.zip_archive import Limits, MemberError, open_archive
from tests.support.data.archives import (
    CHECKSUM,
    FLAGS,
    METHOD,
    OFFSET,
    PACKED_SIZE,
    SIZE,
    patch_bytes,
    patch_entry,
    write_archive,
)

NAME = "Training/Angry/a.png"
LIMITS = Limits(
    max_member_bytes=100_000, max_total_bytes=1_000_000, max_compression_ratio=200, max_members=100
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "archive.zip"


def paths(file: Path, limits: Limits = LIMITS) -> list[str]:
    with open_archive(file, limits) as archive:
        return [member.path for member in archive.members]


def read_only_member(file: Path) -> bytes:
    with open_archive(file, LIMITS) as archive:
        return archive.read(*archive.members)


@pytest.mark.parametrize("packed", [False, True])
def test_reads_members_sorted_by_path(file: Path, packed: bool) -> None:
    write_archive(file, {"b.png": b"second" * 99, "a.png": b"first"}, packed=packed)
    with open_archive(file, LIMITS) as archive:
        assert [member.path for member in archive.members] == ["a.png", "b.png"]
        assert [archive.read(member) for member in archive.members] == [b"first", b"second" * 99]


def test_normalises_names(file: Path) -> None:
    names = ["Training\\Angry\\a.png", "./Training//Angry/b.png", "Training/Angry/..c.png"]
    write_archive(file, [(name, b"x") for name in names])
    assert paths(file) == ["Training/Angry/..c.png", "Training/Angry/a.png", "Training/Angry/b.png"]


def test_a_folder_that_holds_bytes_is_a_member_that_is_refused(file: Path) -> None:
    write_archive(file, {"Training/Angry/b.png/": b"image", NAME: b"other"})
    with open_archive(file, LIMITS) as archive:
        assert [member.path for member in archive.members] == [NAME, "Training/Angry/b.png"]
        with pytest.raises(MemberError, match="folder with content: 5 bytes under a folder's name"):
            archive.read(archive.members[1])


def test_skips_folders_and_counts_junk(file: Path) -> None:
    junk = ["__MACOSX/Training/._a.png", "x/.DS_Store", "x/thumbs.DB"]
    junk += ["Training/Angry/._a.png", "Training/Desktop.ini", "x/ehthumbs.db"]
    names = ["Training/", "./", "Training\\Angry\\", NAME, "x/my.DS_Store.png"]
    write_archive(file, [(name, b"") for name in junk + names])
    with open_archive(file, LIMITS) as archive:
        assert [member.path for member in archive.members] == [NAME, "x/my.DS_Store.png"]
        assert archive.num_junk == 6


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"archive\.zip is empty \(0 bytes\)"),
        (b"<!DOCTYPE html><title>Sign in", r"is not a zip: it begins with b'<!DOCTYPE html>"),
        (b"PK\x05\x06" + bytes(6) + b"\x09\0" + b"\xff\0\0\0" + bytes(6), "is a damaged zip"),
    ],
)
def test_refuses_what_is_no_zip(file: Path, content: bytes, message: str) -> None:
    file.write_bytes(content)
    with pytest.raises(UserError, match=message):
        paths(file)


def test_refuses_half_a_download_at_any_length(file: Path) -> None:
    whole = write_archive(file, {NAME: b"image", "b.png": b"other"}).read_bytes()
    for size in range(4, len(whole), 7):
        file.write_bytes(whole[:size])
        with pytest.raises(UserError, match=f"looks like half a download.* {size} bytes"):
            paths(file)


def test_refuses_a_damaged_directory(file: Path) -> None:
    write_archive(file, {NAME: b"image"})
    patch_bytes(file, b"PK\x01\x02", b"PK\x01\x03")
    with pytest.raises(UserError, match=r"is a damaged zip .*magic number"):
        paths(file)


def test_refuses_a_folder(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is a folder, expected a zip file"):
        paths(tmp_path)


def test_refuses_what_cannot_be_read(file: Path) -> None:
    file.symlink_to(file)
    with pytest.raises(UserError, match=r"archive\.zip cannot be read: Too many levels"):
        paths(file)


@pytest.mark.parametrize("flags", [0x1, 0x41, 0x2000])
def test_refuses_an_encrypted_archive(file: Path, flags: int) -> None:
    write_archive(file, {"a.png": b"a", NAME: b"image"})
    patch_entry(file, NAME, FLAGS, flags, size=2)
    with pytest.raises(UserError, match=f"member '{NAME}' is encrypted: .* without a password"):
        paths(file)


@pytest.mark.parametrize(
    "name",
    [
        "../Training/Angry/a.png",
        "Training/../../a.png",
        "Training\\..\\..\\a.png",
        "../",
        "/etc/passwd",
        "\\\\server\\share\\a.png",
        "C:\\Training\\Angry\\a.png",
        "__MACOSX/../../a.png",
    ],
)
def test_refuses_names_that_climb_out(file: Path, name: str) -> None:
    write_archive(file, {NAME: b"image", name: b"image"})
    with pytest.raises(UserError, match="climbs out of the archive"):
        paths(file)


@pytest.mark.parametrize("name", ["a\rb.png", "a\nb.png", "a\x1b[2J.png", "a\x9b.png"])
def test_refuses_names_with_control_characters(file: Path, name: str) -> None:
    write_archive(file, {NAME: b"image", f"Training/Angry/{name}": b"image"})
    with pytest.raises(UserError, match="has no valid name: pack the archive again") as caught:
        paths(file)
    assert str(caught.value).isprintable()


def test_names_what_is_no_utf8_by_its_bytes(file: Path) -> None:
    write_archive(file, {"Training/Angry/caf\u00e9.png": b"image"})
    patch_bytes(file, "\u00e9".encode(), b"\xe9!")
    with pytest.raises(
        UserError, match=r"member b'Training/Angry/caf.xe9!.png' has a name"
    ) as caught:
        paths(file)
    assert str(caught.value).isprintable()


def test_refuses_names_with_nul(file: Path) -> None:
    write_archive(file, {"Training/Angry/a.png#.exe": b"image"})
    patch_bytes(file, b"#", b"\0")
    with pytest.raises(UserError, match=r"'Training/Angry/a.png\\x00.exe' has no valid name"):
        paths(file)


def test_refuses_symbolic_links(file: Path) -> None:
    write_archive(file, {NAME: b"image", "b.png": b"/etc/passwd"}, links=("b.png",))
    with pytest.raises(UserError, match=r"member 'b\.png' is a symbolic link"):
        paths(file)


@pytest.mark.parametrize(
    "other",
    [NAME, "Training\\Angry\\a.png", "./Training/Angry/a.png", "TRAINING/angry/A.PNG"],
)
def test_refuses_duplicate_names(file: Path, other: str) -> None:
    write_archive(file, [(NAME, b"image"), (other, b"another")])
    with pytest.raises(UserError, match="two members of one name"):
        paths(file)


def test_refuses_names_that_differ_in_unicode_form_alone(file: Path) -> None:
    write_archive(file, {"Training/Angry/\u00e9.png": b"1", "Training/Angry/e\u0301.png": b"2"})
    with pytest.raises(UserError, match="two members of one name"):
        paths(file)


def test_same_junk_twice_is_no_duplicate(file: Path) -> None:
    write_archive(file, [("x/Thumbs.db", b""), ("x/Thumbs.db", b""), (NAME, b"image")])
    assert paths(file) == [NAME]


def test_refuses_too_many_members(file: Path) -> None:
    write_archive(file, {f"{number}.png": b"" for number in range(101)})
    with pytest.raises(UserError, match=r"has 101 members, more than `ingest.max_members` \(100\)"):
        paths(file)


def test_refuses_a_total_beyond_the_limit_before_reading(file: Path) -> None:
    write_archive(file, {f"{number:02}.png": b"image" for number in range(20)})
    for number in range(20):
        patch_entry(file, f"{number:02}.png", SIZE, 60_000)
    with pytest.raises(UserError, match=r"unpacks to 1,200,000 bytes.*`ingest.max_total_bytes`"):
        paths(file)


def test_refuses_a_ratio_beyond_the_limit(file: Path) -> None:
    write_archive(file, {f"{number}.png": bytes(99_000) for number in range(9)}, packed=True)
    with pytest.raises(UserError, match=r"times its size.*`ingest.max_compression_ratio` \(200\)"):
        paths(file)


def test_refuses_a_member_beyond_the_limit_alone(file: Path) -> None:
    write_archive(file, {NAME: bytes(100_001)})
    with pytest.raises(MemberError, match="too large: 100001 bytes, at most 100000"):
        read_only_member(file)


def test_accepts_a_member_at_the_limit(file: Path) -> None:
    write_archive(file, {NAME: bytes(100_000)})
    assert len(read_only_member(file)) == 100_000


def test_reads_no_more_than_a_member_declares(file: Path) -> None:
    write_archive(file, {NAME: bytes(20_000_000)}, packed=True)
    patch_entry(file, NAME, SIZE, 1_000)
    tracemalloc.start()
    try:
        with pytest.raises(MemberError, match="damaged in the archive: Bad CRC-32"):
            read_only_member(file)
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        (CHECKSUM, 12345, "damaged in the archive: Bad CRC-32"),
        (METHOD, zipfile.ZIP_LZMA, "unsupported compression: method 14"),
        (PACKED_SIZE, 20, "damaged in the archive: Bad CRC-32"),
        (OFFSET, 2, "damaged in the archive: Bad magic number for file header"),
        (OFFSET, 1 << 30, "damaged in the archive: it begins outside of it"),
    ],
)
def test_refuses_a_damaged_member_alone(file: Path, field: int, value: int, message: str) -> None:
    write_archive(file, {NAME: bytes(range(256)) * 9}, packed=True)
    patch_entry(file, NAME, field, value, size=2 if field == METHOD else 4)
    with pytest.raises(MemberError, match=message):
        read_only_member(file)


def test_refuses_a_member_longer_than_the_archive(file: Path) -> None:
    write_archive(file, {NAME: bytes(1_000)})
    for field in (SIZE, PACKED_SIZE):
        patch_entry(file, NAME, field, 90_000)
    # Which of the two depends on the patches of Python's zipfile.
    with pytest.raises(MemberError, match=r"damaged in the archive: (it ends early|Overlapped)"):
        read_only_member(file)


def test_refuses_damaged_packed_bytes_alone(file: Path) -> None:
    write_archive(file, {NAME: bytes(range(256)) * 9}, packed=True)
    data = file.read_bytes()  # its local header is 30 bytes and the name
    file.write_bytes(data[: 30 + len(NAME)] + b"\xff" * 9 + data[39 + len(NAME) :])
    with pytest.raises(MemberError, match="damaged in the archive: Error -3"):
        read_only_member(file)


def test_a_broken_disk_stops_the_stage(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_archive(file, {NAME: b"image"})

    def fail(*_: object) -> bytes:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(zipfile.ZipExtFile, "read", fail)
    with pytest.raises(UserError, match=r"archive\.zip cannot be read: .*Input/output error"):
        read_only_member(file)
