import os
import tarfile
import tracemalloc
from pathlib import Path

import pytest

from fer_data.core.errors import UserError
from fer_data.ingestion.datasets import open_dataset
from fer_data.ingestion.zip_archive import Limits, MemberError
from tests.support.data.archives import image, write_archive
from tests.support.data.datasets import pixel_table, write_folder, write_tar

LIMITS = Limits(
    max_member_bytes=10_000, max_total_bytes=3_000_000, max_compression_ratio=50, max_members=100
)


def paths(path: Path, limits: Limits = LIMITS) -> list[str]:
    with open_dataset(path, limits) as dataset:
        return [member.path for member in dataset.members]


def rows(path: Path) -> list[list[str]]:
    with open_dataset(path, LIMITS) as dataset:
        (table,) = dataset.members
        return list(dataset.rows(table))


def test_lists_and_reads_the_files_of_a_folder(tmp_path: Path) -> None:
    files = {"b/2.png": image(2), "a.png": image(1), "b/.DS_Store": b"", "__MACOSX/a.png": b""}
    write_folder(tmp_path, files)
    (tmp_path / "empty").mkdir()
    with open_dataset(tmp_path, LIMITS) as dataset:
        assert [member.path for member in dataset.members] == ["a.png", "b/2.png"]
        assert [dataset.read(member) for member in dataset.members] == [image(1), image(2)]


def test_a_large_file_of_a_folder_is_refused_alone(tmp_path: Path) -> None:
    write_folder(tmp_path, {"a.png": bytes(10_001)})
    with open_dataset(tmp_path, LIMITS) as dataset, pytest.raises(MemberError, match="too large"):
        dataset.read(*dataset.members)


@pytest.mark.parametrize("to", ["file", "folder", "nothing"])
def test_links_in_a_folder_are_refused(tmp_path: Path, to: str) -> None:
    (tmp_path / "dataset").mkdir()
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "dataset/a.png").symlink_to(tmp_path / to)
    with pytest.raises(UserError, match=r"member 'a\.png' is a symbolic link"):
        paths(tmp_path / "dataset")


def test_a_link_to_the_whole_dataset_is_followed(tmp_path: Path) -> None:
    write_folder(tmp_path / "dataset", {"a.png": b"x"})
    (tmp_path / "link").symlink_to("dataset")
    (tmp_path / "link.csv").symlink_to(write_folder(tmp_path, {"x.csv": b"a,b\n"}) / "x.csv")
    assert paths(tmp_path / "link") == ["a.png"]
    assert rows(tmp_path / "link.csv") == [["a", "b"]]


def test_a_pipe_in_a_folder_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.png")
    with pytest.raises(UserError, match=r"'a\.png' is no regular file"):
        paths(tmp_path)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a/X.png", "a/x.PNG"], "has two members of one name"),
        (["a\n.png"], "has no valid name"),
        ([b"a\xff.png".decode("utf-8", "surrogateescape")], "has a name that is no UTF-8"),
        ([f"{number}.png" for number in range(101)], r"more than `ingest\.max_members` \(100\)"),
    ],
)
def test_names_in_a_folder_are_checked_as_those_in_a_zip(tmp_path: Path, names, message) -> None:
    write_folder(tmp_path, dict.fromkeys(names, b""))
    with pytest.raises(UserError, match=message):
        paths(tmp_path)


def test_a_folder_may_be_as_large_as_a_zip_unpacked(tmp_path: Path) -> None:
    with (tmp_path / "a.png").open("wb") as file:
        file.truncate(3_000_001)
    with pytest.raises(UserError, match=r"more than `ingest\.max_total_bytes`"):
        paths(tmp_path)


