"""Pairs to train on: crops, turns and order are a pure function of seed, epoch and sample, whoever reads them."""

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import count as count_from
from multiprocessing import get_context, parent_process
from pathlib import Path
from typing import NamedTuple, cast

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, default_collate

from lolblur_synth.core.devices import cores
from lolblur_synth.core.errors import UserError
from lolblur_synth.core.rng import rng_for
from lolblur_synth.core.signals import held
from lolblur_synth.dataset.layout import Split
from lolblur_synth.dataset.pairs import INPUT, TARGET, PairFiles, check_crop, find_pairs, read_picture
from lolblur_synth.train.restoration.decoded_cache import Decoded
from lolblur_synth.video.images import Pixels, dequantize

_AHEAD = 4  # batches that each worker holds ready
_MOST_WORKERS = 16


class Sample(NamedTuple):
    """A pair, in sRGB in [0, 1], float32."""

    input: Tensor  # (3, c, c)
    target: Tensor  # (3, c, c)
    name: str  # VVVV/FFFF


class Batch(NamedTuple):
    """Pairs of one step."""

    input: Tensor  # (N, 3, c, c)
    target: Tensor  # (N, 3, c, c)
    names: Sequence[str]


class Pairs(Dataset[Sample]):
    """The pairs of a split, by (epoch, index): a square crop, mirrored and transposed by chance, anew in each epoch.

    Reads what `run` makes, and LOL-Blur as released; `folders` are those of input and ground truth. `decode`, such as
    `partial(decode_all, FOLDER)`, keeps pictures decoded. Raises `UserError` for the faults that `find_pairs` finds,
    for a crop or a cache that does not fit.
    """

    def __init__(
        self,
        root: Path,
        split: Split = "train",
        crop: int = 256,
        seed: int = 0,
        *,
        folders: tuple[str, str] = (INPUT, TARGET),
        decode: Callable[[Sequence[PairFiles]], Decoded] | None = None,
    ) -> None:
        self.crop, self.seed = crop, seed
        self.files = find_pairs(root, split, *folders)
        check_crop(self.files, crop)
        self.decoded = decode(self.files) if decode else None

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, key: tuple[int, int]) -> Sample:
        """The crop of sample `index` in `epoch`."""
        epoch, index = key
        picture = self.files[index].input
        rng = rng_for(self.seed, "crop", epoch, index)
        top, left = (int(rng.integers(side - self.crop + 1)) for side in (picture.height, picture.width))
        turn = int(rng.integers(8))
        rows = (self._rows(index, which, top, top + self.crop) for which in (0, 1))
        source, target = (dequantize(_turned(part[:, left : left + self.crop], turn)) for part in rows)
        return Sample(source, target, self.files[index].name)

    def whole(self, index: int) -> Sample:
        """A pair as it is, (3, H, W)."""
        height = self.files[index].input.height
        source, target = (dequantize(self._rows(index, which, 0, height)) for which in (0, 1))
        return Sample(source, target, self.files[index].name)

    def _rows(self, index: int, which: int, start: int, stop: int) -> Pixels:
        """Of the input (0) or the target (1) of a pair, (rows, W, 3)."""
        picture = (self.files[index].input, self.files[index].target)[which]
        if self.decoded:
            return self.decoded.rows(2 * index + which, picture, start, stop)
        return read_picture(picture)[start:stop]


def _turned(square: Pixels, turn: int) -> Pixels:
    """One of the eight ways to lay a square (c, c, 3) down; in memory channel after channel, as a tensor wants it."""
    mirrored = square[:: -1 if turn & 1 else 1, :: -1 if turn & 2 else 1]
    laid = mirrored.swapaxes(0, 1) if turn & 4 else mirrored
    return cast(Pixels, np.ascontiguousarray(laid.transpose(2, 0, 1)).transpose(1, 2, 0))


@dataclass(frozen=True)
class Shard:
    """One of the processes that share the samples of a step."""

    rank: int = 0
    world: int = 1  # how many there are


def batches(
    count: int, batch: int, seed: int, first_step: int = 0, shard: Shard = Shard()
) -> Iterator[list[tuple[int, int]]]:
    """Batch sampler: the (epoch, index) of each sample of each step from `first_step` on, without end, for one shard.

    A step takes the next `batch * world` samples of one stream, in which epoch follows epoch, each in an order of its
    own, and each rank its part of them: so the samples of a step do not depend on how many processes share it, every
    sample comes once in an epoch, and no batch is short.

    >>> stream = batches(count=3, batch=2, seed=0)
    >>> [next(stream), next(stream), next(stream)]
    [[(0, 1), (0, 2)], [(0, 0), (1, 2)], [(1, 0), (1, 1)]]
    """
    rank, world = shard.rank, shard.world
    if count < 1 or batch < 1 or not 0 <= rank < world:
        raise ValueError(f"no batches of {batch} from {count} samples for process {rank} of {world}")

    @lru_cache(2)
    def order(epoch: int) -> list[int]:
        return [int(index) for index in rng_for(seed, "order", epoch).permutation(count)]

    for step in count_from(first_step):
        first = (step * world + rank) * batch
        places = (divmod(position, count) for position in range(first, first + batch))
        yield [(epoch, order(epoch)[place]) for epoch, place in places]


