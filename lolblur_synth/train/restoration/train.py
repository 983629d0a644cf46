"""Train LEDNet on the pairs of a dataset, on one device or on many.

The settings of the paper (section 5.1) are `configs/train_lednet.yaml`. Whatever is drawn is a function of seed and
step: a run that was stopped goes on, with as many threads, to the very same weights, and the crops of a step do not
depend on how many processes share it. Several processes come from `accelerate launch`; only the first of them writes.
"""

import json
import os
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import gather_object
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from lolblur_synth.config.training import TrainLEDNet
from lolblur_synth.core.errors import UserError
from lolblur_synth.core.files import write_text
from lolblur_synth.core.fingerprint import fingerprint
from lolblur_synth.core.threads import WHILE_TRAINING, keeping_memory, torch_threads
from lolblur_synth.dataset.layout import Split
from lolblur_synth.nets.lpips import LPIPS
from lolblur_synth.nets.weights.catalogue import entry
from lolblur_synth.nets.weights.checkpoint import save_weights
from lolblur_synth.nets.weights.load import load_lpips, load_vgg19
from lolblur_synth.train.engine.loop import catch_interrupt, cosine, load_checkpoint, save_checkpoint, snapshot
from lolblur_synth.train.engine.monitor import Watch
from lolblur_synth.train.engine.run_dir import BOARD, CHECKPOINT, METRICS, RunFolder
from lolblur_synth.train.restoration.losses import RestorationLoss
from lolblur_synth.train.restoration.pairs import Batch, Pairs, loader, workers_for
from lolblur_synth.train.restoration.setup import (
    BEST,
    FREE,
    LAST,
    Run,
    accelerator_for,
    assemble,
    first_network,
    follow,
    load,
    origin,
    save,
    state_of,
)
from lolblur_synth.train.restoration.validate import score, sheet, spread

OnStep = Callable[[int, Mapping[str, float]], None]
Notify = Callable[[int, int], None]

_LOG_EVERY = {"cpu": 1, "cuda": 10}  # steps: to read a loss is to wait for the device
_NAMED = 8  # files in a message


@dataclass(frozen=True)
class _Test:
    """What a network is validated by."""

    pairs: Pairs
    lpips: LPIPS | None


def train_lednet(
    data: Path,
    out: Path,
    config: TrainLEDNet,
    *,
    vgg: Path | None = None,
    start: str | None = None,
    overwrite: bool = False,
    on_step: OnStep | None = None,
    notify: Notify | None = None,
    tell: Callable[[str], None] | None = None,
) -> Path:
    """Train on the training split of `data` and return the path of the best weights, in `out`.

    `vgg` is a file of VGG19's weights, from the cache if not given; `start` names weights to begin with. An interrupted
    run in `out` with the same settings and pairs goes on, and with `overwrite` any is replaced. `on_step(steps done,
    latest losses)` is called after every step by the first process, `notify(done, all)` while pictures are decoded into
    the cache, and `tell` once, with a line on what is trained where. Ctrl-C saves and raises `KeyboardInterrupt`.
    Raises `UserError` for a dataset with faults, an `out` that holds something else, weights that are missing or of
    another network, or a loss that is no longer finite.
    """
    accelerator = accelerator_for(config)
    network, vgg_hash = load_vgg19(vgg, accelerator.device) if config.perceptual else (None, None)
    loss = RestorationLoss(network, config.perceptual, config.side)
    net, start_hash = first_network(config, start)
    training = _pairs(data, "train", config, notify)
    test = _test(data, config, accelerator.device) if config.validate_every else None
    folder = RunFolder(out, [BEST, LAST], "pairs, weights or processes", FREE)
    run = assemble(config, out, accelerator, net)
    if accelerator.is_main_process:
        pairs = {"train": training} | ({"test": test.pairs} if test else {})
        made_of = {
            "pairs": {split: _identity(part) for split, part in pairs.items()},
            "vgg19": vgg_hash,
            "start": start_hash,
            "processes": accelerator.num_processes,
        }
        if not folder.prepare(config, made_of, overwrite=overwrite):
            save(run)
    accelerator.wait_for_everyone()
    load(run, load_checkpoint(out / CHECKPOINT, torch.device("cpu")))
    if tell:
        tell(_describe(run, training, test))
    kept = keeping_memory(WHILE_TRAINING) if accelerator.device.type == "cpu" else nullcontext()
    with _board(run) as board, torch.backends.cudnn.flags(enabled=True, benchmark=True), kept:
        _train(run, training, test, loss, board, on_step)
    accelerator.end_training()
    return out / (BEST if test else LAST)


def _train(
    run: Run,
    training: Pairs,
    test: _Test | None,
    loss: RestorationLoss,
    board: SummaryWriter | None,
    on_step: OnStep | None,
) -> None:
    config, accelerator = run.config, run.accelerator
    latest, stops = dict[str, float](), False
    watch = Watch(accelerator)
    with closing(_batches(run, training)) as batches, catch_interrupt() as stop:
        while run.step < config.steps:
            with nullcontext() if config.threads == "auto" else torch_threads(config.threads), _saving(run):
                terms, names = _update(run, watch.timed(batches), loss)
            run.step += 1
            watch.add(run.step, terms, names)
            last = run.step == config.steps
            validates = test is not None and (last or run.step % config.validate_every == 0)
            saves = last or run.step % config.save_every == 0
            asked = stop.is_set() and accelerator.num_processes == 1  # several stop at a step when all look
            if asked or saves or validates or run.step % _LOG_EVERY[accelerator.device.type] == 0:
                latest, stops = _look(run, watch, stop.is_set(), board)
            if test is not None and validates:
                with _saving(run):
                    _validate(run, test, board)
                run.good |= {"best": run.best, "history": snapshot(run.history)}
            if saves or stops:
                save(run)
            if on_step and accelerator.is_main_process:
                on_step(run.step, latest)
            if stops and not last:
                stop.end()


