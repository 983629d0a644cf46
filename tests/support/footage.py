"""Small clips for end-to-end tests: a photograph and a lamp, filmed by hand."""

from fractions import Fraction
from pathlib import Path

from lolblur_synth.apps.demo import PHOTOS
from lolblur_synth.core.rng import rng_for
from lolblur_synth.scenes import Lamp, Scene, render, shake, shrink
from lolblur_synth.video.images import read_image
from lolblur_synth.video.writer import write_video

SIZE = (96, 128)
SMALL = ["--set", "video.size=[128,96]", "--set", "sequences.pairs=2", "--set", "sequences.min_pairs=2"]


def film(path: Path, frames: int = 58, seed: int = 0, size: tuple[int, int] = SIZE) -> Path:
    """Write a lossless 250 fps clip of 128x96; 58 frames hold four windows of nine."""
    camera = shake(rng_for(seed, "tests"), 2, frames)
    scene = Scene(shrink(read_image(PHOTOS / "window.jpg"), 6), camera, lamps=(Lamp(20, -10, 3),))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_video(path, (render(scene, t, size) for t in range(frames)), Fraction(250))
    return path
