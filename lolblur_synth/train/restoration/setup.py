"""A training of LEDNet as it stands: made from settings, saved whole, found again."""

import copy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import torch
from accelerate import Accelerator, DistributedDataParallelKwargs
from accelerate.utils import GradientAccumulationPlugin
from torch import nn

from lolblur_synth.config.training import TrainLEDNet
from lolblur_synth.core.devices import choose_device
from lolblur_synth.core.errors import UserError
from lolblur_synth.core.rng import torch_rng_for
from lolblur_synth.kernels.fac import SIDE
from lolblur_synth.nets.lednet import Block, Curve, Down, LEDNet, PyramidPooling, Residual, Skip, Up
from lolblur_synth.nets.weights.checkpoint import load_strictly, save_weights
from lolblur_synth.nets.weights.load import load_lednet
from lolblur_synth.train.engine.loop import save_checkpoint, snapshot, standing_of
from lolblur_synth.train.engine.run_dir import CHECKPOINT

BEST, LAST = "best.safetensors", "last.safetensors"
FREE = "device", "workers", "threads", "cache"  # settings that decide no result, but for how sums are rounded

Part = TypeVar("Part", bound=nn.Module)


@dataclass
class Run:
    """A training between two steps."""

    config: TrainLEDNet
    out: Path
    accelerator: Accelerator
    net: LEDNet
    average: LEDNet | None  # of the weights, where settings ask for it
    model: nn.Module  # the network as it is trained: compiled, in mixed precision, in step with other processes
    optimizer: Any
    step: int = 0  # steps done
    best: float = float("-inf")  # the highest mean PSNR of a validation, dB
    history: list[dict[str, float]] = field(default_factory=list)
    good: dict[str, Any] = field(default_factory=dict)  # the last state that was seen to be finite

    @property
    def result(self) -> LEDNet:
        """The network to keep."""
        return self.average or self.net


def accelerator_for(config: TrainLEDNet) -> Accelerator:
    """Join the processes that were launched together; raises `UserError` for a device or precision that is not here."""
    device = choose_device(config.device)
    if config.precision == "fp16" and device.type == "cpu":
        raise UserError("precision=fp16: needs a CUDA device", advice="take bf16 or fp32 on the CPU")
    try:
        return Accelerator(
            cpu=device.type == "cpu",
            mixed_precision="no" if config.precision == "fp32" else config.precision,
            gradient_accumulation_plugin=GradientAccumulationPlugin(num_steps=config.accumulate),
            kwargs_handlers=[DistributedDataParallelKwargs(gradient_as_bucket_view=True)],
        )
    except ValueError as error:
        raise UserError(error, where=f"accelerate refuses device={device.type}, precision={config.precision}") from None


def first_network(config: TrainLEDNet, start: str | None) -> tuple[LEDNet, str | None]:
    """The network at its start, and the hash of the file that it comes from, if any."""
    if start is None:
        net = LEDNet(**config.net.model_dump())
        initialize(net, torch_rng_for(config.seed, "initial weights"))
        return net, None
    net, digest = load_lednet(start)
    wanted = config.net.model_dump(mode="json")
    if net.arguments() != wanted:
        raise UserError(
            f"of LEDNet with {net.arguments()}, the settings have {wanted}",
            where=f"weights {start}",
            advice="set net alike",
        )
    return net.requires_grad_(True), digest


