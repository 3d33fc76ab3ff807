"""A browser, and a seat at a desk in it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser import chromium, visit
from tests.fer_data.desks import Desk


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    expect.set_options(timeout=20_000)  # a busy machine gets some leave
    with chromium() as browser:
        yield browser


@pytest.fixture
def sit_down(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Opens a desk's page; whatever it asks of other machines fails, and fails the test."""
    with ExitStack() as seats:

        def open_page(desk: Desk, *, width: int = 1280) -> Page:
            return seats.enter_context(visit(browser, desk.address, width=width))

        yield open_page
