"""Two, seven and eight classes through the stages' functions, with each set of folders."""

from pathlib import Path
from types import MappingProxyType

import numpy as np
import pandas as pd
import pytest

from fer_data.annotation.apply_decisions import apply_decisions
from fer_data.core.schema import TESTING
from fer_data.core.tables import original_splits, with_probabilities
from fer_data.curation.rebalance import curate
from fer_data.ingestion.canonical_archive import write_canonical
from fer_data.ingestion.datasets import open_dataset
from fer_data.ingestion.ingest import take_faces
from fer_data.ingestion.intake import Intake, check_intake
from fer_data.ingestion.layouts import recognize
from fer_data.ingestion.zip_archive import Limits
from fer_data.label_quality.heldout_scores import heldout_label_quality
from fer_data.label_quality.mislabels import rank_labels
from fer_data.label_quality.mislabels_settings import MislabelsSettings
from fer_data.quality_report.findings import Findings
from fer_data.quality_report.quality_report import quality_page
from fer_data.review_queue.audit import draw_audit
from fer_data.review_queue.label_studio_tasks import labeling_config
from fer_data.splitting.drawn_test import draw_test
from fer_data.splitting.duplicates import near_pairs
from fer_data.splitting.leaks import check_excluded, excluded_by_class
from fer_data.splitting.split import assign_splits
from fer_data.validation.derived_columns import original_splits_of
from fer_data.validation.expectations import Thresholds, build_suite
from fer_data.validation.validate import run_suite
from tests.support.data.datasets import EIGHT, SEVEN, split_class, write_folder
from tests.support.data.manifests import THRESHOLDS
from tests.support.data.quality_page import cards, text

LIMITS = Limits(
    max_member_bytes=100_000,
    max_total_bytes=10_000_000,
    max_compression_ratio=200,
    max_members=10_000,
)
CLASSES = MappingProxyType({2: ("happy", "sad"), 7: SEVEN, 8: EIGHT})
FOLDERS = MappingProxyType(
    {
        "Testing": ("train", "test"),
        "Validation and Testing": ("train", "val", "test"),
        "Validation": ("train", "val"),
        "neither": ("train",),
    }
)


def ingested(folder: Path, classes: tuple[str, ...], splits: tuple[str, ...]) -> Intake:
    """The faces of a dataset, by way of `ferflow add` and `ingest`; one is twice in Training."""
    files = split_class(classes, splits=splits, num_each=12)
    files[f"train/{classes[0]}/again.png"] = files[f"train/{classes[0]}/0.png"]
    archive = folder / "archive.zip"
    with open_dataset(write_folder(folder / "dataset", files), LIMITS) as dataset:
        found = recognize(dataset, expressions=("happy", "sad"))
        write_canonical(dataset, found, archive, max_rejected_fraction=0)
    assert found.expressions == classes
    intake = take_faces(archive, expressions=classes, limits=LIMITS, resize=False)
    check_intake(
        intake,
        archive=archive,
        expressions=classes,
        max_rejected_fraction=0,
        rejected_file=folder / "rejected.csv",
    )
    return intake


