"""Train LEDNet on the pairs of a dataset, on one device or on many.

The settings of the paper (section 5.1) are `configs/train_lednet.yaml`. Whatever is drawn is a function of seed and
step: a run that was stopped goes on, with as many threads, to the very same weights, and the crops of a step do not
depend on how many processes share it. Several processes come from `torchrun` or `accelerate launch`, on one machine or
many, which need no disk in common; only the first of them writes, and reads the state that all go on from.
"""

import json
import os
from collections.abc import Generator, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import gather_object
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from lolblur_synth.config.training import TrainLEDNet
from lolblur_synth.core.errors import UserError
from lolblur_synth.core.files import write_text
from lolblur_synth.core.threads import WHILE_TRAINING, keeping_memory, torch_threads
from lolblur_synth.nets.weights.checkpoint import save_weights
from lolblur_synth.train.engine.callbacks import SILENT, Callbacks, OnStep
from lolblur_synth.train.engine.ema import update_ema
from lolblur_synth.train.engine.interrupt import catch_interrupt
from lolblur_synth.train.engine.learning_rate import cosine_rate, set_learning_rate
from lolblur_synth.train.engine.monitor import Monitor
from lolblur_synth.train.engine.processes import from_first, prepare_alike, together
from lolblur_synth.train.engine.run_dir import BOARD, CHECKPOINT, METRICS, RunFolder
from lolblur_synth.train.engine.state import load_checkpoint, save_checkpoint, snapshot
from lolblur_synth.train.restoration.losses import RestorationLoss
from lolblur_synth.train.restoration.pairs import Batch, Pairs, Shard, loader, workers_for
from lolblur_synth.train.restoration.preparation import NOT_PRETRAINED, Given, Pretrained, Validation, prepare
from lolblur_synth.train.restoration.state import BEST, FREE, LAST, RestorationTraining, accelerator_for, assemble
from lolblur_synth.train.restoration.validate import score, sheet, spread

_LOG_EVERY = {"cpu": 1, "cuda": 10}  # steps: to read a loss is to wait for the device
_NAMED = 8  # files in a message


def train_lednet(
    data: Path,
    out: Path,
    config: TrainLEDNet,
    pretrained: Pretrained = NOT_PRETRAINED,
    *,
    overwrite: bool = False,
    callbacks: Callbacks = SILENT,
) -> Path:
    """Train on the training split of `data` and return the path of the best weights, in `out`.

    An interrupted run in `out` with the same settings and pairs goes on, and with `overwrite` any is replaced. Ctrl-C
    saves and raises `KeyboardInterrupt`. Raises `UserError` for a dataset with faults, an `out` that holds something
    else, weights that are missing or of another network, or a loss that is no longer finite.
    """
    accelerator = accelerator_for(config)
    with together(accelerator):
        given = prepare_alike(accelerator, lambda: prepare(data, config, pretrained, callbacks, accelerator.device))
        run = assemble(config, out, accelerator, given.net)
        state = from_first(accelerator, lambda: _first_state(run, given, overwrite=overwrite))
        run.load_state_dict(state)
        if accelerator.is_main_process:
            callbacks.on_start(_describe(run, given.training, given.test))
        kept = keeping_memory(WHILE_TRAINING) if accelerator.device.type == "cpu" else nullcontext()
        with _board(run) as board, torch.backends.cudnn.flags(enabled=True, benchmark=True), kept:
            _train(run, given, board, callbacks.on_step)
    return out / (BEST if given.test else LAST)


def _first_state(run: RestorationTraining, given: Given, *, overwrite: bool) -> dict[str, Any]:
    """The state from which the run in its folder goes on, or begins."""
    folder = RunFolder(run.out, [BEST, LAST], "pairs, weights or processes", FREE)
    identity = {**given.identity, "processes": run.accelerator.num_processes}
    if not folder.prepare(run.config, identity, overwrite=overwrite):
        run.save()
    return load_checkpoint(run.out / CHECKPOINT, torch.device("cpu"))


def _train(run: RestorationTraining, given: Given, board: SummaryWriter | None, on_step: OnStep) -> None:
    config, accelerator, test = run.config, run.accelerator, given.test
    latest, stops = dict[str, float](), False
    monitor = Monitor(accelerator)
    with closing(_batches(run, given.training)) as batches, catch_interrupt() as stop:
        while run.step < config.steps:
            with nullcontext() if config.threads == "auto" else torch_threads(config.threads), _saving(run):
                terms, names = _update(run, monitor.timed(batches), given.loss)
            run.step += 1
            monitor.add(run.step, terms, names)
            last = run.step == config.steps
            validates = test is not None and (last or run.step % config.validate_every == 0)
            saves = last or run.step % config.save_every == 0
            asked = stop.is_set() and accelerator.num_processes == 1  # several stop at a step when all look
            if asked or saves or validates or run.step % _LOG_EVERY[accelerator.device.type] == 0:
                latest, stops = _look(run, monitor, board, stop=stop.is_set())
            if test is not None and validates:
                with _saving(run):
                    _validate(run, test, board)
                run.finite |= {"best": run.best, "history": snapshot(run.history)}
            if saves or stops:
                run.save()
            if accelerator.is_main_process:
                on_step(run.step, latest)
            if stops and not last:
                stop.end()


@contextmanager
def _saving(run: RestorationTraining) -> Iterator[None]:
    """Save the last state that was seen to be finite when something fails: a picture, the memory of a device."""
    try:
        yield
    except Exception:
        if run.accelerator.is_main_process:
            with suppress(UserError):  # the first error is the one to tell
                save_checkpoint(run.out / CHECKPOINT, run.finite)
        raise


