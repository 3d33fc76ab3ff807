"""A seat at a review app, in a browser."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from playwright.sync_api import Browser, Page

from tests.support.servers.browser import visit
from tests.support.servers.processes import Served


@pytest.fixture
def sit_down(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Opens a review app's page; whatever it asks of other machines fails, and fails the test."""
    with ExitStack() as seats:

        def open_page(review_app: Served, *, width: int = 1280) -> Page:
            return seats.enter_context(visit(browser, review_app.address, width=width))

        yield open_page
