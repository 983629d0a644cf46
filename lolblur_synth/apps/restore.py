"""The `restore` command: pictures, folders of pictures and videos through LEDNet, whole or in tiles."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from lolblur_synth.apps.conversion import shortcomings, times_kept
from lolblur_synth.apps.outputs import check_source, check_targets
from lolblur_synth.core.devices import choose_device
from lolblur_synth.core.errors import SequenceError, UserError, listed, setting, shown
from lolblur_synth.nets.lednet import LEDNet
from lolblur_synth.nets.weights.load import load_lednet
from lolblur_synth.video.images import BitDepth, dequantize, is_picture, quantize, read_pixels, write_png
from lolblur_synth.video.probe import probe
from lolblur_synth.video.reader import read_stored
from lolblur_synth.video.stored_scan import scan_stored
from lolblur_synth.video.writer import video_writer

COMPARISON = ".compare"  # ends the name of a picture or video that shows before and after
SMALLEST_TILE = 64  # pixels
_STEP = 8  # pixels: the network halves three times, so that what starts at a multiple meets the same cells

Notify = Callable[[int, int], None]


@dataclass(frozen=True)
class Manner:
    """How to restore."""

    tile: int | None = None  # pixels each way; None: the picture as a whole
    half: bool = False  # in float16


WHOLE = Manner()


@dataclass(frozen=True)
class _Job:
    source: Path
    target: Path
    comparison: Path | None


def restore(dark: Tensor, net: LEDNet, manner: Manner = WHOLE) -> Tensor:
    """Restore sRGB (3, H, W) in [0, 1] of any size, to the same, clipped; `SequenceError` for values not finite.

    In tiles, what the network holds does not grow with the picture. Neighbours overlap by a quarter and fade into each
    other; a pixel further than 190 from the edges of every tile that it lies in gets what the whole picture would give
    it, but for one thing: the network pools means over the whole of what it sees (PPM), so that tiles differ slightly
    in brightness.
    """

    def run(part: Tensor) -> Tensor:
        with torch.autocast(part.device.type, torch.float16, enabled=manner.half):
            restored: Tensor = net(part[None])[0]
        return restored[0].float()

    try:
        with torch.inference_mode():
            restored = run(dark) if manner.tile is None else in_tiles(dark, run, manner.tile)
    except torch.OutOfMemoryError:
        tile = min(manner.tile or 1024, *dark.shape[1:]) // 2
        advice = f"give {setting('tile')} {tile}" if tile >= SMALLEST_TILE else "compute on the CPU"
        raise UserError(f"this needs more memory than {dark.device} has", advice=advice) from None
    if not bool(restored.isfinite().all()):
        raise SequenceError(
            "the network gives values that are not finite", advice=f"try without {setting('half')}" * manner.half
        )
    return restored.clamp(0, 1)


def in_tiles(image: Tensor, function: Callable[[Tensor], Tensor], tile: int) -> Tensor:
    """Apply a function to overlapping tiles of (3, H, W), each of `tile` pixels or less, and blend what they give.

    Weights fall as a smooth step over the overlap, and not at all at the picture's own borders.
    """
    height, width = image.shape[1:]
    total, weights = torch.zeros_like(image), image.new_zeros(height, width)
    for top in _starts(height, tile):
        for left in _starts(width, tile):
            rows, columns = slice(top, min(top + tile, height)), slice(left, min(left + tile, width))
            weight = torch.outer(_fade(rows, height, tile, image), _fade(columns, width, tile, image))
            total[:, rows, columns] += function(image[:, rows, columns]) * weight
            weights[rows, columns] += weight
    return total / weights


def _starts(size: int, tile: int) -> list[int]:
    """Where tiles begin, at multiples of 8, so that each but the last is full and the last ends with the image."""
    last = -(-max(size - tile, 0) // _STEP) * _STEP
    return [*range(0, last, (tile - _overlap(tile)) // _STEP * _STEP), last]


def _overlap(tile: int) -> int:
    return tile // 4


def _fade(place: slice, size: int, tile: int, like: Tensor) -> Tensor:
    """Weights along one axis, from nearly 0 at the edges that have a neighbour to 1 where the overlap ends."""
    along = torch.arange(place.stop - place.start, device=like.device, dtype=like.dtype) + 0.5
    inner = [along] * (place.start > 0) + [along.flip(0)] * (place.stop < size)
    weight = torch.ones_like(along)
    for distance in inner:
        t = (distance / _overlap(tile)).clamp(max=1)
        weight = weight * t * t * (3 - 2 * t)
    return weight


def restore_path(
    source: Path,
    out: Path,
    weights: str,
    manner: Manner,
    device: str,
    compare: bool,
    overwrite: bool,
    notify: Notify,
    warn: Callable[[str], None],
) -> Iterator[Path]:
    """Restore a picture, a video, or the pictures of a folder and those below it; yields the files as they are written.

    Pictures become PNG of their own bit depth, a video lossless FFV1 of 8 bits or 16 with every frame once, at its own
    time; each file appears whole or not at all. `compare` adds before and after side by side. What cannot be restored
    is left out, and a `SequenceError` at the end; `warn` is told of what is lost of a video.
    """
    jobs = _jobs(source, out, compare)
    check_targets(((job.source, path) for job in jobs for path in (job.target, job.comparison) if path), overwrite)
    chosen = choose_device(device)
    check(manner, chosen)
    net, _ = load_lednet(weights, chosen)
    failures = []
    for done, job in enumerate(jobs):
        job.target.parent.mkdir(parents=True, exist_ok=True)
        try:
            if is_picture(job.source):
                notify(done, len(jobs))
                _restore_picture(job, net, manner, chosen)
                notify(done + 1, len(jobs))
            else:
                _restore_video(job, net, manner, chosen, notify, warn)
        except SequenceError as error:
            told = str(error)
            failures.append(told if shown(job.source) in told else f"{job.source}: {told}")
            continue
        yield job.target
    if failures:
        raise SequenceError(listed(failures), where=f"{len(failures)} not restored")


def check(manner: Manner, device: torch.device) -> None:
    """Raise `UserError` for what cannot be done as asked."""
    if manner.half and device.type != "cuda":
        raise UserError(
            f"float16 is faster on CUDA only, and this runs on {device.type}",
            where=setting("half"),
            advice="leave it out",
        )
    if manner.tile is not None and manner.tile < SMALLEST_TILE:
        raise UserError(
            f"give {SMALLEST_TILE} pixels or more, or leave it out", where=f"{setting('tile')} {manner.tile}"
        )


def _jobs(source: Path, out: Path, compare: bool) -> list[_Job]:
    check_source(source)
    sources = _pictures(source, out) if source.is_dir() else [source]
    root = source if source.is_dir() else source.parent
    jobs = []
    for path in sources:
        suffix = ".png" if is_picture(path) else ".mkv"
        folder = out / path.relative_to(root).parent
        comparison = folder / f"{path.stem}{COMPARISON}{suffix}" if compare else None
        jobs.append(_Job(path, folder / f"{path.stem}{suffix}", comparison))
    return jobs


def _pictures(folder: Path, out: Path) -> list[Path]:
    if out.resolve().is_relative_to(folder.resolve()):
        raise UserError(
            "lies in the input, whose pictures are all restored",
            where=f"{setting('out')} {out}",
            advice="name another folder",
        )
    found = find_pictures(folder)
    if not found:
        raise UserError(
            "no pictures in this folder or below",
            where=f"{setting('input')} {folder}",
            advice="give a video by its own name",
        )
    return found


def find_pictures(folder: Path) -> list[Path]:
    """All pictures in a folder and below, in order; what begins with a dot is left out."""
    found = (path for path in folder.rglob("*") if is_picture(path) and path.is_file())
    return sorted(path for path in found if not any(part.startswith(".") for part in path.relative_to(folder).parts))


def _restore_picture(job: _Job, net: LEDNet, manner: Manner, device: torch.device) -> None:
    pixels = read_pixels(job.source)
    depth: BitDepth = 8 if pixels.dtype.itemsize == 1 else 16
    dark = dequantize(pixels)
    restored = restore(dark.to(device), net, manner).cpu()
    if job.comparison:
        write_png(job.comparison, quantize(torch.cat([dark, restored], 2), depth))
    write_png(job.target, quantize(restored, depth))


def _restore_video(
    job: _Job, net: LEDNet, manner: Manner, device: torch.device, notify: Notify, warn: Callable[[str], None]
) -> None:
    """Frame by frame; both videos appear at the end."""
    found = scan_stored(probe(job.source))
    for line in (*times_kept(found), *shortcomings(found, job.target)):
        warn(line)
    depth = found.info.bits_to_write
    notify(0, found.frames)
    with ExitStack() as stack:
        targets = [path for path in (job.target, job.comparison) if path]
        write, *show = [stack.enter_context(video_writer(path, found.shown, bit_depth=depth)) for path in targets]
        for number, dark in enumerate(read_stored(found), 1):
            restored = restore(dark.to(device), net, manner).cpu()
            write(restored)
            for write_both in show:
                write_both(torch.cat([dark, restored], 2))
            notify(number, found.frames)
