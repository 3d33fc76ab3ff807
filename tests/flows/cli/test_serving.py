import pytest

from flows.cli.serving import way_in

ADDRESS = "http://127.0.0.1:7861/"


@pytest.mark.parametrize(
    ("connection", "user", "command"),
    [
        ("198.51.100.4 50022 192.0.2.7 22", "ann", "ssh -L 7861:127.0.0.1:7861 ann@192.0.2.7"),
        ("::1 5 2001:db8::7 2222", "", "ssh -p 2222 -L 7861:127.0.0.1:7861 2001:db8::7"),
    ],
)
def test_who_came_by_ssh_is_told_the_way_in(connection: str, user: str, command: str) -> None:
    assert way_in(ADDRESS, {"SSH_CONNECTION": connection, "USER": user}) == [
        f"On the machine with your browser: `{command}`, then open {ADDRESS} there."
    ]


@pytest.mark.parametrize("environment", [{}, {"SSH_CONNECTION": ""}, {"SSH_CONNECTION": "odd"}])
def test_who_did_not_is_told_nothing(environment: dict[str, str]) -> None:
    assert way_in(ADDRESS, environment) == []
