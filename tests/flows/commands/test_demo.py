import io
import json
import re
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

from fer_data.core.errors import UserError
from fer_data.synthetic import planted_errors
from flows.commands import demo
from flows.commands.demo import findings, run_stages, show_results
from flows.workspace.overrides import read_preset
from tests.support.flows.tiny_graph import fan, make_line

ROOT = Path(__file__).parents[3]


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """What the stages of a run leave that the demo reads, written by hand."""
    files = {
        "dvc.yaml": (ROOT / "dvc.yaml").read_text(),
        "data/faces/rejected.csv": "path,reason\nd.jpg,truncated\n",
        "data/review_queue/suspects.csv": "path\na.jpg\nx.jpg\n",
        "reports/validate/summary.json": json.dumps(
            {"expectations": [{"name": "leaks", "paths": ["c.jpg", "y.jpg"]}]}
        ),
        "reports/metrics.json": json.dumps(
            {
                "scratch": {
                    "test": {
                        "accuracy": 0.5,
                        "accuracy_low": 0.4,
                        "accuracy_high": 0.6,
                        "macro_f1": 0.45,
                    }
                }
            }
        ),
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    ranked = pd.DataFrame(
        {
            "path": ["a.jpg", "x.jpg", "b.jpg", "y.jpg", "e.jpg"],
            "label": ["sad", "sad", "happy", "happy", "sad"],
            "label_quality": [0.1, 0.8, 0.6, 0.5, 0.0],
        }
    )
    (tmp_path / "data" / "mislabels").mkdir()
    ranked.to_parquet(tmp_path / "data" / "mislabels" / "label_quality.parquet")
    return tmp_path


PLANTED = pd.DataFrame(
    {
        "path": ["a.jpg", "b.jpg", "c.jpg", "d.jpg", "e.jpg"],
        "error": [
            *(planted_errors.WRONG_LABEL, planted_errors.WRONG_LABEL, planted_errors.LEAK),
            *(planted_errors.TRUNCATED, planted_errors.DUPLICATE),
        ],
    }
)


def test_what_was_planted_is_held_against_what_was_found(workspace: Path) -> None:
    rows = findings(workspace, PLANTED)
    counts = {row.error: (row.planted, row.found) for row in rows.itertuples()}
    assert counts == {
        planted_errors.WRONG_LABEL: (2, 1),
        planted_errors.LEAK: (1, 1),
        planted_errors.TRUNCATED: (1, 1),
        planted_errors.DUPLICATE: (1, 0),  # its expectation is not in the result
    }


def test_the_ranking_is_judged_within_classes_by_the_wrong_labels_alone(workspace: Path) -> None:
    assert demo.ranking_auroc(workspace, PLANTED) == 0.5  # 1 for sad, 0 for happy; e.jpg aside


def test_the_table_names_models_and_reports(workspace: Path) -> None:
    text = io.StringIO()
    show_results(workspace, PLANTED, console=Console(file=text, width=120))
    shown = text.getvalue()
    for words in (
        "wrong label",
        "AUROC 0.500",
        "0.400 to 0.600",
        "reports/index.html",
        "data_quality/index.html",
    ):
        assert words in shown


def test_every_planted_error_has_its_catcher() -> None:
    kinds = {*demo.CATCHERS, *demo.REFUSED, planted_errors.WRONG_LABEL}
    names = (
        "WRONG_LABEL",
        "DUPLICATE",
        "LEAK",
        "CONFLICTING_DUPLICATE",
        "BLACK",
        "TRUNCATED",
        "NOT_A_IMAGE",
    )
    assert kinds == {getattr(planted_errors, name) for name in names}


def test_a_failing_stage_ends_the_demo_with_the_end_of_its_log(tmp_path: Path) -> None:
    broken = {"first": {"cmd": "python -c 'raise SystemExit(\"error: no flour\")'"}}
    folder = make_line(tmp_path / "line", broken)
    with pytest.raises(
        UserError, match=r"(?s)first: no flour; the end of .*demo\.log:\n.*no flour"
    ):
        run_stages(folder, console=Console(file=io.StringIO()))


def test_each_stage_is_a_line_with_how_long_the_others_may_take(tmp_path: Path) -> None:
    text = io.StringIO()
    run_stages(make_line(tmp_path / "line", fan(number=1)), console=Console(file=text))
    lines = text.getvalue().splitlines()
    assert [line.split()[0] for line in lines] == ["first", "part@0", "last"]
    assert re.fullmatch(r"  part@0 +\d+\.\d s   about \d+ s left", lines[1])
    assert re.fullmatch(r"  last +\d+\.\d s", lines[2])


def test_all_models_are_those_of_the_settings() -> None:
    preset = read_preset("demo", folder=ROOT)
    assert set(demo.left_out(preset)) == {"resnet50", "mobilenetv2", "inceptionv3", "tiny"}
    settings = demo.settings_of(preset, all_models=True)
    assert "models" not in settings["pipeline"]
    assert "models" not in settings["report"]
    assert {key: value for key, value in settings.items() if key not in ("pipeline", "report")} == {
        key: value for key, value in preset.items() if key not in ("pipeline", "report")
    }
