"""A table of pairs: a typed row each, with what was drawn and measured, for libraries that read tables.

What such libraries guess of types is forestalled here: they look at the first rows of each split by itself.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from itertools import islice
from typing import Any, cast, get_args, get_type_hints

from lolblur_synth.dataset.records import PairRecord, SequenceRecord

_TIME = re.compile(r"\d{4}-\d\d-\d\d[\dTZ :.+-]*")  # which JSON readers make a time of


def _column(what: str) -> Any:
    return field(metadata={"what": what})


@dataclass(frozen=True, slots=True)
class Row:
    """A pair as a row of plain values; None: nobody knows it."""

    pair: str = _column("VVVV/FFFF, video and pair")
    sequence: str = _column("VVVV-S, pairs that share one draw")
    video: int = _column("VVVV")
    number: int = _column("FFFF")
    source: str = _column("name of the video; of a folder of frames that is named by a time, with a slash after it")
    seconds: float = _column("time of the ground truth, from the start of the recording")
    first_frame: int = _column("source frame that the exposure begins with")
    center_frame: int = _column("source frame of the ground truth")
    last_frame: int = _column("source frame that the exposure ends with")
    exposure: float = _column("lightness that unsaturated regions are darkened to, [0, 1]")
    dim: float = _column("brightness of the ground truth, of the original's")
    shutter_ms: float = _column("exposure time, ms")
    sub_frames: int = _column("sub-frames of the exposure")
    streak: float = _column("sRGB value added to clipped lights by reverse clipping, 1 is white")
    defocus_along: float = _column("sigma of the generalized Gaussian, pixels; 0: in focus")
    defocus_across: float = _column("sigma across, pixels; 0: in focus")
    defocus_angle: float = _column("radians")
    defocus_shape: float = _column("exponent of the kernel, 2 is a Gaussian; 0: in focus")
    noise: str = _column("noise model")
    camera: str = _column("camera whose noise it is; empty: none")
    shot: float = _column("noise variance per unit of light")
    read: float = _column("noise variance in the dark")
    rolling_ms: float = _column("readout time of a rolling shutter, ms; 0: global")
    sharpening: float = _column("amount of unsharp masking; 0: none")
    jpeg_quality: int = _column("quality of JPEG; 0: not compressed")
    jpeg_subsampling: str = _column("chroma subsampling of JPEG; empty: not compressed")
    untrusted: float | None = _column("largest share of the picture that moves inconsistently")
    blur_wanted: float | None = _column("mean path that the shutter was chosen for, pixels")
    blur_mean: float | None = _column("path while the shutter is open, mean over the picture, pixels")
    blur_p95: float | None = _column("its 95 % quantile, pixels")
    blur_direction: float | None = _column("degrees from the horizontal, counter-clockwise")
    blur_concentration: float | None = _column("of directions, 1: all one")
    blur_straightness: float | None = _column("chord over path")
    psnr: float | None = _column("of low_blur against low_sharp, dB")
    psnr_in_light: float | None = _column("the same, as bright as the ground truth, dB")
    tier: str | None = _column("easy, medium or hard, by psnr_in_light")
    mean: float = _column("mean of low_blur_noise, of 255")
    lightness: float = _column("mean CIE L* of low_blur_noise")
    p99_grey: float = _column("99 % quantile of grey of low_blur_noise, of 255")
    saturated: float = _column("pixels of low_blur_noise whose largest channel is 250 or more, %")
    noise_sigma: float = _column("noise of low_blur_noise by Immerkaer, green, of 255")


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the table: its name, what stands in it, and of which type."""

    name: str
    what: str
    kind: type[str] | type[int] | type[float]


def _kind(hint: Any) -> Any:
    return next((part for part in get_args(hint) if part is not type(None)), hint)


COLUMNS = tuple(Column(each.name, each.metadata["what"], _kind(get_type_hints(Row)[each.name])) for each in fields(Row))


def rows(record: SequenceRecord) -> Iterator[Row]:
    """The rows of a sequence, in order of its pairs.

    >>> [column.name for column in COLUMNS[:4]]
    ['pair', 'sequence', 'video', 'number']
    """
    yield from (Row(**plain) for plain in plain_rows(record))


