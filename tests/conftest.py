"""What tests of several packages share, and which run in one process where they run side by side."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect
from xdist.scheduler import LoadScopeScheduling

import fer_data  # noqa: F401 # before any test imports Keras: see `fer_data.tensorflow_start`
from tests.support.servers.browser import chromium

_CHAINS = ("tests/end_to_end/", "tests/flows/")
"""Folders whose tests share what takes long to make: each is one process's, from its first test on."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the chains first: begun late, the longest would run on alone when all else has ended."""
    items.sort(key=lambda item: not item.nodeid.startswith(_CHAINS))


class _Together(LoadScopeScheduling):
    """Gives the tests of a file, or of a chain, to one process."""

    def _split_scope(self, nodeid: str) -> str:
        """What a test belongs to."""
        file = nodeid.partition("::")[0]
        return next((chain for chain in _CHAINS if file.startswith(chain)), file)


@pytest.hookimpl
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> _Together:
    """Replaces the scheduler that deals out single tests."""
    return _Together(config, log)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless browser; what a page is expected to show may take its time on a busy machine."""
    expect.set_options(timeout=60_000)
    with chromium() as browser:
        yield browser
