"""What tests of the flows share."""

from collections.abc import Iterator

import pytest

from tests.support.servers.prefect import Server, make_held_line, serving


@pytest.fixture(scope="package")
def prefect_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One served workspace for all of them, since a server takes long to start."""
    with serving(make_held_line(tmp_path_factory.mktemp("prefect") / "served")) as server:
        yield server
