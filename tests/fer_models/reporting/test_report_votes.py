"""The page shows accuracy by votes beside that by given labels, where Testing faces have clear votes."""

import json
import sys
from pathlib import Path

import pandas as pd
import pytest

from fer_data.annotation.votes import write_kept_votes
from fer_data.web.html import UNKNOWN
from fer_models.reporting import report
from tests.support.models.model_reports import accepted_when, text_of, write_reports

SPACE = "\N{NARROW NO-BREAK SPACE}"


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The page of a model that says sad of the first 60 % of the Testing faces, then happy."""
    write_reports(tmp_path, test_accuracy=0.6)
    (tmp_path / "accepted.json").write_text(accepted_when(0.5).model_dump_json())
    (tmp_path / "curated.json").write_text(json.dumps({}))

    def run(counts: dict[int, dict[str, int]], *, min_agreement: float = 0.6) -> str:
        votes = pd.DataFrame.from_dict(counts, orient="index").fillna(0).astype(int)
        votes.index = pd.Index([f"{place:064x}" for place in votes.index], dtype=str)
        write_kept_votes(votes, tmp_path / "votes.csv")
        settings = f"report: {{models: [scratch], min_vote_agreement: {min_agreement}}}"
        (tmp_path / "params.yaml").write_text(settings)
        flags = (
            "--train train --evaluate evaluate --accepted accepted.json --curated curated.json "
            "--votes votes.csv --page out/index.html --metrics out/metrics.json"
        )
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["report", *flags.split()])
        report.main()
        return text_of((tmp_path / "out/index.html").read_text(encoding="utf-8"))

    return run


def test_accuracy_by_votes_stands_beside_that_by_given_labels(page) -> None:
    counts = {
        0: {"sad": 8, "happy": 2},  # said sad: right by both
        1: {"happy": 7, "sad": 3},  # said sad: right by the given label alone
        7_065: {"happy": 10},  # said happy: right by the votes alone
        7_066: {"fear": 10},  # said happy: wrong by both
        2: {"sad": 5, "happy": 5},  # not clear
        3: {"contempt": 10},  # no class here
        9_999: {"sad": 10},  # no Testing face
    }
    section = page(counts).split('<section id="votes">')[1].split("</section>")[0]
    assert (
        f"<p>4 Testing faces have votes in <code>data/votes.csv</code> of which at least 60{SPACE}%"
        in section
    )
    rate = f"<td>50.0{SPACE}%<small>15.0 {UNKNOWN} 85.0{SPACE}%</small></td>"
    assert rate * 2 in section.replace("</td> <td>", "</td><td>")


def test_the_setting_says_which_votes_are_clear(page) -> None:
    counts = {0: {"sad": 8, "happy": 2}, 1: {"happy": 10}}
    section = page(counts, min_agreement=0.9).split('<section id="votes">')[1]
    assert "<p>1 Testing faces have votes" in section
    assert f"at least 90{SPACE}% say one class" in section
    assert f"<td>0.0{SPACE}%" in section  # said sad


@pytest.mark.parametrize("counts", [{}, {0: {"sad": 5, "happy": 5}}, {9_999: {"sad": 10}}])
def test_without_clear_votes_the_page_says_nothing_of_them(page, counts) -> None:
    assert 'id="votes"' not in page(counts)
