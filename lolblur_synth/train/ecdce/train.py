"""Train EC-Zero-DCE on a folder of photographs; no picture of a night is needed.

The paper trains Zero-DCE with its curve reversed and an exposure map for the constant 0.6 of the exposure loss. What is
different here, and why, stands beside each field of `TrainECDCE` and each loss. Every loss sees the lightness of the
picture as written, after RGB · L_low / L and the pinning of lights, so that what is asked is what is measured.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.tensorboard import SummaryWriter

from lolblur_synth.config.training import TrainECDCE
from lolblur_synth.core.colorimetry import lightness as lightness_of
from lolblur_synth.core.devices import choose_device
from lolblur_synth.core.errors import UserError, shown
from lolblur_synth.core.files import write_text
from lolblur_synth.core.rng import torch_rng_for
from lolblur_synth.nets.ec_zero_dce import ECZeroDCE, apply_curves
from lolblur_synth.nets.weights.checkpoint import save_weights
from lolblur_synth.ops.darken import darken, exposure_map, light_weight, metering_target, pin, relight
from lolblur_synth.train.ecdce.crops import Photograph, batch, read_photographs, split, whole
from lolblur_synth.train.ecdce.losses import (
    exposure_gain,
    exposure_loss,
    picture_exposure_loss,
    smoothness_loss,
    spatial_loss,
)
from lolblur_synth.train.engine.callbacks import SILENT, Callbacks, OnStep
from lolblur_synth.train.engine.interrupt import catch_interrupt
from lolblur_synth.train.engine.learning_rate import cosine_rate, set_learning_rate
from lolblur_synth.train.engine.run_dir import BOARD, CHECKPOINT, METRICS, RunFolder
from lolblur_synth.train.engine.state import load_checkpoint, progress_of, restoring, save_checkpoint

_LOG_EVERY = 10
_WEIGHTS = "ec_zero_dce.safetensors"


@dataclass
class CurveTraining:
    """A training of EC-Zero-DCE between two steps."""

    config: TrainECDCE
    out: Path
    net: ECZeroDCE
    optimizer: torch.optim.Adam
    step: int = 0  # steps done
    best: float = float("inf")  # the lowest validation loss
    history: list[dict[str, float]] = field(default_factory=list)

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return next(self.net.parameters()).device

    def save(self) -> None:
        """Write all that decides how it goes on; raises `UserError` when the disk refuses."""
        state: dict[str, Any] = {
            "arguments": self.net.arguments(),
            "net": self.net.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "best": self.best,
            "history": self.history,
        }
        save_checkpoint(self.out / CHECKPOINT, state)

    def load(self) -> None:
        """Take back what was saved; raises `UserError` when it is of another training."""
        state = load_checkpoint(self.out / CHECKPOINT, self.device)
        with restoring(self.out / CHECKPOINT):
            self.net.load_state_dict(state["net"])
            self.optimizer.load_state_dict(state["optimizer"])
            progress = progress_of(state)
            self.step, self.best, self.history = progress.step, progress.best, progress.history


def train_ecdce(
    images: Path,
    out: Path,
    config: TrainECDCE,
    *,
    resume: bool = True,
    overwrite: bool = False,
    callbacks: Callbacks = SILENT,
) -> Path:
    """Train on the photographs below `images` and return the path of the best weights, in `out`.

    An interrupted run in `out` with the same settings and photographs goes on, to the very same weights; with
    `resume=False` it is refused, and with `overwrite` it is replaced. Ctrl-C saves and raises `KeyboardInterrupt`.
    Raises `UserError` for unusable images, an `out` that holds something else, or a loss that is no longer finite.
    """
    device = choose_device(config.device)
    photographs = read_photographs(images, config.crop, config.long_side)
    training, validation = split(photographs, config.validation_fraction, config.seed)
    data = _data_list(training, validation)
    goes_on = RunFolder(out, [_WEIGHTS], "photographs").prepare(config, data, resume=resume, overwrite=overwrite)
    run = _assemble(config, out, device)
    if goes_on:
        run.load()
    else:
        run.save()
    with SummaryWriter(str(out / BOARD), purge_step=run.step) as board:
        _train(run, training, validation or training, board, callbacks.on_step)
    return out / _WEIGHTS


def _train(
    run: CurveTraining,
    training: Sequence[Photograph],
    validation: Sequence[Photograph],
    board: SummaryWriter,
    on_step: OnStep,
) -> None:
    config, device = run.config, run.device
    diverged = torch.full((), -1, device=device)  # the first step without a finite loss, kept on the device
    latest: dict[str, float] = {}
    with catch_interrupt() as stop:
        while run.step < config.steps:
            frames, exposure = batch(training, config, run.step)
            parts = losses(run.net, frames.to(device), exposure.to(device), config)
            diverged = torch.where((diverged < 0) & ~parts["total"].isfinite(), run.step, diverged)
            _update(run, parts["total"])
            run.step += 1
            last = run.step == config.steps
            validates, saves = (last or run.step % every == 0 for every in (config.validate_every, config.save_every))
            if run.step % _LOG_EVERY == 0 or validates or saves or stop.is_set():
                latest = _log(run, parts, diverged, board)
            if validates:
                _validate(run, validation, board)
            if saves:
                run.save()
            on_step(run.step, latest)
            if stop.is_set() and not last:
                run.save()
                stop.end()


def losses(net: ECZeroDCE, frames: Tensor, exposure: Tensor, config: TrainECDCE) -> dict[str, Tensor]:
    """The losses of frames (N, 3, H, W) darkened to exposures (N,), and their weighted total."""
    lightness = lightness_of(frames)
    asked = exposure_map(lightness, exposure)
    maps, light = net(lightness, asked), light_weight(lightness, exposure)
    dark = pin(lightness, apply_curves(lightness, maps), light)
    written, unlit = lightness_of(relight(frames, lightness, dark)), 1 - light
    target = metering_target(lightness, unlit, exposure)
    gain = exposure_gain(lightness, unlit, target, config.contrast)
    parts = {
        "exposure": exposure_loss(written, lightness, asked),
        "picture": picture_exposure_loss(written, unlit, target),
        "spatial": spatial_loss(written, lightness, unlit, gain),
        "smooth": smoothness_loss(maps),
    }
    weights = config.weight_exposure, config.weight_picture, config.weight_spatial, config.weight_smooth
    weighted = [weight * part for weight, part in zip(weights, parts.values(), strict=True)]
    return {"total": torch.stack(weighted).sum(), **parts}


def _update(run: CurveTraining, loss: Tensor) -> None:
    set_learning_rate(run.optimizer, cosine_rate(run.step, run.config.steps, run.config.learning_rate))
    run.optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(run.net.parameters(), run.config.clip_gradient)
    run.optimizer.step()


def _log(run: CurveTraining, parts: Mapping[str, Tensor], diverged: Tensor, board: SummaryWriter) -> dict[str, float]:
    if int(diverged) >= 0:
        raise UserError(
            f"the loss of step {int(diverged)} is not finite; {run.out / CHECKPOINT} has the state before",
            where="training",
            advice="train again with a lower learning_rate",
        )
    values = {name: float(loss.detach()) for name, loss in parts.items()}
    for name, value in values.items():
        board.add_scalar(f"training/{name}", value, run.step)
    return values


@torch.no_grad()
def _validate(run: CurveTraining, photographs: Sequence[Photograph], board: SummaryWriter) -> None:
    config, device = run.config, run.device
    frames = [whole(photograph, config.crop)[None].to(device) for photograph in photographs]
    asked = torch.linspace(*config.exposure, 4, device=device)
    measured = [losses(run.net, frame, exposure[None], config) for frame in frames for exposure in asked]
    total, picture = (torch.stack([parts[name] for parts in measured]) for name in ("total", "picture"))
    error = picture.sqrt().mean()  # of the mean lightness; each `picture` is of one frame
    row = {"step": run.step, "loss": float(total.mean()), "error": float(error)}
    run.history.append(row)
    board.add_scalar("validation/loss", row["loss"], run.step)
    board.add_scalar("validation/exposure error", row["error"], run.step)
    for number, frame in enumerate(frames[:4]):
        shown = [frame[0], *(darken(frame[0], float(exposure), run.net) for exposure in asked.tolist())]
        board.add_image(f"sample/{number}", torch.cat(shown, 2).cpu(), run.step)
    write_text(run.out / METRICS, json.dumps(run.history, indent=1) + "\n")
    if row["loss"] < run.best:
        run.best = row["loss"]
        metadata = {"config": config.model_dump(mode="json"), "step": run.step, "validation": row}
        save_weights(run.out / _WEIGHTS, run.net, metadata)


def _assemble(config: TrainECDCE, out: Path, device: torch.device) -> CurveTraining:
    net = ECZeroDCE(**config.net.model_dump())
    initialize(net, torch_rng_for(config.seed, "initial weights"))
    net.to(device).train()
    optimizer = torch.optim.Adam(net.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay)
    return CurveTraining(config, out, net, optimizer)


@torch.no_grad()
def initialize(net: ECZeroDCE, generator: torch.Generator) -> None:
    """Draw first weights from N(0, 2 / inputs), so that a narrow network passes its signal on; the last N(0, 0.02).

    Zero-DCE draws all from N(0, 0.02), which is about the same at the released width and nearly nothing at 24.
    """
    for module in net.modules():
        if isinstance(module, nn.Conv2d) and module.bias is not None:
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=generator)
            nn.init.zeros_(module.bias)
    nn.init.normal_(net.e_conv7.weight, std=0.02, generator=generator)


def _data_list(training: Sequence[Photograph], validation: Sequence[Photograph]) -> list[dict[str, str]]:
    parts = (("training", training), ("validation", validation))
    return [
        {"name": shown(p.name), "sha256": p.sha256, "part": part} for part, photographs in parts for p in photographs
    ]
