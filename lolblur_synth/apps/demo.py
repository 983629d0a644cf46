"""The footage of `lolblur-synth demo`: two photographs by lamplight, filmed by hand at 250 fps."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

from torch import Tensor

from lolblur_synth.core.devices import cores
from lolblur_synth.core.rng import rng_for
from lolblur_synth.core.threads import Map, ordered_map
from lolblur_synth.scenes import Lamp, Scene, render, shake, shrink
from lolblur_synth.video.images import read_image
from lolblur_synth.video.writer import write_video

FPS = Fraction(250)
_FRAMES = 58  # what four pairs need
_SIZE = (384, 672)
_SPEED = 4  # pixels per source frame, at the fastest
PHOTOS = Path(__file__).parent / "photos"
_LAMPS = {  # where the photographs have something that could shine; pixels from the middle of the frame
    "room": (
        Lamp(-262, -138, 5, (9, 7, 4)),
        Lamp(-262, -110, 4, (3, 6, 9)),
        Lamp(118, -92, 7, (10, 8, 5)),
        Lamp(213, 20, 4, (9, 4, 2)),
    ),
    "window": (Lamp(-190, -60, 8, (9, 8, 6)), Lamp(96, 60, 5, (10, 7, 3)), Lamp(250, -20, 4, (8, 2, 1))),
}


def render_clips(folder: Path, seed: int) -> Path:
    """Film each photograph, losslessly, so that all machines get the same; clips that are there are kept.

    Returns their folder.
    """
    folder = folder / f"lossless_seed{seed}"
    folder.mkdir(parents=True, exist_ok=True)
    for name in _LAMPS:
        path = folder / f"{name}.mkv"
        if not path.exists():
            with ordered_map(cores()) as each:
                write_video(path, _film(name, seed, each), FPS)
    return folder


def _film(name: str, seed: int, each: Map) -> Iterator[Tensor]:
    camera = shake(rng_for(seed, "demo", name), _SPEED, _FRAMES)
    scene = Scene(shrink(read_image(PHOTOS / f"{name}.jpg"), 1.5), camera, density=1.2, lamps=_LAMPS[name])
    return each(lambda t: render(scene, t, _SIZE), range(_FRAMES))
