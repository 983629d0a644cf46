"""What a monitor reports of the steps between two looks."""

import time
from itertools import islice

import pytest
import torch
from accelerate import Accelerator

from lolblur_synth.train.engine.monitor import Monitor

WEIGHTS = [torch.ones(2, 2), torch.zeros(3)]


@pytest.fixture
def monitor() -> Monitor:
    return Monitor(Accelerator(cpu=True))


def add(monitor: Monitor, step: int, total: float) -> None:
    monitor.add(step, {"total": torch.tensor(total), "l1": torch.tensor(total / 2)}, [f"{step}/a", f"{step}/b"])


def test_losses_are_means_since_the_last_look(monitor):
    add(monitor, 1, 1.0)
    add(monitor, 2, 3.0)
    report = monitor.look(2, WEIGHTS, stop=False)
    assert report.terms == {"total": 2.0, "l1": 1.0}
    assert (report.bad, report.names, report.stops) == (None, [], False)
    add(monitor, 3, 7.0)
    assert monitor.look(3, WEIGHTS, stop=True)._replace(rate=0, waited=0) == (
        {"total": 7, "l1": 3.5},
        None,
        [],
        True,
        0,
        0,
    )


def test_the_first_step_that_is_not_finite_is_named_with_its_samples(monitor):
    for step, total in enumerate((1.0, float("nan"), 2.0, float("inf")), 1):
        add(monitor, step, total)
    report = monitor.look(4, WEIGHTS, stop=False)
    assert (report.bad, report.names) == (2, ["2/a", "2/b"])


def test_weights_that_are_not_finite_are_of_the_last_step(monitor):
    add(monitor, 5, 1.0)
    report = monitor.look(5, [torch.tensor([1.0, float("inf")])], stop=False)
    assert (report.bad, report.names) == (5, ["5/a", "5/b"])


def test_a_loss_that_is_noted_may_change_afterwards(monitor):
    total = torch.tensor(1.0)
    monitor.add(1, {"total": total}, [])
    total.fill_(9)
    assert monitor.look(1, WEIGHTS, stop=False).terms == {"total": 1.0}


def test_waiting_for_samples_is_a_share_of_the_time(monitor):
    def slow():
        while True:
            time.sleep(0.02)
            yield 1

    assert list(islice(monitor.timed(slow()), 2)) == [1, 1]
    time.sleep(0.04)
    add(monitor, 1, 1.0)
    report = monitor.look(1, WEIGHTS, stop=False)
    assert 0.2 < report.waited < 0.8
    assert 2 < report.rate < 12.5
