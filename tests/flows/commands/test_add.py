import io
import re
import subprocess
from pathlib import Path

import pytest
import yaml
from rich.console import Console

from fer_data.core.errors import UserError
from fer_data.ingestion.class_meanings import Choices, classes_of
from fer_data.stages.all_settings import check_settings
from flows.commands.add import add_dataset
from flows.workspace import create
from flows.workspace.client import commit, environment
from flows.workspace.create import make_workspace
from tests.support.data.archives import good_members, image, write_archive
from tests.support.data.datasets import EIGHT, SEVEN, pixel_table, split_class, write_folder


@pytest.fixture
def made(tmp_path: Path) -> Path:
    folder = tmp_path / "workspace"
    make_workspace(folder, overrides={})
    return folder


@pytest.fixture
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Has DVC take whatever is added at once, and hold it."""

    def dvc(command: str, *words: str, cwd: Path) -> str:
        if command == "add":
            pointer = {"outs": [{"md5": "0" * 32, "size": 7, "path": Path(words[0]).name}]}
            (cwd / f"{words[0]}.dvc").write_text(yaml.safe_dump(pointer))
        return "{}"

    monkeypatch.setattr(create, "dvc", dvc)


def add(path: Path, folder: Path, *, dry_run: bool = False, **choices: object) -> str:
    """What the command prints, on a wide terminal."""
    out = io.StringIO()
    add_dataset(
        path,
        choices=Choices(**choices),  # pyright: ignore[reportArgumentType]
        dry_run=dry_run,
        folder=folder,
        console=Console(file=out, width=120),
    )
    return out.getvalue()


def table(said: str) -> list[list[str]]:
    """The cells of the rows of all tables."""
    rows = [line for line in said.splitlines() if line.startswith("│")]
    return [[cell.strip() for cell in row.strip("│").split("│")] for row in rows]


def settings(folder: Path) -> dict:
    return yaml.safe_load((folder / "params.yaml").read_text())


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in folder.rglob("*")
        if file.is_file()
    }


def test_a_dry_run_shows_all_and_writes_nothing(tmp_path: Path, made: Path) -> None:
    before = files(made)
    numbers = [str(number) for number in range(1, 9)]
    faces = split_class(numbers, splits=("train", "val"), size=(100, 100), mode="RGB")
    path = write_folder(tmp_path / "raf", {**faces, "list.txt": b""})
    classes = classes_of("1=surprise,2=fear,3=disgust,4=happy,5=sad,6=angry,7=neutral")
    said = add(path, made, dry_run=True, classes=classes, skip=("8",))
    assert f"{path}: taken for SPLIT/CLASS/image\n" in said
    assert "→ Training ┃ → Validation" in said
    assert table(said) == [
        *([number, name, "2", "2"] for number, name in classes.items()),
        ["all", "", "14", "14"],
        ["4", "--skip 8", "train/8/14.png"],
        ["1", "no image by its name", "list.txt"],
    ]
    notes = [line for line in said.splitlines() if line.startswith("Note: ")]
    assert "no folder of Testing: the stage `split` draws 20% of Training" in notes[0]
    assert "Validation becomes `validation` as it is" in notes[1]
    assert "28 images are not 48x48 (28 are 100x100): `ingest` refuses them, unless" in notes[2]
    assert "28 images are in color: they become gray" in notes[3]
    assert len(notes) == 4
    assert said.endswith("Nothing was written (--dry-run).\n")
    assert files(made) == before


def test_what_is_added_is_versioned(tmp_path: Path, made: Path) -> None:
    said = add(write_folder(tmp_path / "dataset", split_class()), made)
    assert "`dvc repro` rebuilds" in said
    assert "md5" in (made / "data/raw/archive.zip.dvc").read_text()


def test_says_what_a_second_dataset_replaces_and_how_it_comes_back(
    tmp_path: Path, made: Path
) -> None:
    """The first time by git, the second time, since nobody committed, by DVC's cache."""
    paths = [
        write_archive(
            tmp_path / f"{name}.zip", {**good_members(), f"Training/Happy/{name}.jpg": data}
        )
        for name, data in (("one", image(101)), ("two", image(102)), ("three", image(103)))
    ]
    assert "in place of" not in add(paths[0], made)
    commit(made, "First dataset")
    (out,) = yaml.safe_load((made / "data/raw/archive.zip.dvc").read_text())["outs"]
    said = add(paths[1], made)
    assert f", in place of {out['size']:,} bytes of MD5 {out['md5']}, which `git checkout " in said
    (command,) = re.findall(r"which `([^`]+)` brings back", said)
    found = subprocess.run(
        command, shell=True, cwd=made, env=environment(), capture_output=True, check=False
    )
    assert (made / "data/raw/archive.zip").read_bytes() == paths[0].read_bytes(), found.stderr

    add(paths[1], made)
    said = add(paths[2], made)
    (place,) = re.findall(r"which no commit names: DVC holds it as (\S+): `dvc repro`", said)
    assert (made / place).read_bytes() == paths[1].read_bytes()
    assert "in place of" not in add(paths[2], made)


