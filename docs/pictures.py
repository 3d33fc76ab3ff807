"""Takes the README's pictures of the reports, of the desk and of the app with headless Chromium.

    python -m docs.pictures WORKSPACE

WORKSPACE is what `ferflow demo --workspace WORKSPACE` has made.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fer_data.artifacts import output
from flows.workspace import environment
from tests.browser import chromium
from tests.fer_models.pictures import encoded, two_faces

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
        with served("relabel", "--annotator", "ann", workspace=workspace) as address:
            page.goto(address, wait_until="networkidle")
            page.screenshot(path=PICTURES / "desk.png")
        with served("app", workspace=workspace) as address:
            page.goto(address)
            page.locator("#file").set_input_files(
                {"name": "two.png", "mimeType": "image/png", "buffer": encoded(two_faces())}
            )
            page.locator("[data-heat='0']").click(timeout=120_000)
            page.locator(".heat").wait_for()
            page.mouse.move(0, 0)
            page.screenshot(path=PICTURES / "app.png")


@contextmanager
def served(*words: str, workspace: Path) -> Iterator[str]:
    """The address of a page that `ferflow` serves, which ends with the context."""
    command = ["ferflow", *words, "--workspace", str(workspace)]
    with subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None  # as asked for above
            address = re.search(r"http://\S+", server.stdout.readline())
            if address is None:
                sys.exit(f"error: `ferflow {words[0]}` did not open")
            yield address[0]
        finally:
            server.terminate()
            server.communicate()  # its farewell, before the pipe is closed


if __name__ == "__main__":
    main()
