"""The `restore` command: pictures, folders of pictures and videos through LEDNet, whole or in tiles."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from lolblur_synth.apps.outputs import check_apart, check_files, check_source
from lolblur_synth.apps.pictures import find_pictures
from lolblur_synth.apps.transcoding import NOBODY, Listener, losses, variable_rate
from lolblur_synth.core.devices import choose_device
from lolblur_synth.core.errors import SequenceError, UserError, listed, setting
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


@dataclass(frozen=True)
class Restorer:
    """LEDNet on a device, ready for inference on pictures of any size; see `restore`."""

    net: LEDNet
    sha256: str  # of its weights
    device: torch.device
    tile: int | None = None  # pixels each way; None: the picture as a whole
    half: bool = False  # in float16

    def __call__(self, dark: Tensor) -> Tensor:
        """Restore sRGB (3, H, W) in [0, 1], wherever it is, to the same on the device."""
        return restore(dark.to(self.device), self.net, tile=self.tile, half=self.half)


def load_restorer(weights: str, device: str = "auto", *, tile: int | None = None, half: bool = False) -> Restorer:
    """Load LEDNet by the name of its weights or from a file, to restore pictures whole or in tiles.

    Raises `UserError` for weights that are not there or of another network, and for what cannot be done as asked.
    """
    chosen = choose_device(device)
    if half and chosen.type != "cuda":
        raise UserError(
            f"float16 is faster on CUDA only, and this runs on {chosen.type}",
            where=setting("half"),
            advice="leave it out",
        )
    if tile is not None and tile < SMALLEST_TILE:
        raise UserError(f"give {SMALLEST_TILE} pixels or more, or leave it out", where=f"{setting('tile')} {tile}")
    net, sha256 = load_lednet(weights, chosen)
    return Restorer(net, sha256, chosen, tile, half)


@dataclass(frozen=True)
class _Job:
    source: Path
    target: Path
    comparison: Path | None


def restore(dark: Tensor, net: LEDNet, *, tile: int | None = None, half: bool = False) -> Tensor:
    """Restore sRGB (3, H, W) in [0, 1] of any size, to the same, clipped; `SequenceError` for values not finite.

    In tiles, what the network holds does not grow with the picture. Neighbours overlap by a quarter and fade into each
    other; a pixel further than 190 from the edges of every tile that it lies in gets what the whole picture would give
    it, but for one thing: the network pools means over the whole of what it sees (PPM), so that tiles differ slightly
    in brightness.
    """

    def run(part: Tensor) -> Tensor:
        with torch.autocast(part.device.type, torch.float16, enabled=half):
            restored: Tensor = net(part[None])[0]
        return restored[0].float()

    try:
        with torch.inference_mode():
            restored = run(dark) if tile is None else in_tiles(dark, run, tile)
    except torch.OutOfMemoryError:
        smaller = min(tile or 1024, *dark.shape[1:]) // 2
        advice = f"give {setting('tile')} {smaller}" if smaller >= SMALLEST_TILE else "compute on the CPU"
        raise UserError(f"this needs more memory than {dark.device} has", advice=advice) from None
    if not bool(restored.isfinite().all()):
        raise SequenceError(
            "the network gives values that are not finite", advice=f"try without {setting('half')}" * half
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
    """First pixels of tiles, at multiples of 8, so that each but the last is full and the last ends with the image."""
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
    restorer: Restorer,
    *,
    compare: bool = False,
    overwrite: bool = False,
    listener: Listener = NOBODY,
) -> Iterator[Path]:
    """Restore a picture, a video, or the pictures of a folder and those below it; yields the files as they are written.

    Pictures become PNG of their own bit depth, a video lossless FFV1 of 8 bits or 16 with every frame once, at its own
    time; each file appears whole or not at all. `compare` adds before and after side by side. What cannot be restored
    is left out, and a `SequenceError` at the end.
    """
    jobs = _jobs(source, out, compare=compare)
    targets = ((job.source, path) for job in jobs for path in (job.target, job.comparison) if path)
    check_files(targets, overwrite=overwrite)
    failures = []
    for done, job in enumerate(jobs):
        job.target.parent.mkdir(parents=True, exist_ok=True)
        try:
            if is_picture(job.source):
                listener.progress(done, len(jobs))
                _restore_picture(job, restorer)
                listener.progress(done + 1, len(jobs))
            else:
                _restore_video(job, restorer, listener)
        except SequenceError as error:
            failures.append(located(error, job.source).told(setting))
            continue
        yield job.target
    if failures:
        raise SequenceError(listed(failures), where=f"{len(failures)} not restored")


def located(error: SequenceError, path: Path) -> SequenceError:
    """The error, with the file that it arose at where it does not tell."""
    return error if error.where is not None else SequenceError(error.what, *error.more, where=path, advice=error.advice)


def _jobs(source: Path, out: Path, *, compare: bool) -> list[_Job]:
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
    check_apart(out, folder, "lies in the input, whose pictures are all restored")
    return find_pictures(folder, recursive=True)


def _restore_picture(job: _Job, restorer: Restorer) -> None:
    pixels = read_pixels(job.source)
    depth: BitDepth = 8 if pixels.dtype.itemsize == 1 else 16
    dark = dequantize(pixels)
    restored = restorer(dark).cpu()
    if job.comparison:
        write_png(job.comparison, quantize(torch.cat([dark, restored], 2), depth))
    write_png(job.target, quantize(restored, depth))


def _restore_video(job: _Job, restorer: Restorer, listener: Listener) -> None:
    """Frame by frame; both videos appear at the end."""
    scan = scan_stored(probe(job.source))
    for line in (*variable_rate(scan), *losses(scan, job.target)):
        listener.warn(line)
    depth = scan.info.bits_to_write
    listener.progress(0, scan.frames)
    with ExitStack() as stack:
        targets = [path for path in (job.target, job.comparison) if path]
        write, *show = [stack.enter_context(video_writer(path, scan.shown, bit_depth=depth)) for path in targets]
        for number, dark in enumerate(read_stored(scan), 1):
            restored = restorer(dark).cpu()
            write(restored)
            for write_both in show:
                write_both(torch.cat([dark, restored], 2))
            listener.progress(number, scan.frames)
