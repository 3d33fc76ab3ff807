"""`ferflow import-decisions --votes`: clear majorities become decisions, those on Testing a metric."""

import sys
from pathlib import Path

import pandas as pd
import pytest

from fer_data.annotation.decision_log import read_decisions
from fer_data.annotation.votes import read_kept_votes
from fer_data.core.tables import write_table
from flows.cli.main import main
from tests.support.data.manifests import EXPRESSIONS
from tests.support.flows.small_workspace import RELABELS, ROOT, decide, make

VOTES = "../votes.csv"
KEPT = Path("data/votes.csv")


@pytest.fixture
def manifest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pd.DataFrame:
    """Of a workspace beside a file of votes, on three faces of Training and three of Testing."""
    folder = tmp_path / "workspace"
    folder.mkdir()
    monkeypatch.chdir(folder)
    manifest = make(folder)
    params = (ROOT / "params.yaml").read_text(encoding="utf-8")
    classes = f"  expressions: [{', '.join(EXPRESSIONS)}]\n"
    lines = [
        classes if one.startswith("  expressions: [") else one for one in params.splitlines(True)
    ]
    Path("params.yaml").write_text("".join(lines), encoding="utf-8")
    paths = manifest["path"]
    votes = [(0, 2, 8), (1, 0, 8), (2, 5, 5), (125, 9, 0), (149, 9, 0), (130, 1, 1)]
    rows = "".join(f"{paths[row]},{happy},{sad}\n" for row, happy, sad in votes)
    Path(VOTES).write_text(f"path,happiness,sadness\n{rows}nowhere.png,1,0\n", encoding="utf-8")
    return manifest


