"""The trainer of LEDNet: what it leaves, what it learns, how it stops, goes on, and shares its work."""

import json
import math
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from accelerate.state import AcceleratorState
from click.testing import CliRunner, Result

from lolblur_synth.cli.main import cli
from lolblur_synth.config.loading import load
from lolblur_synth.config.training import RestorationNet, TrainLEDNet
from lolblur_synth.core.errors import UserError
from lolblur_synth.dataset.layout import image_path
from lolblur_synth.metrics.psnr_ssim import psnr, ssim
from lolblur_synth.nets.lednet import LEDNet
from lolblur_synth.nets.weights.checkpoint import read_checkpoint, save_weights
from lolblur_synth.nets.weights.load import load_lednet
from lolblur_synth.train.engine.callbacks import Callbacks
from lolblur_synth.train.restoration.preparation import Pretrained
from lolblur_synth.train.restoration.state import FREE
from lolblur_synth.train.restoration.train import train_lednet
from lolblur_synth.video.images import dequantize, quantize, read_image, read_pixels
from tests.support.lpips_files import put_into_cache, random_lpips
from tests.support.trainings import board, checkpoint, interrupt_at, tiny, write_dataset, write_split


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_dataset(tmp_path / "data")


@pytest.fixture
def another_precision():
    """accelerate keeps one precision for a process."""
    AcceleratorState._reset_state(reset_partial_state=True)
    yield
    AcceleratorState._reset_state(reset_partial_state=True)


def assert_same_run(one: Path, other: Path) -> None:
    left, right = checkpoint(one), checkpoint(other)
    for part in ("net", "average"):
        assert (left[part] is None) == (right[part] is None)
        assert all(torch.equal(value, right[part][key]) for key, value in (left[part] or {}).items())
    assert left["optimizer"]["state"].keys() == right["optimizer"]["state"].keys()
    for key, state in left["optimizer"]["state"].items():
        assert all(torch.equal(value, right["optimizer"]["state"][key][name]) for name, value in state.items())
    assert [left[key] for key in ("step", "best", "history")] == [right[key] for key in ("step", "best", "history")]
    for name in ("best.safetensors", "last.safetensors", "metrics.json"):
        assert (one / name).read_bytes() == (other / name).read_bytes()


def test_a_run_leaves_all_that_is_needed_to_know_it(data, tmp_path):
    config, out, steps, told = tiny(), tmp_path / "run", [], []
    callbacks = Callbacks(told.append, on_step=lambda step, losses: steps.append((step, set(losses))))
    path = train_lednet(data, out, config, callbacks=callbacks)
    assert path == out / "best.safetensors"
    assert steps == [(step, {"total", "l1", "side_l1"}) for step in (1, 2, 3, 4)]
    assert load(TrainLEDNet, [str(out / "config.yaml")]) == config
    made_of = json.loads((out / "data.json").read_text())
    assert [made_of["pairs"][split]["count"] for split in ("train", "test")] == [5, 3]
    rows = json.loads((out / "metrics.json").read_text())
    assert [row["step"] for row in rows] == [2, 4]
    net, _ = load_lednet(str(path))
    assert net.arguments() == {"channels": [4, 4, 4, 4], "signed": False}
    best = max(rows, key=lambda row: row["psnr"])
    metadata = read_checkpoint(path).metadata
    assert (metadata["step"], metadata["validation"]) == (best["step"], best)
    assert metadata["config"] == config.model_dump(mode="json", exclude=set(FREE))
    assert read_checkpoint(out / "last.safetensors").metadata["step"] == 4
    wanted = "on 5 pairs, 2 crops a step, fp32 on cpu, PSNR and SSIM of 3 of 3 test pairs; 0 of 4 steps are done"
    assert wanted in told[0]


def test_the_board_shows_losses_speed_scores_and_pictures(data, tmp_path):
    train_lednet(data, tmp_path / "run", tiny())
    found = board(tmp_path / "run")
    scalars = set(found.Tags()["scalars"])
    assert {"training/total", "training/l1", "training/side_l1", "training/learning rate"} <= scalars
    assert {"validation/psnr", "validation/ssim"} <= scalars
    assert {"speed/steps per second", "speed/share of time waiting for pairs"} <= scalars
    rates = [event.value for event in found.Scalars("training/learning rate")]
    assert rates == pytest.approx([1e-7 + (1e-3 - 1e-7) * (1 + math.cos(math.pi * step / 4)) / 2 for step in range(4)])
    (picture, *_) = found.Images("validation/dark, restored, truth")
    assert (picture.width, picture.height) == (3 * 480 + 4 * 6, 2 * 400 + 3 * 6)


