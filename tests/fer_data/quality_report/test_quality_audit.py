"""The page's section on the audit."""

import numpy as np
import pandas as pd

from fer_data.core.schema import DECISION_COLUMNS
from fer_data.quality_report.findings import Findings
from fer_data.quality_report.quality_report import quality_page
from fer_data.review_queue.audit import draw_audit
from fer_data.review_queue.decided_faces import decided_faces
from fer_data.review_queue.learned_ranking import learn_ranking
from tests.support.data.findings import findings
from tests.support.data.quality_page import cards, section, text
from tests.support.data.simulated_scores import CLASSES, TRUE_LABEL, simulated_scores

FACES = simulated_scores(1500, seed=0, confused={("happy", "surprise"): 0.6})
AUDIT = draw_audit(FACES, pd.Series([], dtype=str), num_faces=120, seed=0)


def log_of(faces: pd.DataFrame, *, annotator: str = "ann", note: str = "") -> pd.DataFrame:
    rows = faces[["pixel_hash"]].assign(
        given_label=faces["label"],
        decision=faces[TRUE_LABEL],
        annotator=annotator,
        decided_at=[f"2026-01-31T10:{n // 12:02}:{5 * (n % 12):02}Z" for n in range(len(faces))],
        note=note,
    )
    return rows[list(DECISION_COLUMNS)]


def page(decision_log: pd.DataFrame, *, audit: pd.DataFrame = AUDIT) -> str:
    """The page about the simulated faces, all of which look alike."""
    last = decision_log.drop_duplicates("pixel_hash", keep="last")
    ranking = learn_ranking(
        FACES, decided_faces(FACES, last, audit), expressions=CLASSES, min_decisions=100
    )
    manifest = FACES[["path", "pixel_hash", "label"]].assign(original_split="training")
    groups = np.arange(len(FACES))
    assignments = FACES[["path", "pixel_hash", "split", "near_group"]].assign(
        duplicate_group=groups, exclusion="", fold=0, leak=""
    )
    made: Findings = findings(
        manifest=manifest,
        pixels=np.zeros((len(FACES), 48, 48), np.uint8),
        assignments=assignments,
        label_quality=FACES,
        suspects=FACES[~FACES["pixel_hash"].isin(last["pixel_hash"])].head(20),
        audit=audit,
        ranking=ranking.ranked,
        learning=ranking.summary,
        decision_log=decision_log,
    )
    return quality_page(made, expressions=CLASSES, max_faces=0, max_pairs=0)


def of_audit(*, beyond: int = 40) -> pd.DataFrame:
    """The sample, and the first faces by label quality."""
    sample = FACES[FACES["pixel_hash"].isin(AUDIT["pixel_hash"])]
    return pd.concat([sample, FACES.head(beyond)]).drop_duplicates("path")


def test_the_answer_comes_first_with_its_interval() -> None:
    shown = page(log_of(of_audit()))
    words = text(section(shown, "audit"))
    assert "% of the labels are wrong (95 % interval" in words
    assert words.index("of the labels are wrong") < words.index("Small print")
    assert "of 1,500 faces" in words
    assert words.count("of 20 ") == 6  # each class
    assert '<a href="#audit">' in shown


def test_cards_say_how_good_the_queue_is_and_what_an_hour_finds() -> None:
    flat = " ".join(page(log_of(of_audit())).split())
    found = cards(section(flat, "audit").partition('<div class="cards">')[2])
    first = next(name for name in found if name.endswith("places of the queue"))
    assert 40 <= int(first.split()[1]) <= 50
    assert "where random faces have" in found[first][1]
    assert "chance is 0.50" in found["Label quality"][1]
    assert float(found["Learned from decisions"][0]) > float(found["Label quality"][0])
    number, aside = found["A further hour finds"]
    assert number.startswith("≈ ")
    assert "measured: 12.0 faces a minute" in aside
    assert "What decisions teach about how labels go wrong" in text(section(flat, "audit"))


def test_few_decisions_are_no_answer() -> None:
    words = text(section(page(log_of(of_audit(beyond=0).head(30))), "audit"))
    assert "Too few faces of the audit are decided to say." in words
    assert "of the labels are wrong" not in words
    assert "30 decisions, 100 needed to learn from them" in words
    assert "Until then nothing says what a further hour would find" in words


def test_without_an_audit_the_page_says_so() -> None:
    words = text(section(page(log_of(FACES.head(5)), audit=AUDIT.head(0)), "audit"))
    assert words.endswith("( review_queue.audit_faces is 0, or no face is scored).")
    assert "Nothing tells: no audit sample is drawn" in words


def test_two_people_s_agreement_on_the_audit_is_reported() -> None:
    sample = of_audit(beyond=0)
    both = pd.concat([log_of(sample), log_of(sample.head(50), annotator="bob")])
    words = text(section(page(both), "audit"))
    assert "ann and bob decided on 50 faces of the audit both, and agree on 50" in words
    assert "Cohen's kappa 1.00" in words
    at_once = pd.concat(
        [log_of(sample), log_of(sample.head(50), annotator="bob", note="50 images at once")]
    )
    assert "ann and bob" not in text(section(page(at_once), "audit"))


def test_a_class_that_nobody_decided_on_is_named() -> None:
    faces = of_audit(beyond=0)
    words = text(section(page(log_of(faces[faces["label"] != "surprise"])), "audit"))
    assert "Too few faces of the audit are decided to say" in words
    assert "None of those labeled surprise is decided." in words
    assert "None of those labeled" not in text(section(page(log_of(faces)), "audit"))


def test_the_first_sentence_of_the_page_has_the_interval_too() -> None:
    lede = " ".join(text(page(log_of(of_audit()))).split()).partition("by random faces")[0]
    assert "of the labels are wrong (95 % interval" in lede