@pytest.fixture
def ferflow(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Runs a command, which must succeed; gives the lines that it printed."""

    def run(*words: str) -> list[str]:
        monkeypatch.setattr(sys, "argv", ["ferflow", *words])
        main()
        return capsys.readouterr().out.splitlines()

    return run


def test_clear_majorities_become_decisions_once(manifest: pd.DataFrame, ferflow) -> None:
    decide(Path(), manifest, 0)
    words = ("import-decisions", "--votes", VOTES, "--min-agreement", "0.8")
    before = RELABELS.read_bytes()
    shown = ferflow(*words, "--dry-run")
    assert RELABELS.read_bytes() == before
    lines = ferflow(*words)
    assert lines == [
        "6 of 7 rows are of faces of this archive (1 are not)",
        "2 of 3 faces outside of Testing are clear: 2 another expression",
        "1 stay undecided: 1 below 0.8",
        "1 of the clear ones were decided already and stay as they are, 1 of them otherwise than by "
        "the votes",
        "Testing: the votes on 2 of 3 faces are clear for a class; none becomes a decision, and nothing "
        "is to be chosen by what follows",
        "the votes on 6 faces -> data/votes.csv",
        "1 decisions -> data/relabels.csv",
    ]
    assert shown == [*lines[:-2], f"would be done, without --dry-run: {lines[-1]}"]
    last = read_decisions(RELABELS, expressions=EXPRESSIONS).iloc[-1]
    assert last["pixel_hash"] == manifest["pixel_hash"][1]
    assert (last["decision"], last["annotator"], last["note"]) == (
        *("sad", "votes: votes.csv"),
        "8 of 8",
    )
    assert ferflow(*words)[-1] == "0 decisions -> data/relabels.csv"


def test_votes_are_kept_by_pixels_and_replaced_by_later_ones(manifest, ferflow) -> None:
    ferflow("import-decisions", "--votes", VOTES, "--dry-run")
    assert not KEPT.exists()
    ferflow("import-decisions", "--votes", VOTES)
    kept = read_kept_votes(KEPT)
    assert len(kept) == 6
    assert kept.loc[manifest["pixel_hash"][2]].to_dict() == {"happy": 5, "sad": 5}
    assert kept.loc[manifest["pixel_hash"][125]].to_dict() == {"happy": 9, "sad": 0}  # of Testing
    Path(VOTES).write_text(f"path,happiness,fear\n{manifest['path'][2]},1,2\n")
    ferflow("import-decisions", "--votes", VOTES)
    kept = read_kept_votes(KEPT)
    assert kept.loc[manifest["pixel_hash"][2]].to_dict() == {"happy": 1, "sad": 0, "fear": 2}
    assert len(kept) == 6


def test_models_are_measured_on_testing_faces_with_clear_votes(manifest, ferflow) -> None:
    """Both votes are for happy; one of the labels is sad, and so are the predictions."""
    tested = manifest[manifest["original_split"] == "testing"]
    predictions = tested[["path", "pixel_hash", "label"]].assign(split="test", prediction="sad")
    write_table(predictions, Path("reports/evaluate/scratch/predictions.parquet"))
    lines = ferflow("import-decisions", VOTES, "--votes", "--dry-run")
    assert [line for line in lines if line.startswith("scratch: ")] == [
        "scratch: accuracy 0.0000 (0.0000 to 0.6576) by the votes, "
        "0.5000 (0.0945 to 0.9055) by the given labels, on 2 faces"
    ]


@pytest.mark.usefixtures("manifest")
def test_a_line_without_counts_lets_none_in_but_with_partial(ferflow) -> None:
    with Path(VOTES).open("a", encoding="utf-8") as file:
        file.write("x.png,many,0\n")
    before = RELABELS.read_bytes()
    with pytest.raises(SystemExit, match=r"^error: 1 of \d rows of \.\./votes\.csv are refused"):
        ferflow("import-decisions", "--votes", VOTES)
    assert RELABELS.read_bytes() == before
    assert ferflow("import-decisions", "--votes", VOTES, "--partial")[-1].endswith("(1 refused)")


@pytest.mark.usefixtures("manifest")
@pytest.mark.parametrize("words", [(), ("--partial",)])
def test_where_every_line_is_refused_the_reason_is_told(ferflow, capsys, words) -> None:
    Path(VOTES).write_text("path,happy,sad\nx.png,8.0,0\ny.png,-1,0\n", encoding="utf-8")
    with pytest.raises(
        SystemExit, match=r"^error: 2 of 2 rows of \.\./votes\.csv are refused.* them$"
    ):
        ferflow("import-decisions", "--votes", VOTES, *words)
    said = capsys.readouterr().out
    assert "line 2: got '8.0' votes for happy, expected a whole number" in said
    assert "line 3: got '-1' votes for happy" in said


@pytest.mark.usefixtures("manifest")
@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("path,happy,sad\n,,\n", "has a header and no votes below it"),
        ("path;happy;sad\nx.png;1;2\n", "has semicolons between its columns, as Excel writes them"),
        ("path\thappy\tsad\nx.png\t1\t2\n", "has tabs between its columns"),
    ],
)
def test_another_form_of_votes_is_told_what_is_expected(
    ferflow, content: str, message: str
) -> None:
    Path(VOTES).write_text(content, encoding="utf-8")
    with pytest.raises(SystemExit, match=message):
        ferflow("import-decisions", "--votes", VOTES)


@pytest.mark.usefixtures("manifest")
def test_votes_without_the_option_are_told_it(ferflow) -> None:
    with pytest.raises(SystemExit, match="has columns of classes, so it holds votes: give --votes"):
        ferflow("import-decisions", VOTES)


@pytest.mark.usefixtures("manifest")
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--min-agreement", "0.6"), "--min-agreement is of votes: give --votes, too"),
        (("--votes", "--min-agreement", "0.5"), "got the agreement 0.5, expected more than 0.5"),
    ],
)
def test_an_agreement_is_of_votes_and_above_a_half(ferflow, words, message: str) -> None:
    with pytest.raises(SystemExit, match=f"^error: {message}"):
        ferflow("import-decisions", VOTES, *words)
    assert "votes" not in RELABELS.read_text()


@pytest.mark.usefixtures("manifest")
@pytest.mark.parametrize("words", [("--votes",), ()], ids=["votes", "decisions"])
@pytest.mark.parametrize(
    ("content", "message"),
    [(None, r"\.\./x\.csv cannot be read: No such file"), ("", r"\.\./x\.csv ")],
    ids=["missing", "empty"],
)
def test_a_file_is_checked_before_the_manifest(ferflow, words, content, message: str) -> None:
    Path("data/faces/manifest.parquet").unlink()
    if content is not None:
        Path("../x.csv").write_text(content, encoding="utf-8")
    with pytest.raises(SystemExit, match=f"^error: {message}"):
        ferflow("import-decisions", "../x.csv", *words)