@torch.no_grad()
def initialize(net: LEDNet, generator: torch.Generator) -> None:
    """Draw first weights such that the colours of a dark picture reach the last layer, brightened.

    Each convolution is drawn from N(0, g^2 2 / inputs) with g = 1 (He et al., ICCV 2015), but 3 where dark pictures
    enter, 0.1 where residuals are added, 0.3 for the two outputs, which begin at 0.3, and 1/5 for kernels of 25 taps,
    beside 1 at their centre. Three features begin as the picture and go through every change of size as they are; nine
    curves make of a value of 0.05 one of 0.3. If all is drawn, signals fade, curves clip what is left, and a short
    training learns little but a mean colour; if outputs begin as the picture too, they take longer to fit another.
    """
    gains: dict[nn.Module, float] = {net.stem: 3, net.side: 0.3, net.tail: 0.3}
    gains |= {residual.second: 0.1 for residual in _all(net, Residual)}
    gains |= {skip.kernels: 1 / SIDE for skip in _all(net, Skip)}
    for conv in (*_all(net, nn.Conv2d), *_all(net, nn.ConvTranspose2d)):
        nn.init.kaiming_normal_(conv.weight, nonlinearity="relu", generator=generator)
        conv.weight.mul_(gains.get(conv, 1))
        if conv.bias is not None:
            conv.bias.zero_()
    for skip in _all(net, Skip):
        skip.kernels.get_parameter("bias").view(-1, SIDE**2)[:, SIDE**2 // 2] = 1
    for curve in _all(net, Curve):
        curve.predict.get_parameter("4.bias").fill_(-1)
    for output in (net.side, net.tail):
        output.get_parameter("bias").fill_(0.3)
    _pass_on_the_picture(net)


def _pass_on_the_picture(net: LEDNet) -> None:
    """Let the first three features be those before the layer, where layers add nothing."""
    scales: list[Down | Up] = [*_all(net, Down), *_all(net, Up)]
    ways: list[nn.Conv2d] = [net.stem, *(block.last for block in _all(net, Block))]
    ways += [*(scale.direct for scale in scales), *(pyramid.fuse for pyramid in _all(net, PyramidPooling))]
    for conv in (*ways, *(scale.leave for scale in scales)):
        conv.weight[:3] = 0
    for conv in ways:
        middle = conv.weight.shape[-1] // 2
        conv.weight[range(3), range(3), middle, middle] += 1


def _all(net: nn.Module, kind: type[Part]) -> list[Part]:
    return [part for part in net.modules() if isinstance(part, kind)]


def assemble(config: TrainLEDNet, out: Path, accelerator: Accelerator, net: LEDNet) -> Run:
    """Put a network where it is trained, with its optimizer."""
    net = net.to(accelerator.device).train()
    if config.channels_last:
        _turn_kernels(net)
    average = copy.deepcopy(net).requires_grad_(False) if config.ema else None
    optimizer = torch.optim.Adam(net.parameters(), config.learning_rate, config.betas, fused=True)
    model, optimizer = accelerator.prepare(torch.compile(net) if config.compile else net, optimizer)
    return Run(config, out, accelerator, net, average, model, optimizer)


@torch.no_grad()
def follow(average: nn.Module, net: nn.Module, decay: float) -> None:
    """Move averaged weights to `decay` of themselves and 1 - `decay` of a network's: an exponential moving average."""
    torch._foreach_lerp_(list(average.parameters()), list(net.parameters()), 1 - decay)


def origin(run: Run) -> dict[str, Any]:
    """What weights tell about their training."""
    return {"config": run.config.model_dump(mode="json", exclude=set(FREE)), "step": run.step}


def state_of(run: Run) -> dict[str, Any]:
    """All that decides how a training goes on."""
    return {
        "net": run.net.state_dict(),
        "average": run.average.state_dict() if run.average else None,
        "optimizer": run.optimizer.state_dict(),
        "scaler": run.accelerator.scaler.state_dict() if run.accelerator.scaler else None,
        "step": run.step,
        "best": run.best,
        "history": run.history,
    }


def _turn_kernels(net: nn.Module) -> None:
    """Lay kernels channels-last in memory, but for those of 1x1, where it is the same under other strides."""
    for weight in net.parameters():
        if weight.dim() == 4 and weight[0, 0].numel() > 1:
            weight.data = weight.data.contiguous(memory_format=torch.channels_last)


def load(run: Run, state: dict[str, Any]) -> None:
    """Take a state back; raises `UserError` when it is of another training."""
    path = run.out / CHECKPOINT
    try:
        load_strictly(run.net, state["net"], path, run.net.kind)
        if run.average:
            load_strictly(run.average, state["average"], path, run.net.kind)
        run.optimizer.load_state_dict(state["optimizer"])
        if run.accelerator.scaler:
            run.accelerator.scaler.load_state_dict(state["scaler"])
        standing = standing_of(state)
        run.step, run.best, run.history = standing.step, standing.best, standing.history
    except (KeyError, TypeError, AttributeError, ValueError, RuntimeError) as error:
        raise UserError(f"not a checkpoint of this run ({error})", where=path, advice="overwrite it") from None
    run.good = snapshot(state_of(run))


def save(run: Run) -> None:
    """Write the state, and the weights to keep, by the first process; raises `UserError` when the disk refuses."""
    if run.accelerator.is_main_process:
        save_checkpoint(run.out / CHECKPOINT, state_of(run))
        save_weights(run.out / LAST, run.result, origin(run))
