"""What the page about the models says of the ensemble beside its members."""

import copy
from pathlib import Path
from typing import Any

import pytest

from tests.support.models.model_reports import (
    COMBINATIONS,
    model_from,
    page_of,
    text_of,
    write_reports,
)
from tests.support.servers.browser import chromium, needs_chromium

MINUS = "\N{MINUS SIGN}"


def page_with(folder: Path, combinations: dict[str, Any]) -> str:
    write_reports(folder)
    write_reports(folder, name="ensemble", title="Frozen ensemble", combinations=combinations)
    return page_of(model_from(folder), model_from(folder, "ensemble"))


def with_gain(value: float, low: float, high: float, *, winner: str) -> dict[str, Any]:
    found = copy.deepcopy(COMBINATIONS)
    found["ways"]["head"]["gain"] = {"value": value, "low": low, "high": high}
    return {**found, "winner": winner, "chosen": "head"}


@pytest.mark.parametrize(
    ("gain", "result", "chance"),
    [
        (
            (-0.008, -0.0193, 0.0031),
            "<strong>resnet50 alone is better</strong>, by 0.80 points on the 2,781 validation faces: "
            "the ensemble does not beat its best member.",
            f"is {MINUS}1.93 to +0.31 points, so it can be chance.",
        ),
        (
            (0.021, 0.0093, 0.0331),
            "<strong>The ensemble beats its best member</strong>, resnet50, by 2.10 points on the 2,781",
            "is +0.93 to +3.31 points: more than the choice of faces explains.",
        ),
        (
            (0.0, -0.01, 0.01),
            "<strong>The ensemble does not beat its best member</strong>: resnet50 alone gets as many",
            f"is {MINUS}1.00 to +1.00 points, so it can be chance.",
        ),
    ],
)
def test_page_says_plainly_whether_the_ensemble_beats_its_best_member(
    tmp_path: Path, gain: tuple[float, float, float], result: str, chance: str
) -> None:
    page = text_of(page_with(tmp_path, with_gain(*gain, winner="head")))
    comparison = page.split('<section id="comparison">')[1].split("</section>")[0]
    assert result in comparison
    assert chance in comparison


@pytest.mark.parametrize(
    ("winner", "words"),
    [
        ("head", "<strong>the paper&#39;s head</strong>. The"),
        ("mean", "<strong>the mean</strong>. The"),
        ("calibrated_mean", "that one. The"),
        ("resnet50", "<strong>resnet50 alone</strong>: no way of combining beats it. The"),
    ],
)
def test_page_says_which_way_wins_on_validation(tmp_path: Path, winner: str, words: str) -> None:
    page = text_of(page_with(tmp_path, {**COMBINATIONS, "winner": winner}))
    assert f"Most accurate on the 2,781 validation faces is {words}" in page
    assert page.count("· most accurate") == 1


@pytest.mark.parametrize(
    ("chosen", "by", "words"),
    [
        (
            "stacked",
            "best",
            "<strong>the stacked head</strong>: of the ways, its loss is the lowest.",
        ),
        (
            "head",
            "head",
            "<strong>the paper&#39;s head</strong>, by the setting <code>ensemble.head</code>",
        ),
    ],
)
def test_page_says_which_way_was_saved_and_why(
    tmp_path: Path, chosen: str, by: str, words: str
) -> None:
    page = text_of(page_with(tmp_path, {**COMBINATIONS, "chosen": chosen, "chosen_by": by}))
    assert f"The ensemble is saved with {words}" in page
    assert page.count("· saved") == 1
    assert "in 5 folds of the validation faces" in page


def test_page_shows_each_member_and_way(tmp_path: Path) -> None:
    page = text_of(page_with(tmp_path, COMBINATIONS))
    table = page.split("Ways to combine the members</h3>")[1].split("</table>")[0]
    space = "\N{NARROW NO-BREAK SPACE}"
    assert table.count('<tr><th scope="row">') == 7
    assert (
        'resnet50<small>temperature 1.37</small></th><td>62.11 %</td><td>1.041</td> <td class="none">'
    ).replace("11 %", f"11{space}%") in table
    assert (
        "Calibrated mean<small>each at its own temperature · saved · most accurate</small>" in table
    )
    assert f'{MINUS}0.80<small class="wraps">{MINUS}1.93 to +0.31</small>' in table
    assert "does not tell what another training would change" in page


def test_other_models_have_no_such_table(tmp_path: Path) -> None:
    write_reports(tmp_path)
    page = page_of(model_from(tmp_path))
    assert "Ways to combine" not in page
    assert "best member" not in page


@needs_chromium
def test_a_phone_shows_the_page_without_scrolling_sideways(tmp_path: Path) -> None:
    file = tmp_path / "index.html"
    file.write_text(page_with(tmp_path, COMBINATIONS), encoding="utf-8")
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 390, "height": 844})
        page.goto(file.as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        region = page.get_by_role("region", name="Members of the ensemble")
        assert region.evaluate("region => region.scrollWidth - region.clientWidth") <= 0
