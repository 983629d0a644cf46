import mmap
import os

import pytest
import torch

from lolblur_synth.core.devices import choose_device, cores, memory_used, threads_for
from lolblur_synth.core.errors import UserError

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


def test_cuda_is_taken_where_it_is_and_nothing_else_stands_in_for_it(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert [choose_device(name) for name in ("auto", "cuda", "cpu")] == [CUDA, CUDA, CPU]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert [choose_device(name) for name in ("auto", "cpu")] == [CPU, CPU]
    with pytest.raises(UserError, match=r"^device cuda: torch finds no CUDA device here; use device cpu"):
        choose_device("cuda")


def test_cores_are_those_that_this_process_may_use():
    allowed = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(allowed)})
        assert cores() == 1
    finally:
        os.sched_setaffinity(0, allowed)
    assert cores() == len(allowed)


@pytest.mark.parametrize(
    ("count", "workers", "threads"), [(4, 1, 4), (4, 2, 2), (4, 3, 1), (4, 9, 1), (64, 1, 8), (64, 16, 4), (4, 0, 4)]
)
def test_workers_share_the_cores(monkeypatch, count, workers, threads):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(count)))
    assert threads_for(workers, CPU) == threads
    assert threads_for(workers, CUDA) == 1


def test_memory_on_the_cpu_is_what_the_process_holds():
    before, size = memory_used(CPU), 50 << 20
    with mmap.mmap(-1, size) as held:  # which comes from the system, whatever the allocator keeps
        held.write(b"\1" * size)
        assert memory_used(CPU) - before > size // 2
