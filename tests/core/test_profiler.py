import time
import weakref

import pytest
import torch

from lolblur_synth.core.profiler import OperatorTimer

CPU = torch.device("cpu")


def test_time_in_a_nested_operator_is_its_own():
    timer = OperatorTimer(CPU)

    def source():
        for value in range(3):
            time.sleep(0.01)
            yield value

    with timer("outer"):
        for _ in timer.each("inner", source()):
            time.sleep(0.002)
    assert timer.seconds["inner"] == pytest.approx(0.03, abs=0.015)
    assert timer.seconds["outer"] == pytest.approx(0.006, abs=0.006)
    assert timer.seconds["inner"] > timer.seconds["outer"]


def test_it_tells_which_operator_starts():
    told: list[str] = []
    timer = OperatorTimer(CPU, told.append)
    with timer("a"), timer("b"):
        pass
    assert told == ["a", "b"]


def test_an_error_leaves_the_timer_in_order():
    timer = OperatorTimer(CPU)
    with pytest.raises(ZeroDivisionError), timer("a"):
        _ = 1 / 0
    with timer("b"):
        pass
    assert set(timer.seconds) == {"a", "b"}


def test_a_stream_passes_unchanged():
    assert list(OperatorTimer(CPU).each("a", iter(range(5)))) == [0, 1, 2, 3, 4]


def test_nothing_that_was_passed_on_is_held():
    for made in OperatorTimer(CPU).each("zeros", map(torch.zeros, range(3))):
        seen = weakref.ref(made)
        del made
        assert seen() is None
