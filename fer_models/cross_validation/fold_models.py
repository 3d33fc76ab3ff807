"""Builds and trains the fold models of `crossval`: small networks for two processor cores.

A fold model is trained on small faces first, which costs a third as much an epoch, and on whole ones in
the end (progressive resizing: Howard, 2018, fast.ai's entry to DAWNBench).
"""

import sys
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from fer_data.core.schema import FACE_SIZE
from fer_models.augmentation.transforms import AffineLimits, interpolation_blur, random_affine
from fer_models.core.input_pipeline import untuned
from fer_models.core.watch_inputs import InputsCheck
from fer_models.cross_validation.crossval_settings import JudgeSettings

_PREDICTION_BATCH = 512


def build_fold_model(filters: tuple[int, ...], *, dropout: float, num_classes: int) -> keras.Model:
    """Builds a plain convolutional network for any input size: 5x5 with stride 2, then two 3x3 a stage.

    Args:
        filters: Filters of each stage.
        dropout: Dropout of the features, the mean of the last maps.
        num_classes: K.

    Returns:
        A model from grey levels, float32 (N, size, size, 1), to features (N, `filters[-1]`) and
        logits (N, K), a dict of both.
    """
    layers = keras.layers

    def convolution(maps: Any, width: int, kernel: int = 3, stride: int = 1) -> Any:
        maps = layers.Conv2D(
            *(width, kernel, stride),
            padding="same",
            use_bias=False,
            kernel_initializer="he_normal",
        )(maps)
        return layers.ReLU()(layers.BatchNormalization(momentum=0.95)(maps))

    faces = keras.Input((None, None, 1), name="faces")
    maps = layers.Rescaling(1 / 64, offset=-2)(faces)
    maps = convolution(maps, filters[0], kernel=5, stride=2)
    for number, width in enumerate(filters):
        if number:
            maps = layers.MaxPooling2D(padding="same")(maps)
        maps = convolution(convolution(maps, width), width)
    features = layers.GlobalAveragePooling2D()(maps)
    logits = layers.Dense(num_classes)(layers.Dropout(dropout)(features))
    return keras.Model(faces, {"features": features, "logits": logits}, name="fold_model")


def train_fold_model(
    faces: np.ndarray, targets: np.ndarray, *, settings: JudgeSettings, seed: int
) -> keras.Model:
    """Trains a fold model on all the given faces.

    Args:
        faces: uint8 (N, 48, 48).
        targets: float32 (N, K), one-hot labels.
        settings: The training settings.
        seed: Seed of the order and the augmentation of the faces; initial weights and dropout follow
            the global seed.

    Returns:
        The model, as `build_fold_model` describes it.
    """
    model = build_fold_model(
        settings.filters, dropout=settings.dropout, num_classes=targets.shape[1]
    )
    logits = keras.Model(model.input, model.output["logits"])
    steps_per_epoch = -(-len(faces) // settings.batch_size)
    steps = steps_per_epoch * sum(epochs for _, epochs in settings.phases)
    # One cycle over all phases: a tenth of the steps of linear warmup, then a cosine down to 0.
    optimizer = keras.optimizers.AdamW(
        keras.optimizers.schedules.CosineDecay(
            initial_learning_rate=settings.learning_rate / 10,
            warmup_target=settings.learning_rate,
            warmup_steps=steps // 10,
            decay_steps=steps - steps // 10,
        ),
        weight_decay=settings.weight_decay,
    )
    optimizer.exclude_from_weight_decay(var_names=["beta", "gamma", "bias"])
    logits.compile(
        optimizer=optimizer,
        loss=keras.losses.CategoricalCrossentropy(
            from_logits=True, label_smoothing=settings.label_smoothing
        ),
        metrics=["accuracy"],
    )
    verbose = 1 if sys.stderr.isatty() else 2  # a bar on a terminal, a line an epoch in a log
    for number, (size, epochs) in enumerate(settings.phases):
        batches = _augmented_batches(faces, targets, settings, size=size, seed=seed + 1000 * number)
        logits.fit(
            batches,
            epochs=epochs,
            steps_per_epoch=steps_per_epoch,
            callbacks=[InputsCheck()],
            shuffle=False,
            verbose=verbose,
        )
    return model


def _augmented_batches(
    faces: np.ndarray, targets: np.ndarray, settings: JudgeSettings, *, size: int, seed: int
) -> tf.data.Dataset:
    """Endless batches, shuffled and augmented differently in each epoch."""
    all_faces, all_targets = tf.constant(faces[..., np.newaxis]), tf.constant(targets)
    limits = AffineLimits(settings.shift, settings.rotation, settings.zoom)

    def batch(rows: tf.Tensor, number: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        gathered = tf.cast(tf.gather(all_faces, rows), tf.float32)
        draw = tf.stack([tf.constant(seed, tf.int64), number])
        return random_affine(gathered, draw, size=size, limits=limits), tf.gather(all_targets, rows)

    rows = tf.data.Dataset.range(len(faces)).shuffle(len(faces), seed=seed)
    rows = rows.batch(settings.batch_size).repeat()
    numbered = tf.data.Dataset.zip(rows, tf.data.Dataset.counter())
    # Batches are augmented in parallel and come in order: the seed of each is its number.
    return untuned(numbered.map(batch, num_parallel_calls=4, deterministic=True).prefetch(4))


def features_and_logits(
    model: keras.Model, faces: np.ndarray, *, smoothed: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Predicts features and logits, each the mean over the face and its horizontal flip.

    Args:
        model: As `build_fold_model` describes it.
        faces: uint8 (N, 48, 48).
        smoothed: Whether the faces are blurred as much as random affine maps blurred the training faces.

    Returns:
        float32 (N, F) and float32 (N, K).
    """
    if smoothed:
        grey = keras.Input((FACE_SIZE, FACE_SIZE, 1))
        model = keras.Model(grey, model(interpolation_blur(grey)))
    features, logits = [], []
    for start in range(0, len(faces), _PREDICTION_BATCH):
        batch = faces[start : start + _PREDICTION_BATCH, ..., np.newaxis].astype(np.float32)
        straight, flipped = (model(one, training=False) for one in (batch, batch[:, :, ::-1]))
        features.append((straight["features"] + flipped["features"]).numpy() / 2)
        logits.append((straight["logits"] + flipped["logits"]).numpy() / 2)
    return np.concatenate(features), np.concatenate(logits)
