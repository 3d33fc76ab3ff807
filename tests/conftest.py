"""What tests of several packages share, and which run in one process where they run side by side."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from playwright.sync_api import Browser, expect
from xdist.scheduler import LoadScopeScheduling

import fer_data  # noqa: F401 # before any test imports Keras: see `fer_data.tensorflow_start`
from fer_models.core.processors import num_usable
from tests.support.servers.browser import chromium

_CHAINS = {
    "tests/end_to_end/test_real_archive": "real archive",
    "tests/end_to_end/": "finished workspace",
    "tests/flows/pipeline/": "Prefect server",
    "tests/flows/execution/test_ray": "Prefect server",
}
"""Tests that share what takes long to make: each is one process's, from its first test on."""

# The same few examples in each run, and none kept on disk; FERFLOW_EXAMPLES=5000 looks further by hand.
hypothesis.settings.register_profile(
    "ferflow",
    database=None,
    deadline=None,
    derandomize="FERFLOW_EXAMPLES" not in os.environ,
    max_examples=int(os.environ.get("FERFLOW_EXAMPLES", "30")),
    suppress_health_check=list(hypothesis.HealthCheck),
)
hypothesis.settings.load_profile("ferflow")
os.environ.setdefault(
    "HYPOTHESIS_STORAGE_DIRECTORY", str(Path(tempfile.gettempdir(), "ferflow-hypothesis"))
)  # of tables that it computes once; else a folder of the checkout


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the chains first: begun late, the longest would run on alone when all else has ended."""
    items.sort(key=lambda item: not item.nodeid.startswith(tuple(_CHAINS)))


@pytest.hookimpl
def pytest_xdist_auto_num_workers() -> int:
    """One process more than processors: one of them mostly waits for a server or a lock."""
    return num_usable() + 1


class _Together(LoadScopeScheduling):
    """Gives the tests of a file, or of a chain, to one process."""

    def _split_scope(self, nodeid: str) -> str:
        """What a test belongs to."""
        file = nodeid.partition("::")[0]
        chains = (chain for start, chain in _CHAINS.items() if file.startswith(start))
        return next(chains, file)


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