def plain_rows(record: SequenceRecord) -> Iterator[dict[str, Any]]:
    """The same as dictionaries, in a third of the time."""
    shared = _of_sequence(record)
    yield from (shared | _of_pair(record, pair) for pair in record.pairs)


def _of_sequence(record: SequenceRecord) -> dict[str, Any]:
    """What the rows of a sequence share, and the names of all columns in their order."""
    draws = record.draws
    shared = {
        "sequence": record.id,
        "video": record.video,
        "source": _no_time(record.source.name),
        "exposure": draws.exposure,
        "dim": draws.dim,
        "shutter_ms": record.shutter.milliseconds,
        "sub_frames": record.shutter.sub_frames,
        "streak": draws.streak,
        "defocus_along": draws.defocus.sigma_along if draws.defocus else 0.0,
        "defocus_across": draws.defocus.sigma_across if draws.defocus else 0.0,
        "defocus_angle": draws.defocus.angle if draws.defocus else 0.0,
        "defocus_shape": draws.defocus.shape if draws.defocus else 0.0,
        "noise": draws.noise,
        "camera": _no_time(draws.sensor.camera) if draws.sensor else "",
        "shot": draws.shot,
        "read": draws.read,
        "rolling_ms": draws.rolling_ms,
        "sharpening": draws.sharpening,
        "jpeg_quality": draws.jpeg.quality if draws.jpeg else 0,
        "jpeg_subsampling": draws.jpeg.subsampling if draws.jpeg else "",
        "blur_wanted": draws.blur,
    }
    return {column.name: shared.get(column.name) for column in COLUMNS}


def _of_pair(record: SequenceRecord, pair: PairRecord) -> dict[str, Any]:
    blur, statistics = pair.blur, cast(dict[str, float], pair.statistics)
    return {
        "pair": f"{record.video:04d}/{pair.number:04d}",
        "number": pair.number,
        "seconds": pair.seconds,
        "first_frame": pair.first,
        "center_frame": pair.center,
        "last_frame": pair.last,
        "untrusted": pair.untrusted,
        "blur_mean": blur.mean if blur else None,
        "blur_p95": blur.p95 if blur else None,
        "blur_direction": blur.direction if blur else None,
        "blur_concentration": blur.concentration if blur else None,
        "blur_straightness": blur.straightness if blur else None,
        "psnr": pair.psnr,
        "psnr_in_light": pair.psnr_in_light,
        "tier": pair.tier,
        **statistics,
    }


def _no_time(name: str) -> str:
    """A name that no reader of JSON takes for a time, as pyarrow does with a folder named 2026-11-30."""
    return f"{name}/" if _TIME.fullmatch(name) else name


class KnownColumns:
    """Names of the columns that some of the first `looked_at` rows of a table know, as rows come.

    A reader that guesses types from these rows finds no type for another column, or not the same in each table.
    """

    def __init__(self, looked_at: int) -> None:
        self.names: set[str] = set()
        self._left = looked_at

    def add(self, some: Iterable[Mapping[str, object]]) -> None:
        """Take note of rows, as dictionaries."""
        for row in islice(some, self._left):
            self.names.update(name for name, value in row.items() if value is not None)
            self._left -= 1


def known(tables: Iterable[Iterable[Row]], looked_at: int) -> tuple[str, ...]:
    """Names of the columns that some of the first `looked_at` rows of each table know."""
    first = []
    for table in tables:
        first.append(KnownColumns(looked_at))
        first[-1].add(map(asdict, table))
    return known_to_all(first)


def known_to_all(first: Iterable[KnownColumns]) -> tuple[str, ...]:
    """Names of the columns that all tables know, in their order."""
    tables = list(first)
    return tuple(column.name for column in COLUMNS if all(column.name in table.names for table in tables))


def values(row: Row, names: Iterable[str]) -> dict[str, str | int | float | None]:
    """The values of a row by these names of columns."""
    return {name: getattr(row, name) for name in names}
