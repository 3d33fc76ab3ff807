from pathlib import Path

import pytest

from fer_models.named_files import is_film, named_files


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in (
        "b.JPG",
        "a.png",
        "notes.txt",
        "clip.mp4",
        ".hidden.png",
        "sub/c.webp",
        ".x/d.png",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("words", "files"),
    [
        (["notes.txt", "a.png"], ["notes.txt", "a.png"]),
        (["."], ["a.png", "b.JPG", "sub/c.webp"]),
        (["*.png"], ["a.png"]),
        (["**/*.webp", "?.JPG"], ["sub/c.webp", "b.JPG"]),
        (["su*"], ["sub/c.webp"]),
        (["clip.mp4"], ["clip.mp4"]),
        (["absent.png", "*.tiff", "empty"], ["absent.png", "*.tiff", "empty"]),
        (["-", "a.png"], ["a.png", "sub/c.webp", "a.png"]),
    ],
)
def test_words_name_files(folder: Path, words: list[str], files: list[str]) -> None:
    assert folder.is_dir()
    found = named_files(words, lines=["a.png\n", "\n", "sub\r\n"])
    assert [str(file) for file in found] == files


def test_absolute_patterns_work(folder: Path) -> None:
    assert list(named_files([f"{folder}/*.png"])) == [folder / "a.png"]


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(folder: Path) -> None:
    (folder / "a[1].png").touch()
    assert [str(file) for file in named_files(["a[1].png"])] == ["a[1].png"]


def test_films_are_known_by_their_names() -> None:
    assert is_film(Path("some/Clip.MP4"))
    assert not is_film(Path("clip.gif"))
