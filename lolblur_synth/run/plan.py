"""What a run will make: videos, their numbers and splits, sequences, windows that are dropped, and why."""

import importlib.metadata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Literal

from lolblur_synth import __version__
from lolblur_synth.config.run import Config
from lolblur_synth.config.section import SMALLEST_SIDE
from lolblur_synth.core.caches import cache_dir
from lolblur_synth.core.devices import choose_device
from lolblur_synth.core.errors import SequenceError, UserError, setting, shown
from lolblur_synth.core.fingerprint import fingerprint
from lolblur_synth.core.rng import rng_for
from lolblur_synth.dataset.layout import FOLDERS, Split
from lolblur_synth.dataset.records import SequenceRecord, Source
from lolblur_synth.dataset.settings import has_settings, pixel_settings, read_existing
from lolblur_synth.ops.defocus import generalized_gaussian
from lolblur_synth.ops.interpolation.backends import Choice, choose_backend
from lolblur_synth.synthesis.draws import SPLIT, Draws, draw
from lolblur_synth.synthesis.sequences import Reject, Shutter, Slot, choose, shutter_at, slots
from lolblur_synth.video import scan_cache
from lolblur_synth.video.file_types import LeftOut
from lolblur_synth.video.find import find_videos
from lolblur_synth.video.metadata import Flaw, FlawKind, RateOrigin, VideoInfo, VideoScan, few_bits
from lolblur_synth.video.probe import probe
from lolblur_synth.video.scan import scan

LOW_FPS, TOO_LOW_FPS = 120, 48


@dataclass(frozen=True)
class SequencePlan:
    """One sequence to make: the unit of work."""

    id: str  # VVVV-S
    key: str  # of its draws: content and place in the video, so that numbering and file names change no pixel
    split: Split
    video: int
    index: int
    name: str  # of the video
    scan: VideoScan
    slots: tuple[Slot, ...]
    first_number: int
    shutter: Shutter
    draws: Draws
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
    def faults(self) -> list[VideoPlan]:
        """Videos that give nothing."""
        return [video for video in self.videos if video.fault]


def make_plan(
    videos: Path,
    out: Path,
    config: Config,
    weights: dict[str, str],
    overwrite: bool = False,
    notify: Callable[[Path], None] | None = None,
) -> Plan:
    """Read every video once and plan the run; raises `UserError` when nothing can be made or `out` is another's.

    The plan's configuration names the backend that `interpolate.backend = auto` takes here, so that a dataset is never
    made by several.
    """
    _check_kernel(config)
    config, chosen = _settle(config)
    weights = weights | chosen.weights
    found = find_videos(videos.resolve(), (out, cache_dir()), FOLDERS)
    names = {footage.path: footage.name for footage in found.videos}
    existing = read_existing(out, config, overwrite)
    lasting = {key: record for key, record in existing.items() if _is_alike(record, config, weights)}
    cuts: list[VideoPlan] = []
    for path, name in names.items():
        if notify:
            notify(path)
        cuts.append(_cut(path, name, _scan_or_fault(path, config), config))
    scan_cache.prune()
    cuts = _without_copies(cuts)
    useful = {cut.path: cut.scan.content for cut in cuts if cut.scan and not cut.fault}
    places = assign(useful, lasting, config)
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


def _settle(config: Config) -> tuple[Config, Choice]:
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


def _rate_fault(info: VideoInfo, config: Config) -> str | None:
    told = f"{float(info.capture_fps):g} fps ({info.capture_source}) is below"
    if info.capture_fps < TOO_LOW_FPS and not config.video.allow_low_fps:
        return (
            f"{told} {TOO_LOW_FPS}: if it is slow motion, give its real rate with {setting('video.capture_fps')}; "
            "to use it as it is, set video.allow_low_fps=true"
        )
    if info.capture_fps < Fraction(str(config.sequences.fps)):
        return f"{told} the {config.sequences.fps:g} of sequences.fps: pairs would repeat"
    return None


def _size_fault(info: VideoInfo, config: Config) -> str | None:
    if config.video.size != "source" or min(info.width, info.height) >= SMALLEST_SIDE:
        return None
    return (
        f"{info.width}x{info.height} is too small: sides of {SMALLEST_SIDE} pixels or more can be matched; "
        f"give a {setting('video.size')}, or larger footage"
    )


