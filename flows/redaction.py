"""Takes passwords out of what is logged."""

import re

_USER = re.compile(r"""(?<=://)[^/\s'"]*@""")


def without_passwords(text: str) -> str:
    """A text whose URLs have neither users nor passwords."""
    return _USER.sub("", text)
