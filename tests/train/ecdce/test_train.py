import json
import os
import shutil
import signal
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch

from lolblur_synth.config.loading import load
from lolblur_synth.config.training import CurveNet, TrainECDCE
from lolblur_synth.core.errors import UserError
from lolblur_synth.nets.ec_zero_dce import ECZeroDCE
from lolblur_synth.nets.weights.checkpoint import read_checkpoint
from lolblur_synth.nets.weights.load import load_ec_zero_dce
from lolblur_synth.train.ecdce.train import initialize, losses, train_ecdce
from lolblur_synth.train.engine.callbacks import Callbacks
from lolblur_synth.video.images import write_png


def tiny(**changes: object) -> TrainECDCE:
    values: dict[str, object] = {
        "net": CurveNet(width=6, iterations=4, scale=4), "steps": 4, "batch": 2, "crop": 64, "validate_every": 2,
        "save_every": 2, "device": "cpu", **changes,
    }  # fmt: skip
    return TrainECDCE(**values)  # type: ignore[arg-type]


def interrupt_at(step: int) -> object:
    def on_step(done: int, losses: Mapping[str, float]) -> None:
        if done == step:
            os.kill(os.getpid(), signal.SIGINT)

    return on_step


def checkpoint(out: Path) -> dict[str, object]:
    return torch.load(out / "last.pt", weights_only=True)


def test_a_run_leaves_all_that_is_needed_to_know_it(photographs, tmp_path):
    config, out, steps = tiny(), tmp_path / "run", []
    path = train_ecdce(photographs, out, config, callbacks=Callbacks(on_step=lambda step, losses: steps.append(step)))
    assert path == out / "ec_zero_dce.safetensors"
    assert steps == [1, 2, 3, 4]
    assert load(TrainECDCE, [str(out / "config.yaml")]) == config
    data = json.loads((out / "data.json").read_text())
    assert [len([d for d in data if d["part"] == part]) for part in ("training", "validation")] == [4, 1]
    assert [row["step"] for row in json.loads((out / "metrics.json").read_text())] == [2, 4]
    assert list((out / "tensorboard").glob("events.*"))
    net, _ = load_ec_zero_dce(str(path))
    assert net.arguments() == {"width": 6, "iterations": 4, "scale": 4, "context": True}
    assert read_checkpoint(path).metadata["config"] == config.model_dump(mode="json")
    assert checkpoint(out)["arguments"] == net.arguments()


@pytest.mark.parametrize("stop", [1, 2])
def test_interrupted_and_resumed_is_bit_equal_to_never_stopped(photographs, tmp_path, stop):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    train_ecdce(photographs, whole, tiny())
    with pytest.raises(KeyboardInterrupt):
        train_ecdce(photographs, parts, tiny(), callbacks=Callbacks(on_step=interrupt_at(stop)))
    assert checkpoint(parts)["step"] == stop
    train_ecdce(photographs, parts, tiny())
    one, other = checkpoint(whole), checkpoint(parts)
    assert one.keys() == other.keys()
    assert all(torch.equal(value, other["net"][key]) for key, value in one["net"].items())
    for key, state in one["optimizer"]["state"].items():
        assert all(torch.equal(value, other["optimizer"]["state"][key][name]) for name, value in state.items())
    assert one["history"] == other["history"]
    assert (whole / "ec_zero_dce.safetensors").read_bytes() == (parts / "ec_zero_dce.safetensors").read_bytes()


def test_the_seed_decides(photographs, tmp_path):
    runs = {}
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        train_ecdce(photographs, tmp_path / name, tiny(seed=seed, steps=1))
        runs[name] = checkpoint(tmp_path / name)["net"]["e_conv1.weight"]
    assert torch.equal(runs["a"], runs["b"])
    assert not torch.equal(runs["a"], runs["c"])


def test_it_learns(photographs, tmp_path):
    config = tiny(steps=60, validate_every=5, batch=4, learning_rate=5e-3, weight_smooth=100.0, seed=2)
    train_ecdce(photographs, tmp_path / "run", config)
    rows = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert rows[-1]["error"] < 0.5 * rows[0]["error"]
    assert rows[-1]["loss"] < 0.5 * rows[0]["loss"]