@pytest.mark.usefixtures("fast")
def test_another_layout_becomes_the_archive_with_its_classes(tmp_path: Path, made: Path) -> None:
    (tmp_path / "fer2013.csv").write_bytes(pixel_table())
    said = add(tmp_path / "fer2013.csv", made)
    assert "data.expressions: ['angry', 'fear', " in said
    first = files(made)
    params = settings(made)
    assert params["data"] == {"expressions": list(SEVEN), "retired_expressions": []}
    spreads = params["report"]["seed_spread"].values()
    assert [one["accuracy"] for one in spreads] == [None, None]  # was measured of other classes
    assert first["data/raw/mapping.csv"].startswith(b"split,class,original_split,label,faces,")
    check_settings(made)
    add(tmp_path / "fer2013.csv", made)
    assert files(made)["data/raw/archive.zip"] == first["data/raw/archive.zip"]

    # An archive that is canonical already comes byte for byte, and has no mapping.
    archive = write_archive(tmp_path / "x.zip", {**good_members(), "__MACOSX/a": b""})
    said = add(archive, made)
    assert table(said)[-1] == ["all", "", "6", "6"]
    assert (made / "data/raw/archive.zip").read_bytes() == archive.read_bytes()
    assert not (made / "data/raw/mapping.csv").exists()
    assert settings(made)["data"]["expressions"] == [one for one in SEVEN if one != "disgust"]


@pytest.mark.usefixtures("fast")
def test_classes_that_people_decided_with_stay_known(tmp_path: Path, made: Path) -> None:
    with (made / "data/relabels.csv").open("a") as decisions:
        decisions.write(f"{'0' * 64},fear,surprise,ann,2026-01-31T10:00:00Z,\n")
    path = write_folder(tmp_path / "two", split_class(("happy", "sad")))
    add(path, made)
    data = settings(made)["data"]
    assert data == {"expressions": ["happy", "sad"], "retired_expressions": ["fear", "surprise"]}
    add(write_folder(tmp_path / "eight", split_class(EIGHT)), made)
    data = settings(made)["data"]
    assert data == {"expressions": list(EIGHT), "retired_expressions": []}
    check_settings(made)


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({}, "classes whose meaning is not known, 'Smile!'"),
        ({"classes": {"smile!": "Smile!"}}, r"'data\.expressions\.0': got 'Smile!': .*pattern"),
        ({"classes": {"smile!": "drop"}}, r"'drop' is what people decide about a face"),
        ({"skip": ("smile!",)}, "has faces of happy alone"),
    ],
)
def test_what_cannot_be_added_changes_nothing(tmp_path: Path, made: Path, choices, message) -> None:
    path = write_folder(tmp_path / "dataset", split_class(("happy", "Smile!")))
    before = files(made)
    with pytest.raises(UserError, match=message) as told:
        add(path, made, **choices)
    assert "\n" not in str(told.value)
    assert files(made) == before


def test_an_archive_that_only_the_workspace_has_is_kept(made: Path) -> None:
    raw = write_archive(made / "data/raw/archive.zip", split_class(("happy", "Sad", "unknown")))
    before = files(made)
    with pytest.raises(UserError, match="is another file, which DVC does not hold"):
        add(raw, made, skip=("unknown",))
    assert files(made) == before


def test_names_in_a_dataset_are_text_and_steer_nothing(tmp_path: Path, made: Path) -> None:
    rows = pixel_table(["[/red]", "\x1b[31m"], usages=["[bold]"]).replace(b"[bold]", b"Training")
    (tmp_path / "x [y].csv").write_bytes(rows)
    classes = {"[/red]": "happy", "\x1b[31m": "sad"}
    said = add(tmp_path / "x [y].csv", made, dry_run=True, classes=classes)
    assert "x [y].csv: taken for" in said
    assert table(said)[:2] == [["\\x1b[31m", "sad", "2"], ["[/red]", "happy", "2"]]
    assert "\x1b[31m" not in said


def test_says_that_a_class_comes_from_several_folders(tmp_path: Path, made: Path) -> None:
    """As in zips on Kaggle that hold `images/` and `images/images/`."""
    once = split_class(("happy", "sad"))
    path = write_folder(
        tmp_path / "dataset", {**once, **{f"images/{x}": d for x, d in once.items()}}
    )
    said = add(path, made, dry_run=True)
    assert "Note: test has happy in 2 folders (images/test/happy, test/happy): if they hold" in said
    assert said.count("folders (") == 1


def test_says_what_a_split_lacks(tmp_path: Path, made: Path) -> None:
    faces = {**split_class(("happy", "sad")), "train/disgust/x.png": image(99)}
    path = write_folder(tmp_path / "dataset", faces)
    said = add(path, made, dry_run=True)
    assert "Testing has no face of disgust: `ingest` will stop; `--skip disgust` leaves" in said