def _scan_or_fault(path: Path, config: Config) -> VideoScan | str:
    def make() -> VideoScan:
        info = probe(path, config.video.capture_fps, config.run.max_pixels)
        told = info.capture_origin is not RateOrigin.STREAM  # which may be an average: the timestamps will tell
        if fault := (told and _rate_fault(info, config)) or _size_fault(info, config):
            raise SequenceError(fault)
        return scan(info)

    told_to_it = {"capture_fps": str(config.video.capture_fps), "max_pixels": str(config.run.max_pixels)}
    try:
        found = scan_cache.recall_or_scan(path, told_to_it, make)
        return _rate_fault(found.info, config) or _size_fault(found.info, config) or found
    except SequenceError as error:
        return error.told(setting, where=error.where != path)
    except OSError as error:
        return f"cannot be read: {error.strerror}"


def _without_copies(cuts: Iterable[VideoPlan]) -> list[VideoPlan]:
    """Of videos that show the same frames at the same times, in whatever files, the first that can be used."""
    first: dict[str, VideoPlan] = {}
    left: list[VideoPlan] = []
    for cut in cuts:
        used = cut if cut.fault or cut.scan is None else first.setdefault(cut.scan.content, cut)
        copy = None if used is cut else f"same content as {used.name}, which is used"
        left.append(VideoPlan(cut.path, cut.name, fault=copy) if copy else cut)
    return left


def assign(
    sources: dict[Path, str], existing: dict[str, SequenceRecord], config: Config
) -> dict[Path, tuple[int, Split]]:
    """Give each video its number and split: those already in the dataset keep theirs, new ones fill up.

    The split depends on content and seed only. With two or more videos and a fraction above 0 the test split has one.
    """
    known: dict[str, tuple[int, Split]] = {r.source.content: (r.video, r.split) for r in existing.values()}
    new = sorted(path for path, content in sources.items() if content not in known)
    total = len(known) + len(new)
    wanted = round(config.dataset.test_fraction * total)
    if total > 1 and config.dataset.test_fraction > 0:
        wanted = max(1, min(wanted, total - 1))
    wanted -= sum(split == "test" for _, split in known.values())
    by_lot = sorted(new, key=lambda path: rng_for(config.seed, SPLIT, sources[path]).random())
    test = set(by_lot[: max(0, wanted)])
    taken = {number for number, _ in known.values()}
    free = (number for number in range(10000) if number not in taken)
    if total > 10000:
        raise UserError(
            "the layout has room for 10000", where=f"{total} videos", advice="split them over several datasets"
        )
    numbers: dict[Path, tuple[int, Split]] = {path: (next(free), "test" if path in test else "train") for path in new}
    return {path: known.get(content) or numbers[path] for path, content in sources.items()}


def _cut(path: Path, name: str, found: VideoScan | str, config: Config) -> VideoPlan:
    """Cut a video into sequences of slots, or tell why it gives none."""
    if isinstance(found, str):
        return VideoPlan(path, name, fault=found)
    fps = found.info.capture_fps
    shutters = [shutter_at(fps, ms, config.interpolate.fps) for ms in config.sequences.shutter_ms]
    half = max(shutter.gaps for shutter in shutters) // 2  # sound for the longest is sound for each
    candidates = slots(found.frames, fps, config.sequences.fps, half)
    chunks, rejects = choose(candidates, [*found.flaws, *_flickering(found, config)], half, config.sequences)
    cut = VideoPlan(
        path,
        name,
        scan=found,
        chunks=tuple(tuple(chunk) for chunk in chunks),
        rejects=tuple(rejects),
        warnings=(*_warnings(found.info, shutters, config), *_damage(found), *_flicker(found, config)),
    )
    if chunks:
        return cut
    reasons = sorted({reject.reason.split(" at frame")[0] for reject in rejects})
    fault = (
        f"too few frames: {found.frames} at {float(fps):g} fps hold {len(candidates)} windows of {2 * half + 1} frames"
        + (f", dropped for {' / '.join(reasons)}" if reasons else "")
        + f"; a sequence needs {config.sequences.min_pairs}"
    )
    return replace(cut, fault=fault)