def test_what_is_validated_is_what_the_weights_give(data, tmp_path):
    """The score in the file is that of the file."""
    path = train_lednet(data, tmp_path / "run", tiny(steps=2, validate_pairs=2))
    net, _ = load_lednet(str(path))
    scores = []
    for number in (0, 1):
        dark = read_image(data / image_path("test", "low_blur_noise", 1, number))
        truth = read_pixels(data / image_path("test", "high_sharp_scaled", 1, number))
        restored = quantize(net(dark[None])[0][0])
        scores.append((psnr(restored, truth), ssim(restored, truth)))
    row = read_checkpoint(path).metadata["validation"]
    assert (row["psnr"], row["ssim"]) == pytest.approx(tuple(np.mean(scores, 0)))


def test_lpips_is_measured_where_its_weights_are(data, tmp_path, monkeypatch):
    net, told = random_lpips("vgg"), []
    put_into_cache(tmp_path / "cache", net, "vgg", monkeypatch)
    path = train_lednet(data, tmp_path / "run", tiny(steps=1), callbacks=Callbacks(told.append))
    assert "PSNR, SSIM and LPIPS of 3 of 3" in told[0]
    restorer, _ = load_lednet(str(path))
    distances = []
    for number in range(3):
        dark, light = (
            read_image(data / image_path("test", folder, 1, number))
            for folder in ("low_blur_noise", "high_sharp_scaled")
        )
        restored = dequantize(quantize(restorer(dark[None])[0][0]))
        distances.append(float(net(restored[None], light[None])))
    assert read_checkpoint(path).metadata["validation"]["lpips"] == pytest.approx(np.mean(distances), rel=1e-5)
    assert "validation/lpips" in board(tmp_path / "run").Tags()["scalars"]
    train_lednet(data, tmp_path / "without", tiny(steps=1, lpips="none"), callbacks=Callbacks(told.append))
    assert "LPIPS" not in told[1]


def test_interrupted_and_resumed_is_bit_equal_to_never_stopped(data, tmp_path):
    config = tiny(steps=6, ema=0.9, accumulate=2, clip_gradient=0.5, warm_up=0.5)
    train_lednet(data, tmp_path / "whole", config)
    for asked, number in ((1, signal.SIGINT), (4, signal.SIGTERM)):  # the step that has begun is finished
        with pytest.raises(KeyboardInterrupt):
            train_lednet(data, tmp_path / "parts", config, callbacks=Callbacks(on_step=interrupt_at(asked, number)))
        assert checkpoint(tmp_path / "parts")["step"] == asked + 1
    train_lednet(data, tmp_path / "parts", config)
    assert_same_run(tmp_path / "whole", tmp_path / "parts")


def test_processes_that_read_pairs_change_no_weight(data, tmp_path):
    train_lednet(data, tmp_path / "none", tiny(steps=3, validate_every=0))
    workers = tiny(steps=3, validate_every=0, workers=1, cache=str(tmp_path / "cache"))
    with pytest.raises(KeyboardInterrupt):
        train_lednet(data, tmp_path / "one", workers, callbacks=Callbacks(on_step=interrupt_at(1)))
    train_lednet(data, tmp_path / "one", tiny(steps=3, validate_every=0))  # and the two are the same run
    left, right = checkpoint(tmp_path / "none"), checkpoint(tmp_path / "one")
    assert all(torch.equal(value, right["net"][key]) for key, value in left["net"].items())


