"""What the review app shows, and to whom: on wide screens and on a phone, with and without a queue."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from fer_data.annotation.decision_log import read_decisions
from tests.support.data.findings import HOSTILE
from tests.support.servers.browser import needs_chromium
from tests.support.servers.prefect import wait_for
from tests.support.servers.review_app import (
    EXPRESSIONS,
    NEIGHBOR_ROWS,
    RELABELS,
    make_workspace,
    running_review_app,
    standing,
)
from tests.support.servers.review_page import HASHES, MANIFEST, press, wait_for_face

pytestmark = needs_chromium


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    return make_workspace(tmp_path / "workspace")


def test_the_suggestion_shows_when_it_is_asked_for_and_hides_with_the_next_face(
    workspace: Path, sit_down: Callable[..., Page]
) -> None:
    with running_review_app(workspace, "--annotator", "ann") as review_app:
        page = sit_down(review_app)
        wait_for_face(page, 0)
        assert "Suggested" not in page.inner_text("body")
        page.keyboard.press("s")
        expect(page.locator("#suggestion")).to_have_text("Suggested: happy")
        press(page, "1", from_row=0)
        expect(page.locator("#suggestion")).to_be_hidden()
        assert "Suggested" not in page.inner_text("body")


def test_a_setting_shows_the_suggestion_at_once(
    tmp_path: Path, sit_down: Callable[..., Page]
) -> None:
    workspace = make_workspace(tmp_path / "workspace", show_suggestion=True)
    with running_review_app(workspace, "--annotator", "ann") as review_app:
        expect(sit_down(review_app).locator("#suggestion")).to_have_text("Suggested: happy")


def test_neighbors_and_duplicates_stand_beside_and_names_are_text(
    workspace: Path, sit_down: Callable[..., Page]
) -> None:
    with running_review_app(workspace, "--annotator", "ann") as review_app:
        page = sit_down(review_app)
        wait_for_face(page, 0)
        labels = list(MANIFEST["label"].iloc[NEIGHBOR_ROWS])
        expect(page.locator("#neighbors figcaption")).to_have_text(labels)
        expect(page.locator("#duplicates figcaption")).to_have_text(
            [MANIFEST["label"][50], "in Testing"]
        )
        page.keyboard.press("ArrowRight")
        wait_for_face(page, 1)
        expect(page.locator("#duplicates")).to_be_hidden()
        expect(page.locator("#path")).to_have_text(f"Training/Happy/{HOSTILE}.jpg")
        page.keyboard.press("ArrowLeft")
        wait_for_face(page, 0)
        # The page tells of it when it has shown the next face.
        said = "This session: no face decided; 1 skipped."
        wait_for(lambda: review_app.call("summary") == said)


def test_the_page_asks_who_decides_and_remembers(
    workspace: Path, sit_down: Callable[..., Page]
) -> None:
    with running_review_app(workspace) as review_app:
        page = sit_down(review_app)
        page.locator("#who input").press("Escape")
        page.locator("#who input").fill("Åsa & Co")
        page.keyboard.press("Enter")
        press(page, "2", from_row=0)
        page.reload()
        expect(page.locator("#annotator")).to_have_text("Åsa & Co")
    assert list(read_decisions(workspace / RELABELS, expressions=EXPRESSIONS)["annotator"]) == [
        "Åsa & Co"
    ]


@pytest.mark.parametrize(("number", "title"), [(0, "The queue is empty"), (2, "All decided")])
def test_an_empty_queue_is_a_friendly_page(
    tmp_path: Path, sit_down: Callable[..., Page], number: int, title: str
) -> None:
    workspace = make_workspace(tmp_path / "workspace", number=number)
    share = ["--share", "1/1"] if number else []
    with running_review_app(workspace, "--annotator", "ann", *share) as review_app:
        page = sit_down(review_app)
        for decided in range(number):
            # A key that comes while the one before is being written decides nothing.
            expect(page.locator("[data-issue-type='']")).to_have_text(f"all {decided} of {number}")
            page.keyboard.press("k")
        expect(page.locator("#nothing h1")).to_have_text(title)
        words = (
            "2 faces decided (2 kept, 0 relabeled" if number else "This session: no face decided."
        )
        expect(page.locator("#session")).to_contain_text(words)
    assert len(standing(workspace)) == number


def test_a_thumb_decides_on_a_phone(workspace: Path, sit_down: Callable[..., Page]) -> None:
    with running_review_app(workspace, "--annotator", "ann") as review_app:
        page = sit_down(review_app, width=390)
        wait_for_face(page, 0)
        buttons = page.locator("#keys button")
        expect(buttons).to_have_text(["1angry", "2happy", "3sad", "kkeep", "xdrop", "uundo"])
        for button in buttons.all():
            box = button.bounding_box()
            assert box is not None
            assert box["height"] >= 44
            assert box["width"] >= 100
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        buttons.nth(2).click()
        wait_for_face(page, 1)
    assert standing(workspace) == {HASHES[0]: "sad"}