def _update(
    run: RestorationTraining, batches: Iterator[Batch], loss: RestorationLoss
) -> tuple[dict[str, Tensor], list[str]]:
    """One step of the optimizer; returns the losses, means over its batches, and the names of the samples."""
    config, accelerator = run.config, run.accelerator
    floor = config.last_learning_rate / config.learning_rate
    rate = cosine_rate(run.step, config.steps, config.learning_rate, floor, config.warm_up)
    set_learning_rate(run.optimizer, rate)
    means: dict[str, Tensor] = {}
    names: list[str] = []
    for _ in range(config.accumulate):
        batch = next(batches)
        dark, target = (images.to(accelerator.device, non_blocking=True) for images in (batch.input, batch.target))
        with accelerator.accumulate(run.model):
            with accelerator.autocast():
                restored, side = run.model(dark)
                terms = loss(restored, side, target)
            accelerator.backward(terms["total"])
        names += batch.names
        means = {name: means.get(name, 0) + term.detach() / config.accumulate for name, term in terms.items()}
    if config.clip_gradient:
        accelerator.clip_grad_norm_(run.net.parameters(), config.clip_gradient)
    run.optimizer.step()
    run.optimizer.zero_grad()
    if run.average:
        update_ema(run.average, run.net, config.ema)
    return means, names


def _look(
    run: RestorationTraining, monitor: Monitor, board: SummaryWriter | None, *, stop: bool
) -> tuple[dict[str, float], bool]:
    """Read the losses since the last look, and whether to stop; raises `UserError` when something is not finite."""
    report = monitor.look(run.step, run.net.parameters(), stop=stop)
    if report.bad is not None:
        run.load_state_dict(run.finite)
        run.save()
        more = f" and {len(report.names) - _NAMED} more" if len(report.names) > _NAMED else ""
        raise UserError(
            f"the loss of step {report.bad}, or the weights after it, are not finite; its pairs are "
            f"{', '.join(report.names[:_NAMED])}{more}; {run.out / CHECKPOINT} has the state after step {run.step}",
            where="training",
            advice="look at those pairs, or train with a lower learning_rate or with clip_gradient",
        )
    run.finite = snapshot(run.state_dict())
    if board:
        for name, value in report.terms.items():
            board.add_scalar(f"training/{name}", value, run.step)
        board.add_scalar("training/learning rate", run.optimizer.param_groups[0]["lr"], run.step)
        board.add_scalar("speed/steps per second", report.rate, run.step)
        board.add_scalar("speed/share of time waiting for pairs", report.waited, run.step)
    return report.terms, report.stops


def _validate(run: RestorationTraining, test: Validation, board: SummaryWriter | None) -> None:
    """Score the network on the test split, each process a part of it, and keep the best weights."""
    config, accelerator, net = run.config, run.accelerator, run.result

    def restore(dark: Tensor) -> Tensor:
        with accelerator.autocast():
            restored: Tensor = net(dark)[0]
        return restored.float()

    indices = spread(len(test.pairs), config.validate_pairs)
    part = indices[accelerator.process_index :: accelerator.num_processes]
    scores = gather_object(score(restore, test.pairs, part, accelerator.device, test.lpips))
    if not accelerator.is_main_process or board is None:
        return
    means = {name: sum(one[name] for one in scores) / len(scores) for name in scores[0]}
    row = {"step": run.step, **means}
    run.history.append(row)
    write_text(run.out / METRICS, json.dumps(run.history, indent=1) + "\n")
    for name, value in means.items():
        board.add_scalar(f"validation/{name}", value, run.step)
    if config.samples:
        shown = sheet(restore, test.pairs, spread(len(test.pairs), config.samples), accelerator.device)
        board.add_image("validation/dark, restored, truth", shown, run.step, dataformats="HWC")
    if row["psnr"] > run.best:
        run.best = row["psnr"]
        save_weights(run.out / BEST, net, {**run.provenance(), "validation": row})


def _batches(run: RestorationTraining, pairs: Pairs) -> Generator[Batch]:
    config, accelerator = run.config, run.accelerator
    world, device = accelerator.num_processes, accelerator.device
    local = int(os.environ.get("LOCAL_WORLD_SIZE", world))  # of these processes, those on this machine
    workers = workers_for(device, local, decoded=bool(config.cache)) if config.workers == "auto" else config.workers
    shard = Shard(accelerator.process_index, world)
    yield from loader(pairs, config.batch, workers, device, first_step=run.step * config.accumulate, shard=shard)


def _describe(run: RestorationTraining, training: Pairs, test: Validation | None) -> str:
    config, accelerator = run.config, run.accelerator
    processes = accelerator.num_processes
    scored = min(config.validate_pairs, len(test.pairs)) if test else 0
    scores = "PSNR, SSIM and LPIPS" if test and test.lpips else "PSNR and SSIM"
    parts = (
        f"LEDNet of {sum(weight.numel() for weight in run.net.parameters()):,} parameters on {len(training)} pairs",
        f"{config.batch * config.accumulate * processes} crops a step",
        f"{config.precision} on {accelerator.device.type}{f' in {processes} processes' if processes > 1 else ''}",
        f"{scores} of {scored} of {len(test.pairs)} test pairs" if test else "no validation",
    )
    return f"{', '.join(parts)}; {run.step} of {config.steps} steps are done"


def _board(run: RestorationTraining) -> AbstractContextManager[SummaryWriter | None]:
    if not run.accelerator.is_main_process:
        return nullcontext()
    return SummaryWriter(str(run.out / BOARD), purge_step=run.step)