def test_threads_are_as_many_as_asked_for_a_step_and_then_as_before(data, tmp_path):
    before, within, after = torch.get_num_threads(), list[int](), list[int]()
    callbacks = Callbacks(on_step=lambda *_: after.append(torch.get_num_threads()))

    def note(module: torch.nn.Module, *_: object) -> None:
        if isinstance(module, LEDNet):
            within.append(torch.get_num_threads())

    with torch.nn.modules.module.register_module_forward_pre_hook(note):
        for threads in (1, 2, "auto"):
            config = tiny(steps=1, validate_every=0, threads=threads)
            train_lednet(data, tmp_path / str(threads), config, callbacks=callbacks)
    assert within == [1, 2, before]
    assert after == [before] * 3


def test_batches_that_add_up_are_one_batch(data, tmp_path):
    train_lednet(data, tmp_path / "one", tiny(steps=2, batch=4, validate_every=0))
    train_lednet(data, tmp_path / "two", tiny(steps=2, batch=2, accumulate=2, validate_every=0))
    left, right = checkpoint(tmp_path / "one")["net"], checkpoint(tmp_path / "two")["net"]
    for key, value in left.items():
        torch.testing.assert_close(value, right[key], rtol=0, atol=2e-5)  # Adam's first steps are +- the learning rate
    terms = [[event.value for event in board(tmp_path / name).Scalars("training/total")] for name in ("one", "two")]
    assert terms[0] == pytest.approx(terms[1], rel=1e-5)


def test_the_seed_decides(data, tmp_path):
    runs = {}
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        train_lednet(data, tmp_path / name, tiny(seed=seed, steps=1, validate_every=0))
        runs[name] = checkpoint(tmp_path / name)["net"]["stem.weight"]
    assert torch.equal(runs["a"], runs["b"])
    assert not torch.equal(runs["a"], runs["c"])


def test_averaged_weights_are_those_that_are_kept(data, tmp_path):
    train_lednet(data, tmp_path / "run", tiny(steps=3, ema=0.5))
    state = checkpoint(tmp_path / "run")
    kept, _ = load_lednet(str(tmp_path / "run/last.safetensors"))
    assert all(torch.equal(value, state["average"][key]) for key, value in kept.state_dict().items())
    assert not torch.equal(state["net"]["stem.weight"], state["average"]["stem.weight"])


def test_training_improves_what_it_was_not_trained_on(data, tmp_path):
    shape = RestorationNet(channels=(8, 8, 8, 8))
    config = tiny(steps=30, validate_every=3, samples=0, learning_rate=3e-3, clip_gradient=0.1, net=shape)
    train_lednet(data, tmp_path / "run", config)
    rows = json.loads((tmp_path / "run/metrics.json").read_text())
    assert rows[-1]["psnr"] > rows[0]["psnr"] + 2


def test_without_validation_no_test_split_is_needed(tmp_path):
    write_split(tmp_path / "data", "train", 2)
    path = train_lednet(tmp_path / "data", tmp_path / "run", tiny(steps=1, validate_every=0))
    assert path == tmp_path / "run/last.safetensors"
    with pytest.raises(UserError, match=r"data: has no test split, .* do without: train with validate_every=0"):
        train_lednet(tmp_path / "data", tmp_path / "other", tiny(steps=1))


def test_other_folders_of_the_dataset_may_be_learned(data, tmp_path):
    for split in ("train", "test"):
        (data / split / "low_blur_noise").rename(data / split / "low_blur")
        (data / split / "high_sharp_scaled").rename(data / split / "high_sharp_original")
    path = train_lednet(data, tmp_path / "run", tiny(steps=1, input="low_blur", target="high_sharp_original"))
    assert read_checkpoint(path).metadata["step"] == 1


def test_training_goes_on_from_given_weights(data, tmp_path):
    net = LEDNet((4, 4, 4, 4), signed=True)
    save_weights(tmp_path / "start.safetensors", net, {})
    shape = RestorationNet(channels=(4, 4, 4, 4), signed=True)
    config = tiny(net=shape, steps=1, validate_every=0, learning_rate=1e-6)
    train_lednet(data, tmp_path / "run", config, pretrained=Pretrained(str(tmp_path / "start.safetensors")))
    for key, value in checkpoint(tmp_path / "run")["net"].items():
        torch.testing.assert_close(value, net.state_dict()[key], rtol=0, atol=2e-6)
    with pytest.raises(UserError, match=r"start.safetensors: of LEDNet with .*'signed': True.*set net alike"):
        train_lednet(data, tmp_path / "other", tiny(), pretrained=Pretrained(str(tmp_path / "start.safetensors")))
    with pytest.raises(UserError, match="run on other pairs, weights or processes"):
        train_lednet(data, tmp_path / "run", config)


