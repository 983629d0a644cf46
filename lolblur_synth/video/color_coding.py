"""Colour coding: the transfer, primaries and matrix of a stream, by all that tells of them, in this order.

A setting; what cameras write where codes of ITU-T H.273 cannot say it (Apple's and Sony's logs); the codes of the
frames; those of the container, where the frames' are 2, unspecified. Where these contradict each other the stream is
refused, as every guess would give other light.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import av
from av.video.reformatter import ColorRange as CodedRange
from av.video.stream import VideoStream

from lolblur_synth.core.errors import SequenceError, setting
from lolblur_synth.video.isobmff import description_boxes
from lolblur_synth.video.matroska import dolby_vision
from lolblur_synth.video.metadata import ColorMatrix, ColorRange, Primaries, Transfer
from lolblur_synth.video.sony import camera_color

TRANSFER_NAMES: Mapping[Transfer, str] = {
    "sdr": "SDR",
    "hlg": "HLG",
    "pq": "PQ",
    "linear": "linear",
    "s-log3": "S-Log3",
    "v-log": "V-Log",
    "apple-log": "Apple Log",
}
_UNSPECIFIED = 2  # as transfer, primaries and matrix
_MATRICES: Mapping[int, ColorMatrix | None] = {
    0: None,
    1: "bt709",
    2: None,
    4: "bt601",
    5: "bt601",
    6: "bt601",
    9: "bt2020",
}  # None: not stated
_OTHER_MATRICES = {8: "YCgCo", 10: "BT.2020 with constant luminance", 14: "ICtCp", 15: "IPT-C2"}
_TRANSFERS: Mapping[int, Transfer] = {8: "linear", 16: "pq", 18: "hlg"}  # others are sdr
_OTHER_TRANSFERS = {9: "logarithmic", 10: "logarithmic", 17: "SMPTE 428"}
_PRIMARIES: Mapping[int, Primaries] = {9: "bt2020", 11: "p3-dci", 12: "p3-d65"}  # others are nearly bt709
_OF_BT2100 = ("hlg", "pq")
_LOGS: Mapping[Transfer, Primaries | None] = {"s-log3": None, "v-log": "v-gamut", "apple-log": None}  # which come so
_MATRICES_WITH: Mapping[Primaries, tuple[ColorMatrix, ...]] = {
    "bt2020": ("bt2020",),
    "p3-d65": ("bt709", "bt2020"),
    "p3-dci": ("bt709", "bt2020"),
    "apple-wide-gamut": ("bt2020",),
}  # where there is one, it is taken if none is told
_APPLE: Mapping[str, Primaries] = {
    "com.apple.rec2020.apple-log": "bt2020",
    "com.apple.apple-wide-gamut.apple-log": "apple-wide-gamut",  # Apple Log 2, by the same curve
}
_APPLE_TAG = "com.apple.proapps.customgamma"
_SONY_LOGS = ("s-log3", "s-log3-cine")
_SONY_PRIMARIES: Mapping[str, Primaries] = {
    "s-gamut3": "s-gamut3",
    "s-gamut3-cine": "s-gamut3.cine",
    "rec709": "bt709",
    "rec2020": "bt2020",
}


@dataclass(frozen=True)
class ColorCodes:
    """Codes of ITU-T H.273 for the colours of a stream, and the range as FFmpeg counts it."""

    transfer: int
    primaries: int
    matrix: int
    range: int

    @classmethod
    def of(cls, stream: VideoStream, frame: av.VideoFrame | None = None) -> "ColorCodes":
        """Before the first frame is decoded what the container tells, with it what the frame tells."""
        context = stream.codec_context
        kind = context if frame is None else frame
        return cls(context.color_trc, context.color_primaries, int(kind.colorspace), int(kind.color_range))

    def or_else(self, other: "ColorCodes") -> "ColorCodes":
        """With what is unspecified taken from the other: decoding wipes what the container alone tells."""

        def first(one: int, two: int, nothing: int = _UNSPECIFIED) -> int:
            return two if one == nothing else one

        return ColorCodes(
            first(self.transfer, other.transfer),
            first(self.primaries, other.primaries),
            first(self.matrix, other.matrix),
            first(self.range, other.range, int(CodedRange.UNSPECIFIED)),
        )

    def disputed(self, container: "ColorCodes") -> bool:
        """Whether the container tells another transfer, other primaries or another matrix."""
        pairs = ((self.transfer, container.transfer), (self.primaries, container.primaries))
        matrices = {_MATRICES.get(self.matrix), _MATRICES.get(container.matrix)} - {None}
        return len(matrices) > 1 or any(one != other and _UNSPECIFIED not in (one, other) for one, other in pairs)


@dataclass(frozen=True)
class ToldColors:
    """What a person says of the colours of video files, over what they say."""

    transfer: Transfer | None = None
    primaries: Primaries | None = None
    matrix: ColorMatrix | None = None


NOTHING_TOLD = ToldColors()


@dataclass(frozen=True)
class CameraLog:
    """The log curve that a camera says it filmed in, its primaries, and where it says so; None for what is unknown."""

    name: str
    transfer: Transfer | None
    primaries: Primaries | None
    where: str


@dataclass(frozen=True)
class ColorCoding:
    """What the samples of a stream mean."""

    transfer: Transfer
    primaries: Primaries
    matrix: ColorMatrix
    range: ColorRange


def camera_log(path: Path, stream: VideoStream, tags: Mapping[str, str]) -> CameraLog | None:
    """Apple's by its box or tag of QuickTime, Sony's by its metadata.

    Raises `SequenceError` for Dolby Vision without a base layer that others can show: its box lies beside Apple's.
    """
    boxes = description_boxes(path, stream.id)
    configurations = (boxes[kind] for kind in (b"dvcC", b"dvvC", b"dvwC") if kind in boxes)
    _refuse_dolby_vision(path, next(configurations, None) or dolby_vision(path))
    for where, name in (("box logs", boxes.get(b"logs", b"").decode("latin-1")), ("tag", tags.get(_APPLE_TAG, ""))):
        if name:
            return CameraLog(name[:100], "apple-log" if name in _APPLE else None, _APPLE.get(name), f"its {where}")
    sony = camera_color(path)
    if sony is None or not sony.gamma.startswith("s-log"):
        return None
    curve: Transfer | None = "s-log3" if sony.gamma in _SONY_LOGS else None
    return CameraLog(sony.gamma[:100], curve, _SONY_PRIMARIES.get(sony.primaries), sony.where)


def color_coding(
    path: Path, frame: av.VideoFrame, codes: ColorCodes, log: CameraLog | None, told: ToldColors
) -> ColorCoding:
    """What all that tells of a stream comes to; raises `SequenceError`."""
    fmt = frame.format
    if codes.matrix not in _MATRICES and told.matrix is None:
        name = _OTHER_MATRICES.get(codes.matrix, str(codes.matrix))
        _refuse(path, f"its colour matrix is {name}, which is not known here", "convert it to BT.709 first")
    transfer = told.transfer or _transfer(path, codes, log)
    trusted = log if log and log.transfer == transfer else None
    primaries = told.primaries or _primaries(path, transfer, codes, trusted)
    mixed = len(fmt.components) >= 3 and not fmt.is_rgb  # else its tag decides no pixel, and containers lose tags
    stated = told.matrix or _matrix(path, codes, transfer, primaries) if mixed else None
    matrix: ColorMatrix = stated or ("bt709" if frame.height >= 720 or not mixed else "bt601")
    return ColorCoding(transfer, primaries, matrix, _range(fmt, codes))


def _range(fmt: av.VideoFormat, codes: ColorCodes) -> ColorRange:
    full = codes.range == CodedRange.JPEG or fmt.is_rgb or fmt.has_palette or fmt.name.startswith("yuvj")
    says_nothing = codes.range == CodedRange.UNSPECIFIED
    return "full" if full or (says_nothing and fmt.name.startswith("gray")) else "limited"  # as FFmpeg takes it


def _transfer(path: Path, codes: ColorCodes, log: CameraLog | None) -> Transfer:
    give = f"set {setting('video.transfer')}"
    if codes.transfer in _OTHER_TRANSFERS:
        _refuse(path, f"its transfer is {_OTHER_TRANSFERS[codes.transfer]}, whose curve is not known here", give)
    coded = _TRANSFERS.get(codes.transfer, "sdr")
    if log is None:
        return coded
    if log.transfer is None:
        advice = f"convert it first by its maker's program; where that is done, {give}"
        _refuse(path, f"its transfer is {log.name!r} by {log.where}, whose curve is not known here", advice)
    if coded != "sdr":  # which cameras write, or none, as the codes know no logs
        names = f"{TRANSFER_NAMES[log.transfer]} by {log.where}, {TRANSFER_NAMES[coded]} by its stream"
        _refuse(path, f"its transfer is {names}", give)
    return log.transfer


def _primaries(path: Path, transfer: Transfer, codes: ColorCodes, log: CameraLog | None) -> Primaries:
    coded, give = _PRIMARIES.get(codes.primaries), f"set {setting('video.primaries')}"
    if transfer in _LOGS:
        found = (log and log.primaries) or _LOGS[transfer] or (coded if transfer == "apple-log" else None)
        return found or _refuse(path, f"nothing tells the primaries of its {TRANSFER_NAMES[transfer]}", give)
    if transfer in _OF_BT2100 and coded is None and codes.primaries != _UNSPECIFIED:
        name = TRANSFER_NAMES[transfer]
        return _refuse(path, f"its colours contradict each other: {name}, but primaries {codes.primaries}", give)
    return coded or ("bt2020" if transfer in _OF_BT2100 else "bt709")


def _matrix(path: Path, codes: ColorCodes, transfer: Transfer, primaries: Primaries) -> ColorMatrix | None:
    """None where nothing tells it."""
    stated, possible = _MATRICES[codes.matrix], _MATRICES_WITH.get(primaries, ())
    if stated is None and len(possible) == 1:
        return possible[0]
    if transfer in _OF_BT2100 and possible and stated not in possible:
        names = f"{TRANSFER_NAMES[transfer]} with primaries {primaries}, but {stated or 'no'} matrix"
        _refuse(path, f"its colours contradict each other: {names}", f"set {setting('video.matrix')}")
    return stated


def _refuse_dolby_vision(path: Path, configuration: bytes) -> None:
    """By the compatibility of the base layer, 0 for profile 5 and its like, whose colours are IPT-PQ-c2."""
    if len(configuration) >= 5 and configuration[4] >> 4 == 0:
        raise SequenceError(
            f"Dolby Vision of profile {configuration[2] >> 1}, whose colours (IPT-PQ-c2) only its own decoders know",
            where=path,
            advice="export it as HLG or PQ first",
        )


def _refuse(path: Path, what: str, advice: str) -> NoReturn:
    raise SequenceError(what, where=path, advice=advice)
