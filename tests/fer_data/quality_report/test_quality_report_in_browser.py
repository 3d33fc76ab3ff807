"""The page about the data as people use it: in a browser, with a full queue, with a hostile archive."""

import re
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from playwright.sync_api import Browser, Dialog, Page, ViewportSize

from fer_data.core.schema import DECISION_COLUMNS, ISSUE_TYPES
from fer_data.ingestion.ingest import take_faces
from fer_data.ingestion.zip_archive import Limits
from fer_data.quality_report.findings import Findings
from fer_data.quality_report.quality_report import quality_page
from fer_data.review_queue.audit import AUDIT_COLUMNS
from fer_data.splitting.split import assign_splits
from fer_data.synthetic.faces import draw_face
from fer_data.validation.expectations import build_suite
from fer_data.validation.validate import run_suite
from tests.support.data import manifests
from tests.support.data.archives import EXPRESSIONS, good_members, image, write_archive
from tests.support.data.findings import decided
from tests.support.data.manifests import manifest_of
from tests.support.servers.browser import needs_chromium

pytestmark = needs_chromium

NUM_QUEUED = 1000
THRESHOLDS = replace(manifests.THRESHOLDS, min_faces_per_class=1)
PHONE: ViewportSize = {"width": 390, "height": 844}


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    opened = browser.new_page()
    yield opened
    opened.close()


