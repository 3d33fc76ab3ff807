"""Takes the images of the documentation: reports, review app, app and a flow, in headless Chromium.

    python -m docs.images WORKSPACE          # all of them
    python -m docs.images WORKSPACE --flow   # of the flow alone; it trains the fold models again

WORKSPACE is what `ferflow demo --workspace WORKSPACE` has made.
"""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, Page

from fer_data.core.catalog import output
from flows.workspace.overrides import apply_overrides
from tests.support.models.images import encoded, two_faces
from tests.support.servers.browser import chromium
from tests.support.servers.prefect import Server, make_held_line, serving
from tests.support.servers.processes import served

IMAGES = Path(__file__).parent / "images"
WIDTH = 1180
SETTLED_MS = 5000  # of the graph of the tasks, which moves while it is laid out


def main() -> None:
    """Writes the images."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--flow", action="store_true", help="of the flow alone")
    flags = parser.parse_args()
    with chromium() as browser:
        if not flags.flow:
            take_pages(browser, flags.workspace.resolve())
        take_flow(browser, flags.workspace.resolve())


def take_pages(browser: Browser, workspace: Path) -> None:
    """Opens the two reports, the review app and the app."""
    models = output("report", "index.html", workspace=workspace)
    data = output("quality_report", "index.html", workspace=workspace)
    page = browser.new_page(viewport={"width": WIDTH, "height": 1300})
    page.goto(models.as_uri())
    page.screenshot(
        path=IMAGES / "models.png", clip={"x": 0, "y": 0, "width": WIDTH, "height": 900}
    )
    page.goto(data.as_uri())
    page.screenshot(path=IMAGES / "data-quality.png")
    page.set_viewport_size({"width": WIDTH, "height": 880})
    with served("review", "--annotator", "ann", folder=workspace) as review_app:
        page.goto(review_app.address, wait_until="networkidle")
        page.screenshot(path=IMAGES / "review_app.png")
    with served("app", folder=workspace) as app:
        page.goto(app.address)
        page.locator("#file").set_input_files(
            {"name": "two.png", "mimeType": "image/png", "buffer": encoded(two_faces())}
        )
        page.locator("[data-heat='0']").click(timeout=120_000)
        page.locator(".heat").wait_for()
        page.mouse.move(0, 0)
        page.screenshot(path=IMAGES / "app.png")


def take_flow(browser: Browser, workspace: Path) -> None:
    """Runs the flow with another seed of the folds, two at a time, and opens the run in Prefect's UI."""
    page = browser.new_page(viewport={"width": WIDTH, "height": 800})
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        copy = Path(shutil.copytree(workspace, folder / "workspace", symlinks=True))
        apply_overrides({"crossval": {"seed": 1}, "flows": {"cpu_slots": 2}}, folder=copy)
        with serving(make_held_line(folder / "served")) as server:
            photograph(page, server, copy)


def photograph(page: Page, server: Server, workspace: Path) -> None:
    """Rebuilds a workspace, and writes the image of the run's page."""
    finished = server.rebuild(workspace)
    if finished.returncode:
        sys.exit(finished.stdout + finished.stderr)
    run = server.run_of(finished)
    page.goto(f"{server.url.removesuffix('/api')}/runs/flow-run/{run['id']}")
    page.get_by_text(run["name"]).first.wait_for()
    page.wait_for_timeout(SETTLED_MS)
    page.screenshot(path=IMAGES / "prefect.png")


if __name__ == "__main__":
    main()
