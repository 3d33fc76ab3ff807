"""What the page about the data says of label quality, decisions and the review queue."""

import re
from typing import Any

import pandas as pd
import pytest

from tests.support.data.findings import decided, findings
from tests.support.data.quality_page import cards, page_of, section, shown_queue, text


def test_the_queue_is_sorted_by_label_quality_and_cut() -> None:
    shuffled = findings().suspects.iloc[[3, 0, 4, 2, 1]]
    page = page_of(findings(suspects=shuffled), max_faces=3)
    assert shown_queue(page) == [("angry", "wrong"), ("happy", "ambiguous"), ("angry", "wrong")]
    assert "Here are the 3 with the lowest label quality." in page
    queue = text(section(page, "queue"))
    assert queue.index("#1 quality 0.020") < queue.index("#2 quality 0.140")


def test_a_face_of_the_queue_names_its_issue() -> None:
    queue = section(page_of(findings()), "queue")
    assert re.findall(r"<figcaption><b>([^<]*)</b>", queue) == [
        *("angry → sad?", "happy or sad?", "angry → sad?", "happy → sad?"),
        "happy",  # no face has no better expression
    ]
    assert "ferflow review" in queue


def test_the_filter_has_a_button_for_each_class_and_each_issue() -> None:
    queue = section(page_of(findings()), "queue")
    buttons = re.findall(r'data-value="(\w+)"[^>]*>[^<]*<small>([^<]*)<', queue)
    assert buttons == [
        *(("all", "5"), ("angry", "2"), ("happy", "3"), ("sad", "0")),
        *(("all", "5"), ("wrong", "3"), ("ambiguous", "1"), ("non_face", "1")),
    ]


def test_issues_are_explained_and_counted_by_class() -> None:
    labels = section(page_of(findings(), max_faces=1), "labels")
    for words in ("Wrong 3 One clear other", "Ambiguous 1 Two plausible", "Non-face 1 No face to"):
        assert words in text(labels)
    assert "angry 2 0.140 2 100.0 % 2 0 0 sad 2" in text(labels)
    assert re.findall(r'href="#(queue/[^"]*)">(\d)<', labels) == [
        *(("queue/angry/wrong", "2"), ("queue/happy/wrong", "1")),
        *(("queue/happy/ambiguous", "1"), ("queue/happy/non_face", "1")),
        *(("queue/all/wrong", "3"), ("queue/all/ambiguous", "1"), ("queue/all/non_face", "1")),
    ]


def test_without_decisions_one_line_says_how_to_make_one() -> None:
    decisions = section(page_of(findings()), "decisions")
    assert "Nobody has decided on a face yet. <code>ferflow review</code> opens" in decisions
    assert "<table" not in decisions


def test_decisions_are_told_by_person_issue_and_label() -> None:
    undo = decided(4, decision="undo")
    made = [decided(0), decided(2, decision="sad"), decided(4, decision="drop"), undo]
    page = page_of(findings(decision_log=pd.concat(made, ignore_index=True)))
    told = text(section(page, "decisions"))
    assert "2 faces are decided: 1 relabeled, 0 dropped, 1 kept." in told
    assert "ann 2 1 0 1 1 2026-01-31 10:00:00 UTC" in told
    assert "50 % of the 2 decided faces of the queue" in told
    assert "(95 % interval 9 - 91 %)" in told
    assert "wrong 50 % 9 - 91 % 2 1 0 1 1 of 1 ambiguous - 0 0 0 0 - non-face - 0" in told
    assert "1 of the 1 relabeled face got the suggested expression" in told
    assert "Given label → angry → happy → sad dropped angry 1 · 1 · happy · · · ·" in told
    assert "angry" not in {label for label, _ in shown_queue(page)}


def test_decisions_on_other_faces_are_left_aside_and_said() -> None:
    other = decided(0).assign(pixel_hash="f" * 64)
    page = page_of(findings(decision_log=other))
    assert cards(page)["Decided faces"] == ("0", "none yet")
    told = text(section(page, "decisions"))
    assert "1 line of data/relabels.csv is about faces that this archive does not hold" in told
    assert "Nobody has decided" in told


def test_decisions_outside_of_the_queue_do_not_count_for_it() -> None:
    told = text(section(page_of(findings(decision_log=decided(5))), "decisions"))
    assert "None of the decided faces has a label quality as low as those that wait today." in told
    both = pd.concat([decided(0), decided(5)], ignore_index=True)
    told = text(section(page_of(findings(decision_log=both)), "decisions"))
    assert (
        "1 decided face has a higher label quality than those that wait today, and is not counted here"
        in told
    )


@pytest.mark.parametrize(
    "changes", [{"decision_log": decided(0, 2, 3)}, {"suspects": findings().suspects.head(0)}]
)
def test_an_empty_queue_says_so(changes: dict[str, Any]) -> None:
    page = page_of(findings(**changes))
    assert "Empty: no face waits for a decision" in page
    assert "<button" not in page
    assert "<img" not in section(page, "queue")
