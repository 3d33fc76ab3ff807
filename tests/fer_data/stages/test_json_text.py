import json

import pytest

from fer_data.core.errors import UserError
from fer_data.stages.stage import json_text


def test_is_json_with_a_line_feed_at_its_end() -> None:
    value = {"a": [1, 0.5, None], "Zo\u00eb": (True, "nan")}
    assert json_text(value, of="x", indent=None) == (
        '{"a": [1, 0.5, null], "Zo\\u00eb": [true, "nan"]}\n'
    )
    assert '\n  "Zo\u00eb": [\n' in json_text(value, of="x", ensure_ascii=False)
    assert json.loads(json_text(value, of="x")) == {"a": [1, 0.5, None], "Zo\u00eb": [True, "nan"]}


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"test": {"loss": [0.5, float("nan")]}}, r"^'test\.loss\.1' of metrics\.json is nan, exp"),
        ([float("-inf")], r"^'0' of metrics\.json is -inf, expected a number"),
        (float("inf"), r"^metrics\.json is inf, expected a number"),
    ],
)
def test_says_in_one_line_what_is_no_number(value: object, message: str) -> None:
    with pytest.raises(UserError, match=message) as raised:
        json_text(value, of="metrics.json")
    assert "\n" not in str(raised.value)
