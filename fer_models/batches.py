"""Feeds arrays to Keras batch by batch: shuffled anew each epoch, the same for a seed, or in order."""

import keras
import numpy as np
import tensorflow as tf


def training_batches(
    *arrays: np.ndarray, batch_size: int, seed: int, epochs: range
) -> tf.data.Dataset:
    """Batches of rows of `arrays`, epoch after epoch, each in an order of its own.

    An epoch's order follows from the seed and the epoch's number alone, so that a training that is taken
    up again goes on as if it had never stopped. Only row numbers are shuffled, and rows are gathered a
    batch at a time: the pipeline costs no copy of the faces and one operation a batch.

    Args:
        *arrays: Arrays of N rows each: faces, labels, weights.
        batch_size: Rows a batch; the last one of an epoch may be smaller.
        seed: Seed of the orders.
        epochs: The numbers of the epochs, without a gap.

    Returns:
        A data set of tuples, one part an array, of `ceil(N / batch_size)` batches an epoch.
    """
    tensors = tuple(tf.constant(array) for array in arrays)
    num_rows = len(arrays[0])

    def order(epoch: tf.Tensor) -> tf.data.Dataset:
        draw = tf.stack([tf.constant(seed, tf.int64), epoch])
        shuffled = tf.argsort(tf.random.stateless_uniform([num_rows], seed=draw), stable=True)
        return tf.data.Dataset.from_tensor_slices(shuffled).batch(batch_size)

    batches = tf.data.Dataset.range(epochs.start, epochs.stop).flat_map(order)
    gathered = batches.map(lambda batch: tuple(tf.gather(tensor, batch) for tensor in tensors))
    return untuned(gathered.prefetch(4))


def ordered_batches(*arrays: np.ndarray, batch_size: int) -> tf.data.Dataset:
    """Batches of rows of `arrays`, in order, once.

    Args:
        *arrays: Arrays of N rows each.
        batch_size: Rows a batch; the last one may be smaller.

    Returns:
        A data set of tuples, one part an array.
    """
    return untuned(tf.data.Dataset.from_tensor_slices(arrays).batch(batch_size).prefetch(2))


def untuned(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """The data set without the thread that tunes the parallelism of its parts.

    That thread sleeps for as long as the data set has been read, at most a minute, and may miss the end:
    a training that took 25 s then ends after 41 s. Nothing here is left to it to tune.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)


def make_repeatable(seed: int, *, deterministic: bool) -> None:
    """Seeds Python, NumPy and TensorFlow, and asks for deterministic operations if wanted."""
    keras.utils.set_random_seed(seed)
    if deterministic:
        tf.config.experimental.enable_op_determinism()
