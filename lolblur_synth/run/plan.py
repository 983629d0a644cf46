"""What a run will make: videos, their numbers and splits, sequences, windows that are dropped, and why."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from statistics import fmean
from typing import Literal

from lolblur_synth.config.run import Config
from lolblur_synth.core.caches import cache_dir
from lolblur_synth.core.devices import choose_device
from lolblur_synth.core.errors import SequenceError, UserError, setting
from lolblur_synth.core.fingerprint import fingerprint
from lolblur_synth.dataset.layout import FOLDERS, Split
from lolblur_synth.dataset.output import read_existing, recover_if_dataset
from lolblur_synth.dataset.records import SequenceRecord
from lolblur_synth.dataset.settings import has_settings, pixel_settings
from lolblur_synth.nets.weights.load import load_ec_zero_dce
from lolblur_synth.ops.defocus import generalized_gaussian
from lolblur_synth.ops.interpolation.backends import Choice, choose_backend
from lolblur_synth.run.footage import missed_blur, scan_or_fault, seen_blur, warnings
from lolblur_synth.run.seen_blur import seen_exposure
from lolblur_synth.run.speeds import measure_speeds
from lolblur_synth.run.splits import assign_splits
from lolblur_synth.synthesis.draws import draw
from lolblur_synth.synthesis.pipeline import VERSION
from lolblur_synth.synthesis.sequences import (
    Metering,
    Recipe,
    Reject,
    Shutter,
    Slot,
    choose,
    nearest_shutter,
    shutter_at,
    shutters_within,
    slots,
)
from lolblur_synth.video import scan_cache
from lolblur_synth.video.file_types import LeftOut
from lolblur_synth.video.find import find_videos
from lolblur_synth.video.metadata import Flaw, FlawKind, VideoScan


@dataclass(frozen=True)
class SequencePlan:
    """One sequence to make: the unit of work."""

    id: str  # VVVV-S
    split: Split
    video: int
    index: int
    name: str  # of the video
    scan: VideoScan
    recipe: Recipe
    first_number: int
    rejects: tuple[Reject, ...]
    fingerprint: str
    status: Literal["make", "keep", "remake"]


@dataclass(frozen=True)
class VideoPlan:
    """One video: what it gives, or the reason why it gives nothing."""

    path: Path
    name: str  # printable, below the folder of the videos
    scan: VideoScan | None = None
    chunks: tuple[tuple[Slot, ...], ...] = ()
    speeds: tuple[tuple[float, ...], ...] = ()  # by chunk, pixels a gap, where sequences.blur asks for them
    number: int | None = None
    split: Split | None = None
    sequences: tuple[SequencePlan, ...] = ()
    rejects: tuple[Reject, ...] = ()
    warnings: tuple[str, ...] = ()
    fault: str | None = None


@dataclass(frozen=True)
class Plan:
    """A whole run."""

    out: Path
    config: Config
    weights: dict[str, str]
    videos: tuple[VideoPlan, ...]
    stale: tuple[SequenceRecord, ...]  # sequences of other settings that are replaced by nothing
    seen: frozenset[tuple[str, str]]  # ids and fingerprints in the folder when the plan was made
    interpolation: str = ""  # what makes the sub-frames, in words
    left_out: tuple[LeftOut, ...] = ()  # what lies among the videos and is none
    cache: Path | None = None  # a folder of denoised frames; changes no pixel

    @property
    def sequences(self) -> list[SequencePlan]:
        """The sequences of all videos."""
        return [sequence for video in self.videos for sequence in video.sequences]

    @property
    def due(self) -> list[SequencePlan]:
        """The sequences that are to be made, anew or for the first time."""
        return [sequence for sequence in self.sequences if sequence.status != "keep"]

    @property
    def faults(self) -> list[VideoPlan]:
        """Videos that give nothing."""
        return [video for video in self.videos if video.fault]


def plan_run(
    videos: Path | str,
    out: Path | str,
    config: Config,
    notify: Callable[[Path], None] | None = None,
    *,
    overwrite: bool = False,
    dry: bool = False,
) -> Plan:
    """Plan a run over a folder of videos; unless `dry`, finish first what a killed run left in `out`.

    `notify` is told of each video before it is read. Raises `UserError` when nothing can be made or `out` is foreign.
    """
    videos, out = Path(videos), Path(out)
    choose_device(config.run.device)
    _, sha256 = load_ec_zero_dce(config.darken.weights, "cpu")
    if not dry:
        recover_if_dataset(out)
    return make_plan(videos, out, config, {"ec_zero_dce": sha256}, notify, overwrite=overwrite)


def make_plan(
    videos: Path,
    out: Path,
    config: Config,
    weights: dict[str, str],
    notify: Callable[[Path], None] | None = None,
    *,
    overwrite: bool = False,
) -> Plan:
    """Read every video once and plan the run; raises `UserError` when nothing can be made or `out` is another's.

    The plan's configuration names the backend that `interpolate.backend = auto` takes here, so that a dataset is never
    made by several.
    """
    _check_kernel(config)
    config, chosen = _choose_backend(config)
    weights = weights | chosen.weights
    found = find_videos(videos.resolve(), (out, cache_dir()), FOLDERS)
    names = {footage.path: footage.name for footage in found.videos}
    existing = read_existing(out, config, overwrite=overwrite)
    lasting = {key: record for key, record in existing.items() if _is_alike(record, config, weights)}
    cuts: list[VideoPlan] = []
    for path, name in names.items():
        if notify:
            notify(path)
        cuts.append(_cut(path, name, scan_or_fault(path, config), config))
    scan_cache.prune()
    cuts = _without_copies(cuts)
    useful = {cut.path: cut.scan.content for cut in cuts if cut.scan and not cut.fault}
    places = assign_splits(useful, lasting, config)
    planned = [
        _number(cut, *places[cut.path], config, weights, existing) if cut.path in places else cut for cut in cuts
    ]
    if not overwrite:
        _refuse_changes(out, planned, existing.keys() - lasting.keys())
    made = {sequence.id for video in planned for sequence in video.sequences}
    anew = set(useful.values()) if overwrite else set()  # of these videos the plan tells all that there is to be
    stale = tuple(
        record
        for record in existing.values()
        if record.id not in made and (record.id not in lasting or record.source.content in anew)
    )
    seen = frozenset((record.id, record.fingerprint) for record in existing.values())
    return Plan(out, config, weights, tuple(planned), stale, seen, f"sub-frames by {chosen.told}", found.left_out)


def _choose_backend(config: Config) -> tuple[Config, Choice]:
    """The configuration with a backend by name instead of `auto`."""
    section, run = config.interpolate, config.run
    chosen = choose_backend(section.backend, section.weights, choose_device(run.device), vulkan=run.device != "cpu")
    settled = section.model_copy(update={"backend": chosen.backend})
    return config.model_copy(update={"interpolate": settled}), chosen


def _check_kernel(config: Config) -> None:
    """The widest blur has to fit into the picture."""
    if config.video.size == "source" or config.defocus.probability == 0:
        return
    widest = config.defocus.sigma[1]
    side = generalized_gaussian(widest, widest, 0.0, config.defocus.shape[0]).shape[0]
    if side > min(config.video.size):
        raise UserError(
            (
                f"defocus.sigma up to {widest:g} and defocus.shape from {config.defocus.shape[0]:g} make "
                f"kernels of {side} pixels, more than the {min(config.video.size)} of video.size"
            ),
            advice="lower sigma, raise shape, or enlarge them",
        )


def _without_copies(cuts: Iterable[VideoPlan]) -> list[VideoPlan]:
    """Of videos that show the same frames at the same times, in whatever files, the first that can be used."""
    first: dict[str, VideoPlan] = {}
    left: list[VideoPlan] = []
    for cut in cuts:
        used = cut if cut.fault or cut.scan is None else first.setdefault(cut.scan.content, cut)
        copy = None if used is cut else f"same content as {used.name}, which is used"
        left.append(VideoPlan(cut.path, cut.name, fault=copy) if copy else cut)
    return left


def _cut(path: Path, name: str, found: VideoScan | str, config: Config) -> VideoPlan:
    """Cut a video into sequences of slots, or tell why it gives none."""
    if isinstance(found, str):
        return VideoPlan(path, name, fault=found)
    fps = found.info.capture_fps
    shutters = _shutters(fps, config)
    half = max(shutter.half for shutter in shutters)  # sound for the longest is sound for each
    candidates = slots(found.frames, fps, config.sequences.fps, half)
    chunks, rejects = choose(candidates, [*found.flaws, *_flickering(found, config)], half, config.sequences)
    cut = VideoPlan(
        path,
        name,
        scan=found,
        chunks=tuple(tuple(chunk) for chunk in chunks),
        rejects=tuple(rejects),
        warnings=tuple(warnings(found, shutters, config)),
    )
    if chunks:
        return _with_speeds(_with_seen_blur(cut, half), half, config)
    reasons = sorted({reject.cause for reject in rejects})
    fault = (
        f"too few frames: {found.frames} at {float(fps):g} fps hold {len(candidates)} windows of {2 * half + 1} frames"
        + (f", dropped for {' / '.join(reasons)}" if reasons else "")
        + f"; a sequence needs {config.sequences.min_pairs}"
    )
    return replace(cut, fault=fault)


def _shutters(fps: Fraction, config: Config) -> list[Shutter]:
    """Those that a sequence can have; ascending where they are chosen by blur."""
    section, sub_frames, slowest = config.sequences, config.interpolate.fps, config.camera.rolling_ms[1]
    if section.blur:
        return shutters_within(fps, section.fps, sub_frames, slowest)
    return [shutter_at(fps, ms, sub_frames, slowest) for ms in section.shutter_ms]


def _spans(cut: VideoPlan, half: int) -> list[range]:
    """The source frames of each sequence, with the longest shutter."""
    return [range(chunk[0].center - half, chunk[-1].center + half + 1) for chunk in cut.chunks]


def _with_seen_blur(cut: VideoPlan, half: int) -> VideoPlan:
    """A video with what is seen of its shutter, where nobody tells."""
    if cut.scan is None or cut.scan.info.exposure_ratio is not None:
        return cut
    found = replace(cut.scan, seen_exposure=seen_exposure(cut.scan, _spans(cut, half)))
    return replace(cut, scan=found, warnings=(*cut.warnings, *seen_blur(found)))


def _with_speeds(cut: VideoPlan, half: int, config: Config) -> VideoPlan:
    """A video with the motion of its sequences, where shutters are chosen by it; half is of the longest."""
    if config.sequences.blur is None or cut.scan is None:
        return cut
    try:
        found = (measure_speeds(cut.scan, span, config.video.size) for span in _spans(cut, half))
        return replace(cut, speeds=tuple(map(tuple, found)))
    except SequenceError as error:
        return VideoPlan(cut.path, cut.name, fault=error.told(setting, where=error.where != cut.path))


def _number(
    cut: VideoPlan,
    number: int,
    split: Split,
    config: Config,
    weights: dict[str, str],
    existing: dict[str, SequenceRecord],
) -> VideoPlan:
    placed = replace(cut, number=number, split=split)
    sequences = tuple(_plan_sequence(placed, index, config, weights, existing) for index in range(len(cut.chunks)))
    return replace(placed, sequences=sequences, warnings=(*cut.warnings, *missed_blur(s.recipe for s in sequences)))


def _plan_sequence(
    video: VideoPlan,
    index: int,
    config: Config,
    weights: dict[str, str],
    existing: dict[str, SequenceRecord],
) -> SequencePlan:
    assert video.scan is not None
    assert video.number is not None
    assert video.split is not None
    chunk = video.chunks[index]
    sequence_id, key = f"{video.number:04d}-{index}", f"{video.scan.content}/{index}"
    draws = draw(config, key)
    if video.scan.info.holds_light:  # which reverse clipping would guess
        draws = replace(draws, streak=0.0)
    fps, aim = video.scan.info.capture_fps, None
    if draws.blur is not None:
        chosen, aim = nearest_shutter(_shutters(fps, config), chunk, video.speeds[index], draws.blur)
        draws = replace(draws, shutter_ms=chosen.milliseconds)
    shutter = shutter_at(fps, draws.shutter_ms, config.interpolate.fps, draws.rolling_ms)
    metering = _metering(video.scan, chunk, shutter)
    recipe = Recipe(key, chunk, shutter, draws, metering, video.scan.info.holds_light, aim)
    mark = fingerprint(
        {
            "source": video.scan.content,
            "capture_fps": str(video.scan.info.capture_fps),
            "rendering": video.scan.info.rendering,
            "centers": [slot.center for slot in chunk],
            "gaps": shutter.gaps if aim else None,  # else settings and draws tell
            "breaks": video.scan.breaks_within(recipe.span),  # across which the denoiser does not look
            "config": pixel_settings(config),
            "weights": weights,
            "pipeline": VERSION,
            # flow samples by splines on the CPU, by cubic convolution elsewhere
            "device": choose_device(config.run.device).type if config.interpolate.backend == "flow" else None,
        }
    )
    record = existing.get(sequence_id)
    status: Literal["make", "keep", "remake"] = "make"
    if record:
        status = "keep" if record.fingerprint == mark else "remake"
    return SequencePlan(
        id=sequence_id,
        split=video.split,
        video=video.number,
        index=index,
        name=video.name,
        scan=video.scan,
        recipe=recipe,
        first_number=1 + index * config.sequences.pairs,
        rejects=video.rejects,
        fingerprint=mark,
        status=status,
    )


def _metering(scan: VideoScan, slots: tuple[Slot, ...], shutter: Shutter) -> Metering:
    """What makes the mean exposure of the sequence the one that was drawn, by what the scan saw of its lightness."""
    windows = [fmean(scan.lightness[at] for at in shutter.window(slot.center)) for slot in slots]
    return Metering(fmean(windows), windows[0])


def _is_alike(record: SequenceRecord, config: Config, weights: dict[str, str]) -> bool:
    """Whether a sequence was made as this run makes them, whatever its video."""
    return (
        has_settings(record, config) and record.weights == weights and record.versions.get("pipeline") == str(VERSION)
    )


def _refuse_changes(out: Path, planned: Iterable[VideoPlan], others: Iterable[str]) -> None:
    remade = (sequence.id for video in planned for sequence in video.sequences if sequence.status == "remake")
    changed = sorted({*remade, *others})
    if changed:
        raise UserError(
            (
                f"{len(changed)} sequences there ({', '.join(changed[:4])}...) come from other settings, "
                "weights, capture rate, device or version"
            ),
            where=f"{setting('out')} {out}",
            advice=f"name another {setting('out')}, or {setting('overwrite')} to make them anew",
        )


def _flickering(found: VideoScan, config: Config) -> Iterator[Flaw]:
    """The frames with flicker, where their windows are to be left out."""
    if found.flicker and config.video.flicker == "drop":
        for start, stop in found.flicker.parts:
            yield from (Flaw(frame, frame, FlawKind.FLICKER) for frame in range(start, stop))
