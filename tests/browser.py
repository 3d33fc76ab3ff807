"""Drives Debian's Chromium in tests of pages; a machine without it skips them."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, sync_playwright

_CHROMIUM = shutil.which("chromium")
_FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--no-first-run"),
)

needs_chromium = pytest.mark.skipif(
    _CHROMIUM is None, reason="no `chromium` on the path: apt install chromium"
)


@contextmanager
def chromium() -> Iterator[Browser]:
    """A headless browser, which is closed at the end."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_CHROMIUM, args=list(_FLAGS))
        try:
            yield browser
        finally:
            browser.close()
