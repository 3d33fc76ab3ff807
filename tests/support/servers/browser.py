"""Drives Debian's Chromium in tests of pages; a machine without it skips them."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, sync_playwright

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


@contextmanager
def visit(browser: Browser, address: str, *, width: int = 1280, **context: Any) -> Iterator[Page]:
    """Opens a page of ours; whatever it asks of other machines fails, and fails the test at the end.

    Args:
        browser: The browser.
        address: The page's address, of a server whose other addresses begin with it.
        width: Of the window, in pixels.
        **context: What Playwright's contexts take.
    """
    strangers: list[str] = []
    errors: list[str] = []

    def let_through(route: Route) -> None:
        if route.request.url.startswith((address, "data:", "blob:")):
            return route.continue_()
        strangers.append(route.request.url)
        return route.abort()

    opened = browser.new_context(viewport={"width": width, "height": 844}, **context)
    try:
        opened.route("**/*", let_through)
        page = opened.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("dialog", lambda dialog: errors.append(dialog.message))
        page.goto(address)
        yield page
    finally:
        opened.close()
    assert strangers == []
    assert errors == []