def findings_of(manifest: pd.DataFrame, pixels: np.ndarray, **changes: Any) -> Findings:
    """Findings about an archive all of whose Training faces are in the queue, issues in turn."""
    training = manifest[manifest["original_split"] == "training"]
    numbers = np.arange(len(training))
    ranked = training[["path", "pixel_hash", "label"]].assign(
        suggested_label=[
            EXPRESSIONS[(EXPRESSIONS.index(name) + 1) % 6] for name in training["label"]
        ],
        label_quality=numbers / len(training),
        rank=numbers + 1,
        issue_type=[ISSUE_TYPES[number // 6 % 3] for number in numbers],
    )
    values = {
        "manifest": manifest,
        "pixels": pixels,
        "rejected": pd.DataFrame(columns=["path", "reason"]),
        "validation": {"faces": len(manifest), "baseline": None, "expectations": []},
        "assignments": assign_splits(
            manifest,
            np.empty((0, 2), np.int64),
            **{"validation_fraction": 0.3, "num_folds": 2, "exclude_leaks": True, "seed": 0},
        ),
        "label_quality": ranked,
        "suspects": ranked,
        "decision_log": pd.DataFrame(columns=list(DECISION_COLUMNS)),
        "audit": pd.DataFrame(columns=list(AUDIT_COLUMNS)),  # none is drawn
        "ranking": ranked.assign(wrong_probability=np.nan),
        "learning": {"ranking": "label quality", "reason": "0 decisions, 100 needed"},
    }
    return Findings(**(values | changes))


def write_page(folder: Path, findings: Findings) -> str:
    """Writes the page; gives its address."""
    file = folder / "index.html"
    page = quality_page(findings, expressions=EXPRESSIONS, max_faces=NUM_QUEUED, max_pairs=60)
    file.write_text(page, encoding="utf-8")
    return file.as_uri()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The page with a queue of a thousand distinct drawn faces."""
    generator = np.random.default_rng(0)
    labels = [EXPRESSIONS[number % 6] for number in range(NUM_QUEUED + 12)]
    pixels = np.stack([draw_face(label, generator) for label in labels])
    original_splits = ["training"] * NUM_QUEUED + ["testing"] * 12
    manifest = manifest_of(pixels, original_splits, labels)
    assert manifest["pixel_hash"].is_unique
    return write_page(tmp_path_factory.mktemp("queue"), findings_of(manifest, pixels))


def shown(page: Page) -> list[tuple[str, str]]:
    """The given label and the issue of each face that can be seen."""
    return page.eval_on_selector_all(
        "#queued-faces > li:not([hidden])",
        "faces => faces.map(face => [face.dataset.label, face.dataset.issueType])",
    )


def numbers(page: Page, name: str) -> dict[str, str]:
    """The count on each button of a group."""
    texts = page.get_by_role("group", name=name).get_by_role("button").all_inner_texts()
    return dict(text.rsplit(maxsplit=1) for text in texts)


def choose(page: Page, group: str, name: str) -> None:
    page.get_by_role("group", name=group).get_by_role(
        "button", name=re.compile(f"^{name} ")
    ).click()


def test_a_thousand_faces_open_and_filter_within_two_seconds(page: Page, address: str) -> None:
    started = time.monotonic()
    page.goto(address, wait_until="load")
    choose(page, "Given label", "fear")
    page.get_by_text(re.compile(r"^167 of 1,000 faces")).wait_for()
    seconds = time.monotonic() - started
    assert seconds < 2
    assert Path(address.removeprefix("file://")).stat().st_size < 10_000_000
    assert {label for label, _ in shown(page)} == {"fear"}


def test_class_and_issue_filter_together(page: Page, address: str) -> None:
    page.goto(address)
    assert len(shown(page)) == NUM_QUEUED
    choose(page, "Given label", "fear")
    assert numbers(page, "Issue") == {
        "all": "167",
        "wrong": "56",
        "ambiguous": "56",
        "non-face": "55",
    }
    choose(page, "Issue", "wrong")
    assert [list(pair) for pair in shown(page)] == [["fear", "wrong"]] * 56
    assert numbers(page, "Given label")["happy"] == "56"
    assert page.url.endswith("#queue/fear/wrong")
    choose(page, "Given label", "all")
    assert page.url.endswith("#queue/all/wrong")
    assert len(shown(page)) == int(numbers(page, "Issue")["wrong"])


def test_a_link_opens_the_filtered_queue(page: Page, address: str) -> None:
    page.goto(f"{address}#queue/fear/wrong")
    assert len(shown(page)) == 56
    assert page.get_by_role("button", name=re.compile("^fear "), pressed=True).count() == 1
    assert page.evaluate("document.getElementById('queue').getBoundingClientRect().top") < 100
    page.locator('a[href="#queue/sad/non_face"]').click()
    assert {tuple(pair) for pair in shown(page)} == {("sad", "non_face")}
    page.go_back()
    assert {tuple(pair) for pair in shown(page)} == {("fear", "wrong")}


@pytest.mark.parametrize("nonsense", ["#queue/glee/wrong%00", "#queue///", "#nowhere"])
def test_a_link_to_nothing_shows_all(page: Page, address: str, nonsense: str) -> None:
    page.goto(address + nonsense)
    assert len(shown(page)) == NUM_QUEUED


def test_the_filter_works_by_keyboard(page: Page, address: str) -> None:
    page.goto(address)
    page.get_by_role("group", name="Given label").get_by_role("button").first.focus()
    for key in ("Tab", "Tab", "Enter"):
        page.keyboard.press(key)
    assert {label for label, _ in shown(page)} == {"fear"}
    assert page.get_by_role("status").inner_text() == "167 of 1,000 faces"
    assert page.evaluate("document.activeElement.dataset.value") == "fear"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_scrolls_sideways_on_a_phone(browser: Browser, address: str, scheme: Any) -> None:
    page = browser.new_page(viewport=PHONE, color_scheme=scheme)
    page.goto(address)
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    page.close()


def test_images_load_when_they_come_into_view(page: Page, address: str) -> None:
    page.goto(address)
    last = page.locator("#queued-faces img").last
    last.scroll_into_view_if_needed()
    page.wait_for_function("document.querySelector('#queued-faces > li:last-child img').complete")
    assert last.evaluate("image => image.naturalWidth") == 48


def test_names_of_members_cannot_run_as_code(tmp_path: Path, page: Page) -> None:
    hostile = {
        "<script>alert(1)</script>/Training/Angry/1.png": image(900),
        "Training/Happy/<img src=x onerror=alert(2)>.png": image(900),
        "Training/Sad/\"><svg onload='alert(3)'>.png": image(901),
        "Testing/Sad/&lt;script&gt;alert(4)&lt;script&gt;.png": image(901),
        "Training/Angry/<script>alert(5)</script>.jpg": image(902),
        "Training/Sad/<script>alert(6)<script>.jpg": b"no image",
    }
    archive = write_archive(tmp_path / "archive.zip", good_members(num_each=4) | hostile)
    intake = take_faces(
        archive, expressions=EXPRESSIONS, limits=Limits(10**6, 10**8, 200, 1000), resize=False
    )
    assert len(intake.rejected) == 2
    suite = build_suite(THRESHOLDS, expressions=EXPRESSIONS)
    findings = findings_of(
        intake.manifest,
        intake.pixels,
        rejected=intake.rejected,
        validation=run_suite(intake.manifest, suite),
        decision_log=decided(0).assign(
            pixel_hash=intake.manifest["pixel_hash"].iloc[-1], annotator="<script>alert(7)</script>"
        ),
    )
    dialogs: list[str] = []

    def note(dialog: Dialog) -> None:
        dialogs.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", note)
    page.goto(write_page(tmp_path, findings))
    page.evaluate("for (const part of document.querySelectorAll('details')) part.open = true")
    said = page.inner_text("body")
    for name in hostile:
        assert name in said
    assert "<script>alert(7)</script>" in said
    assert page.evaluate("document.scripts.length") == 1
    assert page.locator("svg, [onerror], [onload]").count() == 0
    assert dialogs == []
