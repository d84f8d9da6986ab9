"""Batches: seeded, complete, paired, and checked."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from dnaclip._errors import InputError
from dnaclip.train import Batch, Feed

if TYPE_CHECKING:
    from pathlib import Path


def numbered(n: int, **options: object) -> Feed:
    """Make a feed whose values tell which row they come from."""
    index = torch.arange(n, dtype=torch.float32)
    return Feed({"dna": torch.stack([index, index + 0.5], 1), "text": (index[:, None], index.long())}, **options)  # type: ignore[arg-type]


def rows_of(feed: Feed, *, seed: int = 0, epoch: int = 1, batch_size: int = 4) -> list[list[int]]:
    return [batch.rows.tolist() for batch in feed.epoch(seed=seed, epoch=epoch, batch_size=batch_size)]


def test_every_row_at_most_once_and_the_incomplete_batch_dropped() -> None:
    batches = rows_of(numbered(10))
    assert [len(batch) for batch in batches] == [4, 4]
    assert len({row for batch in batches for row in batch}) == 8
    assert sorted(sum(rows_of(numbered(12)), [])) == list(range(12))


def test_values_stay_paired() -> None:
    for batch in numbered(10, same=np.arange(10) * 7).epoch(seed=3, epoch=2, batch_size=5):
        (dna,), (text, index) = batch.inputs["dna"], batch.inputs["text"]
        assert len(batch) == 5
        assert dna[:, 0].tolist() == text[:, 0].tolist() == index.tolist() == batch.rows.tolist()
        assert batch.same is not None
        assert batch.same.tolist() == [7 * row for row in batch.rows.tolist()]


def test_order_follows_from_seed_and_epoch() -> None:
    feed = numbered(64)
    assert rows_of(feed) == rows_of(feed)
    orders = [rows_of(feed, seed=seed, epoch=epoch) for seed in (0, 1, 2) for epoch in (1, 2, 3)]
    assert len({str(order) for order in orders}) == 9


def test_only_chosen_rows() -> None:
    feed = numbered(10, rows=[1, 3, 5, 7])
    assert len(feed) == 4
    assert sorted(rows_of(feed)[0]) == [1, 3, 5, 7]
    assert [batch.rows.tolist() for batch in feed.in_order(3)] == [[1, 3, 5], [7]]


def test_weights_change_how_often_a_row_comes() -> None:
    weights = np.where(np.arange(200) < 100, 9.0, 1.0)
    feed = numbered(200, weights=weights)
    batches = [batch for epoch in range(1, 40) for batch in rows_of(feed, epoch=epoch, batch_size=10)]
    assert all(len(set(batch)) == 10 for batch in batches), "a gene came twice in one batch"
    share = np.mean([row < 100 for batch in batches for row in batch])
    assert share == pytest.approx(0.9, abs=0.01)
    assert len(rows_of(feed, batch_size=10)) == 20
    assert rows_of(feed, epoch=5) == rows_of(feed, epoch=5)


def test_weights_count_only_among_chosen_rows() -> None:
    feed = numbered(6, rows=[0, 1, 2, 3], weights=np.array([1, 1, 1, 1, 1e9, np.nan]))
    assert sorted(rows_of(feed)[0]) == [0, 1, 2, 3]


def test_transform_is_seeded() -> None:
    def noise(batch: Batch, generator: torch.Generator) -> Batch:
        (dna,) = batch.inputs["dna"]
        noisy = dna + torch.rand(dna.shape, generator=generator)
        return replace(batch, inputs=batch.inputs | {"dna": (noisy,)})

    feed = numbered(8, transform=noise)
    first, again, later = (
        torch.cat([batch.inputs["dna"][0] for batch in feed.epoch(seed=0, epoch=epoch, batch_size=4)])
        for epoch in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first.sort(0).values, later.sort(0).values)
    one, two = (torch.cat([batch.inputs["dna"][0] for batch in feed.in_order(3)]) for _ in range(2))
    assert torch.equal(one, two)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_any_float_width_comes_out_as_float32(dtype: type) -> None:
    values: np.ndarray = np.arange(12).reshape(4, 3).astype(dtype)
    (batch,) = Feed({"dna": values, "text": values}).in_order()
    assert batch.inputs["dna"][0].dtype == torch.float32
    assert np.array_equal(batch.inputs["dna"][0].numpy(), values.astype(np.float32))


def test_takes_arrays_that_are_read_only_or_reversed() -> None:
    values = np.arange(12, dtype=np.float32).reshape(4, 3)
    frozen = values.copy()
    frozen.flags.writeable = False
    (batch,) = Feed({"dna": frozen, "text": values[::-1]}).in_order()
    assert torch.equal(batch.inputs["dna"][0], batch.inputs["text"][0].flip(0))


def test_a_mapped_file_is_not_copied(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float16)
    np.save(tmp_path / "vectors.npy", values)
    mapped = np.load(tmp_path / "vectors.npy", mmap_mode="r")
    feed = Feed({"dna": mapped, "text": mapped[:, :2]})
    assert feed.inputs["dna"][0].data_ptr() == feed.inputs["text"][0].data_ptr() == mapped.ctypes.data
    (batch,) = feed.epoch(seed=0, epoch=1, batch_size=40)
    assert np.array_equal(batch.inputs["text"][0].numpy(), values[batch.rows.numpy(), :2].astype(np.float32))
    batch.inputs["dna"][0].zero_()  # what is handed out is no longer the file
    assert np.array_equal(np.load(tmp_path / "vectors.npy"), values)


def test_large_values_are_finite() -> None:
    # Their sum is infinite.
    largest = {"dna": torch.full((3, 4), 6e4, dtype=torch.float16), "text": torch.full((3, 4), -3e38)}
    assert len(Feed(largest)) == 3
    largest["text"][1, 2] = float("inf")
    with pytest.raises(InputError, match=r"1 rows of text\[0\] hold NaN or infinite values, for instance 1\."):
        Feed(largest)


def test_two_feeds_share_their_tensors() -> None:
    values = torch.ones(6, 2)
    one, other = (Feed({"dna": values, "text": values}, rows=rows) for rows in ([0, 1], [2, 3]))
    assert one.inputs["dna"][0].data_ptr() == other.inputs["dna"][0].data_ptr() == values.data_ptr()


def test_moving_keeps_everything() -> None:
    feed = numbered(10, rows=[1, 2, 3, 4], same=np.arange(10), weights=np.ones(10))
    moved = feed.to("cpu")
    assert rows_of(moved) == rows_of(feed)
    assert moved.fingerprint() == feed.fingerprint()


def test_fingerprint_sees_each_part() -> None:
    prints = [
        numbered(10).fingerprint(),
        numbered(11).fingerprint(),
        numbered(10, rows=range(9)).fingerprint(),
        numbered(10, rows=[1, 0, *range(2, 10)]).fingerprint(),
        numbered(10, same=np.arange(10)).fingerprint(),
        numbered(10, weights=np.ones(10)).fingerprint(),
        Feed({"dna": torch.zeros(10, 2), "text": torch.zeros(10, 1)}).fingerprint(),
        Feed({"dna": torch.zeros(10, 2), "protein": torch.zeros(10, 1)}).fingerprint(),
    ]
    assert len(set(prints)) == len(prints)
    assert numbered(10).fingerprint() == prints[0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rows": [3]}, "at least two pairs are needed, got 1"),
        ({"rows": []}, "at least two pairs are needed, got 0"),
        ({"rows": [0, 1, 10, -1]}, r"rows must be different row numbers of the 10 pairs: 10, -1 are outside 0\.\.9"),
        ({"rows": [0, 1, 1]}, "rows must be different row numbers of the 10 pairs: some come twice"),
        ({"rows": np.ones(10, dtype=bool)}, r"got bool of shape \(10,\). For a mask use numpy.flatnonzero"),
        ({"rows": [0.5, 1.5]}, "rows must be a list of row numbers, got float64"),
        ({"same": np.zeros(9, dtype=int)}, "must have one length.*'same': 9"),
        ({"same": np.zeros((10, 1), dtype=int)}, "`same` and `weights` one-dimensional"),
        ({"weights": np.zeros(10)}, "weights must be finite numbers above 0. To leave a row out"),
        ({"weights": np.full(10, np.nan)}, "weights must be finite numbers above 0"),
    ],
)
def test_refuses(options: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        numbered(10, **options)


def test_refuses_unequal_lengths() -> None:
    with pytest.raises(InputError, match=r"'dna\[0\]': 3, 'text\[0\]': 4"):
        Feed({"dna": torch.zeros(3, 2), "text": torch.zeros(4, 2)})


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_names_rows_that_are_not_finite(bad: float) -> None:
    text = torch.zeros(9000, 2)
    text[5:8999:100, 1] = bad
    inputs = {"dna": torch.zeros(9000, 2), "text": text}
    with pytest.raises(InputError, match=r"90 rows of text\[0\] hold NaN or infinite values, for instance 5, 105, 205"):
        Feed(inputs)
    # Genes that lack a modality are no trouble when they are left out.
    assert len(Feed(inputs, rows=torch.arange(9000)[text.isfinite().all(1)])) == 8910


def test_a_feed_of_another_kind_stays_one_on_its_device() -> None:
    class Backwards(Feed):
        pass

    assert isinstance(Backwards({"dna": torch.zeros(3, 2), "text": torch.zeros(3, 2)}).to("cpu"), Backwards)