def test_a_network_that_brightens_can_still_learn_to_darken():
    """What never brightens is assured when a picture is darkened: a clamp while training would leave no gradient."""
    config, generator = tiny(), torch.Generator().manual_seed(0)
    net = ECZeroDCE(**config.net.model_dump())
    initialize(net, generator)
    torch.nn.init.constant_(net.e_conv7.bias, -0.5)
    frames = 0.8 * torch.rand(2, 3, 64, 64, generator=generator)
    losses(net, frames, torch.tensor([0.1, 0.2]), config)["picture"].backward()
    assert (net.e_conv7.bias.grad < 0).all()


def test_without_a_validation_set_the_training_set_is_measured(photographs, tmp_path):
    train_ecdce(photographs, tmp_path / "run", tiny(validation_fraction=0.0, steps=2))
    assert len(json.loads((tmp_path / "run" / "metrics.json").read_text())) == 1


def test_another_run_is_not_overwritten_unless_asked(photographs, tmp_path):
    out = tmp_path / "run"
    train_ecdce(photographs, out, tiny(steps=1))
    with pytest.raises(UserError, match=r"other settings \(steps was 1, is 2\)"):
        train_ecdce(photographs, out, tiny(steps=2))
    with pytest.raises(UserError, match="with these settings already; resume it"):
        train_ecdce(photographs, out, tiny(steps=1), resume=False)
    train_ecdce(photographs, out, tiny(steps=2), overwrite=True)
    assert checkpoint(out)["step"] == 2
    write_png(photographs / "new.png", torch.zeros(64, 64, 3, dtype=torch.uint8).numpy())
    with pytest.raises(UserError, match="on other photographs"):
        train_ecdce(photographs, out, tiny(steps=2))


def test_a_finished_run_resumes_to_itself(photographs, tmp_path):
    out = tmp_path / "run"
    path = train_ecdce(photographs, out, tiny(steps=1))
    before = path.read_bytes()
    assert train_ecdce(photographs, out, tiny(steps=1)).read_bytes() == before


def test_folders_of_other_things_are_left_alone(photographs, tmp_path):
    out = tmp_path / "mine"
    out.mkdir()
    (out / "letter.txt").write_text("dear")
    for overwrite in (False, True):
        with pytest.raises(UserError, match="not an empty folder and not a training run"):
            train_ecdce(photographs, out, tiny(), overwrite=overwrite)
    assert [p.name for p in out.iterdir()] == ["letter.txt"]


def test_a_start_that_was_cut_off_before_its_first_checkpoint_starts_again(photographs, tmp_path):
    out = tmp_path / "run"
    train_ecdce(photographs, out, tiny(steps=1))
    (out / "last.pt").rename(out / ".last.pt.partial")
    shutil.rmtree(out / "tensorboard")
    train_ecdce(photographs, out, tiny(steps=1))
    assert checkpoint(out)["step"] == 1


def test_a_damaged_checkpoint_is_named(photographs, tmp_path):
    out = tmp_path / "run"
    train_ecdce(photographs, out, tiny(steps=1))
    torch.save({"step": 1}, out / "last.pt")
    with pytest.raises(UserError, match=r"last.pt: not a checkpoint of this run"):
        train_ecdce(photographs, out, tiny(steps=1))


def test_a_loss_that_is_not_finite_stops_with_its_step_and_keeps_the_state_before(photographs, tmp_path):
    out = tmp_path / "run"
    with pytest.raises(UserError, match=r"the loss of step \d is not finite; .*last.pt has the state before"):
        train_ecdce(photographs, out, tiny(steps=6, learning_rate=1e30))
    assert all(value.isfinite().all() for value in checkpoint(out)["net"].values())


def test_photographs_of_names_that_are_not_utf8_are_known_again(photographs, tmp_path):
    images, out = tmp_path / "images", tmp_path / "run"
    shutil.copytree(photographs, images)
    first = min(images.iterdir())
    first.rename(images / f"{os.fsdecode(bytes([255]))}{first.suffix}")
    train_ecdce(images, out, tiny(steps=1))
    assert r"\\xff" in (out / "data.json").read_text()
    with pytest.raises(UserError, match="with these settings already"):
        train_ecdce(images, out, tiny(steps=1), resume=False)
