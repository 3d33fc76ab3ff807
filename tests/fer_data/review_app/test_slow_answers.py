"""The page where single calls are slow, or lost: it shows what it knows, and the rest follows."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from tests.support.servers.browser import needs_chromium
from tests.support.servers.processes import Served
from tests.support.servers.review_app import make_workspace, running_review_app, standing

pytestmark = needs_chromium

LOST_CALLS = 2


@pytest.fixture
def review_app(tmp_path: Path) -> Iterator[Served]:
    """A review app on a queue of two faces."""
    workspace = make_workspace(tmp_path / "workspace", number=2)
    with running_review_app(workspace, "--annotator", "ann") as running:
        yield running


def decide_both(page: Page) -> None:
    """Keeps both faces: a key for the second counts when the first is written."""
    counts = page.locator("[data-issue-type='']")
    for number in range(2):
        expect(counts).to_have_text(f"all {number} of 2")
        page.keyboard.press("k")
    expect(counts).to_have_text("all 2 of 2")


def lose(page: Page, verb: str) -> None:
    """Loses the first calls of a verb on their way."""
    calls: list[str] = []

    def handle(route: Route) -> None:
        calls.append(verb)
        if len(calls) <= LOST_CALLS:
            route.abort()
        else:
            route.fallback()

    page.route(f"**/run/{verb}", handle)


def test_the_end_shows_at_once_and_the_summary_when_it_comes(
    review_app: Served, sit_down: Callable[..., Page]
) -> None:
    page = sit_down(review_app)
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/run/summary", hold)
    decide_both(page)
    expect(page.locator("#nothing h1")).to_have_text("All decided")
    expect(page.locator("#session")).to_have_text("")
    held.pop().fallback()
    expect(page.locator("#session")).to_contain_text("2 faces decided (2 kept, 0 relabeled")


def test_a_summary_that_was_lost_is_asked_for_again(
    review_app: Served, sit_down: Callable[..., Page]
) -> None:
    page = sit_down(review_app)
    lose(page, "summary")
    decide_both(page)
    expect(page.locator("#nothing h1")).to_have_text("All decided")
    expect(page.locator("#session")).to_contain_text("2 faces decided (2 kept, 0 relabeled")
    expect(page.locator("#message")).to_have_text("The review app answers again.")


def test_an_older_summary_does_not_replace_a_newer_one(
    review_app: Served, sit_down: Callable[..., Page]
) -> None:
    page = sit_down(review_app)
    held: list[Route] = []
    page.route("**/run/summary", lambda route: held.append(route) if not held else route.fallback())
    decide_both(page)
    page.keyboard.press("u")
    expect(page.locator("[data-issue-type='']")).to_have_text("all 1 of 2")
    page.keyboard.press("x")
    expect(page.locator("[data-issue-type='']")).to_have_text("all 2 of 2")
    old = "This session: 2 faces decided (2 kept, 0 relabeled, 0 dropped)."
    held[0].fulfill(json={"data": [old]})
    expect(page.locator("#session")).to_contain_text("(1 kept, 0 relabeled, 1 dropped)")


def test_a_queue_that_was_lost_is_asked_for_again(
    review_app: Served, sit_down: Callable[..., Page], tmp_path: Path
) -> None:
    """It is not an empty one, though others have decided meanwhile."""
    page = sit_down(review_app)
    expect(page.locator("#single")).to_be_visible()
    page.keyboard.press("k")
    expect(page.locator("[data-issue-type='']")).to_have_text("all 1 of 2")
    lose(page, "queue")
    page.reload()
    expect(page.locator("#message")).to_contain_text("does not answer")
    assert not page.locator("#nothing").is_visible()
    expect(page.locator("#single")).to_be_visible()
    expect(page.locator("[data-issue-type='']")).to_have_text("all 1 of 2")
    assert len(standing(tmp_path / "workspace")) == 1
