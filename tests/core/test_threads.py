import ctypes
import resource
import threading
import time

import cv2
import pytest
import torch

from lolblur_synth.core.threads import keeping_memory, on_torch_threads, ordered_map, torch_threads


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_order_is_kept_whoever_is_faster(threads):
    def slow_when_even(value: int) -> int:
        time.sleep(0.002 * (value % 2 == 0))
        return value * value

    with ordered_map(threads) as each:
        assert list(each(slow_when_even, range(20))) == [value * value for value in range(20)]


def test_maps_may_follow_one_another():
    with ordered_map(2) as each:
        assert list(each(lambda v: v + 1, each(lambda v: 2 * v, range(9)))) == [2 * v + 1 for v in range(9)]


def test_it_never_works_far_ahead():
    taken = []

    def items():
        for value in range(50):
            taken.append(value)
            yield value

    with ordered_map(3) as each:
        stream = each(lambda v: v, items())
        next(stream)
        assert len(taken) == 4
        next(stream)
        assert len(taken) == 5


def test_work_is_on_several_threads_but_every_operator_on_one():
    seen = set()

    def look(_: int) -> int:
        seen.add(threading.get_ident())
        time.sleep(0.005)
        return torch.get_num_threads()

    before = torch.get_num_threads(), cv2.getNumThreads()
    with ordered_map(2) as each:
        assert set(each(look, range(8))) == {1}
        assert cv2.getNumThreads() == 1
    assert len(seen) == 2
    assert (torch.get_num_threads(), cv2.getNumThreads()) == before


def test_errors_come_through():
    with ordered_map(2) as each, pytest.raises(ZeroDivisionError):
        list(each(lambda v: 1 // v, [1, 1, 0, 1]))


def faults_of_blocks() -> int:
    """Pages that the system hands out while twenty blocks of 8 MB are written to, one after the other."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        torch.ones(1 << 21)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="the C library is not glibc")
def test_memory_is_kept_where_that_is_asked_for_and_else_returned():
    with ordered_map(1):
        with keeping_memory():
            faults_of_blocks()
            kept = faults_of_blocks()
        returned = faults_of_blocks()
    assert returned >= 20  # at least: pages may be huge
    assert kept < returned / 10


@pytest.mark.parametrize("threads", [1, 2])
def test_items_are_taken_by_as_many_threads_as_torch_has(threads):
    before, used = torch.get_num_threads(), set[int]()
    together = threading.Barrier(threads, timeout=10)

    def work(item: int) -> int:
        used.add(threading.get_ident())
        together.wait()
        return -item

    try:
        torch.set_num_threads(threads)
        assert on_torch_threads(work, range(2 * threads)) == [-item for item in range(2 * threads)]
    finally:
        torch.set_num_threads(before)
    assert len(used) == threads


def test_a_single_item_stays_where_it_is():
    with torch_threads(2):
        assert on_torch_threads(lambda _: threading.get_ident(), [0]) == [threading.get_ident()]
