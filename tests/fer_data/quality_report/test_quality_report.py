import re
from html import unescape

import numpy as np
import pandas as pd
import pytest

from fer_data.quality_report.quality_report import quality_page
from fer_data.web.html import face_uri
from tests.support.data.findings import (
    EXPRESSIONS,
    HOSTILE,
    LABELS,
    PIXELS,
    TIMES,
    check,
    decided,
    findings,
)
from tests.support.data.quality_page import cards, page_of, text


def test_cards_count_what_was_found() -> None:
    found = cards(page_of(findings(decision_log=decided(3))))
    assert found["Faces"] == ("12", "9 Training, 3 Testing")
    assert found["Imbalance"] == (f"2.50{TIMES}", "Training: happy 5, angry 2")
    assert found["Groups of duplicates"][0] == "3"
    assert found["Conflicting duplicates"][0] == "1"
    assert found["Leaked Testing faces"][0] == "1"
    assert found["Leaked Testing faces"][1].startswith("33.3")
    assert found["Refused members"][0] == "2"
    assert found["Review queue"] == ("3", "faces that wait for a decision")
    assert found["Decided faces"] == ("1", "1 kept, 0 relabeled, 0 dropped")


def test_images_are_those_of_the_faces() -> None:
    page = page_of(findings())
    for row in range(5):
        assert f'src="{face_uri(PIXELS[row])}"' in page
    mean = np.round(PIXELS[np.array(LABELS) == "sad"].mean(axis=0)).astype(np.uint8)
    assert (
        f'<img src="{face_uri(mean)}" width="136" height="136" alt="Mean of all faces labeled sad">'
        in page
    )


def test_duplicates_stand_side_by_side_and_differ_in_what_matters() -> None:
    page = page_of(findings())
    duplicates = page[page.index('id="duplicates"') : page.index('id="checks"')]
    conflicts, leaks = duplicates.split("<h3>Leaks")
    leaks, harmless = leaks.split("<h3>Harmless")
    harmless, near = harmless.split("<h3>Near")
    assert re.findall(r"<b>(\w+)</b>(\w+)<", conflicts) == [
        ("angry", "Training"),
        ("happy", "Training"),
    ]
    assert re.findall(r"<b>(\w+)</b>(\w+)<", leaks) == [("angry", "Training"), ("angry", "Testing")]
    assert "Testing/Angry/9.jpg" in leaks
    assert "copies: 1 group<" in harmless
    assert re.findall(r'class="path">([^<]*)<', harmless) == [
        *("Training/Happy/3.jpg", "Training/Happy/4.jpg")
    ]
    assert "conflicting labels: 1 group<" in near
    assert "1 more Testing face has" in near
    assert "2 groups of faces are one image" in near
    assert re.findall(r"<b>(\w+)</b>(\w+)<", near) == [("sad", "Training"), ("happy", "Training")]


def test_a_large_group_shows_two_that_differ_and_counts_the_others() -> None:
    assignments = findings().assignments.assign(duplicate_group=0, near_group=0)
    page = page_of(findings(assignments=assignments))
    assert page.count('<li class="group">') == 2  # once as a conflict, once as a leak
    others = [text(words).replace(TIMES, "x") for words in re.findall(r"also ([^<]*)<", page)]
    assert others == ["5 x happy, 3 x sad, 2 x angry", "6 x happy, 3 x sad, 1 x angry"]


def test_roles_and_exclusions_are_counted() -> None:
    page = page_of(findings())
    splits = page[page.index('id="splits"') : page.index('id="duplicates"')]
    foot = splits[splits.index("<tfoot>") : splits.index("</tfoot>")]
    total = re.findall(r"<td>(\d+)</td>", foot)
    assert total == ["6", "2", "3", "1", "12"]
    excluded = splits[splits.index("Excluded from Training") :]
    assert re.findall(r'<th scope="col">([^<]*)</th>', excluded) == [
        *("Expression", "Training", "duplicate in Testing", "near-duplicate in Testing", "excluded")
    ]
    counts = re.findall(r"<tr><th scope=\"row\">(\w+)</th>(.*?)</tr>", excluded)
    assert {name: re.findall("<td>([^<]*)</td>", row) for name, row in counts} == {
        "angry": ["2", "1", "0", "50.0\N{NARROW NO-BREAK SPACE}%"],
        "happy": ["5", "0", "0", "0.0\N{NARROW NO-BREAK SPACE}%"],
        "sad": ["2", "0", "0", "0.0\N{NARROW NO-BREAK SPACE}%"],
        "all": ["9", "1", "0", "11.1\N{NARROW NO-BREAK SPACE}%"],
    }
    # 8, a near-duplicate of Testing, is in `validation`.
    assert "Protocol: leak-free" in splits


