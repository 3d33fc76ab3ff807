"""The sizes and names of modules, and `dvc.yaml` against the imports of its stages."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest
import yaml

from fer_models.networks.registry import ZOO

ROOT = Path(__file__).parent.parent
PACKAGES = ("fer_data", "fer_models", "flows")
JSON_OF_PASSING_TEXTS = {
    "fer_data.decision_import.label_studio_export": 1,  # to be read back at once
    "fer_models.training.checkpoints": 1,  # of a digest
    "fer_models.reporting.view": 1,  # of a page
    "flows.pipeline.flow": 1,  # of a digest
}
"""Where NaN does no harm in JSON, and how often that is written there."""
PARAMS = yaml.safe_load((ROOT / "params.yaml").read_text())
GRAPH = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
STAGES = {name: stage.get("do", stage) for name, stage in GRAPH.items()}
MODULES = sorted(
    ".".join(file.relative_to(ROOT).with_suffix("").parts)
    for package in PACKAGES
    for file in (ROOT / package).rglob("*.py")
    if file.name != "__init__.py"
)
MODULE_OF_STAGE = {name: stage["cmd"].split()[2] for name, stage in STAGES.items()}


@cache
def imports(module: str) -> frozenset[str]:
    """The modules of ours that a module names in import statements, lazy ones too."""
    tree = ast.parse((ROOT / module.replace(".", "/")).with_suffix(".py").read_text())
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively"
            submodules = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= (submodules & set(MODULES)) or {str(node.module)}
    return frozenset(name for name in found if name in MODULES)


@cache
def reaches(module: str) -> frozenset[str]:
    """All modules of ours that running a module needs, itself included."""
    found, waiting = {module}, [module]
    while waiting:
        new = imports(waiting.pop()) - found
        found |= new
        waiting += new
    return frozenset(found)


def test_modules_are_found() -> None:
    assert {"fer_data.ingestion.ingest", "fer_models.training.train", "flows.cli.main"} <= set(
        MODULES
    )
    assert "fer_data.stages.stage" in imports("fer_data.splitting.split")


def test_no_folder_of_source_is_crowded() -> None:
    counts: dict[str, int] = {}
    for module in MODULES:
        package = module.rpartition(".")[0]
        counts[package] = counts.get(package, 0) + 1
    assert {package: count for package, count in counts.items() if count > 12} == {}


def test_no_two_modules_share_a_name() -> None:
    names = [module.rpartition(".")[2] for module in MODULES]
    assert sorted({name for name in names if names.count(name) > 1}) == []


def test_no_file_is_long() -> None:
    files = [file for folder in (*PACKAGES, "benchmarks") for file in (ROOT / folder).rglob("*.py")]
    lines = {str(file.relative_to(ROOT)): file.read_text().count("\n") for file in files}
    assert {file: count for file, count in lines.items() if count > 250} == {}


@pytest.mark.parametrize("name", ["crossval", "train", "member_predictions", "ensemble"])
def test_what_pages_are_made_of_makes_no_training_stale(name: str) -> None:
    away = ("fer_data/core/clock.py", "fer_data/web/", "fer_models/reporting/")
    assert [path for path in STAGES[name]["deps"] if path.startswith(away)] == []


def test_the_schema_imports_nothing_of_ours() -> None:
    assert not imports("fer_data.core.schema")


@pytest.mark.parametrize("module", MODULES)
def test_only_the_command_line_imports_inside_functions(module: str) -> None:
    if module.startswith("flows.cli."):
        pytest.skip("a command imports what it needs when it runs")
    tree = ast.parse((ROOT / module.replace(".", "/")).with_suffix(".py").read_text())
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    lazy = {
        child
        for function in functions
        for child in ast.walk(function)
        if isinstance(child, ast.Import | ast.ImportFrom)
    }
    assert not lazy


@pytest.mark.parametrize("module", MODULES)
def test_json_that_is_kept_or_sent_holds_no_nan(module: str) -> None:
    tree = ast.parse((ROOT / module.replace(".", "/")).with_suffix(".py").read_text())
    calls = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("json.dump", "json.dumps")
    ]
    lax = [one for one in calls if "allow_nan=False" not in map(ast.unparse, one.keywords)]
    assert len(lax) == JSON_OF_PASSING_TEXTS.get(module, 0), (
        "`stage.json_text` says what is no number"
    )


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_depends_on_every_module_that_it_uses(name: str) -> None:
    stage = STAGES[name]
    template = {path for path in stage["deps"] if path.endswith(".py")}
    # The trainer finds the model's module by its row in the zoo, not by an import.
    by_model = "${item.module}" in str(template)
    items = PARAMS["pipeline"]["models"].values() if by_model else [{}]
    for item in items:
        listed = {path.replace("${item.module}", item.get("module", "")) for path in template}
        modules = [
            MODULE_OF_STAGE[name],
            *(f"fer_models.networks.{item[key]}" for key in item if key == "module"),
        ]
        used = {f"{one.replace('.', '/')}.py" for module in modules for one in reaches(module)}
        assert listed == used


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_depends_on_every_template_that_it_renders(name: str) -> None:
    sources = [f"{module.replace('.', '/')}.py" for module in reaches(MODULE_OF_STAGE[name])]
    used: set[str] = set()
    while sources:
        names = re.findall(r'"([\w.]+\.j2)"', (ROOT / sources.pop()).read_text())
        paths = {
            str(path.relative_to(ROOT))
            for one in names
            for path in ROOT.glob(f"*/*/templates/{one}")
        }
        sources += paths - used
        used |= paths
    assert {path for path in STAGES[name]["deps"] if path.endswith(".j2")} == used


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_depends_on_no_package_folder(name: str) -> None:
    assert not set(STAGES[name]["deps"]) & set(PACKAGES)


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_s_flags_name_its_dependencies_and_outputs(name: str) -> None:
    stage = STAGES[name]
    words = stage["cmd"].split()
    paths = {word for word in words if word.startswith(("data/", "models/", "reports/"))}
    known = {*stage["deps"], *stage["outs"]}
    # A flag may name a file inside of a folder that is a dependency.
    unknown = {path for path in paths if not {path, str(Path(path).parent)} & known}
    assert not unknown


def test_every_model_of_the_settings_has_a_section_and_a_row() -> None:
    entries = PARAMS["pipeline"]["models"]
    modules = {name: f"fer_models.networks.{entry['module']}" for name, entry in entries.items()}
    assert modules == {name: row.module for name, row in ZOO.items()}
    tuned = {name for name, row in ZOO.items() if row.base}
    assert {name for name, entry in entries.items() if entry["defaults"] == "fine_tuning"} == tuned
    assert list(entries) == list(PARAMS["models"])
    assert PARAMS["report"]["models"] == [*entries, "ensemble"]
    assert set(PARAMS["ensemble"]["members"]) <= set(entries)
    assert PARAMS["pipeline"]["folds"] == list(range(PARAMS["split"]["num_folds"]))


def test_the_plots_show_every_model() -> None:
    entries = yaml.safe_load((ROOT / "dvc.yaml").read_text())["plots"]
    plots = [plot for entry in entries for plot in entry.values()]
    assert plots
    for plot in plots:
        assert [Path(file).parts[2] for file in plot["y"]] == PARAMS["report"]["models"]


def test_the_graph_lists_no_items_of_its_own() -> None:
    items = {name: stage.get("foreach") or stage.get("matrix") for name, stage in GRAPH.items()}
    assert {name: listed for name, listed in items.items() if listed} == {
        "crossval": {"fold": "${pipeline.folds}"},
        "train": "${pipeline.models}",
        "member_predictions": "${ensemble.members}",
        "evaluate": {"model": "${report.models}"},
    }
