"""Takes passwords out of what is logged."""

import re

_USER = re.compile(r"(?<=://)([^/\s]*|[^/\s:@\[]*:(?!\d+\b)\S*)@")
"""A user, with any password: `'` is allowed in one, and people write `/`, which is not."""


def without_passwords(text: str) -> str:
    """A text whose URLs have neither users nor passwords."""
    return _USER.sub("", text)
