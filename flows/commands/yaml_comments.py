"""Reads and removes keys of YAML mappings together with the comments on their lines."""

from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import CommentMark
from ruamel.yaml.tokens import CommentToken


def comment_of(values: CommentedMap, key: str) -> str | None:
    """The comment on a key's line, if there is one."""
    token = (values.ca.items.get(key) or [None] * 3)[2]
    return token.value.partition("\n")[0].strip("# ") or None if token else None


def remove_key(values: CommentedMap, key: str) -> None:
    """Removes a key and the comment on its line; the lines below it stay."""
    place = list(values).index(key)
    token = (values.ca.items.pop(key, None) or [None] * 3)[2]
    values.pop(key)
    below = token.value.partition("\n")[2] if token else ""
    if not (below and place):
        return
    last = list(values)[place - 1]
    while isinstance(values[last], CommentedMap) and values[last].fa.flow_style() is False:
        values = values[last]
        last = list(values)[-1]
    before = (values.ca.items.get(last) or [None] * 3)[2]
    text = f"{before.value.rstrip(chr(10)) if before else ''}\n{below}"
    mark = before.start_mark if before else CommentMark(0)
    values.ca.items[last] = [None, None, CommentToken(text, mark, None), None]
