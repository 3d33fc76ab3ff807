"""Whatever text `params.yaml` holds, it is settings or one line."""

from pathlib import Path

from hypothesis import example, given
from hypothesis import strategies as st

from fer_data.core.errors import UserError
from fer_data.core.yaml_files import parse_yaml
from fer_data.ingestion.ingest_settings import IngestSettings
from fer_data.stages.settings import DataSettings, settings_from
from tests.support.hostile import CHANGES, ODD, TEXTS, flipped, outcome

PARAMS = Path("params.yaml").read_text(encoding="utf-8")
TAGS = (
    "int",
    "float",
    "bool",
    "timestamp",
    "binary",
    "null",
    "set",
    "omap",
    "pairs",
    "merge",
    "value",
)
PIECES = st.one_of(
    st.sampled_from(
        [
            "? ",
            "- ",
            ": ",
            "&a ",
            "*a",
            "[",
            "]",
            "{",
            "}",
            "\n",
            "\n  ",
            "|\n",
            "'",
            '"',
            "%",
            "<<: ",
        ]
    ),
    st.sampled_from([f"!!{tag} " for tag in TAGS]),
    st.sampled_from(
        [
            "2001-13-45",
            "0b2",
            ".inf",
            ".nan",
            "1:99",
            "on",
            "ingest:\n  resize: ",
            "data:\n  expressions: ",
        ]
    ),
    st.sampled_from(['"a\\nb": 1\n', "yes", "1_000", "9" * 5_000, "!x y", "--- "]),
    ODD,
    TEXTS,
)
TEXTS_OF_YAML = st.lists(PIECES, max_size=8).map("".join)


def read(text: str) -> None:
    values = parse_yaml(text, where="params.yaml")
    if isinstance(values, dict):
        for section, kind in (("data", DataSettings), ("ingest", IngestSettings)):
            outcome(
                lambda section=section, kind=kind: settings_from(
                    values, kind, section, file=Path("params.yaml")
                )
            )


@example("!!int ")
@example("!!bool x")
@example('"a\\nb": 1\n"a\\nb": 2')
@example("data: &a [*a]")
@given(
    TEXTS_OF_YAML
    | CHANGES.map(lambda changes: flipped(PARAMS.encode(), changes).decode("utf-8", "replace"))
)
def test_any_text_is_settings_or_refused_in_one_line(text: str) -> None:
    outcome(lambda: read(text))


@example({"\n": None})
@given(st.dictionaries(TEXTS | ODD, ODD | st.integers() | st.floats() | st.none(), max_size=4))
def test_any_section_is_settings_or_refused_in_one_line(section: dict[str, object]) -> None:
    for kind in (DataSettings, IngestSettings):
        result = outcome(lambda kind=kind: settings_from({"x": section}, kind, "x", file=Path("p")))
        assert isinstance(result, UserError)  # none of them is a whole section
