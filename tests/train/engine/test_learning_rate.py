import pytest
import torch

from lolblur_synth.train.engine.learning_rate import cosine_rate, set_learning_rate


def test_cosine_rises_and_falls_from_peak_to_floor():
    rates = [cosine_rate(step, 100, 2.0) for step in range(101)]
    assert rates[0] == pytest.approx(0.4)
    assert rates[50] == pytest.approx(1.01)
    assert rates[100] == pytest.approx(0.02)
    assert rates[:5] == sorted(rates[:5])
    assert rates[4:] == sorted(rates[4:], reverse=True)
    assert cosine_rate(0, 1, 2.0) == 2


def test_cosine_without_a_warm_up_begins_at_its_peak():
    rates = [cosine_rate(step, 10, 2.0, floor=0.001, warm_up=0) for step in range(11)]
    assert rates[0] == 2
    assert rates[10] == pytest.approx(0.002)
    assert rates == sorted(rates, reverse=True)


def test_the_rate_is_that_of_all_weights():
    first, second = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)
    optimizer = torch.optim.SGD([{"params": first.parameters(), "lr": 0.1}, {"params": second.parameters()}], lr=0.2)
    set_learning_rate(optimizer, 0.5)
    assert [group["lr"] for group in optimizer.param_groups] == [0.5, 0.5]
