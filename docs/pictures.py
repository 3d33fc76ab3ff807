"""Takes the README's pictures of the reports and of the desk with headless Chromium.

    python -m docs.pictures WORKSPACE

WORKSPACE is what `ferflow demo --workspace WORKSPACE` has made.
"""

import re
import subprocess
import sys
from pathlib import Path

from fer_data.artifacts import output
from flows.workspace import environment
from tests.browser import chromium

PICTURES = Path(__file__).parent / "pictures"
WIDTH = 1180


def main() -> None:
    """Opens the two reports and the desk, and writes a picture of each."""
    workspace = Path(sys.argv[1]).resolve()
    models = output("report", "index.html", workspace=workspace)
    data = output("quality_report", "index.html", workspace=workspace)
    command = ["ferflow", "relabel", "--workspace", str(workspace), "--annotator", "ann"]
    with (
        chromium() as browser,
        subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, text=True) as desk,
    ):
        try:
            page = browser.new_page(viewport={"width": WIDTH, "height": 1300})
            page.goto(models.as_uri())
            page.locator("#model-1").evaluate("section => section.scrollIntoView()")
            page.screenshot(path=PICTURES / "models.png")
            page.goto(data.as_uri())
            page.screenshot(path=PICTURES / "data-quality.png")
            assert desk.stdout is not None  # as asked for above
            address = re.search(r"http://\S+", desk.stdout.readline())
            if address is None:
                sys.exit("error: the desk did not open")
            page.set_viewport_size({"width": WIDTH, "height": 880})
            page.goto(address[0], wait_until="networkidle")
            page.screenshot(path=PICTURES / "desk.png")
        finally:
            desk.terminate()


if __name__ == "__main__":
    main()