def test_bfloat16_learns_nearly_the_same(data, tmp_path, another_precision):
    train_lednet(data, tmp_path / "run", tiny(precision="bf16"))
    rows = json.loads((tmp_path / "run/metrics.json").read_text())
    AcceleratorState._reset_state(reset_partial_state=True)
    train_lednet(data, tmp_path / "full", tiny())
    full = json.loads((tmp_path / "full/metrics.json").read_text())
    assert rows[-1]["psnr"] == pytest.approx(full[-1]["psnr"], abs=0.3)
    assert rows[-1]["psnr"] != full[-1]["psnr"]
    kept, _ = load_lednet(str(tmp_path / "run/last.safetensors"))
    assert all(weight.dtype == torch.float32 for weight in kept.state_dict().values())


def arguments(data: Path, out: Path, *more: str) -> list[str]:
    """Of a tiny training on the command line."""
    settings = (
        "net.channels=[4,4,4,4]", "batch=1", "crop=32", "perceptual=0", "learning_rate=1e-3", "validate_every=2",
        "save_every=2", "samples=2", "workers=0",
    )  # fmt: skip
    chosen = [part for setting in settings for part in ("--set", setting)]
    return ["train-lednet", "--data", str(data), "--out", str(out), *chosen, "--steps", "4", "--device", "cpu", *more]


def call(*arguments: str) -> Result:
    return CliRunner().invoke(cli, list(arguments))


def test_the_command_trains_and_goes_on(data, tmp_path):
    result = call(*arguments(data, tmp_path / "run", "--seed", "3", "--cache", str(tmp_path / "cache")))
    assert result.exit_code == 0, (result.output, result.exception)
    assert Path(result.output.rsplit("weights: ", 1)[1].strip()) == tmp_path / "run/best.safetensors"
    assert re.search(r"step 4 of 4  total .*  l1 .* steps/s  \d\.\d\d GB  0:00:00 to go", result.output)
    assert list((tmp_path / "cache").glob("*.pixels"))
    assert load(TrainLEDNet, [str(tmp_path / "run/config.yaml")]).seed == 3
    again = call(*arguments(data, tmp_path / "run", "--seed", "3"))
    assert again.exit_code == 0, (again.output, again.exception)
    assert "4 of 4 steps are done" in again.output
    other = call(*arguments(data, tmp_path / "run", "--seed", "4"))
    assert isinstance(other.exception, UserError)
    assert "seed was 3, is 4" in str(other.exception)


def free_port() -> str:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return str(one.getsockname()[1])


def test_two_processes_are_one_with_twice_the_batch(data, tmp_path):
    """To float rounding: the first steps of Adam divide gradients by themselves, so small ones differ more."""
    train_lednet(data, tmp_path / "one", tiny(batch=2, ema=0.5))
    pair = arguments(data, tmp_path / "two", "--set", "ema=0.5")
    common = {
        **os.environ,
        "WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": free_port(),
        "OMP_NUM_THREADS": "1",
    }
    ranks = [
        subprocess.Popen(
            [sys.executable, "-m", "lolblur_synth", *pair],
            env={**common, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for rank in (0, 1)
    ]  # fmt: skip
    outputs = [process.communicate(timeout=120) for process in ranks]
    assert [process.returncode for process in ranks] == [0, 0], outputs
    assert "2 crops a step, fp32 on cpu in 2 processes, " in outputs[0][1]
    assert outputs[1] == ("", "")
    assert "arning" not in outputs[0][1]
    left, right = checkpoint(tmp_path / "one"), checkpoint(tmp_path / "two")
    for part in ("net", "average"):
        for key, value in left[part].items():
            torch.testing.assert_close(value, right[part][key], rtol=0, atol=2e-5)
    assert left["best"] == pytest.approx(right["best"], abs=1e-3)
    scalars = [[e.value for e in board(tmp_path / name).Scalars("training/total")] for name in ("one", "two")]
    assert scalars[0] == pytest.approx(scalars[1], rel=1e-5)
