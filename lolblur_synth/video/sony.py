"""Sony's non-real-time metadata: XML beside a clip, and in it, with rate, gamma and primaries of filming."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from lolblur_synth.video.isobmff import embedded_xml

_LONGEST = 1 << 20  # letters of a file beside a clip; Sony's have a few thousand


@dataclass(frozen=True)
class CameraColor:
    """What a camera of Sony's says of its colours, in its words, such as `s-log3-cine` and `s-gamut3-cine`."""

    gamma: str
    primaries: str
    where: str  # it says so


def sidecars(path: Path) -> Iterator[tuple[str, str]]:
    """Names and texts of the XML files of a clip."""
    stems = dict.fromkeys((path.stem, path.stem.upper(), path.stem.lower()))
    names = (f"{stem}{end}{suffix}" for stem, end, suffix in product(stems, ("M01", "m01"), (".XML", ".xml")))
    for sidecar in filter(Path.is_file, map(path.with_name, names)):
        with sidecar.open(encoding="utf-8", errors="replace") as file:
            yield sidecar.name, file.read(_LONGEST)


def camera_color(path: Path) -> CameraColor | None:
    """The gamma and the primaries of filming as the file, or else an XML beside it, tells them. `OSError`."""
    for where, text in (("its own metadata", embedded_xml(path)), *sidecars(path)):
        items = dict(_items(text))
        if "CaptureGammaEquation" in items:
            gamma, primaries = items["CaptureGammaEquation"], items.get("CaptureColorPrimaries", "")
            return CameraColor(gamma.lower(), primaries.lower(), where)
    return None


def _items(text: str) -> Iterator[tuple[str, str]]:
    for item in re.findall(r"<Item\b([^<>]{0,999})>", text):
        attributes = dict(re.findall(r"""(\w+)\s*=\s*["']([^"']*)["']""", item))
        yield attributes.get("name", ""), attributes.get("value", "")
