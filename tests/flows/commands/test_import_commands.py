"""The commands that take decisions in, print what Label Studio needs, and compare archives."""

import fcntl
import json
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from fer_data.annotation.decision_log import read_decisions
from fer_data.annotation.latest_decisions import latest_decisions
from fer_data.core.tables import write_table
from fer_data.decision_import.import_plan import Plan, plan_import
from flows.cli.main import main
from flows.commands.import_labels import import_decisions
from tests.fer_data.decision_import.test_label_studio_export import annotation, person, task
from tests.support.data.manifests import EXPRESSIONS
from tests.support.flows.small_workspace import RELABELS, decide, make


@pytest.fixture
def manifest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pd.DataFrame:
    folder = tmp_path / "workspace"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return make(folder)


@pytest.fixture
def ferflow(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Runs a command, which must succeed; gives what it printed."""

    def run(*words: str) -> str:
        monkeypatch.setattr(sys, "argv", ["ferflow", *words])
        main()
        return capsys.readouterr().out

    return run


def rows_of(manifest: pd.DataFrame, *rows: int, decision: str) -> str:
    return "".join(
        f"{face.pixel_hash},{face.label},{decision},ann,2026-01-31T10:00:00Z,\n"
        for face in manifest.iloc[list(rows)].itertuples()
    )


def standing() -> dict[str, str]:
    decisions = latest_decisions(read_decisions(RELABELS, expressions=EXPRESSIONS))
    return dict(zip(decisions["pixel_hash"], decisions["decision"], strict=True))


def test_a_decision_on_what_split_drew_as_test_is_refused(manifest) -> None:
    """Of an archive without a Testing folder."""
    write_table(manifest.assign(original_split="training"), Path("data/faces/manifest.parquet"))
    splits = manifest["original_split"].map({"training": "train", "testing": "test"})
    assigned = manifest[["path"]].assign(split=splits)
    write_table(assigned, Path("data/split/assignments.parquet"))
    file = Path("../drawn.csv")
    file.write_text(RELABELS.read_text() + rows_of(manifest, 0, 125, decision="sad"))
    said = list(import_decisions(file, partial=True, annotator=None))
    assert "is in Testing alone, whose labels are never changed" in said[0]
    assert standing() == {manifest["pixel_hash"][0]: "sad"}


@pytest.fixture
def incoming(manifest: pd.DataFrame) -> Path:
    """Three good rows, and one on a face of Testing between them."""
    file = Path("../incoming.csv")
    file.write_text(
        RELABELS.read_text()
        + rows_of(manifest, 0, 50, decision="sad")
        + rows_of(manifest, -1, decision="happy")
        + rows_of(manifest, 1, decision="drop")
    )
    return file


def test_one_bad_row_lets_none_in(incoming: Path, ferflow, capsys) -> None:
    before = RELABELS.read_bytes()
    with pytest.raises(SystemExit, match=r"^error: 1 of 4 rows of .*incoming\.csv are refused, so"):
        ferflow("import-decisions", str(incoming))
    listed = capsys.readouterr().out.splitlines()
    assert len(listed) == 1
    assert listed[0].startswith("../incoming.csv, line 4: face ")
    assert listed[0].endswith("is in Testing alone, whose labels are never changed")
    assert RELABELS.read_bytes() == before


def test_partial_takes_the_good_rows_and_lists_the_others(incoming, manifest, ferflow) -> None:
    lines = ferflow("import-decisions", "--partial", str(incoming)).splitlines()
    assert "line 4" in lines[0]
    assert lines[1] == "3 decisions -> data/relabels.csv (1 refused)"
    hashes = manifest["pixel_hash"]
    assert standing() == {hashes[0]: "sad", hashes[50]: "sad", hashes[1]: "drop"}


def test_nobody_appends_between_the_plan_of_an_import_and_its_end(
    incoming: Path, ferflow, monkeypatch
) -> None:
    def planned(*arguments: Any, **options: Any) -> Plan:
        with RELABELS.open("rb") as other, pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return plan_import(*arguments, **options)

    monkeypatch.setattr("flows.commands.import_labels.plan_import", planned)
    ferflow("import-decisions", "--partial", str(incoming))


def test_a_second_import_adds_nothing(incoming: Path, ferflow) -> None:
    ferflow("import-decisions", "--partial", str(incoming))
    before = RELABELS.read_bytes()
    lines = ferflow("import-decisions", "--partial", str(incoming)).splitlines()
    assert lines[-1] == "0 decisions -> data/relabels.csv (3 stand already, 1 refused)"
    assert RELABELS.read_bytes() == before


def test_our_own_file_imports_into_another_clone(manifest: pd.DataFrame, ferflow) -> None:
    decide(Path(), manifest, 0, 1)
    theirs = Path("../theirs.csv")
    theirs.write_bytes(RELABELS.read_bytes())
    RELABELS.write_text(theirs.read_text().splitlines()[0] + "\n")
    assert ferflow("import-decisions", str(theirs)) == "2 decisions -> data/relabels.csv\n"
    assert RELABELS.read_bytes() == theirs.read_bytes()


def test_what_people_answered_in_label_studio_comes_in(manifest: pd.DataFrame, ferflow) -> None:
    answers = [annotation("sad", by=person("bob@example.org")), annotation("keep")]
    answers.append(annotation(was_cancelled=True))
    tasks = [
        task(answer, data={"pixel_hash": face.pixel_hash, "given_label": face.label})
        for answer, face in zip(answers, manifest.itertuples(), strict=False)
    ]
    export = Path("../export.json")
    export.write_text(json.dumps(tasks))
    words = ferflow("import-decisions", str(export), "--annotator", "ann")
    assert words == "2 decisions -> data/relabels.csv (1 skipped by people)\n"
    decisions = read_decisions(RELABELS, expressions=EXPRESSIONS)
    assert list(decisions["decision"]) == ["sad", "keep"]
    assert list(decisions["annotator"]) == ["bob@example.org", "ann"]


def test_a_broken_file_of_decisions_stops_an_import(incoming: Path, ferflow) -> None:
    with RELABELS.open("a") as file:
        file.write("half a li")
    before = RELABELS.read_bytes()
    with pytest.raises(SystemExit, match=r"^error: data/relabels\.csv, line 2: got 1 fields"):
        ferflow("import-decisions", "--partial", str(incoming))
    assert RELABELS.read_bytes() == before


@pytest.mark.usefixtures("manifest")
def test_the_configuration_is_printed(ferflow) -> None:
    words = ferflow("label-studio-config")
    assert words.startswith("<View>")
    for expression in EXPRESSIONS:
        assert f'<Choice value="{expression}"' in words


def test_accepting_is_said_in_words(manifest: pd.DataFrame, ferflow) -> None:
    decide(Path(), manifest, 0)
    assert "1 decisions -> data/accepted/relabels.csv" in ferflow("accept-decisions", "--by", "ann")
    assert "150 faces -> data/accepted/profile.json" in ferflow("accept-baseline", "--by", "ann")


def test_a_workspace_is_compared_with_a_manifest(manifest: pd.DataFrame, ferflow, tmp_path) -> None:
    new = tmp_path / "new.parquet"
    write_table(manifest.drop(index=[0, 1]), new)
    words = ferflow("compare", ".", str(new))
    for shown in ("removed", "training/happy", "-5.0%", "brightness", "No class is gone"):
        assert shown in words
    write_table(manifest.assign(mean=manifest["mean"] + 9), new)
    with pytest.raises(
        SystemExit, match=r"^error: .*new\.parquet is not like \.: brightness of train"
    ):
        ferflow("compare", ".", str(new))
    with pytest.raises(SystemExit, match=r"^error: no dvc\.yaml in .*: not a Ferflow workspace"):
        ferflow("compare", ".", str(tmp_path))
