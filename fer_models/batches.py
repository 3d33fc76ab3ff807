"""Feeds arrays to Keras: shuffled anew each epoch, gathered batch by batch, the same for a seed."""

import keras
import numpy as np
import tensorflow as tf


def training_batches(*arrays: np.ndarray, batch_size: int, seed: int) -> tf.data.Dataset:
    """Batches of rows of `arrays` in an order that differs from epoch to epoch.

    Only row numbers are shuffled, and rows are gathered a batch at a time, so that the pipeline
    costs no copy of the faces and one operation a batch.

    Args:
        *arrays: Arrays of N rows each: faces, labels, weights.
        batch_size: Rows a batch; the last one of an epoch may be smaller.
        seed: Seed of the orders: the same for a seed.

    Returns:
        A data set of tuples, one part an array.
    """
    num_rows = len(arrays[0])
    tensors = tuple(tf.constant(array) for array in arrays)
    rows = tf.data.Dataset.range(num_rows).shuffle(num_rows, seed=seed).batch(batch_size)
    return rows.map(lambda batch: tuple(tf.gather(tensor, batch) for tensor in tensors)).prefetch(2)


def make_repeatable(seed: int, *, deterministic: bool) -> None:
    """Seeds Python, NumPy and TensorFlow, and asks for deterministic operations if wanted."""
    keras.utils.set_random_seed(seed)
    if deterministic:
        tf.config.experimental.enable_op_determinism()
