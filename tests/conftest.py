"""What tests of several rooms share."""

from collections.abc import Iterator

import pytest

from tests.prefect_server import Server, serving


@pytest.fixture(scope="session")
def prefect_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One served workspace for all tests, since a server takes long to start.

    Tests that use it belong to the group `prefect`, so that one of several test processes starts it.
    """
    with serving(tmp_path_factory.mktemp("prefect")) as server:
        yield server
