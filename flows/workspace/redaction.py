"""Redacts passwords in what is logged."""

import re

_HOST = r"(?:[a-z][\w-]*\.(?:[\w-]+\.)*[a-z]{2,}|\d+(?:\.\d+){3}|localhost|\[[\da-f:]+\])(?![\w.-])"
_USER = re.compile(
    r"(?<=://)(?:"
    r"(?:[^/\s]*|[^/\s:@\[]*:(?!\d+\b)\S*)@"
    rf"|(?!localhost:)[^/\s:@\[.]+:\d+/\S*@(?={_HOST})"
    r")",
    re.IGNORECASE,
)
"""A user, with any password: `'` is allowed in one, and people write `/`, which is not.

`ann:12/34@a.example` can be read as a path on port 12 of a machine `ann`, too. It is taken for a user
where the first name has no dot and an address follows `@`; other paths with `@` are shown.
"""


def without_passwords(text: str) -> str:
    """Removes users and passwords from the URLs of a text."""
    return _USER.sub("", text)