@contextmanager
def _saving(run: Run) -> Iterator[None]:
    """Save the last state that was seen to be finite when something fails: a picture, the memory of a device."""
    try:
        yield
    except Exception:
        if run.accelerator.is_main_process:
            with suppress(UserError):  # the first error is the one to tell
                save_checkpoint(run.out / CHECKPOINT, run.good)
        raise


def _update(run: Run, batches: Iterator[Batch], loss: RestorationLoss) -> tuple[dict[str, Tensor], list[str]]:
    """One step of the optimizer; returns the losses, means over its batches, and the names of the samples."""
    config, accelerator = run.config, run.accelerator
    rate = cosine(
        run.step, config.steps, config.learning_rate, config.last_learning_rate / config.learning_rate, config.warm_up
    )
    for group in run.optimizer.param_groups:
        group["lr"] = rate
    means: dict[str, Tensor] = {}
    names: list[str] = []
    for _ in range(config.accumulate):
        batch = next(batches)
        dark, sharp = (images.to(accelerator.device, non_blocking=True) for images in (batch.dark, batch.sharp))
        with accelerator.accumulate(run.model):
            with accelerator.autocast():
                restored, side = run.model(dark)
                terms = loss(restored, side, sharp)
            accelerator.backward(terms["total"])
        names += batch.names
        means = {name: means.get(name, 0) + term.detach() / config.accumulate for name, term in terms.items()}
    if config.clip_gradient:
        accelerator.clip_grad_norm_(run.net.parameters(), config.clip_gradient)
    run.optimizer.step()
    run.optimizer.zero_grad()
    if run.average:
        follow(run.average, run.net, config.ema)
    return means, names


def _look(run: Run, watch: Watch, stop: bool, board: SummaryWriter | None) -> tuple[dict[str, float], bool]:
    """Read the losses since the last look, and whether to stop; raises `UserError` when something is not finite."""
    report = watch.look(run.step, run.net.parameters(), stop)
    if report.bad is not None:
        load(run, run.good)
        save(run)
        more = f" and {len(report.names) - _NAMED} more" if len(report.names) > _NAMED else ""
        raise UserError(
            f"the loss of step {report.bad}, or the weights after it, are not finite; its pairs are "
            f"{', '.join(report.names[:_NAMED])}{more}; {run.out / CHECKPOINT} has the state after step {run.step}",
            where="training",
            advice="look at those pairs, or train with a lower learning_rate or with clip_gradient",
        )
    run.good = snapshot(state_of(run))
    if board:
        for name, value in report.terms.items():
            board.add_scalar(f"training/{name}", value, run.step)
        board.add_scalar("training/learning rate", run.optimizer.param_groups[0]["lr"], run.step)
        board.add_scalar("speed/steps per second", report.rate, run.step)
        board.add_scalar("speed/share of time waiting for pairs", report.waited, run.step)
    return report.terms, report.stops


def _validate(run: Run, test: _Test, board: SummaryWriter | None) -> None:
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
        save_weights(run.out / BEST, net, {**origin(run), "validation": row})


def _pairs(data: Path, split: Split, config: TrainLEDNet, notify: Notify | None = None) -> Pairs:
    cache = Path(config.cache) if config.cache and split == "train" else None
    return Pairs(
        data, split, config.crop, config.seed, dark=config.input, sharp=config.target, cache=cache, notify=notify
    )


def _test(data: Path, config: TrainLEDNet, device: torch.device) -> _Test:
    there = all(entry(name).path.is_file() for name in ("vgg16", "lpips-vgg"))
    return _Test(_pairs(data, "test", config), load_lpips("vgg", device) if there and config.lpips == "auto" else None)


def _batches(run: Run, pairs: Pairs) -> Generator[Batch]:
    config, accelerator = run.config, run.accelerator
    world, device = accelerator.num_processes, accelerator.device
    here = int(os.environ.get("LOCAL_WORLD_SIZE", world))  # of these processes, those on this machine
    workers = workers_for(device, here, decoded=bool(config.cache)) if config.workers == "auto" else config.workers
    first, rank = run.step * config.accumulate, accelerator.process_index
    yield from loader(pairs, config.batch, workers, device, first_step=first, rank=rank, world=world)


def _identity(pairs: Pairs) -> dict[str, Any]:
    """What tells that these are the same pairs, wherever they lie."""
    files = [[pair.name, pair.dark.size, pair.sharp.size] for pair in pairs.files]
    return {"count": len(files), "fingerprint": fingerprint({"files": files})}


def _describe(run: Run, training: Pairs, test: _Test | None) -> str:
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


def _board(run: Run) -> AbstractContextManager[SummaryWriter | None]:
    if not run.accelerator.is_main_process:
        return nullcontext()
    return SummaryWriter(str(run.out / BOARD), purge_step=run.step)
