"""Copies of one image in the review app: asked about once, decided together, or one by one."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from fer_data.annotation.decision_log import read_decisions
from tests.support.data.findings import TIMES
from tests.support.servers.browser import needs_chromium
from tests.support.servers.review_app import (
    EXPRESSIONS,
    NEAR_DUPLICATES,
    RELABELS,
    make_workspace,
    running_review_app,
    standing,
)
from tests.support.servers.review_page import HASHES, wait_for_face

pytestmark = needs_chromium

FIRST, SECOND, OTHER, *_ = NEAR_DUPLICATES
AFTER = 30
"""The row that comes after them in the queue."""


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    return make_workspace(tmp_path / "workspace")


@pytest.fixture
def page(workspace: Path, sit_down: Callable[..., Page]) -> Iterator[Page]:
    """A review app at which the first of the near-duplicates shows."""
    with running_review_app(workspace, "--annotator", "ann") as review_app:
        page = sit_down(review_app)
        wait_for_face(page, 0)
        for _ in range(FIRST):
            page.keyboard.press("ArrowRight")
        wait_for_face(page, FIRST)
        yield page


def test_one_key_decides_on_near_duplicates_and_one_takes_it_back_after_a_restart_too(
    workspace: Path, page: Page, sit_down: Callable[..., Page]
) -> None:
    expect(page.locator("#together-words")).to_have_text(
        "A key decides all 3; keep, those labeled sad."
    )
    expect(page.locator("#duplicates figcaption")).to_have_text(
        ["sad", "happy", "happy", "in Testing"]
    )
    expect(page.locator("#duplicates .with")).to_have_count(2)
    page.keyboard.press("1")
    wait_for_face(page, AFTER)
    expect(page.locator("#message")).to_have_text("3 faces → angry. u takes it back.")
    assert standing(workspace) == dict.fromkeys(
        [HASHES[row] for row in NEAR_DUPLICATES[:3]], "angry"
    )
    given = read_decisions(workspace / RELABELS, expressions=EXPRESSIONS)["given_label"]
    assert list(given) == ["sad", "sad", "happy"]
    page.keyboard.press("u")
    wait_for_face(page, FIRST)
    assert standing(workspace) == {}
    page.keyboard.press("x")
    wait_for_face(page, AFTER)
    with running_review_app(workspace, "--annotator", "ann") as review_app:
        page = sit_down(review_app)
        wait_for_face(page, 0)
        page.keyboard.press("u")
        wait_for_face(page, FIRST)
        assert standing(workspace) == {}


def test_keep_is_for_the_near_duplicates_with_that_label_alone(workspace: Path, page: Page) -> None:
    page.keyboard.press("k")
    wait_for_face(page, OTHER)
    expect(page.locator("#message")).to_have_text(
        "2 faces → keep; 1 labeled otherwise waits. u takes it back."
    )
    assert standing(workspace) == dict.fromkeys([HASHES[FIRST], HASHES[SECOND]], "keep")
    expect(page.locator("#duplicates figcaption")).to_have_text(
        ["sad → keep", "sad → keep", "happy", "in Testing"]
    )
    expect(page.locator("#together")).to_be_hidden()
    page.keyboard.press("3")
    wait_for_face(page, AFTER)
    assert standing(workspace)[HASHES[OTHER]] == "sad"


def test_near_duplicates_are_decided_one_by_one_where_a_person_wants_that(
    workspace: Path, page: Page
) -> None:
    page.keyboard.press("t")
    expect(page.locator("#together-words")).to_have_text("3 wait, one by one.")
    page.keyboard.press("1")
    wait_for_face(page, SECOND)
    page.keyboard.press("ArrowRight")
    wait_for_face(page, OTHER)
    assert standing(workspace) == {HASHES[FIRST]: "angry"}
    # All at once again: the face that stands for them comes back.
    page.get_by_role("button", name="All at once").click()
    wait_for_face(page, SECOND)
    page.keyboard.press("2")
    wait_for_face(page, AFTER)
    assert standing(workspace) == {
        HASHES[FIRST]: "angry",
        HASHES[SECOND]: "happy",
        HASHES[OTHER]: "happy",
    }


def test_a_tile_of_the_grid_stands_for_near_duplicates_of_any_issue(
    workspace: Path, page: Page
) -> None:
    page.keyboard.press("g")
    page.locator("[data-issue-type='ambiguous']").click()
    tile = page.locator(f".tile[data-face='{HASHES[OTHER]}']")
    expect(tile).to_have_text(f"happy{TIMES}3")
    tile.click()
    page.keyboard.press("3")
    expect(page.locator("#message")).to_have_text("3 faces → sad. u takes it back.")
    decided = [HASHES[row] for row in (FIRST, SECOND, OTHER)]
    assert standing(workspace) == dict.fromkeys(decided, "sad")
    page.keyboard.press("u")
    expect(tile).to_be_visible()
    assert standing(workspace) == {}
