"""A class that leaves the settings: what was decided by its name is kept, and does not apply."""

import logging
from pathlib import Path

import pandas as pd
import pytest
import yaml

from fer_data.annotation.apply_decisions import decisions_on, read_accepted
from fer_data.annotation.decision_log import read_decisions
from fer_data.core.errors import UserError
from fer_data.core.schema import DECISION_COLUMNS
from fer_data.review_app.review_server import read_review
from fer_data.stages.settings import DataSettings, SettingsError, read_settings
from tests.support.data.findings import decided, findings
from tests.support.data.quality_page import page_of, section, shown_queue, text
from tests.support.servers.review_app import EXPRESSIONS, RELABELS, make_workspace

HEADER = ",".join(DECISION_COLUMNS) + "\n"
FACES = [f"{number:064x}" for number in range(3)]
LEFT = ("contempt", "disgust")


def line(face: str, decision: str, *, given: str = "sad", minute: int = 0) -> str:
    return f"{face},{given},{decision},ann,2026-01-31T10:{minute:02d}:00Z,\n"


def settings(tmp_path: Path, retired: str) -> DataSettings:
    file = tmp_path / "params.yaml"
    file.write_text(f"data: {{expressions: [happy, sad], retired_expressions: {retired}}}\n")
    return read_settings(DataSettings, "data", file=file)


def test_retired_expressions_are_known_and_may_be_left_out(tmp_path: Path) -> None:
    assert settings(tmp_path, "[disgust]").known_expressions == ("happy", "sad", "disgust")
    assert settings(tmp_path, "[]").known_expressions == ("happy", "sad")
    assert DataSettings(expressions=("happy", "sad")).retired_expressions == ()


@pytest.mark.parametrize(
    ("retired", "message"),
    [
        ("[sad]", "'sad' is one of `data.expressions`: take it out of one of both"),
        ("[fear, fear]", "every expression once"),
        ("[drop]", "'drop' is what people decide about a face"),
        ("[Fear]", "string should match"),
    ],
)
def test_says_which_retired_expression_cannot_be(tmp_path: Path, retired, message: str) -> None:
    with pytest.raises(SettingsError, match=rf"'data\.retired_expressions.*{message}") as raised:
        settings(tmp_path, retired)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("read", [read_decisions, read_accepted])
@pytest.mark.parametrize("row", [line(FACES[0], "glee"), line(FACES[0], "keep", given="glee")])
def test_a_name_in_neither_list_is_one_line_with_both_settings(tmp_path, read, row: str) -> None:
    file = tmp_path / "relabels.csv"
    file.write_text(HEADER + row)
    both = r"'glee', expected one of .*`data\.expressions`, or in `data\.retired_expressions`"
    with pytest.raises(UserError, match=both) as raised:
        read(file, expressions=("happy", "sad"))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("read", [read_decisions, read_accepted])
def test_decisions_of_a_retired_class_are_counted_and_do_not_apply(tmp_path, read, caplog) -> None:
    file = tmp_path / "relabels.csv"
    rows = [
        *(line(FACES[0], "happy"), line(FACES[0], "disgust", minute=1)),
        *(line(FACES[1], "keep", given="contempt"), line(FACES[2], "disgust")),
        *(line(FACES[2], "happy", minute=1), line("f" * 64, "keep", given="disgust")),
    ]
    file.write_text(HEADER + "".join(rows))
    decision_log = read(file, expressions=("happy", "sad", *LEFT))
    with caplog.at_level(logging.INFO):
        faces = pd.DataFrame({"pixel_hash": FACES})
        decisions = decisions_on(faces, decision_log, file=file, retired=LEFT)
    assert list(decisions["pixel_hash"]) == [FACES[2]]
    assert (
        "3 of 4 decisions name a retired expression (1 contempt, 2 disgust): kept there, not applied"
    ) in caplog.text
    assert "does not hold" not in caplog.text


def test_the_review_app_shows_such_faces_as_undecided_and_takes_no_such_name(tmp_path) -> None:
    make_workspace(tmp_path)
    file = tmp_path / "params.yaml"
    params = yaml.safe_load(file.read_text())
    file.write_text(yaml.safe_dump(params | {"data": retiring("contempt")}))
    review, _ = read_review(tmp_path)
    face = review.faces[0]["pixel_hash"]
    with (tmp_path / RELABELS).open("a") as lines:
        lines.write(line(face, "contempt"))
    assert review.decided() == {}
    assert review.decide([face], "sad", annotator="ann")[face]["decision"] == "sad"
    assert review.undo([face], annotator="ann") == {}  # the one before stands again, as it did
    with pytest.raises(UserError, match="'contempt', expected one of angry"):
        review.decide([face], "contempt", annotator="ann")
    assert ",contempt,ann," in (tmp_path / RELABELS).read_text()


def retiring(name: str) -> dict[str, list[str]]:
    return {"expressions": list(EXPRESSIONS), "retired_expressions": [name]}


def test_the_page_about_the_data_counts_them_and_queues_their_faces() -> None:
    lines = pd.concat([decided(0), decided(2, 3, decision="fear")])
    page = page_of(findings(decision_log=lines), retired=("fear",))
    words = text(section(page, "decisions"))
    assert "( data.retired_expressions ) do not apply: 2 fear." in words
    assert "1 face is decided: 0 relabeled, 0 dropped, 1 kept" in words
    assert len(shown_queue(page)) == 3  # of five, less one decided face and its copy
    assert "retired" not in page_of(findings(decision_log=decided(0)), retired=("fear",))
