"""Takes the README's pictures of the reports, of the desk and of the app with headless Chromium.

    python -m docs.pictures WORKSPACE

WORKSPACE is what `ferflow demo --workspace WORKSPACE` has made.
"""

import sys
from pathlib import Path

from fer_data.artifacts import output
from tests.browser import chromium
from tests.fer_models.pictures import encoded, two_faces
from tests.served import served

PICTURES = Path(__file__).parent / "pictures"
WIDTH = 1180


def main() -> None:
    """Opens the two reports, the desk and the app, and writes a picture of each."""
    workspace = Path(sys.argv[1]).resolve()
    models = output("report", "index.html", workspace=workspace)
    data = output("quality_report", "index.html", workspace=workspace)
    with chromium() as browser:
        page = browser.new_page(viewport={"width": WIDTH, "height": 1300})
        page.goto(models.as_uri())
        page.locator("#model-1").evaluate("section => section.scrollIntoView()")
        page.screenshot(path=PICTURES / "models.png")
        page.goto(data.as_uri())
        page.screenshot(path=PICTURES / "data-quality.png")
        page.set_viewport_size({"width": WIDTH, "height": 880})
        with served("relabel", "--annotator", "ann", folder=workspace) as desk:
            page.goto(desk.address, wait_until="networkidle")
            page.screenshot(path=PICTURES / "desk.png")
        with served("app", folder=workspace) as app:
            page.goto(app.address)
            page.locator("#file").set_input_files(
                {"name": "two.png", "mimeType": "image/png", "buffer": encoded(two_faces())}
            )
            page.locator("[data-heat='0']").click(timeout=120_000)
            page.locator(".heat").wait_for()
            page.mouse.move(0, 0)
            page.screenshot(path=PICTURES / "app.png")


if __name__ == "__main__":
    main()