def workers_for(device: torch.device, ranks: int = 1, *, decoded: bool = False) -> int:
    """Processes that read pairs for each of the `ranks` that train on this machine, 16 at most.

    On CUDA the cores that the ranks leave. On the CPU, where a step takes longer than its pictures, one; none where
    they are decoded already, as handing a crop on takes longer than reading it.
    """
    if device.type == "cpu":
        return 0 if decoded else 1
    return max(1, min(_MOST_WORKERS, cores() // ranks - 1))


def loader(
    pairs: Pairs,
    batch: int,
    workers: int,
    device: torch.device,
    *,
    first_step: int = 0,
    shard: Shard = Shard(),
) -> "PairLoader":
    """Data loader: what `batches` names, read ahead by worker processes, or in this one for 0, from `first_step` on.

    Has no end: the workers of an iteration live until it is closed or forgotten. Memory is pinned for CUDA. Raises
    `UserError`, in one line, for a picture that cannot be decoded and a worker that was killed.
    """
    context = None
    if workers:  # forking a process that has threads can lock up, and each spawned one would import torch again
        context = get_context("forkserver")
        context.set_forkserver_preload([__name__])
    return PairLoader(
        _Caught(pairs),
        batch_sampler=_Batches(partial(batches, len(pairs), batch, pairs.seed, first_step, shard)),
        collate_fn=_stack,
        num_workers=workers,
        prefetch_factor=_AHEAD if workers else None,
        multiprocessing_context=context,
        worker_init_fn=_init_worker,
        pin_memory=device.type == "cuda",
        generator=torch.Generator(),  # torch draws a seed for workers, which use none; the global one is left alone
    )


class _Batches:
    """`batches` that can be iterated from the start again, as torch asks."""

    def __init__(self, make: Callable[[], Iterator[list[tuple[int, int]]]]) -> None:
        self._make = make

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        return self._make()


class _Caught(Dataset[Sample | UserError]):
    """Pairs, of which one that cannot be read is its error: torch would make a message of what a worker raises."""

    def __init__(self, pairs: Pairs) -> None:
        self._pairs = pairs

    def __getitem__(self, key: tuple[int, int]) -> Sample | UserError:
        try:
            return self._pairs[key]
        except UserError as error:
            return error


class PairLoader(DataLoader[Sample | UserError]):
    """A data loader whose errors are those of `Pairs`, whichever process has read them."""

    def __iter__(self) -> Iterator[Batch]:  # type: ignore[override]
        """The batches; see `loader`."""
        try:
            with held() if self.num_workers else nullcontext():
                iterator = super().__iter__()
            for batch in iterator:
                if isinstance(batch, UserError):
                    raise batch
                yield batch
        except (EOFError, OSError, RuntimeError) as error:
            if self.num_workers == 0 or str(error).startswith("Caught "):  # raised in a worker, not by losing one
                raise
            reason = str(error).split("\n", 1)[0] or type(error).__name__
            raise UserError(
                f"a process that reads pairs was lost ({reason})",
                advice="use fewer workers or none, or more shared memory",
            ) from None


def _stack(samples: Sequence[Sample | UserError]) -> Batch | UserError:
    read = [sample for sample in samples if isinstance(sample, Sample)]
    if len(read) < len(samples):
        return next(sample for sample in samples if isinstance(sample, UserError))
    inputs, targets = default_collate([(sample.input, sample.target) for sample in read])  # in memory that is shared
    return Batch(inputs, targets, tuple(sample.name for sample in read))


def _init_worker(worker: int) -> None:
    """One thread for each worker; Ctrl-C is for the process that trains, which still needs its batch."""
    del worker
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    trainer = parent_process()
    if trainer is None:
        return
    threading.Thread(target=_end_with, args=(trainer.join,), daemon=True).start()
    if hasattr(signal, "sigwaitinfo"):
        threading.Thread(target=_end_for, args=(trainer.pid,), daemon=True).start()
    else:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])


def _end_with(join: Callable[[], None]) -> None:
    """End when the process that trains does, even if it is killed; torch looks after the fork server instead."""
    join()
    os._exit(0)


def _end_for(trainer: int | None) -> None:
    """End at a SIGTERM of the process that trains: those that others send to all of its processes are for it alone.

    `held` has blocked the signal, and so it waits until somebody asks who has sent it.
    """
    while signal.sigwaitinfo([signal.SIGTERM]).si_pid != trainer:
        continue
    os._exit(0)