def test_the_page_names_the_leaky_protocol() -> None:
    assignments = findings().assignments
    rows = assignments.assign(split=assignments["split"].replace("excluded", "train"), exclusion="")
    page = page_of(findings(assignments=rows))
    assert "Protocol: the paper&#39;s" in page
    assert "Excluded from Training" not in page
    assert "1 Testing face is tied to a face of <code>train</code>" in page
    assert "0 Testing faces are tied to a face of <code>train</code>" in page_of(findings())


def test_checks_have_a_mark_and_list_some_rows() -> None:
    page = page_of(findings())
    marks = re.findall(r'<span class="mark (\w+)">', page)
    assert marks == ["pass", "warning", "failed"]
    assert "1 of 3 checks pass, 1 warns, 1 fails." in page
    assert "not so for 23 faces" in page
    assert "and 22 more" in page
    assert 'href="../validate/summary.json"' in page
    assert 'href="../validate/great_expectations.json"' in page


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"success": True}, "observed: so for all 12 rows"),
        ({"observed": 0.123456, "rows": None}, "observed: 0.1235"),
        ({"missing": ["testing/sad", HOSTILE], "rows": None}, f"missing: testing/sad, {HOSTILE}"),
        ({"rows": None, "success": True}, "observed: all of them"),
        ({"error": HOSTILE}, f"could not be checked: {HOSTILE}"),
        (
            {
                "unexpected": 3,
                "values": [{"value": 0.0, "count": 2}, {"value": HOSTILE, "count": 1}],
            },
            f"observed: 0 (2{TIMES}), {HOSTILE} (1{TIMES})",
        ),
        (
            {"unexpected": 1, "values": [{"value": ["JPEG", HOSTILE], "count": 1}]},
            f"observed: JPEG / {HOSTILE} (1{TIMES})",
        ),
    ],
)
def test_checks_say_what_was_observed(facts: dict, words: str) -> None:
    validation = {
        **findings().validation,
        "expectations": [check("a", "b", **{"success": False, **facts})],
    }
    page = page_of(findings(validation=validation))
    assert f'<span class="note">{words}</span>' in unescape(page).replace("\n</span>", "</span>")
    assert "<script>alert" not in page
    if "error" in facts:
        assert re.findall(r'<span class="mark (\w+)">', page) == ["failed"]
        assert "0 warn, 1 fails" in page


def test_checks_say_what_the_archive_is_held_against() -> None:
    assert "<code>ferflow accept-baseline --by NAME</code> accepts this one" in page_of(findings())
    baseline = {"accepted_by": HOSTILE, "accepted_at": "2026-01-31T10:00:00Z", "faces": 35340}
    page = page_of(findings(validation={**findings().validation, "baseline": baseline}))
    assert "<script>alert" not in page
    assert f"the archive of 35,340 faces that {HOSTILE} accepted on 2026-01-31." in unescape(page)


def test_names_from_the_archive_are_escaped() -> None:
    manifest = findings().manifest
    hostile = manifest.assign(path=[f"{HOSTILE}{number}" for number in range(len(manifest))])
    suspects = findings().suspects.assign(path=hostile["path"].head(5))
    decision_log = decided(0).assign(annotator=HOSTILE, given_label=HOSTILE, decided_at=HOSTILE)
    page = page_of(findings(manifest=hostile, suspects=suspects, decision_log=decision_log))
    assert "alert(1)" in page
    assert "<script>alert" not in page
    assert page.count("<script") == 1


def test_the_page_fetches_nothing() -> None:
    page = page_of(findings())
    sources = re.findall(r'src="([^"]*)"', page)
    assert sources
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    assert "http" not in page


def test_an_archive_without_errors_can_be_reported() -> None:
    clean = findings(
        rejected=pd.DataFrame(columns=["path", "reason"]),
        assignments=findings().assignments.assign(
            duplicate_group=range(12), near_group=range(12), exclusion=""
        ),
    )
    page = page_of(clean)
    assert "None: every member of the archive is a face that can be used." in page
    assert cards(page)["Conflicting duplicates"][0] == "0"
    assert 'class="group"' not in page


def test_a_class_without_faces_is_shown_as_empty() -> None:
    page = quality_page(findings(), expressions=(*EXPRESSIONS, "fear"), max_faces=9, max_pairs=9)
    assert cards(re.sub(r"\n", "", page))["Imbalance"] == ("∞", "Training has no face of fear")
