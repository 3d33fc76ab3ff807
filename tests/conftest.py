"""What tests of several rooms share."""

from collections.abc import Iterator

import pytest

from tests.prefect_server import Server, serving


@pytest.fixture(scope="session")
def prefect_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One Prefect server for all tests, with a home of its own; starting one takes long."""
    with serving(tmp_path_factory.mktemp("prefect")) as server:
        yield server
