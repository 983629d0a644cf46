"""Pictures of a report: which pairs are shown, how large, and their encoding, within a number of bytes."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import inf
from pathlib import Path

from lolblur_synth.apps.report.facts import ReportPair
from lolblur_synth.core.devices import cores
from lolblur_synth.core.errors import SequenceError, setting
from lolblur_synth.core.threads import ordered_map
from lolblur_synth.dataset.layout import FOLDERS, Folder
from lolblur_synth.dataset.pairs import INPUT
from lolblur_synth.dataset.statistics import Statistics, measure, outside
from lolblur_synth.video.images import Pixels, dequantize, encode_webp, read_pixels
from lolblur_synth.video.thumbnail import thumbnail

Progress = Callable[[int, int], None]
SMALLEST = 400  # pixels across: of smaller pictures more would fit, but nothing could be judged by them
_QUALITY = 55
_SAMPLES, _ROUNDS = 12, 4  # pairs that tell how many bytes pictures take, and how often they are asked
_GROWTH = 1.5  # bytes grow with the width to this power or less: 1.3 to 1.5 were measured, but more of noise
_WORST = 24  # pairs of each order
_MEASURABLE = 3  # pixels each way, for the noise


@dataclass(frozen=True)
class PairPictures:
    """The five pictures of a pair, small."""

    files: dict[Folder, bytes]  # WebP, of those that can be read
    faults: dict[Folder, str]  # why the others cannot
    size: tuple[int, int] | None  # width and height of the dataset's own
    measured: Statistics | None  # of a pair without a record

    @property
    def bytes(self) -> int:
        """Of all five in base64."""
        return sum(4 * -(-len(file) // 3) for file in self.files.values())


def choose_pictures(
    root: Path, pairs: Sequence[ReportPair], budget: int, progress: Progress
) -> dict[int, PairPictures]:
    """Pictures for as many pairs as a budget of bytes holds, by the number of the pair.

    They are as large as all fit, up to the size that they have; where `SMALLEST` does not fit either, some pairs are
    shown: see `by_importance`.
    """
    order = by_importance(pairs)
    samples = [pairs[number] for number in order[:: max(1, len(order) // _SAMPLES)][:_SAMPLES]]
    width, each = _largest_width(root, samples, budget / len(pairs))
    chosen = order[: max(1, int(budget / each))]
    shown: dict[int, PairPictures] = {}
    with ordered_map(cores()) as each_pair:
        encoded = each_pair(lambda number: _encode(root, pairs[number], width), chosen)
        for done, (number, pictures) in enumerate(zip(chosen, encoded, strict=True), 1):
            shown[number] = pictures
            progress(done, len(chosen))
    return _within(shown, budget)


def _largest_width(root: Path, samples: Sequence[ReportPair], each: float) -> tuple[int, float]:
    """Pixels across, up to their own, at which the pictures of a pair take `each` bytes, and what they do take.

    From the smallest up, as that is all there is room for where there are many pairs; then down, where bytes grew
    faster than they should.
    """
    width, most, sizes = SMALLEST, SMALLEST, list[float]()
    for _ in range(_ROUNDS):
        encoded = [_encode(root, sample, width) for sample in samples]
        sizes.append(max(1.0, sum(pictures.bytes for pictures in encoded) / len(encoded)))
        if len(sizes) == 1:
            most = max((pictures.size[0] for pictures in encoded if pictures.size), default=SMALLEST)
        elif sizes[-1] <= each:
            break
        better = max(min(SMALLEST, most), min(most, int(width * (each / sizes[-1]) ** (1 / _GROWTH)) // 16 * 16))
        if better == width:
            break
        width = better
    return width, sizes[-1] if width > SMALLEST else sizes[0]


def by_importance(pairs: Sequence[ReportPair]) -> list[int]:
    """Numbers of pairs: the worst ones, then the middle one of each group, then evenly within all groups."""
    ranks = dict[int, int]()
    for _, members in groupby(range(len(pairs)), lambda number: (pairs[number].split, pairs[number].group)):
        numbers = list(members)
        ranks.update({numbers[place]: rank for rank, place in enumerate(spread_order(len(numbers)))})
    middles = [number for number in range(len(pairs)) if ranks[number] == 0]
    first = [middles[place] for place in spread_order(len(middles))]
    others = sorted(range(len(pairs)), key=lambda number: ranks[number])
    return list(dict.fromkeys([*_worst(pairs), *first, *others]))


def spread_order(count: int) -> list[int]:
    """Numbers below `count` such that the first few of them are spread evenly: van der Corput's sequence, base 2.

    >>> spread_order(7)
    [3, 1, 5, 0, 4, 2, 6]
    """
    bits = count.bit_length()
    order = (int(f"{number:0{bits}b}"[::-1], 2) * count >> bits for number in range(1, 1 << bits))
    return list(dict.fromkeys(order))


def _worst(pairs: Sequence[ReportPair]) -> list[int]:
    """The first pairs of each order that the page offers, but for the shortest blur: see `worst` and `keys` there."""
    recorded = {number: pair.record for number, pair in enumerate(pairs) if pair.record}
    psnr = {number: -record.psnr_in_light for number, record in recorded.items() if record.psnr_in_light is not None}
    keys: list[Mapping[int, tuple[float, ...]]] = [
        {
            number: (pairs[number].untrusted, len(outside(record.statistics)), psnr.get(number, -inf))
            for number, record in recorded.items()
        },
        {number: (record.untrusted or 0.0,) for number, record in recorded.items()},
        {number: (value,) for number, value in psnr.items()},
        {number: (record.blur.mean,) for number, record in recorded.items() if record.blur},
        {number: (record.statistics["lightness"],) for number, record in recorded.items()},
        {number: (-record.statistics["lightness"],) for number, record in recorded.items()},
        {number: (record.statistics["saturated"],) for number, record in recorded.items()},
    ]
    return [number for key in keys for number in sorted(key, key=key.__getitem__, reverse=True)[:_WORST]]


def _encode(root: Path, pair: ReportPair, width: int) -> PairPictures:
    files, faults, size, measured = dict[Folder, bytes](), dict[Folder, str](), None, None
    for folder in FOLDERS:
        try:
            pixels = read_pixels(root / pair.paths[folder])
        except SequenceError as error:
            faults[folder] = error.told(setting, where=False)
            continue
        size = (pixels.shape[1], pixels.shape[0])
        files[folder] = encode_webp(thumbnail(pixels, min(width, size[0])), _QUALITY)
        if folder == INPUT and pair.record is None:
            measured = _measured(pixels)
    return PairPictures(files, faults, size, measured)


def _measured(pixels: Pixels) -> Statistics | None:
    if min(pixels.shape[:2]) < _MEASURABLE:
        return None
    return {name: round(value, 4) for name, value in measure(dequantize(pixels)).items()}


def _within(shown: dict[int, PairPictures], budget: int) -> dict[int, PairPictures]:
    """The first of them that do not exceed a budget: what they take was an estimate."""
    kept, taken = dict[int, PairPictures](), 0
    for number, pictures in shown.items():
        taken += pictures.bytes
        if taken > budget and kept:
            break
        kept[number] = pictures
    return kept


def all_faults(pairs: Sequence[ReportPair], shown: Iterable[tuple[int, PairPictures]]) -> dict[str, str]:
    """By path of a picture, why it cannot be read."""
    return {
        pairs[number].paths[folder].as_posix(): fault
        for number, pictures in shown
        for folder, fault in pictures.faults.items()
    }
