"""People with an image: a real browser on a real app, with nothing but the loopback device."""

import base64
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from fer_models.app.api import Service
from fer_models.detection.face_detector import FaceFinder
from fer_models.inference.bundle import pack
from fer_models.inference.model_store import open_model_store
from fer_models.inference.sources import Workspace
from tests.support.models.images import background, encoded, paste_face, two_faces
from tests.support.models.tiny_dataset import EXPRESSIONS
from tests.support.models.trained_workspace import MEASURED, make_models
from tests.support.servers.browser import needs_chromium, visit
from tests.support.servers.demo_app import App, running_app

pytestmark = needs_chromium

NAMES = ("scratch", "mobilenetv2", "ensemble")
CAMERA = """() => { navigator.mediaDevices.getUserMedia = async () => {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [720, 480];
  const image = new Image();
  image.src = "%s";
  await image.decode();
  setInterval(() => canvas.getContext("2d").drawImage(image, 0, 0), 30);
  return canvas.captureStream(20);
}; }"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_models(tmp_path_factory.mktemp("browser") / "workspace", *NAMES)
    two_faces().save(folder / "two.png")
    one = background()
    paste_face(one, "happy", seed=3, at=(470, 30), side=180)
    one.save(folder / "off_centre.png")
    background().save(folder / "nobody.png")
    (folder / "letter.pdf").write_bytes(b"%PDF-1.7\n" + bytes(100))
    return folder


@pytest.fixture(scope="module")
def app(folder: Path) -> Iterator[App]:
    with running_app(folder) as app:
        yield app


@pytest.fixture
def page(app: App, browser: Browser) -> Iterator[Page]:
    with visit(browser, app.address) as page:
        yield page


def choose(page: Page, file: Path) -> None:
    page.locator("#file").set_input_files(file)


def test_each_tab_reads_the_expressions_of_an_off_centre_face(page: Page, folder: Path) -> None:
    choose(page, folder / "off_centre.png")
    expect(page.locator("#message")).to_have_text("One face found.")
    expect(page.locator("#boxes rect.around")).to_have_count(1)
    service = Service(open_model_store(workspace=folder), FaceFinder())
    content = (folder / "off_centre.png").read_bytes()
    left, top, width, height = service.find(content)["faces"][0]["box"]
    for name in NAMES:
        page.locator(f"[data-tab={name}]").click()
        expect(page.locator("#panel > .note")).to_have_text(f"Tiny {name}")
        (face,) = service.read(content, name)["faces"]
        first, *others = face["set"]
        headline = page.locator(".headline")
        expect(headline.locator("h2")).to_have_text(
            f"{first}{round(100 * face['probabilities'][first])} %"
        )
        among = "any other" if len(face["set"]) == len(EXPRESSIONS) else ", ".join(others)
        expect(headline.locator(".others")).to_have_text([f"or {among}"] if others else [])
        for expression, probability in face["probabilities"].items():
            row = page.locator(f".odds [data-expression={expression}]")
            expect(row).to_contain_text(f"{round(100 * probability)} %")
            expect(row).to_have_class("in" if expression in face["set"] else "")
    box = page.locator("#boxes rect.around").bounding_box()
    shown = page.locator("#image").bounding_box()
    assert box is not None
    assert shown is not None
    scale = shown["width"] / 720
    assert box["x"] - shown["x"] == pytest.approx(scale * left, abs=6)
    assert box["height"] == pytest.approx(scale * height, abs=12)
    assert left > 470
    assert width > 50
    assert top > 30


def test_all_models_at_once_stand_side_by_side(page: Page, folder: Path) -> None:
    choose(page, folder / "two.png")
    page.locator("[data-tab=all]").click()
    expect(page.locator(".shares")).to_have_count(2 * len(NAMES))
    expect(page.locator(".models .headline .likely")).to_have_count(2 * len(NAMES))
    num_missing = len(MEASURED) - len(NAMES)
    expect(page.locator(".models .note")).to_have_text(["missing"] * 2 * num_missing)
    expect(page.locator(".legend li")).to_have_text([" happy", " neutral", " sad"])
    expect(page.locator(".crop b")).to_have_text(["1", "2"])


def test_a_missing_model_says_how_to_get_it(page: Page) -> None:
    page.locator("[data-tab=resnet50]").click()
    expect(page.locator("#panel h2")).to_have_text("This model is missing")
    expect(page.locator("#panel p")).to_contain_text("`dvc repro evaluate@resnet50` trains")


def test_a_heat_map_shows_and_hides(page: Page, folder: Path) -> None:
    choose(page, folder / "two.png")
    button = page.locator("[data-heat='1']")
    button.click()
    expect(page.locator(".heat")).to_have_count(1)
    expect(button).to_have_text("Hide what it looked at")
    button.click()
    expect(page.locator(".heat")).to_have_count(0)


def test_where_no_face_is_the_whole_image_is_offered(page: Page, folder: Path) -> None:
    choose(page, folder / "nobody.png")
    expect(page.locator("#panel h2")).to_have_text("No face found")
    page.locator("#whole").click()
    expect(page.locator("#message")).to_have_text("Read as one face, whatever it shows.")
    expect(page.locator(".odds")).to_have_count(1)


def test_what_is_no_image_is_one_line_and_the_next_image_is_read(page: Page, folder: Path) -> None:
    choose(page, folder / "letter.pdf")
    expect(page.locator("#message.failed")).to_have_text(
        re.compile("^the image is PDF: expected JPEG, PNG or WebP$")
    )
    choose(page, folder / "off_centre.png")
    expect(page.locator("#message")).to_have_text("One face found.")
    expect(page.locator(".odds")).to_have_count(1)


def test_a_pasted_image_is_read(page: Page, folder: Path) -> None:
    data = list((folder / "two.png").read_bytes())
    page.evaluate(
        """(data) => {
          const files = new DataTransfer();
          files.items.add(new File([new Uint8Array(data)], "it.png", { type: "image/png" }));
          document.dispatchEvent(new ClipboardEvent("paste", { clipboardData: files }));
        }""",
        data,
    )
    expect(page.locator("#message")).to_have_text("2 faces found.")


def test_the_camera_is_read_live_until_an_image_is_taken(page: Page) -> None:
    page.evaluate(
        CAMERA % ("data:image/png;base64," + base64.b64encode(encoded(two_faces())).decode())
    )
    page.locator("#camera").click()
    expect(page.locator("#message")).to_have_text("2 faces found.")
    expect(page.locator(".odds")).to_have_count(2)
    expect(page.locator("[data-heat]")).to_have_count(0)
    page.locator("[data-tab=ensemble]").click()
    expect(page.locator("#panel > .note")).to_have_text("Tiny ensemble")
    page.locator("#shoot").click()
    expect(page.locator("#video")).to_be_hidden()
    expect(page.locator("[data-heat]")).to_have_count(2)


def test_without_a_camera_one_line_says_so(page: Page) -> None:
    page.evaluate("() => { navigator.mediaDevices.getUserMedia = () => Promise.reject(); }")
    page.locator("#camera").click()
    expect(page.locator("#message.failed")).to_have_text(re.compile("^There is no camera here"))


def test_a_phone_scrolls_down_alone(app: App, browser: Browser, folder: Path) -> None:
    with visit(browser, app.address, width=390) as page:
        choose(page, folder / "two.png")
        expect(page.locator(".odds")).to_have_count(2)
        for tab in ("scratch", "all"):
            page.locator(f"[data-tab={tab}]").click()
            width = page.evaluate("document.documentElement.scrollWidth")
            assert width == 390


def test_on_a_phone_the_open_tab_is_in_sight(app: App, browser: Browser) -> None:
    with visit(browser, app.address, width=150) as page:
        last = page.locator("[data-tab=all]")
        expect(last).not_to_be_in_viewport(ratio=1)
        last.evaluate("tab => tab.click()")  # which scrolls nothing by itself
        expect(last).to_have_attribute("aria-selected", "true")
        expect(last).to_be_in_viewport(ratio=1, timeout=5000)


def test_one_model_alone_has_no_tab_for_all(folder: Path, browser: Browser) -> None:
    pack(Workspace(folder), ["scratch"], folder / "one.zip", revision=None)
    with (
        running_app(folder, "--bundle", "one.zip") as app,
        visit(browser, app.address) as page,
    ):
        choose(page, folder / "two.png")
        expect(page.locator(".odds")).to_have_count(2)
        expect(page.locator("[data-tab]")).to_have_text(["scratch"])


def test_tabs_are_walked_by_arrows(page: Page) -> None:
    page.locator("[data-tab=scratch]").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("[aria-selected=true]")).to_have_text("resnet50")
    expect(page.locator("[aria-selected=true]")).to_be_focused()
