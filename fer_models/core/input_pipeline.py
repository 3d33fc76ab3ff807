"""Input pipelines: batches of arrays, shuffled in each epoch by a seed, or in order."""

from collections.abc import Iterable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from fer_data.core.errors import UserError

_TINY = 1e-30


def num_batches(num_rows: int, *, batch_size: int, num_devices: int) -> int:
    """Computes the batches of an epoch, so that every device has a row of each.

    Args:
        num_rows: N.
        batch_size: Rows a batch, over all devices.
        num_devices: How many devices share a batch.

    Returns:
        `ceil(N / batch_size)`; on several devices at least 2, and fewer where so many would leave a
        device without a row.

    Raises:
        UserError: There are fewer than two rows for each device, or a batch has fewer rows than devices.
    """
    if num_devices == 1:
        return -(-num_rows // batch_size)
    if num_devices > min(batch_size, num_rows // 2):
        raise UserError(
            f"batches of {batch_size} out of {num_rows} faces cannot be shared by {num_devices} "
            "devices: expected a face of each batch for each, and two batches; raise `batch_size`, or "
            "let `CUDA_VISIBLE_DEVICES` name fewer GPUs"
        )
    return max(2, min(-(-num_rows // batch_size), num_rows // num_devices))


def training_batches(
    *arrays: np.ndarray, batch_size: int, seed: int, epochs: range, num_devices: int = 1
) -> tf.data.Dataset:
    """Makes batches of rows of `arrays`, epoch after epoch, each shuffled differently.

    An epoch's order follows from the seed and the epoch's number alone, so that a resumed training sees
    the batches that it would have seen without a break. Only row numbers are shuffled, and rows are
    gathered a batch at a time: the pipeline costs no copy of the faces and one operation a batch.

    Args:
        *arrays: Arrays of N rows each: faces, labels, weights.
        batch_size: Rows a batch; the last one of an epoch may be smaller.
        seed: Seed of the orders.
        epochs: The numbers of the epochs, without a gap.
        num_devices: How many devices share a batch; with several, an element is the share of one.

    Returns:
        A data set of tuples, an element an array, of `num_batches` batches an epoch. Of several devices
        each has a share of every batch, and shares differ by a row at most: a device without a row
        would end the training.
    """
    tensors = tuple(tf.constant(array) for array in arrays)
    num_rows = len(arrays[0])

    def order(epoch: tf.Tensor) -> tf.data.Dataset:
        # A random number a row; their order is the permutation.
        draw = tf.stack([tf.constant(seed, tf.int64), epoch])
        shuffled = tf.argsort(tf.random.stateless_uniform([num_rows], seed=draw), stable=True)
        return _shares(shuffled, num_rows, batch_size=batch_size, num_devices=num_devices)

    batches = tf.data.Dataset.range(epochs.start, epochs.stop).flat_map(order)
    gathered = batches.map(lambda batch: tuple(tf.gather(tensor, batch) for tensor in tensors))
    return untuned(gathered.prefetch(4))


def mixed(batches: tf.data.Dataset, *, alpha: float, seed: int, start: int = 0) -> tf.data.Dataset:
    """Mixes the faces of each batch in pairs, and their labels as much (mixup: Zhang et al., 2018).

    Each face is mixed with the one as far from the batch's other end; its own share is drawn from
    Beta(alpha, alpha). Shares follow from the seed and the batch's number alone, as the order does.

    Args:
        batches: Of inputs, (B, ...), labels, float32 (B, K), and weights, float32 (B,).
        alpha: Above 0; the larger, the more evenly faces are mixed.
        seed: Seed of the shares.
        start: The number of the first batch.
    """

    def mix(number: tf.Tensor, batch: tuple[tf.Tensor, ...]) -> tuple[tf.Tensor, ...]:
        inputs, labels, weights = batch
        draws = tf.random.stateless_gamma(
            tf.stack([2, tf.shape(inputs)[0]]),
            tf.stack([tf.constant(seed, tf.int64), number]),
            tf.constant(alpha),
        )
        # Gammas of a small alpha can both be 0: such a face stays as it is.
        own = tf.math.divide_no_nan(draws[0] + _TINY, draws[0] + draws[1] + _TINY)
        of_inputs = tf.reshape(own, [-1] + [1] * (len(inputs.shape) - 1))
        mixture = tf.cast(inputs, tf.float32)
        mixture = of_inputs * mixture + (1 - of_inputs) * mixture[::-1]
        if inputs.dtype.is_integer:
            mixture = tf.round(mixture)
        # What a face weighs in the loss goes with its share of the label.
        first, second = own * weights, (1 - own) * weights[::-1]
        weighed = first[:, tf.newaxis] * labels + second[:, tf.newaxis] * labels[::-1]
        total = first + second
        return (
            tf.cast(mixture, inputs.dtype),
            tf.math.divide_no_nan(weighed, total[:, tf.newaxis]),
            total,
        )

    return untuned(batches.enumerate(start).map(mix).prefetch(4))


def ordered_batches(*arrays: np.ndarray, batch_size: int, num_devices: int = 1) -> tf.data.Dataset:
    """Makes batches of rows of `arrays`, in order, once.

    Args:
        *arrays: Arrays of N rows each.
        batch_size: Rows a batch; the last one may be smaller.
        num_devices: As for `training_batches`.

    Returns:
        A data set of tuples, an element an array.
    """
    sizes = {"batch_size": batch_size, "num_devices": num_devices}
    return untuned(_shares(arrays, len(arrays[0]), **sizes).prefetch(2))


def _shares(
    rows: tf.Tensor | tuple[np.ndarray, ...], num_rows: int, *, batch_size: int, num_devices: int
) -> tf.data.Dataset:
    """Batches of rows; for several devices the shares of each batch, one after the other."""
    if num_devices == 1:
        return tf.data.Dataset.from_tensor_slices(rows).batch(batch_size)
    num_shares = num_devices * num_batches(num_rows, batch_size=batch_size, num_devices=num_devices)
    # All shares have `size` rows, and `num_larger` of them one more.
    size, num_larger = divmod(num_rows, num_shares)
    # Keras wants the shares of the first batch to be equal: all of the larger ones, or of the others.
    num_smaller_first = 0 if num_larger >= num_devices else num_shares - num_larger
    tensors = tf.nest.map_structure(tf.convert_to_tensor, rows)

    def share(number: tf.Tensor) -> tf.Tensor | tuple[tf.Tensor, ...]:
        # Shares before `number` of the smaller size, plus a row for each larger one among them.
        start, stop = (
            size * place + tf.clip_by_value(place - num_smaller_first, 0, num_larger)
            for place in (number, number + 1)
        )
        return tf.nest.map_structure(lambda tensor: tensor[start:stop], tensors)

    return tf.data.Dataset.range(num_shares).map(share)


def shared(batches: tf.data.Dataset, split: tf.distribute.Strategy) -> Iterable[Any]:
    """Wraps batches for a strategy: each of several devices takes the next element."""
    if split.num_replicas_in_sync == 1:
        return batches
    return split.distribute_datasets_from_function(lambda _: batches)


def untuned(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Disables the thread that tunes the parallelism of a data set.

    That thread sleeps for as long as the data set has been read, at most a minute, and may miss the end:
    a training that took 25 s then ends after 41 s. Nothing here is left to it to tune.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)


def make_repeatable(seed: int, *, deterministic: bool) -> None:
    """Seeds Python, NumPy and TensorFlow, and enables deterministic operations if wanted."""
    keras.utils.set_random_seed(seed)
    if deterministic:
        tf.config.experimental.enable_op_determinism()
