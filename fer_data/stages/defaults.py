"""Merges a section of settings over the sections that hold its defaults."""

from collections.abc import Mapping, Sequence
from typing import Any


def merged(params: Mapping[str, Any], section: str, *, defaults: Sequence[str]) -> Any:
    """A section over its defaults, unchecked.

    Args:
        params: The whole of a parameter file.
        section: The section's name; dots descend.
        defaults: Sections that hold what this one leaves out; later ones go before earlier ones, and
            need not be there.

    Returns:
        Sections within are merged key by key, any other value is replaced as a whole. What is no
        section is returned as it is.
    """
    values = descend(params, section)
    if not isinstance(values, Mapping):
        return values
    found: dict[str, Any] = {}
    for name in (*defaults, section):
        layer = descend(params, name)
        found = _over(found, layer) if isinstance(layer, Mapping) else found
    return found


def stands_in(
    params: Mapping[str, Any], path: str, section: str, *, defaults: Sequence[str]
) -> str:
    """The section that `merged` took a value from.

    Args:
        params: The whole of a parameter file.
        path: The value's key within the section; dots descend, into lists too.
        section: As for `merged`.
        defaults: As for `merged`.

    Returns:
        The name of the section or of one of its defaults; the section's, where none has the key.
    """
    for name in (section, *reversed(defaults)):
        if _has(descend(params, name), path):
            return name
    return section


def descend(values: Any, key: str) -> Any:
    """What stands under a dotted key, or None."""
    for part in key.split("."):
        values = values.get(part) if isinstance(values, Mapping) else None
    return values


def _over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    both = {
        key: _over(below[key], value)
        for key, value in above.items()
        if isinstance(value, Mapping) and isinstance(below.get(key), Mapping)
    }
    return {**below, **above, **both}


def _has(values: Any, path: str) -> bool:
    for part in path.split("."):
        if not isinstance(values, Mapping):
            return isinstance(values, list)
        if part not in values:
            return False
        values = values[part]
    return True
