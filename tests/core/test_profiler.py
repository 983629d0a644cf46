import time

import pytest
import torch

from lolblur_synth.core.profiler import Clock

CPU = torch.device("cpu")


def test_time_in_a_nested_operator_is_its_own():
    clock = Clock(CPU)

    def source():
        for value in range(3):
            time.sleep(0.01)
            yield value

    with clock("outer"):
        for _ in clock.each("inner", source()):
            time.sleep(0.002)
    assert clock.seconds["inner"] == pytest.approx(0.03, abs=0.015)
    assert clock.seconds["outer"] == pytest.approx(0.006, abs=0.006)
    assert clock.seconds["inner"] > clock.seconds["outer"]


def test_it_tells_which_operator_starts():
    told: list[str] = []
    clock = Clock(CPU, told.append)
    with clock("a"), clock("b"):
        pass
    assert told == ["a", "b"]


def test_an_error_leaves_the_clock_in_order():
    clock = Clock(CPU)
    with pytest.raises(ZeroDivisionError), clock("a"):
        _ = 1 / 0
    with clock("b"):
        pass
    assert set(clock.seconds) == {"a", "b"}


def test_a_stream_passes_unchanged():
    assert list(Clock(CPU).each("a", iter(range(5)))) == [0, 1, 2, 3, 4]