@pytest.mark.parametrize("folders", FOLDERS)
@pytest.mark.parametrize("number", CLASSES)
def test_the_stages_of_data_take_any_classes(tmp_path: Path, number: int, folders: str) -> None:
    classes = CLASSES[number]
    intake = ingested(tmp_path, classes, FOLDERS[folders])
    manifest, pixels = intake.manifest, intake.pixels

    # split
    groups = pd.factorize(manifest["pixel_hash"])[0]
    pairs = near_pairs(pixels, groups, min_correlation=0.98)
    placed = draw_test(manifest, pairs, test_fraction=0.25, seed=0)
    assignments = assign_splits(
        placed, pairs, validation_fraction=0.25, num_folds=3, exclude_leaks=True, seed=0
    )
    check_excluded(excluded_by_class(placed, assignments), max_fraction=0)
    labeled = assignments.assign(label=manifest["label"])
    cells = labeled.groupby(["split", "label"]).size()
    assert len(cells) == 3 * number  # each class in train, validation and test
    assert cells.min() >= 2
    assert (original_splits(manifest, assignments) == placed["original_split"]).all()

    # mislabels, with what a network might say
    generator = np.random.default_rng(0)
    probabilities = generator.dirichlet(np.ones(number), len(manifest)).astype(np.float32)
    learned = (placed["original_split"] != TESTING).to_numpy()
    ranked = rank_labels(
        placed[learned].assign(near_group=assignments["near_group"]),
        probabilities[learned],
        np.zeros(learned.sum()),
        expressions=classes,
        settings=MislabelsSettings(
            method="odds", duplicate_reliability=0.7, clear_ratio=2.0, min_outlier_score=8.0
        ),
    )
    assert (ranked["suggested_label"] != ranked["label"]).all()
    assert set(ranked["suggested_label"]) == set(classes)
    scored = with_probabilities(placed[["path", "original_split"]], probabilities)
    quality = heldout_label_quality(scored, placed, expressions=classes, method="odds")
    assert len(quality) == (~learned).sum()

    # rebalance
    examples = labeled.merge(ranked[["path", "label_quality"]], on="path", how="left")
    nothing = pd.DataFrame({"pixel_hash": [], "given_label": [], "decision": []}, dtype=object)
    curated, summary = curate(
        apply_decisions(examples, nothing),
        nothing,
        method="oversample",
        min_label_quality=0,
        seed=0,
    )
    assert set(summary["train_after"]) == set(classes)  # pyright: ignore[reportArgumentType]
    assert set(curated["split"]) == {"train", "validation", "test"}

    # quality_report, and what the queue gives to Label Studio
    suspects = ranked.head(5)
    page = quality_page(
        Findings(
            manifest=placed,
            pixels=pixels,
            rejected=intake.rejected,
            validation={"faces": len(manifest), "baseline": None, "expectations": []},
            assignments=assignments,
            label_quality=ranked,
            suspects=suspects,
            audit=draw_audit(
                ranked.merge(assignments[["path", "split", "near_group"]], on="path"),
                nothing["pixel_hash"],
                num_faces=20,
                seed=0,
            ),
            ranking=ranked.assign(wrong_probability=float("nan")),
            learning={"ranking": "label quality", "reason": "no decisions"},
            decision_log=nothing.assign(annotator=[], decided_at=[], note=[]),
            is_test_drawn="Testing" not in folders,
        ),
        expressions=classes,
        max_faces=10,
        max_pairs=10,
    )
    assert cards(page)["Faces"][0] == str(len(manifest))
    assert ("Validation" in cards(page)["Faces"][1]) == ("Validation" in folders)
    assert ("its faces were drawn from Training" in text(page)) == ("Testing" not in folders)
    assert all(f'value="{name}"' in labeling_config(classes) for name in classes)


@pytest.mark.parametrize("folders", FOLDERS)
def test_the_expectations_are_of_the_folders_that_there_are(tmp_path: Path, folders: str) -> None:
    manifest = ingested(tmp_path, CLASSES[2], FOLDERS[folders]).manifest
    suite = build_suite(
        Thresholds(**{**vars(THRESHOLDS), "min_faces_per_class": 12}),
        expressions=CLASSES[2],
        original_splits=original_splits_of(manifest),
    )
    result = run_suite(manifest, suite)
    failed = {one["name"] for one in result["expectations"] if not one["success"]}
    assert (result["success"], failed - {"brightness_drift", "contrast_drift"}) == (
        True,
        {"duplicates"},
    )
    names = {one["name"] for one in result["expectations"]}
    assert ("brightness_drift" in names) == ("Testing" in folders)
    meanings = {one["name"]: one["meaning"] for one in result["expectations"]}
    expected = " and in ".join(
        name
        for name in ("Training", "Validation", "Testing")
        if name in ["Training", *folders.split(" and ")]
    )
    assert meanings["all_classes"] == f"Each class has faces in {expected}"
