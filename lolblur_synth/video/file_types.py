"""File types by suffix, and why something among footage is left out."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePath

_VIDEOS = (
    ".264 .265 .3g2 .3gp .asf .avc .avi .divx .dv .f4v .flv .h264 .h265 .hevc .ivf .m1v .m2t .m2ts .m2v .m4v .mjpeg "
    ".mjpg .mkv .mod .mov .mp4 .mpe .mpeg .mpg .mpv .mts .mxf .nut .obu .ogm .ogv .qt .rm .rmvb .tod .ts .vob .webm "
    ".wmv .y4m"
)
VIDEOS = frozenset(_VIDEOS.split())
FEWEST = 8  # pictures that are taken for frames: fewer hold no exposure


class SkipReason(StrEnum):
    """Why something among the footage is left out; the value is how it is told, and what to do."""

    PHOTOGRAPH = f"pictures that are no series of {FEWEST} or more numbered frames of one size"
    BESIDE_VIDEOS = "pictures beside videos are taken for photographs; frames need a folder of their own"
    CAMERA_FOLDER = "photographs in a camera's folder; frames need a folder with another name"
    NO_SERIES = "numbered pictures, but not one series of frames"
    OTHER_PICTURE = "pictures of a kind that is not read; convert them to PNG or TIFF of 16 bits"
    SPHERE = "of a 360 degree camera; export a flat video with its program"
    RAW_VIDEO = "raw video; export it with its maker's program, to ProRes for example"
    PREVIEW = "small previews that a camera keeps beside its videos"
    HIDDEN = "hidden files, and what macOS leaves beside files"
    UNKNOWN = "not a kind of file that is footage"
    NO_NAME = "names that no file here may have"
    SPECIAL = "a pipe, socket or device, not a file"
    DEAD_LINK = "a link that leads nowhere"
    TWICE = "looked at already under another name"
    UNREADABLE = "may not be read; change its permissions"
    DATASET = "a dataset in the layout of LOL-Blur, which is no footage"
    OURS = "made by this program: the output, or kept denoised frames"
    BLURRED = "blurred copies, by their names, of the sharp frames beside them"


@dataclass(frozen=True)
class LeftOut:
    """What is not taken for footage."""

    name: str  # printable, below the folder that was given
    why: SkipReason
    detail: str = ""


_REASONS = {
    SkipReason.SPHERE: ".360 .insp .insv",
    SkipReason.RAW_VIDEO: ".ari .arx .braw .cine .crm .mcraw .mlv .nev .r3d .rmf .vraw",
    SkipReason.PREVIEW: ".glv .lrf .lrv .thm",
    SkipReason.OTHER_PICTURE: ".apng .arw .avif .bay .cin .cr2 .cr3 .crw .dcr .dpx .erf .fff .fits .gif .gpr "
    ".hdr .heic .heif .hif .iiq .j2k .jp2 .jpx .jxl .kdc .mos .mrw .nef .nrw .orf .pbm .pef .pfm .pgm .pnm .ppm .psd "
    ".raf .raw .rw2 .sr2 .srf .srw .tga .x3f",
}
_WHY = {suffix: why for why, suffixes in _REASONS.items() for suffix in suffixes.split()}


def suffix_of(name: str) -> str:
    """Suffix of a name, in small letters.

    >>> suffix_of("C0001.MOV")
    '.mov'
    """
    return PurePath(name).suffix.lower()


def why_no_footage(name: str) -> SkipReason:
    """The reason for a file that is neither a video nor a picture that is read."""
    return _WHY.get(suffix_of(name), SkipReason.UNKNOWN)