def _number(
    cut: VideoPlan,
    number: int,
    split: Split,
    config: Config,
    weights: dict[str, str],
    existing: dict[str, SequenceRecord],
) -> VideoPlan:
    placed = replace(cut, number=number, split=split)
    sequences = (_plan_sequence(placed, index, config, weights, existing) for index in range(len(cut.chunks)))
    return replace(placed, sequences=tuple(sequences))


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
    shutter = shutter_at(video.scan.info.capture_fps, draws.shutter_ms, config.interpolate.fps)
    span = range(shutter.window(chunk[0].center).start, shutter.window(chunk[-1].center).stop)
    mark = fingerprint(
        {
            "source": video.scan.content,
            "capture_fps": str(video.scan.info.capture_fps),
            "rendering": video.scan.info.rendering,
            "centers": [slot.center for slot in chunk],
            "breaks": video.scan.breaks_within(span),  # across which the denoiser does not look
            "config": pixel_settings(config),
            "weights": weights,
            "pipeline": _pipeline_version(),
            # flow samples by Lanczos's kernel on the CPU, by a cubic one elsewhere
            "device": choose_device(config.run.device).type if config.interpolate.backend == "flow" else None,
        }
    )
    record = existing.get(sequence_id)
    status: Literal["make", "keep", "remake"] = "make"
    if record:
        status = "keep" if record.fingerprint == mark else "remake"
    return SequencePlan(
        id=sequence_id,
        key=key,
        split=video.split,
        video=video.number,
        index=index,
        name=video.name,
        scan=video.scan,
        slots=chunk,
        first_number=1 + index * config.sequences.pairs,
        shutter=shutter,
        draws=draws,
        rejects=video.rejects,
        fingerprint=mark,
        status=status,
    )


def _pipeline_version() -> int:
    from lolblur_synth.synthesis.pipeline import VERSION

    return VERSION


def _warnings(info: VideoInfo, shutters: Iterable[Shutter], config: Config) -> tuple[str, ...]:
    found, fps = [], info.capture_fps
    if info.used_bits:
        found.append(few_bits(info))
    if fps < LOW_FPS:
        found.append(f"{float(fps):g} fps is below {LOW_FPS}: motion between frames is large, look at the blur")
    period = 1000 / config.sequences.fps
    for shutter in shutters:
        if shutter.milliseconds > period:
            found.append(f"the shortest exposure at this rate, {shutter.milliseconds:.1f} ms, exceeds {period:.1f} ms")
    return tuple(dict.fromkeys(found))


def _damage(found: VideoScan) -> Iterator[str]:
    """What the footage hides of its state."""
    counts = Counter(flaw.kind for flaw in found.flaws)
    if counts[FlawKind.CONCEALED_DAMAGE]:
        yield (
            f"{counts[FlawKind.CONCEALED_DAMAGE]} frames are damaged or follow from damaged ones, which their decoder "
            "conceals: their windows are dropped; copy the file again"
        )
    if counts[FlawKind.UNSTABLE_DECODE]:
        yield (
            f"{counts[FlawKind.UNSTABLE_DECODE]} frames come out otherwise at each decoding, so there is damage: their "
            "windows are dropped; copy the file again"
        )


def _flickering(found: VideoScan, config: Config) -> Iterator[Flaw]:
    """The frames with flicker, where their windows are to be left out."""
    if found.flicker and config.video.flicker == "drop":
        for start, stop in found.flicker.parts:
            yield from (Flaw(frame, frame, FlawKind.FLICKER) for frame in range(start, stop))


def _flicker(found: VideoScan, config: Config) -> Iterator[str]:
    if found.flicker:
        done = {
            "tell": "set video.flicker=remove or drop",
            "remove": "it is removed",
            "drop": "windows with it are dropped",
        }
        spans = ", ".join(f"{start} to {stop - 1}" for start, stop in found.flicker.parts[:3])
        yield (
            f"light flickers at {found.flicker.hertz} Hz by {found.flicker.percent:g} % in frames {spans}"
            f"{', ...' * (len(found.flicker.parts) > 3)}: {done[config.video.flicker]}"
        )


def _is_alike(record: SequenceRecord, config: Config, weights: dict[str, str]) -> bool:
    """Whether a sequence was made as this run makes them, whatever its video."""
    return (
        has_settings(record, config)
        and record.weights == weights
        and record.versions.get("pipeline") == str(_pipeline_version())
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


def describe_source(found: VideoScan, name: str) -> Source:
    """The source of a record."""
    info = found.info
    return Source(
        name=shown(name),
        content=found.content,
        frames=found.frames,
        width=info.width,
        height=info.height,
        stored_fps=str(info.stored_fps),
        capture_fps=str(info.capture_fps),
        capture_source=shown(info.capture_source),
        codec=info.codec,
        pixel_format=info.pixel_format,
        bit_depth=info.bit_depth,
        used_bits=info.used_bits,
        color_matrix=info.color_matrix,
        color_range=info.color_range,
        rotation=info.rotation,
    )


def versions() -> dict[str, str]:
    """Versions of what decides pixels."""
    names = ("torch", "numpy", "opencv-python", "av", "numba", "bm4d", "scikit-image", "scenedetect")
    own = {"lolblur-synth": __version__, "pipeline": str(_pipeline_version())}
    return own | {name: importlib.metadata.version(name) for name in names}
