"""A browser, and a seat at a desk in it."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.browser import chromium
from tests.fer_data.desks import Desk


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    expect.set_options(timeout=20_000)  # a busy machine gets some leave
    with chromium() as browser:
        yield browser


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
