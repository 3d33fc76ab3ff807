"""People in the review app: a real browser on a real process, which is killed hard."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from fer_data.annotation.decision_log import read_decisions
from tests.support.servers.browser import needs_chromium
from tests.support.servers.review_app import (
    EXPRESSIONS,
    RELABELS,
    make_workspace,
    running_review_app,
    standing,
)
from tests.support.servers.review_page import HASHES, MANIFEST, press, wait_for_face

pytestmark = needs_chromium

TIME_TO_NEXT_FACE = """() => new Promise((resolve) => {
  const before = document.getElementById("single").dataset.face;
  const start = performance.now();
  document.dispatchEvent(new KeyboardEvent("keydown", { key: "k", bubbles: true }));
  const look = () => {
    const image = document.getElementById("face");
    const shows = document.getElementById("single").dataset.face !== before && image.complete;
    if (shows) requestAnimationFrame(() => resolve(performance.now() - start));
    else requestAnimationFrame(look);
  };
  look();
})"""


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    return make_workspace(tmp_path / "workspace")


def test_ten_faces_by_keyboard_and_one_undone_outlive_a_hard_kill(
    workspace: Path, sit_down: Callable[..., Page]
) -> None:
    words = ["sad", "happy", "sad", "angry", "keep", "drop", "happy", "keep", "angry", "sad"]
    with running_review_app(workspace, "--annotator", "ann") as review_app:
        page = sit_down(review_app)
        wait_for_face(page, 0)
        press(page, "3231kx2k13", from_row=0)
        page.keyboard.press("u")
        wait_for_face(page, 9)
        expect(page.locator("#message")).to_have_text("Taken back.")
        review_app.kill()
    assert list(standing(workspace).items()) == list(zip(HASHES[:9], words[:9], strict=True))
    lines = read_decisions(workspace / RELABELS, expressions=EXPRESSIONS)
    assert list(lines["decision"]) == [*words, "undo"]
    assert list(lines["given_label"]) == [*MANIFEST["label"][:10], MANIFEST["label"][9]]
    assert set(lines["annotator"]) == {"ann"}

    with running_review_app(workspace, "--annotator", "ann") as review_app:
        page = sit_down(review_app)
        wait_for_face(page, 9)
        expect(page.locator("[data-issue-type='']")).to_have_text("all 9 of 40")
        expect(page.locator("[data-issue-type='wrong']")).to_have_text("wrong label? 5 of 20")
        page.keyboard.press("g")
        tiles = page.locator(".tile")
        expect(tiles).to_have_count(24)
        shown = {tile.get_attribute("data-face") for tile in tiles.all()}
        assert not shown & set(HASHES[:9])
        # What was decided before the kill can still be taken back.
        page.keyboard.press("u")
        expect(page.locator("[data-issue-type='']")).to_have_text("all 8 of 40")
    assert list(standing(workspace)) == HASHES[:8]


def test_a_review_app_that_is_away_decides_nothing_and_the_page_goes_on_when_it_is_back(
    workspace: Path, sit_down: Callable[..., Page]
) -> None:
    with running_review_app(workspace, "--annotator", "ann") as review_app:
        page = sit_down(review_app)
        wait_for_face(page, 0)
        review_app.kill()
        page.keyboard.press("1")
        expect(page.locator("#message")).to_have_text(re.compile("does not answer"))
        wait_for_face(page, 0)
        assert standing(workspace) == {}
        port = review_app.address.strip("/").rpartition(":")[2]
        with running_review_app(workspace, "--annotator", "ann", "--port", port):
            again = "The review app answers again: #1 → angry was not written."
            expect(page.locator("#message")).to_have_text(again, timeout=20000)
            press(page, "1", from_row=0)
    assert standing(workspace) == {HASHES[0]: "angry"}


def test_what_one_review_app_decides_leaves_the_other(
    workspace: Path, sit_down: Callable[..., Page]
) -> None:
    with (
        running_review_app(workspace, "--annotator", "ann") as ann,
        running_review_app(workspace, "--annotator", "bob") as bob,
    ):
        at_ann, at_bob = sit_down(ann), sit_down(bob)
        wait_for_face(at_bob, 0)
        wait_for_face(at_ann, 0)
        press(at_ann, "12", from_row=0)
        wait_for_face(at_bob, 2)
        at_bob.keyboard.press("3")
        wait_for_face(at_bob, 3)
        wait_for_face(at_ann, 3)
        # Nobody takes back what another has decided.
        at_bob.keyboard.press("u")
        wait_for_face(at_bob, 2)
        at_bob.keyboard.press("u")
        expect(at_bob.locator("#message")).to_have_text(re.compile("You have decided nothing"))
    assert standing(workspace) == {HASHES[0]: "angry", HASHES[1]: "happy"}


def test_a_grid_decides_on_many_at_once(workspace: Path, sit_down: Callable[..., Page]) -> None:
    with running_review_app(workspace, "--annotator", "ann") as review_app:
        page = sit_down(review_app)
        wait_for_face(page, 0)
        page.keyboard.press("g")
        tiles = page.locator(".tile")
        page.keyboard.press("1")
        expect(page.locator("#message")).to_have_text("Choose faces first.")
        tiles.nth(3).click()
        for key in ("ArrowRight", "ArrowRight", "Space"):
            page.keyboard.press(key)
        page.keyboard.press("3")
        expect(page.locator("#message")).to_have_text(re.compile("2 faces → sad"))
        assert standing(workspace) == {HASHES[3]: "sad", HASHES[5]: "sad"}
        expect(tiles).to_have_count(24)
        page.keyboard.press("u")
        expect(page.locator("#message")).to_have_text("Taken back.")
        assert standing(workspace) == {}
        page.locator("[data-issue-type='non_face']").click()
        expect(tiles).to_have_count(10)
        page.keyboard.press("a")
        page.keyboard.press("x")
        expect(page.locator("#nothing h1")).to_have_text("None with this issue")
        assert standing(workspace) == dict.fromkeys(HASHES[3:40:4], "drop")
        page.locator("#show-all").click()
        expect(tiles).to_have_count(24)


def test_the_next_face_shows_at_once(workspace: Path, sit_down: Callable[..., Page]) -> None:
    with running_review_app(workspace, "--annotator", "ann") as review_app:
        page = sit_down(review_app)
        wait_for_face(page, 0)
        page.wait_for_timeout(500)
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        press(page, "k", from_row=0)
        assert f"{review_app.address}faces/{HASHES[1]}.png" not in asked  # it was there already
        milliseconds = [page.evaluate(TIME_TO_NEXT_FACE) for _ in range(20)]
    assert len(standing(workspace)) == 21
    # 100 ms is what people take for at once; a busy machine gets some leave.
    assert sorted(milliseconds)[10] < 250


SLOW = """(outcome) => {
  const send = window.fetch;
  window.fetch = async (verb, ...rest) => {
    if (!verb.endsWith("decide")) return send(verb, ...rest);
    await new Promise((resolve) => setTimeout(resolve, 500));
    if (outcome === "refused") throw new TypeError("gone");
    const answer = await send(verb, ...rest);
    if (outcome === "lost") throw new TypeError("gone");
    return answer;
  };
}"""


@pytest.mark.parametrize(
    ("outcome", "message", "second"),
    [
        ("written", "Taken back.", {}),
        ("refused", "The review app answers again: #2 → angry was not written.", {}),
        ("lost", "The review app answers again: #2 → angry was written.", {HASHES[1]: "angry"}),
    ],
)
def test_u_during_a_write_takes_back_what_is_being_written_or_nothing(
    workspace: Path,
    sit_down: Callable[..., Page],
    outcome: str,
    message: str,
    second: dict[str, str],
) -> None:
    with running_review_app(workspace, "--annotator", "ann") as review_app:
        page = sit_down(review_app)
        wait_for_face(page, 0)
        press(page, "3", from_row=0)
        page.evaluate(SLOW, outcome)
        page.keyboard.press("1")
        page.keyboard.press("u")
        expect(page.locator("#message")).to_have_text(message)
        assert standing(workspace) == {HASHES[0]: "sad"} | second
        wait_for_face(page, 1 + len(second))
        page.keyboard.press("u")  # the last that was written, whether its answer came or not
        wait_for_face(page, len(second))
        expect(page.locator("#message")).to_have_text("Taken back.")
        assert standing(workspace) == ({HASHES[0]: "sad"} if second else {})