@pytest.mark.parametrize("name", ["x.csv", "x.zip", "x.tar.gz", "folder"])
def test_reads_a_table_row_by_row(tmp_path: Path, name: str) -> None:
    table = b'\xef\xbb\xbfa,b\r\n"1,5",x\r\n\r\n"two\nlines",y\n'
    path = tmp_path / name
    if name == "x.csv":
        path.write_bytes(table)
    elif name == "x.zip":
        write_archive(path, {"a/x.csv": table}, packed=True)
    elif name == "folder":
        write_folder(path, {"a/x.csv": table})
    else:
        write_tar(path, {"./a/x.csv": table})
    assert rows(path) == [["a", "b"], ["1,5", "x"], ["two\nlines", "y"]]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (b"a\xffb,c\n", "is not UTF-8"),
        (b'"' + b"x" * 200_000 + b'"\n', r"is no CSV: field larger than field limit"),
        (b'a"b","c\n', "is no CSV: "),
        (b"x" * 2**20, "has a line of a million letters"),
        (b"a\n" * 102, r"has more rows than `ingest\.max_members` \(100\) allows"),
    ],
)
def test_a_broken_table_is_one_line(tmp_path: Path, table: bytes, message: str) -> None:
    file = tmp_path / "x.csv"
    file.write_bytes(table)
    with pytest.raises(UserError, match=message):
        rows(file)


def test_a_table_is_never_in_memory_as_a_whole(tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    file.write_bytes(b"a\n" + (b"x" * 25_000 + b"\n") * 99)
    tracemalloc.start()
    with open_dataset(file, LIMITS) as dataset:
        assert sum(1 for _ in dataset.rows(*dataset.members)) == 100
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()


def test_a_damaged_table_in_a_zip_is_one_line(tmp_path: Path) -> None:
    file = write_archive(tmp_path / "x.zip", {"x.csv": pixel_table(num_each=1)}, packed=True)
    data = bytearray(file.read_bytes())
    data[2_000:2_100] = bytes(100)
    file.write_bytes(data)
    with pytest.raises(UserError, match=r"x\.csv is damaged: "):
        rows(file)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE])
def test_a_tar_with_links_or_devices_is_refused(tmp_path: Path, kind: bytes) -> None:
    with pytest.raises(UserError, match=r"member 'x\.csv' is a symbolic link"):
        paths(write_tar(tmp_path / "x.tar.gz", {"x.csv": b""}, kind=kind))


@pytest.mark.parametrize("name", ["../x.csv", "/x.csv"])
def test_a_tar_that_climbs_out_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match="climbs out of the archive"):
        paths(write_tar(tmp_path / "x.tar.gz", {name: b""}))


def test_a_tar_that_is_a_bomb_is_refused(tmp_path: Path) -> None:
    file = write_tar(tmp_path / "x.tar.gz", {"x.csv": bytes(2_000_000)})
    with pytest.raises(
        UserError, match=r"unpacks to more than [0-9,]+ bytes: .* decompression bomb"
    ):
        paths(file)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("size", [10**13, -1])
def test_a_tar_that_claims_a_huge_file_is_refused_at_once(tmp_path: Path, size: int) -> None:
    info = tarfile.TarInfo("faces.csv")
    info.size = size
    (tmp_path / "x.tar").write_bytes(info.tobuf(tarfile.GNU_FORMAT) + bytes(2_048))
    with pytest.raises(UserError, match="may be a decompression bomb"):
        paths(tmp_path / "x.tar")


@pytest.mark.parametrize("cut", [0, 10, 300])
def test_half_a_tar_is_one_line(tmp_path: Path, cut: int) -> None:
    file = write_tar(tmp_path / "x.tar.gz", {"x.csv": os.urandom(2_000)})
    file.write_bytes(file.read_bytes()[:cut])
    with pytest.raises(UserError, match=r"x\.tar\.gz is no whole tar .*: download it again"):
        paths(file)


def test_images_in_a_tar_are_refused(tmp_path: Path) -> None:
    file = write_tar(tmp_path / "x.tar", {"a.png": image()})
    with open_dataset(file, LIMITS) as dataset, pytest.raises(MemberError, match=r"unpack x\.tar"):
        dataset.read(*dataset.members)


def test_what_is_not_there_is_one_line(tmp_path: Path) -> None:
    for name in ("absent", "absent.csv", "absent.tar.gz"):
        with pytest.raises(UserError, match=rf"no archive at .*{name}: expected a folder, a zip"):
            paths(tmp_path / name)
