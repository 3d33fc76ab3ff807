"""Where tests run side by side, those that share what is slow to make run in one process."""

import pytest
from xdist.scheduler import LoadScopeScheduling


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
