"""The `denoise` command: a video through the denoiser alone, scene by scene, each by its own noise."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain, islice, pairwise
from pathlib import Path

import torch
from torch import Tensor

from lolblur_synth.apps.outputs import check_file, check_source
from lolblur_synth.apps.transcoding import NOBODY, Listener, losses, variable_rate
from lolblur_synth.core.devices import choose_device, threads_for
from lolblur_synth.core.errors import UserError, setting
from lolblur_synth.core.profiler import OperatorTimer
from lolblur_synth.core.threads import Map, ordered_map
from lolblur_synth.ops.denoise.denoise import HEAD, Backend, Stream, denoise, find_noise
from lolblur_synth.ops.denoise.noise_model import Channels, NoiseModel
from lolblur_synth.ops.denoise.vbm4d.passes import Preset
from lolblur_synth.video.images import BitDepth, quantize, write_png
from lolblur_synth.video.metadata import StoredScan, VideoInfo
from lolblur_synth.video.probe import probe
from lolblur_synth.video.reader import read_stored
from lolblur_synth.video.stored_scan import scan_stored
from lolblur_synth.video.writer import write_video

VIDEOS = (".mkv", ".mp4")  # what can be written
_ZOOM = 3  # of the details of a comparison


@dataclass(frozen=True)
class DenoiseOptions:
    """Settings of the denoiser, the device, and the rate of numbered images."""

    backend: Backend = "vbm4d"
    preset: Preset = "best"
    sigma: float | None = None  # of white noise, of 255; None: as measured
    device: str = "auto"
    capture_fps: float | None = None  # of numbered images; None: as tags tell


@dataclass(frozen=True)
class DenoisedScene:
    """A scene, the frames from `first` to `last` (a shot): its noise, and how long it took to remove that."""

    first: int
    last: int
    noise: NoiseModel
    clean: bool  # and left as it is
    seconds: float  # of the denoiser, per frame


def parse_sigma(text: str) -> float | None:
    """Read a number above 0, up to 100, or `auto`; raises `UserError` for anything else."""
    try:
        sigma = None if text == "auto" else float(text)
    except ValueError:
        sigma = 0.0
    if sigma is not None and not 0 < sigma <= 100:
        raise UserError(
            "write auto, or the noise's standard deviation of 255, above 0, up to 100",
            where=f"{setting('sigma')} {text}",
        )
    return sigma


def denoise_video(
    source: Path,
    out: Path,
    options: DenoiseOptions,
    *,
    compare: Path | None = None,
    overwrite: bool = False,
    listener: Listener = NOBODY,
) -> list[DenoisedScene]:
    """Denoise a video, or a folder of numbered images; returns its scenes with their noise.

    `out` has every frame once, at its own time; it is lossless, of 8 bits if the source is, else of 16, and appears
    whole or not at all. `compare` shows the middle frame before and after. Raises `UserError` or `SequenceError` for
    what cannot be done.
    """
    check_source(source)
    check_file(out, VIDEOS, source=source, overwrite=overwrite)
    if compare:
        check_file(compare, (".png",), source=source, overwrite=overwrite, parameter="compare")
    device = choose_device(options.device)
    info = probe(source, options.capture_fps)
    depth_for(out, info)
    scan = scan_stored(info)
    for line in (*variable_rate(scan), *losses(scan, out)):
        listener.warn(line)
    listener.progress(0, scan.frames)
    scenes, shown = _convert(scan, out, options, device, listener.progress)
    if compare:
        write_png(compare, quantize(_side_by_side(*shown)))
    return scenes


def depth_for(out: Path, info: VideoInfo) -> BitDepth:
    """Bits to write: 8 if the footage has no more, else 16, for which `out` must end in .mkv; raises `UserError`."""
    if info.bit_depth > 8 and out.suffix != ".mkv":
        raise UserError(
            f"the {info.bit_depth} bits of {info.path.name} need a file that ends in .mkv",
            where=f"{setting('out')} {out}",
        )
    return info.bits_to_write


@torch.inference_mode()
def _convert(
    scan: StoredScan, out: Path, options: DenoiseOptions, device: torch.device, progress: Callable[[int, int], None]
) -> tuple[list[DenoisedScene], list[Tensor]]:
    """Write the denoised video; returns its scenes and the middle frame before and after."""
    scenes: list[DenoisedScene] = []
    shown: list[Tensor] = []

    def watch(frames: Iterator[Tensor], *, done: bool) -> Iterator[Tensor]:
        for number, frame in enumerate(frames):
            if number == scan.frames // 2:
                shown.append(frame.cpu())
            yield frame
            if done:
                progress(number + 1, scan.frames)

    threads = threads_for(1, device)
    with ordered_map(threads) as each:
        noisy = (frame.to(device) for frame in watch(read_stored(scan, threads), done=False))
        clean = _by_scene(noisy, scan, options, OperatorTimer(device), each, scenes)
        depth = depth_for(out, scan.info)
        write_video(out, watch(clean, done=True), scan.shown, bit_depth=depth)
    return scenes, shown


def _by_scene(
    frames: Iterator[Tensor],
    scan: StoredScan,
    options: DenoiseOptions,
    clock: OperatorTimer,
    each: Map,
    scenes: list[DenoisedScene],
) -> Iterator[Tensor]:
    """Denoise between cuts, each scene by the noise of its first frames; adds to `scenes`.

    Where frames are further apart than usual motion is still followed: a scene of 1 to 15 steps between frames kept an
    error of 2.5 of 255, where its halves apart kept 4.2.
    """
    for start, stop in pairwise([0, *scan.cuts, scan.frames]):
        scene = clock.each("decode", islice(frames, stop - start))
        head = list(islice(scene, HEAD))
        noise, clean = find_noise(head, options.sigma)
        breaks = {at - start for at in scan.breaks}
        before = clock.seconds.get("denoise", 0.0)
        rest = chain(head, scene)
        yield from clock.each(
            "denoise", denoise(rest, None if clean else noise, options.backend, options.preset, Stream(breaks), each)
        )
        seconds = (clock.seconds["denoise"] - before) / (stop - start)
        scenes.append(DenoisedScene(start, stop - 1, noise, clean, seconds))


def _side_by_side(before: Tensor, after: Tensor) -> Tensor:
    """Two frames (3, H, W), and below them their centres, enlarged: (3, 2 H, 2 W)."""
    rows = [torch.cat(pair, 2) for pair in ((before, after), (_centre(before), _centre(after)))]
    return torch.cat(rows, 1)


def _centre(frame: Tensor) -> Tensor:
    height, width = frame.shape[1:]
    rows, columns = -(-height // _ZOOM), -(-width // _ZOOM)
    top, left = (height - rows) // 2, (width - columns) // 2
    crop = frame[:, top : top + rows, left : left + columns]
    return crop.repeat_interleave(_ZOOM, 1).repeat_interleave(_ZOOM, 2)[:, :height, :width]


def describe(scene: DenoisedScene, options: DenoiseOptions) -> str:
    """A scene and its noise in one line."""
    noise = scene.noise
    frames = f"frames {scene.first} to {scene.last}: sigma {noise.sigma:.2f} of 255"
    if scene.clean:
        return f"{frames}: clean, left as it is"
    space = "linear light" if noise.space == "linear" else "sRGB"
    colour = "white" if noise.white else "coloured"
    way = f"vbm4d {options.preset}" if options.backend == "vbm4d" else options.backend
    return (
        f"{frames}, variance a x + b in {space}, a {_channels(noise.a)}, b {_channels(noise.b)}, {colour}; "
        f"{way}, {scene.seconds:.3g} s per frame"
    )


def _channels(values: Channels) -> str:
    return " ".join(f"{value:.2e}" if value else "0" for value in values)
