"""A person's way through a review app's page in a browser."""

from playwright.sync_api import Page, expect

from tests.support.servers.review_app import archive

MANIFEST, _ = archive()
HASHES = list(MANIFEST["pixel_hash"])


def wait_for_face(page: Page, row: int) -> None:
    """Waits until the face of a row of the manifest is the large one."""
    expect(page.locator("#single")).to_have_attribute("data-face", HASHES[row])


def press(page: Page, keys: str, *, from_row: int) -> None:
    """Presses keys, each when the next face shows."""
    for number, key in enumerate(keys):
        page.keyboard.press(key)
        wait_for_face(page, from_row + number + 1)
