"""People at the desk: a real browser on a real process, which is killed hard."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from fer_data.relabels import read_relabels
from tests.browser import chromium, needs_chromium
from tests.fer_data.desks import (
    EXPRESSIONS,
    NEAR_TWINS,
    RELABELS,
    Desk,
    archive,
    make_workspace,
    running_desk,
    standing,
)
from tests.fer_data.findings import HOSTILE, TIMES

pytestmark = needs_chromium

MANIFEST, _ = archive()
HASHES = list(MANIFEST["pixel_hash"])


TIME_TO_NEXT_FACE = """() => new Promise((resolve) => {
  const before = document.getElementById("single").dataset.face;
  const start = performance.now();
  document.dispatchEvent(new KeyboardEvent("keydown", { key: "k", bubbles: true }));
  const look = () => {
    const picture = document.getElementById("face");
    const shows = document.getElementById("single").dataset.face !== before && picture.complete;
    if (shows) requestAnimationFrame(() => resolve(performance.now() - start));
    else requestAnimationFrame(look);
  };
  look();
})"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    return make_workspace(tmp_path / "workspace")


@pytest.fixture
def sit_down(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Opens a desk's page; whatever it asks of other machines fails, and fails the test."""
    contexts, strangers, errors = [], [], []

    def open_page(desk: Desk, *, width: int = 1280) -> Page:
        context = browser.new_context(viewport={"width": width, "height": 844})
        contexts.append(context)

        def let_through(route: Route) -> None:
            if route.request.url.startswith((desk.address, "data:")):
                return route.continue_()
            strangers.append(route.request.url)
            return route.abort()

        context.route("**/*", let_through)
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("dialog", lambda dialog: errors.append(dialog.message))
        page.goto(desk.address)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert strangers == []
    assert errors == []


def wait_for_face(page: Page, row: int) -> None:
    """Waits until the face of a row of the manifest is the large one."""
    expect(page.locator("#single")).to_have_attribute("data-face", HASHES[row])


def press(page: Page, keys: str, *, from_row: int) -> None:
    """Presses keys, each when the next face shows."""
    for number, key in enumerate(keys):
        page.keyboard.press(key)
        wait_for_face(page, from_row + number + 1)


def test_ten_faces_by_keyboard_and_one_undone_outlive_a_hard_kill(
    workspace: Path, sit_down: Callable[..., Page]
) -> None:
    words = ["sad", "happy", "sad", "angry", "keep", "drop", "happy", "keep", "angry", "sad"]
    with running_desk(workspace, "--annotator", "ann") as desk:
        page = sit_down(desk)
        wait_for_face(page, 0)
        press(page, "3231kx2k13", from_row=0)
        page.keyboard.press("u")
        wait_for_face(page, 9)
        expect(page.locator("#message")).to_have_text("Taken back.")
        desk.kill()
    assert list(standing(workspace).items()) == list(zip(HASHES[:9], words[:9], strict=True))
    lines = read_relabels(workspace / RELABELS, expressions=EXPRESSIONS)
    assert list(lines["decision"]) == [*words, "undo"]
    assert list(lines["given_label"]) == [*MANIFEST["label"][:10], MANIFEST["label"][9]]
    assert set(lines["annotator"]) == {"ann"}

    with running_desk(workspace, "--annotator", "ann") as desk:
        page = sit_down(desk)
        wait_for_face(page, 9)
        expect(page.locator("[data-kind='']")).to_have_text("all 9 of 40")
        expect(page.locator("[data-kind='wrong']")).to_have_text("wrong label? 5 of 20")
        page.keyboard.press("g")
        tiles = page.locator(".tile")
        expect(tiles).to_have_count(24)
        shown = {tile.get_attribute("data-face") for tile in tiles.all()}
        assert not shown & set(HASHES[:9])
        # What was decided before the kill can still be taken back.
        page.keyboard.press("u")
        expect(page.locator("[data-kind='']")).to_have_text("all 8 of 40")
    assert list(standing(workspace)) == HASHES[:8]


def test_a_desk_that_is_away_decides_nothing_and_the_page_goes_on_when_it_is_back(
    workspace: Path, sit_down: Callable[..., Page]
) -> None:
    with running_desk(workspace, "--annotator", "ann") as desk:
        page = sit_down(desk)
        wait_for_face(page, 0)
        desk.kill()
        page.keyboard.press("1")
        expect(page.locator("#message")).to_have_text(re.compile("does not answer"))
        wait_for_face(page, 0)
        assert standing(workspace) == {}
        port = desk.address.strip("/").rpartition(":")[2]
        with running_desk(workspace, "--annotator", "ann", "--port", port):
            expect(page.locator("#message")).to_have_text("The desk answers again.", timeout=20000)
            press(page, "1", from_row=0)
    assert standing(workspace) == {HASHES[0]: "angry"}


def test_what_one_desk_decides_leaves_the_other(
    workspace: Path, sit_down: Callable[..., Page]
) -> None:
    with (
        running_desk(workspace, "--annotator", "ann") as ann,
        running_desk(workspace, "--annotator", "bob") as bob,
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
    with running_desk(workspace, "--annotator", "ann") as desk:
        page = sit_down(desk)
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
        page.locator("[data-kind='non_face']").click()
        expect(tiles).to_have_count(10)
        page.keyboard.press("a")
        page.keyboard.press("x")
        expect(page.locator("#nothing h1")).to_have_text("None of this kind")
        assert standing(workspace) == dict.fromkeys(HASHES[3:40:4], "drop")
        page.locator("#show-all").click()
        expect(tiles).to_have_count(24)


def go_to(page: Page, row: int) -> None:
    """Walks from the first face to the one of a row, which no near twin comes before."""
    wait_for_face(page, 0)
    for _ in range(row):
        page.keyboard.press("ArrowRight")
    wait_for_face(page, row)


def test_one_key_decides_on_near_twins_and_one_takes_it_back_after_a_restart_too(
    workspace: Path, sit_down: Callable[..., Page]
) -> None:
    first = NEAR_TWINS[0]
    with running_desk(workspace, "--annotator", "ann") as desk:
        page = sit_down(desk)
        go_to(page, first)
        expect(page.locator("#together-words")).to_have_text(
            "A key decides all 3; keep, those labelled sad."
        )
        expect(page.locator("#twins figcaption")).to_have_text(
            ["sad", "happy", "happy", "in Testing"]
        )
        expect(page.locator("#twins .with")).to_have_count(2)
        page.keyboard.press("1")
        wait_for_face(page, 30)
        expect(page.locator("#message")).to_have_text("3 faces → angry. u takes it back.")
        assert standing(workspace) == dict.fromkeys(
            [HASHES[row] for row in NEAR_TWINS[:3]], "angry"
        )
        given = read_relabels(workspace / RELABELS, expressions=EXPRESSIONS)["given_label"]
        assert list(given) == ["sad", "sad", "happy"]
        page.keyboard.press("u")
        wait_for_face(page, first)
        assert standing(workspace) == {}
        page.keyboard.press("x")
        wait_for_face(page, 30)
    with running_desk(workspace, "--annotator", "ann") as desk:
        page = sit_down(desk)
        wait_for_face(page, 0)
        page.keyboard.press("u")
        wait_for_face(page, first)
        assert standing(workspace) == {}


def test_keep_is_for_the_near_twins_with_that_label_alone(
    workspace: Path, sit_down: Callable[..., Page]
) -> None:
    first, second, other, *_ = NEAR_TWINS
    with running_desk(workspace, "--annotator", "ann") as desk:
        page = sit_down(desk)
        go_to(page, first)
        page.keyboard.press("k")
        wait_for_face(page, other)
        expect(page.locator("#message")).to_have_text(
            "2 faces → keep; 1 labelled otherwise waits. u takes it back."
        )
        assert standing(workspace) == dict.fromkeys([HASHES[first], HASHES[second]], "keep")
        expect(page.locator("#twins figcaption")).to_have_text(
            ["sad → keep", "sad → keep", "happy", "in Testing"]
        )
        expect(page.locator("#together")).to_be_hidden()
        page.keyboard.press("3")
        wait_for_face(page, 30)
    assert standing(workspace)[HASHES[other]] == "sad"


def test_near_twins_are_decided_one_by_one_where_a_person_wants_that(
    workspace: Path, sit_down: Callable[..., Page]
) -> None:
    first, second, other, *_ = NEAR_TWINS
    with running_desk(workspace, "--annotator", "ann") as desk:
        page = sit_down(desk)
        go_to(page, first)
        page.keyboard.press("t")
        expect(page.locator("#together-words")).to_have_text("3 wait, one by one.")
        page.keyboard.press("1")
        wait_for_face(page, second)
        page.keyboard.press("ArrowRight")
        wait_for_face(page, other)
        assert standing(workspace) == {HASHES[first]: "angry"}
        # All at once again: the face that stands for them comes back.
        page.get_by_role("button", name="All at once").click()
        wait_for_face(page, second)
        page.keyboard.press("2")
        wait_for_face(page, 30)
    assert standing(workspace) == {
        HASHES[first]: "angry",
        HASHES[second]: "happy",
        HASHES[other]: "happy",
    }


def test_a_tile_of_the_grid_stands_for_near_twins_of_any_kind(
    workspace: Path, sit_down: Callable[..., Page]
) -> None:
    first, second, other, *_ = NEAR_TWINS
    with running_desk(workspace, "--annotator", "ann") as desk:
        page = sit_down(desk)
        wait_for_face(page, 0)
        page.keyboard.press("g")
        page.locator("[data-kind='ambiguous']").click()
        tile = page.locator(f".tile[data-face='{HASHES[other]}']")
        expect(tile).to_have_text(f"happy{TIMES}3")
        tile.click()
        page.keyboard.press("3")
        expect(page.locator("#message")).to_have_text("3 faces → sad. u takes it back.")
        decided = [HASHES[row] for row in (first, second, other)]
        assert standing(workspace) == dict.fromkeys(decided, "sad")
        page.keyboard.press("u")
        expect(tile).to_be_visible()
    assert standing(workspace) == {}


def test_the_suggestion_shows_when_it_is_asked_for_and_hides_with_the_next_face(
    workspace: Path, sit_down: Callable[..., Page]
) -> None:
    with running_desk(workspace, "--annotator", "ann") as desk:
        page = sit_down(desk)
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
    with running_desk(workspace, "--annotator", "ann") as desk:
        expect(sit_down(desk).locator("#suggestion")).to_have_text("Suggested: happy")


def test_neighbours_and_twins_stand_beside_and_names_are_text(
    workspace: Path, sit_down: Callable[..., Page]
) -> None:
    with running_desk(workspace, "--annotator", "ann") as desk:
        page = sit_down(desk)
        wait_for_face(page, 0)
        labels = list(MANIFEST["label"][56:60])
        expect(page.locator("#neighbours figcaption")).to_have_text(labels)
        expect(page.locator("#twins figcaption")).to_have_text(
            [MANIFEST["label"][50], "in Testing"]
        )
        page.keyboard.press("ArrowRight")
        wait_for_face(page, 1)
        expect(page.locator("#twins")).to_be_hidden()
        expect(page.locator("#path")).to_have_text(f"Training/Happy/{HOSTILE}.jpg")
        page.keyboard.press("ArrowLeft")
        wait_for_face(page, 0)


def test_the_page_asks_who_decides_and_remembers(
    workspace: Path, sit_down: Callable[..., Page]
) -> None:
    with running_desk(workspace) as desk:
        page = sit_down(desk)
        page.locator("#who input").press("Escape")
        page.locator("#who input").fill("Åsa & Co")
        page.keyboard.press("Enter")
        press(page, "2", from_row=0)
        page.reload()
        expect(page.locator("#annotator")).to_have_text("Åsa & Co")
    assert list(read_relabels(workspace / RELABELS, expressions=EXPRESSIONS)["annotator"]) == [
        "Åsa & Co"
    ]


@pytest.mark.parametrize(("number", "title"), [(0, "The queue is empty"), (2, "All decided")])
def test_an_empty_queue_is_a_friendly_page(
    tmp_path: Path, sit_down: Callable[..., Page], number: int, title: str
) -> None:
    workspace = make_workspace(tmp_path / "workspace", number=number)
    with running_desk(workspace, "--annotator", "ann") as desk:
        page = sit_down(desk)
        for key in "kk"[:number]:
            expect(page.locator("#single")).to_be_visible()
            page.keyboard.press(key)
            page.wait_for_timeout(300)
        expect(page.locator("#nothing h1")).to_have_text(title)
    assert len(standing(workspace)) == number


def test_a_thumb_decides_on_a_phone(workspace: Path, sit_down: Callable[..., Page]) -> None:
    with running_desk(workspace, "--annotator", "ann") as desk:
        page = sit_down(desk, width=390)
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


def test_the_next_face_shows_at_once(workspace: Path, sit_down: Callable[..., Page]) -> None:
    with running_desk(workspace, "--annotator", "ann") as desk:
        page = sit_down(desk)
        wait_for_face(page, 0)
        page.wait_for_timeout(500)
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        press(page, "k", from_row=0)
        assert f"{desk.address}faces/{HASHES[1]}.png" not in asked  # it was there already
        milliseconds = [page.evaluate(TIME_TO_NEXT_FACE) for _ in range(20)]
    assert len(standing(workspace)) == 21
    # 100 ms is what people take for at once; a busy machine gets some leave.
    assert sorted(milliseconds)[10] < 250
