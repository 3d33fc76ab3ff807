from itertools import chain

import numpy as np
import pytest

from fer_data.core.errors import UserError
from fer_models.core.input_pipeline import (
    mixed,
    num_batches,
    ordered_batches,
    training_batches,
)


def orders(seed: int, epochs: range = range(2)) -> list[list[int]]:
    rows, squares = np.arange(10), np.arange(10) ** 2
    parts = list(
        training_batches(rows, squares, batch_size=4, seed=seed, epochs=epochs).as_numpy_iterator()
    )
    assert [len(part) for part, _ in parts] == [4, 4, 2] * len(epochs)
    for part, square in parts:
        np.testing.assert_array_equal(square, part**2)
    seen = np.concatenate([part for part, _ in parts])
    return seen.reshape(len(epochs), 10).tolist()


def test_each_epoch_has_every_row_once_in_an_order_of_its_own() -> None:
    first, second = orders(seed=0)
    assert sorted(first) == sorted(second) == list(range(10))
    assert first != second


@pytest.mark.parametrize("seed", [0, 7])
def test_the_seed_decides_the_orders(seed: int) -> None:
    assert orders(seed) == orders(seed)
    assert orders(seed) != orders(seed + 1)


def test_later_epochs_do_not_depend_on_earlier_ones() -> None:
    assert orders(3, range(5))[2:] == orders(3, range(2, 5))


def test_rows_in_order_come_once() -> None:
    parts = list(ordered_batches(np.arange(5), np.arange(5) ** 2, batch_size=3).as_numpy_iterator())
    assert [part.tolist() for part, _ in parts] == [[0, 1, 2], [3, 4]]
    assert [square.tolist() for _, square in parts] == [[0, 1, 4], [9, 16]]


@pytest.mark.parametrize("num_devices", [2, 7, 8, 16])
def test_each_device_has_a_share_of_every_batch(num_devices: int) -> None:
    """49 rows in batches of 32 leave 17, of which 8 devices got 3, 3, 3, 3, 3, 2, none and none."""
    rows = np.arange(49)
    options = {"batch_size": 32, "num_devices": num_devices}
    shuffled = training_batches(rows, **options, seed=0, epochs=range(2))
    epochs = [share.tolist() for (share,) in shuffled.as_numpy_iterator()]
    in_order = [share.tolist() for (share,) in ordered_batches(rows, **options).as_numpy_iterator()]
    assert len(in_order) == num_devices * num_batches(49, **options) == 2 * num_devices
    assert list(chain(*in_order)) == rows.tolist()
    first, second = epochs[: len(in_order)], epochs[len(in_order) :]
    assert sorted(chain(*first)) == sorted(chain(*second)) == rows.tolist()
    assert first != second
    for shares in (first, second, in_order):
        sizes = {len(share) for share in shares}
        assert min(sizes) > 0
        assert max(sizes) - min(sizes) <= 1
        assert len({len(share) for share in shares[:num_devices]}) == 1  # Keras takes their mean


def test_as_many_batches_as_leave_no_device_without() -> None:
    assert num_batches(17, batch_size=8, num_devices=1) == 3
    assert num_batches(17, batch_size=8, num_devices=8) == 2
    assert num_batches(17, batch_size=32, num_devices=1) == 1
    assert num_batches(17, batch_size=32, num_devices=8) == 2  # one could not be shared evenly


@pytest.mark.parametrize(("batch_size", "num_rows"), [(4, 100), (32, 15)])
def test_more_devices_than_faces_are_one_line(batch_size: int, num_rows: int) -> None:
    with pytest.raises(UserError, match=f"batches of {batch_size} out of {num_rows} faces .* by 8"):
        num_batches(num_rows, batch_size=batch_size, num_devices=8)


def test_no_batches_have_a_tuner_that_may_miss_their_end() -> None:
    rows = np.arange(10)
    shuffled = training_batches(rows, batch_size=4, seed=0, epochs=range(1))
    for batches in (shuffled, ordered_batches(rows, batch_size=4)):
        assert batches.options().autotune.enabled is False


def mixtures(*, alpha: float = 0.4, start: int = 0, weights: tuple[float, ...] = (1.0,) * 8):
    """Two batches of four faces, each of one gray level and of the class that its number says."""
    levels = np.array([0, 40, 80, 120, 160, 200, 240, 250], np.uint8)
    faces = np.broadcast_to(levels[:, None, None, None], (8, 2, 2, 1)).copy()
    labels = np.eye(8, dtype=np.float32)
    batches = ordered_batches(faces, labels, np.array(weights, np.float32), batch_size=4)
    parts = mixed(batches.skip(start), alpha=alpha, seed=3, start=start).as_numpy_iterator()
    return levels, [np.concatenate(column) for column in zip(*parts, strict=True)]


def test_faces_are_mixed_in_pairs_and_labels_as_much() -> None:
    levels, (faces, labels, weights) = mixtures()
    np.testing.assert_allclose(labels.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(faces[:, 0, 0, 0], labels @ levels, atol=0.5 + 1e-3)
    np.testing.assert_allclose(weights, 1, atol=1e-6)
    partners = [3, 2, 1, 0, 7, 6, 5, 4]
    assert all(set(np.flatnonzero(row)) <= {n, partners[n]} for n, row in enumerate(labels))
    assert len(np.unique(labels.max(axis=1).round(6))) > 4  # each face has a share of its own


def test_a_face_without_weight_leaves_nothing_of_itself_in_a_label() -> None:
    _, (_, labels, weights) = mixtures(weights=(0.0, 1.0, 1.0, 2.0, 1.0, 1.0, 1.0, 1.0))
    assert labels[0].tolist() == [0, 0, 0, 1, 0, 0, 0, 0]
    assert 0 < weights[0] < 2  # the share of its partner


def test_mixtures_follow_from_the_number_of_a_batch() -> None:
    _, whole = mixtures()
    _, later = mixtures(start=1)
    for all_of_it, end in zip(whole, later, strict=True):
        np.testing.assert_array_equal(all_of_it[4:], end)


def test_shares_of_a_tiny_alpha_are_numbers() -> None:
    _, (_, labels, weights) = mixtures(alpha=1e-4)
    assert np.isfinite(labels).all()
    np.testing.assert_allclose(weights, 1)
    np.testing.assert_allclose(labels.max(axis=1), 1)


def test_inputs_that_are_no_pixels_are_not_rounded() -> None:
    inputs = np.array([[0.25], [0.75]], np.float32)
    batches = ordered_batches(
        inputs, np.eye(2, dtype=np.float32), np.ones(2, np.float32), batch_size=2
    )
    mixtures, labels, _ = next(iter(mixed(batches, alpha=1.0, seed=0).as_numpy_iterator()))
    np.testing.assert_allclose(mixtures, labels @ inputs, rtol=1e-6)
