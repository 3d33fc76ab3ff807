"""The inputs, labels and weights that a model is trained or validated on."""

from dataclasses import dataclass

import numpy as np

from fer_models.augmentation.layers import SaltAndPepper
from fer_models.core.training_settings import TrainingSettings

_NOISE_BATCH = 128


@dataclass(frozen=True)
class Samples:
    """N inputs of a model with their labels and weights."""

    inputs: np.ndarray
    """(N, ...), such as uint8 faces (N, 48, 48, 1)."""
    labels: np.ndarray
    """int64 (N,), 0 to K - 1."""
    weights: np.ndarray
    """float32 (N,), the weight of each in the training loss."""
    shares: np.ndarray | None = None
    """float32 (N, K), where labels are soft: what each class is of a label, with the sum 1."""


def with_noisy_copies(samples: Samples, settings: TrainingSettings) -> Samples:
    """Appends a copy of each sample with salt-and-pepper noise if the settings want copies."""
    augmentation = settings.augmentation
    if not augmentation.salt_and_pepper_copies:
        return samples
    noise = SaltAndPepper(fraction=augmentation.salt_and_pepper_fraction, seed=settings.seed)
    # In batches: each call of the layer draws from the next state of its seed generator.
    copies = np.concatenate(
        [
            noise(samples.inputs[start : start + _NOISE_BATCH], training=True)
            for start in range(0, len(samples.labels), _NOISE_BATCH)
        ]
    )
    return Samples(
        inputs=np.concatenate([samples.inputs, copies]),
        labels=np.tile(samples.labels, 2),
        weights=np.tile(samples.weights, 2),
        shares=None if samples.shares is None else np.tile(samples.shares, (2, 1)),
    )
