"""State of a training of LEDNet between two steps: assembled from settings, saved whole, restored."""

import copy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator, DistributedDataParallelKwargs
from accelerate.utils import GradientAccumulationPlugin
from torch import nn

from lolblur_synth.config.training import TrainLEDNet
from lolblur_synth.core.devices import choose_device
from lolblur_synth.core.errors import UserError
from lolblur_synth.nets.lednet import LEDNet
from lolblur_synth.nets.weights.checkpoint import load_strictly, save_weights
from lolblur_synth.train.engine.run_dir import CHECKPOINT
from lolblur_synth.train.engine.state import progress_of, restoring, save_checkpoint, snapshot

BEST, LAST = "best.safetensors", "last.safetensors"
FREE = "device", "workers", "threads", "cache"  # settings that decide no result, but for how sums are rounded


@dataclass
class RestorationTraining:
    """A training between two steps."""

    config: TrainLEDNet
    out: Path
    accelerator: Accelerator
    net: LEDNet
    average: LEDNet | None  # EMA of the weights, where settings ask for it
    model: nn.Module  # the network as it is trained: compiled, in mixed precision, in step with other processes
    optimizer: Any
    step: int = 0  # steps done
    best: float = float("-inf")  # the highest mean PSNR of a validation, dB
    history: list[dict[str, float]] = field(default_factory=list)
    finite: dict[str, Any] = field(default_factory=dict)  # the last state that was seen to be finite

    @property
    def result(self) -> LEDNet:
        """The network to keep."""
        return self.average or self.net

    def state_dict(self) -> dict[str, Any]:
        """All that decides how the training goes on."""
        return {
            "net": self.net.state_dict(),
            "average": self.average.state_dict() if self.average else None,
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.accelerator.scaler.state_dict() if self.accelerator.scaler else None,
            "step": self.step,
            "best": self.best,
            "history": self.history,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take a state back; raises `UserError` when it is of another training."""
        path = self.out / CHECKPOINT
        with restoring(path):
            load_strictly(self.net, state["net"], path, self.net.kind)
            if self.average:
                load_strictly(self.average, state["average"], path, self.net.kind)
            self.optimizer.load_state_dict(state["optimizer"])
            if self.accelerator.scaler:
                self.accelerator.scaler.load_state_dict(state["scaler"])
            progress = progress_of(state)
            self.step, self.best, self.history = progress.step, progress.best, progress.history
        self.finite = snapshot(self.state_dict())

    def save(self) -> None:
        """Write the state, and the weights to keep, by the first process; `UserError` when the disk refuses."""
        if self.accelerator.is_main_process:
            save_checkpoint(self.out / CHECKPOINT, self.state_dict())
            save_weights(self.out / LAST, self.result, self.provenance())

    def provenance(self) -> dict[str, Any]:
        """What weights tell about their training."""
        return {"config": self.config.model_dump(mode="json", exclude=set(FREE)), "step": self.step}


def accelerator_for(config: TrainLEDNet) -> Accelerator:
    """Join the processes that were launched together; raises `UserError` for a device or precision that is not here."""
    device = choose_device(config.device)
    if config.precision == "fp16" and device.type == "cpu":
        raise UserError("needs a CUDA device", where="precision=fp16", advice="take bf16 or fp32 on the CPU")
    try:
        return Accelerator(
            cpu=device.type == "cpu",
            mixed_precision="no" if config.precision == "fp32" else config.precision,
            gradient_accumulation_plugin=GradientAccumulationPlugin(num_steps=config.accumulate),
            kwargs_handlers=[DistributedDataParallelKwargs(gradient_as_bucket_view=True)],
        )
    except ValueError as error:
        raise UserError(error, where=f"accelerate refuses device={device.type}, precision={config.precision}") from None


def assemble(config: TrainLEDNet, out: Path, accelerator: Accelerator, net: LEDNet) -> RestorationTraining:
    """Put a network where it is trained, with its optimizer, Adam, and a copy for the average of its weights."""
    net = net.to(accelerator.device).train()
    if config.channels_last:
        _lay_kernels_channels_last(net)
    average = copy.deepcopy(net).requires_grad_(False) if config.ema else None
    optimizer = torch.optim.Adam(net.parameters(), config.learning_rate, config.betas, fused=True)
    model, optimizer = accelerator.prepare(torch.compile(net) if config.compile else net, optimizer)
    return RestorationTraining(config, out, accelerator, net, average, model, optimizer)


def _lay_kernels_channels_last(net: nn.Module) -> None:
    """In memory (NHWC), but for those of 1x1, where it is the same under other strides."""
    for weight in net.parameters():
        if weight.dim() == 4 and weight[0, 0].numel() > 1:
            weight.data = weight.data.contiguous(memory_format=torch.channels_last)
