"""A training of LEDNet between two steps."""

import copy
from pathlib import Path

import pytest
import torch

from lolblur_synth.config.training import TrainLEDNet
from lolblur_synth.core.errors import UserError
from lolblur_synth.train.engine.run_dir import CHECKPOINT
from lolblur_synth.train.engine.state import load_checkpoint
from lolblur_synth.train.restoration.networks import initial_network
from lolblur_synth.train.restoration.state import FREE, RestorationTraining, accelerator_for, assemble
from tests.support.trainings import tiny


def begun(out: Path, seed: int = 0, **changes: object) -> RestorationTraining:
    """A training after one step."""
    config = tiny(seed=seed, **changes)
    run = assemble(config, out, accelerator_for(config), initial_network(config, None)[0])
    dark = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(seed))
    run.model(dark)[0].square().mean().backward()
    run.optimizer.step()
    run.step += 1
    return run


def test_what_is_saved_is_what_is_restored(tmp_path):
    one, other = begun(tmp_path, ema=0.9), begun(tmp_path, seed=1, ema=0.9)
    one.best, one.history = 20.5, [{"step": 1, "psnr": 20.5}]
    one.save()
    other.load_state_dict(load_checkpoint(tmp_path / CHECKPOINT, torch.device("cpu")))
    assert (other.step, other.best, other.history) == (1, 20.5, [{"step": 1, "psnr": 20.5}])
    for left, right in ((one.net, other.net), (one.average, other.average)):
        assert all(torch.equal(value, right.state_dict()[key]) for key, value in left.state_dict().items())
    assert all(torch.equal(value, other.finite["net"][key]) for key, value in one.net.state_dict().items())


def test_a_state_without_its_average_is_of_another_run(tmp_path):
    begun(tmp_path).save()
    state = load_checkpoint(tmp_path / CHECKPOINT, torch.device("cpu"))
    with pytest.raises(UserError, match=r"last\.pt: not a checkpoint of this run"):
        begun(tmp_path, ema=0.9).load_state_dict(state)


def test_the_network_to_keep_is_the_average_where_there_is_one(tmp_path):
    with_average, without = begun(tmp_path, ema=0.9), begun(tmp_path)
    assert with_average.result is with_average.average
    assert without.result is without.net


def test_weights_tell_how_they_were_trained_but_for_what_decides_nothing(tmp_path):
    told = begun(tmp_path).provenance()
    assert told["step"] == 1
    assert told["config"].keys() == TrainLEDNet.model_fields.keys() - set(FREE)


@pytest.mark.parametrize("channels_last", [False, True])
def test_steps_are_adams_whatever_the_layout_of_kernels(channels_last, tmp_path):
    """Fused code takes weights, gradients and moments as they lie in memory: they must lie alike."""
    config = tiny(net={"channels": (32, 32, 32, 32)}, channels_last=channels_last)
    run = assemble(config, tmp_path, accelerator_for(config), initial_network(config, None)[0])
    other = copy.deepcopy(run.net)
    plain = torch.optim.Adam(other.parameters(), config.learning_rate, config.betas, foreach=False)
    dark = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    for _ in range(3):
        run.optimizer.zero_grad()
        run.model(dark)[0].square().mean().backward()
        for mine, its in zip(run.net.parameters(), other.parameters(), strict=True):
            assert mine.grad is None or mine.grad.stride() == mine.stride()
            its.grad = None if mine.grad is None else mine.grad.clone()
        run.optimizer.step()
        plain.step()
    for mine, its in zip(run.net.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(mine, its, rtol=0, atol=1e-6)
