import multiprocessing
import pickle
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from lolblur_synth.core.errors import UserError
from lolblur_synth.train.restoration.decoded_cache import decode_all
from lolblur_synth.train.restoration.pairs import Batch, Pairs, Sample, Shard, batches, loader, workers_for
from lolblur_synth.video.images import dequantize, write_png
from tests.support.lol_blur import SIZE, mark, picture, write_pairs

CPU = torch.device("cpu")
CROP = 16


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    return write_pairs(tmp_path_factory.mktemp("pairs"))


sizes = {"count": st.integers(1, 23), "batch": st.integers(1, 9), "seed": st.integers(0, 3)}


@given(**sizes, epochs=st.integers(1, 4))
def test_every_sample_comes_once_in_an_epoch(count, batch, seed, epochs):
    steps = -(-count * epochs // batch)
    stream = [sample for step in islice(batches(count, batch, seed), steps) for sample in step][: count * epochs]
    assert [epoch for epoch, _ in stream] == [epoch for epoch in range(epochs) for _ in range(count)]
    for epoch in range(epochs):
        assert sorted(index for of, index in stream if of == epoch) == list(range(count))


@given(**sizes, world=st.integers(1, 5), steps=st.integers(1, 6))
def test_processes_share_the_samples_of_a_step(count, batch, seed, world, steps):
    ranks = [islice(batches(count, batch, seed, shard=Shard(rank, world)), steps) for rank in range(world)]
    together = [[sample for part in parts for sample in part] for parts in zip(*ranks, strict=True)]
    assert together == list(islice(batches(count, batch * world, seed), steps))


@given(**sizes, first=st.integers(0, 40), world=st.integers(1, 3))
def test_resuming_is_going_on(count, batch, seed, first, world):
    whole = batches(count, batch, seed, shard=Shard(world - 1, world))
    assert list(islice(whole, first, first + 3)) == list(
        islice(batches(count, batch, seed, first, Shard(world - 1, world)), 3)
    )


def test_each_epoch_and_seed_has_an_order_of_its_own():
    def order(seed: int, epoch: int) -> list[int]:
        return [index for _, index in next(batches(50, 50, seed, epoch))]

    orders = [order(seed, epoch) for seed in range(3) for epoch in range(3)]
    assert len({tuple(order) for order in orders}) == 9
    assert order(1, 2) == order(1, 2)
    assert not torch.equal(torch.tensor(order(0, 0)), torch.arange(50))


@pytest.mark.parametrize("arguments", [(0, 1, 0), (5, 0, 0), (5, 1, 0, 0, Shard(2, 2)), (5, 1, 0, 0, Shard(-1, 2))])
def test_batches_that_cannot_be_are_refused(arguments):
    with pytest.raises(ValueError, match="no batches of"):
        next(batches(*arguments))


def places(crop: Tensor) -> tuple[Tensor, Tensor, int]:
    """Row and column that each pixel of a crop says it comes from, and of which picture."""
    codes = (crop * 255).round().int()
    assert torch.equal(codes[2], codes[2, :1, :1].expand_as(codes[2]))
    return codes[0], codes[1], int(codes[2, 0, 0])


def way(sample: Sample) -> tuple[int, int, tuple[int, ...]]:
    """Top, left and orientation of a crop, found in its pixels, which must be those of a square laid down."""
    rows, columns, _ = places(sample.input)
    steps = [int(codes.diff(dim=axis).unique().item()) for codes in (rows, columns) for axis in (0, 1)]
    assert sorted(map(abs, steps)) == [0, 0, 1, 1]
    assert abs(steps[0] * steps[3] - steps[1] * steps[2]) == 1
    return int(rows.min()), int(columns.min()), tuple(steps)


def test_crops_are_squares_of_the_files_laid_down_alike_for_both_partners(root):
    pairs = Pairs(root, crop=CROP)
    for epoch in range(20):
        for index in range(len(pairs)):
            sample = pairs[epoch, index]
            assert sample.input.shape == sample.target.shape == (3, CROP, CROP)
            assert sample.input.dtype == sample.target.dtype == torch.float32
            assert sample.input.is_contiguous()
            assert sample.name == f"{index // 3:04d}/{index % 3:04d}"
            way(sample)
            (rows, columns, dark), (same_rows, same_columns, sharp) = places(sample.input), places(sample.target)
            assert torch.equal(rows, same_rows)
            assert torch.equal(columns, same_columns)
            assert (dark, sharp) == (2 * index, 2 * index + 1)
            exact = dequantize(mark(index, 0))[:, rows.long(), columns.long()]
            assert torch.equal(sample.input, exact)


def test_crops_reach_every_border_in_every_orientation(root):
    pairs = Pairs(root, crop=CROP)
    ways = [way(pairs[epoch, 0]) for epoch in range(600)]
    assert len({orientation for *_, orientation in ways}) == 8
    assert {top for top, *_ in ways} == set(range(SIZE[0] - CROP + 1))
    assert {left for _, left, _ in ways} == set(range(SIZE[1] - CROP + 1))


def test_a_crop_is_a_function_of_seed_epoch_and_sample_alone(root):
    one, other = Pairs(root, crop=CROP, seed=1), Pairs(root, crop=CROP, seed=1)
    keys = [(epoch, index) for epoch in range(3) for index in range(6)]
    read = {key: other[key] for key in reversed(keys)}
    assert all(torch.equal(one[key].input, read[key].input) for key in keys)
    assert len({way(one[key]) for key in keys}) > 12
    assert any(way(one[key]) != way(Pairs(root, crop=CROP, seed=2)[key]) for key in keys)


def test_a_crop_as_large_as_a_picture_is_the_picture(tmp_path):
    for which in (0, 1):
        write_png(picture(tmp_path, 0, which), mark(0, which, (24, 24)))
    pairs = Pairs(tmp_path, crop=24)
    assert len({way(pairs[epoch, 0]) for epoch in range(60)}) == 8
    with pytest.raises(UserError, match="24x24 is smaller than the crop of 25"):
        Pairs(tmp_path, crop=25)


def test_decoded_pictures_give_the_same_samples(root, tmp_path):
    plain, cached = Pairs(root, crop=CROP), Pairs(root, crop=CROP, decode=partial(decode_all, tmp_path))
    for index in range(6):
        for one, other in ((plain[7, index], cached[7, index]), (plain.whole(index), cached.whole(index))):
            assert torch.equal(one.input, other.input)
            assert torch.equal(one.target, other.target)
            assert one.name == other.name


def test_a_pair_as_it_is(root):
    sample = Pairs(root, crop=CROP).whole(4)
    assert torch.equal(sample.input, dequantize(mark(4, 0)))
    assert torch.equal(sample.target, dequantize(mark(4, 1)))


def test_sixteen_bits_are_kept(tmp_path):
    write_pairs(tmp_path / "data", 1, dtype="uint16")
    for decode in (None, partial(decode_all, tmp_path / "cache")):
        pairs = Pairs(tmp_path / "data", crop=CROP, decode=decode)
        assert torch.equal(pairs.whole(0).input, torch.from_numpy(mark(0, 0)).permute(2, 0, 1).float() * 129 / 65535)
        codes = pairs[0, 0].input * 65535 / 129
        torch.testing.assert_close(codes, codes.round(), atol=1e-3, rtol=0)


def test_a_dataset_can_be_sent_to_another_process(root, tmp_path):
    pairs = Pairs(root, crop=CROP, decode=partial(decode_all, tmp_path))
    again = pickle.loads(pickle.dumps(pairs))
    assert len(pickle.dumps(pairs)) < 10_000
    assert torch.equal(again[3, 2].input, pairs[3, 2].input)


def direct(pairs: Pairs, batch: int, first_step: int = 0) -> Iterator[Batch]:
    """What a loader should give."""
    for keys in batches(len(pairs), batch, pairs.seed, first_step):
        dark, sharp, names = zip(*(pairs[key] for key in keys), strict=True)
        yield Batch(torch.stack(dark), torch.stack(sharp), names)


def assert_alike(found: Iterator[Batch], wanted: Iterator[Batch], steps: int) -> None:
    for one, other in zip(islice(found, steps), islice(wanted, steps), strict=True):
        assert torch.equal(one.input, other.input)
        assert torch.equal(one.target, other.target)
        assert one.names == other.names


def test_batches_in_this_process(root):
    pairs = Pairs(root, crop=CROP, seed=5)
    before = torch.get_rng_state()
    stream = loader(pairs, 4, 0, CPU, first_step=2)
    assert_alike(iter(stream), direct(pairs, 4, 2), 4)
    assert_alike(iter(stream), direct(pairs, 4, 2), 2)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("name", ["INT", "TERM", "HUP"])
def test_batches_from_a_worker_that_no_terminal_ends(root, name):
    pairs, others = Pairs(root, crop=CROP), multiprocessing.active_children()
    stream = iter(loader(pairs, 4, 1, CPU))
    assert_alike(stream, direct(pairs, 4), 2)
    (worker,) = set(multiprocessing.active_children()) - set(others)
    subprocess.run(["bash", "-c", f"kill -{name} {worker.pid}"], check=True)
    assert_alike(stream, direct(pairs, 4, 2), 9)
    stream.close()
    assert not worker.is_alive()


def test_a_worker_that_is_killed_is_told_in_one_line(root):
    others = multiprocessing.active_children()
    stream = iter(loader(Pairs(root, crop=CROP), 4, 1, CPU))
    next(stream)
    (worker,) = set(multiprocessing.active_children()) - set(others)
    time.sleep(1)  # by now it waits for work; at work it may hold a lock of torch's, for which torch waits forever
    worker.kill()
    with pytest.raises(UserError, match=r"^a process that reads pairs was lost \([^\n]*; use fewer workers[^\n]*$"):
        list(islice(stream, 20))


@pytest.mark.parametrize("workers", [0, 1])
def test_a_picture_that_cannot_be_decoded_is_told_in_one_line(workers, tmp_path):
    path = picture(write_pairs(tmp_path), 1, 1)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    pairs = Pairs(tmp_path, crop=CROP)
    with pytest.raises(UserError) as caught:
        list(islice(loader(pairs, 6, workers, CPU), 1))
    assert str(caught.value).startswith(f"{path}: not a picture that can be decoded")
    assert "\n" not in str(caught.value)


SCRIPT = """
import sys
from pathlib import Path
from itertools import islice
import torch
from lolblur_synth.train.restoration.pairs import Pairs, loader
if __name__ == "__main__":
    pairs = Pairs(Path(sys.argv[1]), crop=16)
    stream = iter(loader(pairs, 2, 1, torch.device("cpu")))
    print(sum(len(batch.input) for batch in islice(stream, 5)))
"""


def test_a_program_that_just_ends_leaves_no_warning_and_no_process(root, tmp_path):
    (tmp_path / "program.py").write_text(SCRIPT)
    command = [sys.executable, "-W", "error", str(tmp_path / "program.py"), str(root)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "10\n", "")


def test_a_program_that_is_killed_leaves_no_process(root, tmp_path):
    (tmp_path / "program.py").write_text(f"{SCRIPT}    import os; os.kill(os.getpid(), 9)\n")
    program = subprocess.Popen([sys.executable, str(tmp_path / "program.py"), str(root)], start_new_session=True)
    assert program.wait(timeout=120) == -9
    deadline = time.monotonic() + 60  # the server has much to take down
    while subprocess.run(["ps", "-s", str(program.pid)], capture_output=True, check=False).returncode == 0:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_workers_fit_the_machine():
    assert workers_for(CPU) == 1
    assert workers_for(CPU, decoded=True) == 0
    assert 1 <= workers_for(torch.device("cuda")) <= 16
    assert workers_for(torch.device("cuda"), ranks=10_000) == 1
    assert np.all(np.diff([workers_for(torch.device("cuda"), ranks) for ranks in (1, 2, 4, 8)]) <= 0)
