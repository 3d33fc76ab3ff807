"""What the reports say of a training, besides its history."""

from dataclasses import asdict
from typing import Any

import pandas as pd

from fer_models.core.training_settings import TrainingSettings
from fer_models.networks.registry import PaperFigures


def summary_of(
    history: pd.DataFrame, settings: TrainingSettings, *, title: str, paper: PaperFigures
) -> dict[str, Any]:
    """Sums a training up.

    Args:
        history: As `fer_models.training.trainer.fit` returns it.
        settings: The training settings.
        title: What the reports call the model.
        paper: What the paper reports for it.

    Returns:
        What JSON can hold: `title`, `epochs`, the `kept_epoch`, `seconds`, `seed`, the kept epoch's
        figures of `training`, those of the `paper`, and the `settings`.
    """
    by_monitor = history[settings.monitor].to_numpy()
    best = by_monitor.argmax() if settings.monitor == "val_accuracy" else by_monitor.argmin()
    kept = history.iloc[int(best) if settings.keep_epoch == "best" else -1]
    return {
        "title": title,
        "epochs": len(history),
        "kept_epoch": int(kept["epoch"]),
        "seconds": float(history["seconds"].sum()),
        "seed": settings.seed,
        "training": {name: float(kept[name]) for name in ("accuracy", "loss")},
        "paper": asdict(paper),
        "settings": settings.model_dump(mode="json"),
    }
