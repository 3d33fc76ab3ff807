"""What tests of several rooms share, and which run in one process where they run side by side."""

from collections.abc import Iterator

import pytest
from xdist.scheduler import LoadScopeScheduling

from tests.prefect_server import Server, serving


class _Together(LoadScopeScheduling):
    """Gives the tests of a file to one process, and so those of the whole line."""

    def _split_scope(self, nodeid: str) -> str:
        """What a test belongs to."""
        folder, _, _ = nodeid.rpartition("/")
        return folder if folder.endswith("end_to_end") else nodeid.partition("::")[0]


@pytest.hookimpl
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> _Together:
    """Replaces the scheduler that deals out single tests."""
    return _Together(config, log)


@pytest.fixture(scope="session")
def prefect_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One served workspace for all tests, since a server takes long to start.

    Tests that use it belong to the group `prefect`, so that one of several test processes starts it.
    """
    with serving(tmp_path_factory.mktemp("prefect")) as server:
        yield server
