"""The table of `make gpu` at small sizes on the CPU, and operators kept on the device of their frames."""

import sys
from pathlib import Path

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from lolblur_synth.mosaic.demosaic import demosaic
from lolblur_synth.ops.defocus import defocus
from lolblur_synth.ops.denoise.vbm4d import backend_torch
from lolblur_synth.ops.denoise.vbm4d.passes import PRESETS, Frame, Job, Pass
from lolblur_synth.ops.denoise.vbm4d.trajectories import LATTICE
from lolblur_synth.ops.denoise.vbm4d.transforms import FRAMES, PAD, grid
from tests.gpu import __main__ as gpu
from tests.gpu import chain
from tests.gpu.networks import RUNS
from tests.gpu.operators import OPERATORS, inputs
from tests.gpu.rows import Limit, Row, compared, markdown, plain

CPU, META = torch.device("cpu"), torch.device("meta")
SMALL = gpu.Size((48, 64), (48, 64), (48, 64), "fast", (64, 96), (4, 4, 4, 4), 32, 8, 1, ("float32", "bfloat16"))
# These give a number to the host, or work there and bring the result back.
ON_HOST = {
    *("mean lightness", "motion in numbers", "flow inconsistency", "noise estimation", "JPEG", "sub-frames by flow"),
    *("exposure of a window", "denoiser, fast", "denoiser, best"),
}


def test_the_half_of_the_cpu_holds_and_is_written(tmp_path, monkeypatch, capsys):
    out = tmp_path / "folder" / "table.md"
    monkeypatch.setattr(gpu, "ON_CPU", SMALL)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(sys, "argv", ["gpu", "--out", str(out)])
    with pytest.raises(SystemExit) as end:
        gpu.main()
    lines = [line.strip("| ").split(" | ") for line in out.read_text().splitlines()[2:]]
    assert end.value.code == 0, [line for line in lines if "NO" in line]
    assert "no CUDA" in capsys.readouterr().out
    assert {line[1] for line in lines if line[0] == "operator"} == set(OPERATORS)
    assert {line[1] for line in lines if line[0] == "network"} == set(RUNS)
    assert {line[1] for line in lines if line[0] == "chain"} == set(chain.PICTURES)
    assert len([line for line in lines if line[0] == "training"]) == 2


def test_what_is_off_is_told(tmp_path, monkeypatch, capsys):
    def table(*_: object) -> list[Row]:
        return [compared("operator", "x", CPU, [torch.ones(2)], [torch.zeros(2)], Limit(0.5))]

    monkeypatch.setattr(gpu, "table", table)
    monkeypatch.setattr(sys, "argv", ["gpu", "--out", str(tmp_path / "table.md")])
    with pytest.raises(SystemExit) as end:
        gpu.main()
    assert end.value.code == 1
    assert "| NO |" in Path(tmp_path, "table.md").read_text()
    assert "1 beyond their limits" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("made", "limit", "holds"),
    [
        ([0.0, 1.0], Limit(1e-5), True),
        ([0.0, 1.1], Limit(1e-5), False),
        ([0.0, 1.1], Limit(1e-5, beyond=0.5), True),
        ([0.0, 1.1], Limit(1, rms=0.05), False),
        ([0.0, 1.1], Limit(0.2, relative=True), True),
        ([0.0, float("nan")], Limit(1, beyond=1), False),
        ([0.0, 1.0, 2.0], Limit(9), False),
    ],
)
def test_limits(made, limit, holds):
    row = compared("operator", "x", CPU, [torch.tensor(made)], [torch.tensor([0.0, 1.0])], limit)
    assert row.holds is holds
    assert markdown([row]).count("\n") == 3


def test_a_scale_that_is_wrong_is_seen_though_limits_are_relative():
    row = compared("network", "x", CPU, [torch.ones(3) * 2], [torch.ones(3)], Limit(0.1, relative=True))
    assert row.holds is False


@pytest.mark.parametrize("name", [name for name in OPERATORS if name not in ON_HOST])
def test_operators_read_nothing_back(name):
    """On the meta device, which has no values, any look at one is an error, and so are tensors of other devices."""
    given = inputs((48, 64)).to(META, torch.float32)
    with torch.inference_mode():
        made = OPERATORS[name].run(given)
    assert made.is_meta


@pytest.mark.parametrize("settings", [settings for preset in PRESETS.values() for settings in preset])
def test_a_pass_of_the_denoiser_reads_nothing_back(settings: Pass):
    size = 48, 64
    plane = torch.zeros(3, *(side + 2 * PAD for side in size), device=META)
    flow = torch.zeros(*(-(-side // LATTICE) for side in size), 2, device=META)
    places = grid(size[0], settings.step, 0), grid(size[1], settings.step, 0)
    sums, weights = ([plane.clone() for _ in range(1 if settings.wiener else FRAMES)] for _ in range(2))
    window = [Frame(plane, plane, flow, flow)] * FRAMES
    backend_torch.filter_job(Job(window, 4, size, places, settings, torch.ones(3, 64), sums, weights), map)


class Convolutions(TorchDispatchMode):
    """What cuDNN may do in each convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.rounded: list[bool] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func.overloadpacket is torch.ops.aten.convolution:
            self.rounded.append(torch.backends.cudnn.allow_tf32)
        return func(*args, **(kwargs or {}))


def test_pictures_are_not_rounded_to_tf32():
    assert torch.backends.cudnn.allow_tf32
    with Convolutions() as seen, plain():
        defocus(torch.rand(3, 32, 32), torch.full((3, 3), 1 / 9))
        demosaic(torch.rand(32, 32), "RGGB", "bilinear")
        demosaic(torch.rand(32, 32), "RGGB", "malvar")
    assert seen.rounded == [False] * 5  # of defocus one a plane
    assert torch.backends.cudnn.allow_tf32
