"""Summarizes a training for the reports."""

from dataclasses import asdict
from typing import Any

import pandas as pd

from fer_models.core.training_settings import TrainingSettings
from fer_models.networks.registry import PaperMetrics


def summary_of(
    history: pd.DataFrame, settings: TrainingSettings, *, title: str, paper: PaperMetrics
) -> dict[str, Any]:
    """Summarizes a training.

    Args:
        history: As `fer_models.training.trainer.fit` returns it.
        settings: The training settings.
        title: What the reports call the model.
        paper: The metrics that the paper reports for it.

    Returns:
        What JSON can hold: `title`, `epochs`, `saved_epoch` (1-based: the epoch whose weights are
        saved), `seconds`, `seed`, the metrics of that epoch on `training`, those of the `paper`, and
        the `settings`.
    """
    by_monitor = history[settings.monitor].to_numpy()
    best = by_monitor.argmax() if settings.monitor == "val_accuracy" else by_monitor.argmin()
    saved = history.iloc[int(best) if settings.restore_best_weights else -1]
    return {
        "title": title,
        "epochs": len(history),
        "saved_epoch": int(saved["epoch"]),
        "seconds": float(history["seconds"].sum()),
        "seed": settings.seed,
        "training": {name: float(saved[name]) for name in ("accuracy", "loss")},
        "paper": asdict(paper),
        "settings": settings.model_dump(mode="json"),
    }
