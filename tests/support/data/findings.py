"""Made-up findings about a dozen faces, for the tests of the pages about data."""

from typing import Any

import numpy as np
import pandas as pd

from fer_data.core.schema import (
    AMBIGUOUS,
    DECISION_COLUMNS,
    DUPLICATE,
    DUPLICATE_IN_TESTING,
    NEAR_DUPLICATE,
    NON_FACE,
    WRONG,
)
from fer_data.core.tables import with_probabilities
from fer_data.quality_report.findings import Findings
from fer_data.review_queue.audit import draw_audit

EXPRESSIONS = ("angry", "happy", "sad")
TIMES = "\N{MULTIPLICATION SIGN}"
HOSTILE = '"><script>alert(1)</script>'

# Twelve faces: rows 0 and 1 are duplicates with conflicting labels, 2 and 9 a leak, 3 has a duplicate.
LABELS = ["angry", "happy", "angry", "happy", "happy", "sad"]
LABELS += ["sad", "happy", "happy", "angry", "happy", "sad"]
GROUPS = [0, 0, 1, 2, 2, 3, 4, 5, 6, 1, 7, 8]
# Nearly the same: 6 (sad) and 7 (happy) in Training; 8 in Training and 10 in Testing.
NEAR_GROUPS = [0, 0, 1, 2, 2, 3, 4, 4, 6, 1, 6, 8]
NUM_TRAINING = 9


def blob(seed: int) -> np.ndarray:
    """A face that is nobody's: a bright spot on a gray gradient."""
    generator = np.random.default_rng(seed)
    rows, columns = np.mgrid[:48, :48]
    middle = generator.uniform(16, 32, size=2)
    spot = np.exp(-((rows - middle[0]) ** 2 + (columns - middle[1]) ** 2) / 120)
    return np.clip(180 * spot + columns + generator.uniform(0, 20), 0, 255).astype(np.uint8)


PIXELS = np.stack([blob(group) for group in GROUPS])


def findings(**changes: Any) -> Findings:
    original_splits = ["training"] * NUM_TRAINING + ["testing"] * (len(LABELS) - NUM_TRAINING)
    manifest = pd.DataFrame(
        {
            "path": [
                f"{folder.capitalize()}/{label.capitalize()}/{number}.jpg"
                for number, (folder, label) in enumerate(zip(original_splits, LABELS, strict=True))
            ],
            "original_split": original_splits,
            "label": LABELS,
            "pixel_hash": [f"{group:064x}" for group in GROUPS],
        }
    )
    splits = ["train"] * 2 + ["excluded"] + ["train"] * 4 + ["validation"] * 2 + ["test"] * 3
    assignments = manifest[["path", "pixel_hash"]].assign(
        duplicate_group=GROUPS,
        near_group=NEAR_GROUPS,
        split=splits,
        exclusion=[DUPLICATE_IN_TESTING if split == "excluded" else "" for split in splits],
        fold=0,
        leak=["", "", DUPLICATE, *[""] * 5, NEAR_DUPLICATE, DUPLICATE, NEAR_DUPLICATE, ""],
    )
    ranked = manifest.iloc[:NUM_TRAINING][["path", "pixel_hash", "label"]].assign(
        suggested_label="sad",
        label_quality=np.linspace(0.02, 0.98, NUM_TRAINING),
        rank=np.arange(1, NUM_TRAINING + 1),
        issue_type=[WRONG, AMBIGUOUS, WRONG, WRONG, NON_FACE, *([AMBIGUOUS] * (NUM_TRAINING - 5))],
    )
    checks = [
        check("a", "Every image is square", success=True),
        check("b", "No face is all black", success=False, unexpected=23, paths=[HOSTILE]),
        check("c", "Paths stand once", success=False, severity="error"),
    ]
    values = {
        "manifest": manifest,
        "pixels": PIXELS,
        "rejected": pd.DataFrame({"path": [HOSTILE, "b.txt"], "reason": ["no image", HOSTILE]}),
        "validation": {"success": False, "faces": 12, "baseline": None, "expectations": checks},
        "assignments": assignments,
        "label_quality": with_probabilities(ranked, np.full((NUM_TRAINING, 3), 1 / 3)),
        "suspects": ranked.head(5),
        "audit": draw_audit(
            ranked.merge(assignments[["path", "split", "near_group"]], on="path"),
            pd.Series([], dtype=str),
            num_faces=0,
            seed=0,
        ),
        "ranking": ranked.assign(wrong_probability=np.nan),
        "learning": {"ranking": "label quality", "reason": "0 decisions, 100 needed"},
        "decision_log": pd.DataFrame(columns=list(DECISION_COLUMNS)),
    }
    return Findings(**(values | changes))


def check(name: str, meaning: str, *, success: bool, **facts: Any) -> dict[str, Any]:
    defaults = {
        "severity": "warning",
        "error": None,
        "rows": 12,
        "observed": None,
        "missing": [],
        "unexpected": 0,
        "values": [],
        "paths": [],
    }
    return {"name": name, "meaning": meaning, "success": success, **defaults, **facts}


def decided(*rows: int, decision: str = "keep") -> pd.DataFrame:
    """The lines of a file in which one person decided the same on some faces."""
    return pd.DataFrame(
        [
            [f"{GROUPS[row]:064x}", LABELS[row], decision, "ann", "2026-01-31T10:00:00Z", ""]
            for row in rows
        ],
        columns=list(DECISION_COLUMNS),
    )
