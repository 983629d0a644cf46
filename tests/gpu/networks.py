"""Every network on a device beside its float64 self in plain torch on the CPU; its speed beside the plain form."""

import copy
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from lolblur_synth.core.devices import memory_used
from lolblur_synth.nets.ec_zero_dce import ECZeroDCE
from lolblur_synth.nets.lednet import LEDNet
from lolblur_synth.nets.lpips import LPIPS
from lolblur_synth.nets.rife import IFNet
from lolblur_synth.nets.vgg import VGG19
from lolblur_synth.nets.weights.load import load_ec_zero_dce
from lolblur_synth.ops.interpolation.rife import Rife
from lolblur_synth.scenes import render
from tests.gpu.operators import scene
from tests.gpu.rows import Limit, Row, compared, plain, wait
from tests.support.lednets import plain as plain_layers
from tests.support.lednets import plain_forward
from tests.support.rife_files import VERSIONS, random_rife


class Limits(NamedTuple):
    """On the CPU, and elsewhere: cuDNN rounds what goes into convolutions to TF32, and RIFE is of float16 there."""

    cpu: Limit
    other: Limit


FORWARD = Limits(Limit(1e-4, relative=True), Limit(5e-3, relative=True))
# A rounding decides on which side of a PReLU's bend a value lies.
BACKWARD = Limits(Limit(1e-3, 1e-3, 1e-4, relative=True), Limit(3e-2, 1e-2, 5e-3, relative=True))
SUB_FRAMES = Limits(Limit(1e-4), Limit(1, beyond=1, rms=5e-3))


def _seeded(make: Callable[[], nn.Module]) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return make().requires_grad_(False).eval()


def _pictures(size: tuple[int, int]) -> Tensor:
    return torch.stack([render(scene(), t, size) for t in (0.0, 1.0)])


def forward(net: nn.Module, images: Tensor) -> list[Tensor]:
    """All outputs."""
    with torch.inference_mode():
        if isinstance(net, ECZeroDCE):
            return [net(images[:1, :1], images[1:, :1])]
        made = net(images[:1], images[1:]) if isinstance(net, LPIPS) else net(images)
        return [made] if isinstance(made, Tensor) else list(made)


def gradients(net: LEDNet, images: Tensor) -> list[Tensor]:
    """Of all weights."""
    net.train().requires_grad_(True)
    restored, side = net(images)
    ((restored - images.flip(0)).square().mean() + side.square().mean()).backward()
    return [weight.grad for weight in net.parameters() if weight.grad is not None]


def sub_frames(net: IFNet, images: Tensor) -> list[Tensor]:
    """Between two frames, which are their own guides."""
    before, after = images
    return list(Rife(net, print).subframes(before, after, before, after, (0.25, 0.5)))


RUNS: dict[str, tuple[Callable[[], Any], Callable[..., list[Tensor]], Limits]] = {
    "LEDNet": (LEDNet, forward, FORWARD),
    "LEDNet, signed": (lambda: LEDNet(signed=True), forward, FORWARD),
    "LEDNet, gradients": (LEDNet, gradients, BACKWARD),
    "EC-Zero-DCE": (lambda: load_ec_zero_dce("ec_zero_dce")[0], forward, FORWARD),
    "VGG19": (VGG19, forward, FORWARD),
    "LPIPS, vgg": (LPIPS, forward, FORWARD),
    "LPIPS, alex": (lambda: LPIPS("alex"), forward, FORWARD),
    **{f"RIFE v{name}": (partial(random_rife, name), sub_frames, SUB_FRAMES) for name in VERSIONS},
}


def rows(size: tuple[int, int], devices: Sequence[torch.device]) -> Iterator[Row]:
    """Outputs, and LEDNet's gradients; RIFE's reference is of float32, as it computes inside, and of twice the size."""
    for name, (make, run, limits) in RUNS.items():
        net = _seeded(make)
        larger = isinstance(net, IFNet)  # it is compiled for many tiles alone, and works at a quarter of the size
        images = _pictures((2 * size[0], 2 * size[1]) if larger else size)
        dtype = torch.float32 if larger else torch.float64
        with plain():
            reference = run(copy.deepcopy(net).to(dtype), images.to(dtype))
        for device in devices:
            made = run(copy.deepcopy(net).to(device), images.to(device))
            limit = limits.cpu if device.type == "cpu" else limits.other
            yield compared("network", name, device, made, reference, limit)


def speed(size: tuple[int, int], device: torch.device, repeats: int) -> Iterator[Row]:
    """LEDNet beside its plain form, all kernels of the filter-adaptive convolution in memory at once, in turn."""
    net = _seeded(LEDNet)
    ours = copy.deepcopy(net).to(device, memory_format=torch.channels_last)
    layers = plain_layers(copy.deepcopy(net)).to(device)
    image = _pictures(size)[:1].to(device)
    runs: dict[str, Callable[[], object]] = {"plain": lambda: plain_forward(layers, image), "ours": lambda: ours(image)}
    if device.type == "cuda":
        half, small = copy.deepcopy(ours).half(), image.half()
        runs["ours, float16"] = lambda: half(small)
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    with torch.inference_mode():
        for _ in range(repeats + 1):
            for name, run in runs.items():
                start = time.perf_counter()
                run()
                wait(device)
                seconds[name].append(time.perf_counter() - start)
    best = {name: min(values[1:]) for name, values in seconds.items()}
    for name, value in best.items():
        measured = f"{1 / value:.3g} images/s, {best['plain'] / value:.2f} times the plain form"
        yield Row("speed", f"LEDNet, {size[1]}x{size[0]}, {name}", device.type, measured)
    if device.type == "cuda":
        for name, run in runs.items():
            yield Row("memory", f"LEDNet, {size[1]}x{size[0]}, {name}", "cuda", _peak(run, device))


def _peak(run: Callable[[], object], device: torch.device) -> str:
    """What a run takes on CUDA beyond what is there before it."""
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    with torch.inference_mode():
        run()
    return f"{(memory_used(device) - before) / 1e6:.0f} MB"
