"""What a 1120x640 pair costs: seconds per operator, peak memory, and that memory does not grow with what is made.

Renders clips by hand-shake from a bundled photograph, runs the whole chain on them in processes of their own, and
prints one table. `python tests/bench/pair.py [--pairs N]`
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from fractions import Fraction
from pathlib import Path

from lolblur_synth.apps.demo import PHOTOS
from lolblur_synth.core.rng import rng_for
from lolblur_synth.core.threads import ordered_map
from lolblur_synth.scenes import Scene, render, shake
from lolblur_synth.video.images import read_image

SIZE = (640, 1120)


def film(folder: Path, frames: int) -> None:
    """A clip of `frames` frames at 250 fps."""
    from lolblur_synth.video.writer import write_video

    scene = Scene(read_image(PHOTOS / "room.jpg"), shake(rng_for(0, "bench"), 4, frames), density=1.15)
    folder.mkdir(parents=True, exist_ok=True)
    with ordered_map(os.cpu_count() or 1) as each:
        write_video(folder / "clip.mkv", each(lambda t: render(scene, t, SIZE), range(frames)), Fraction(250))


def measure(videos: Path, settings: list[str]) -> dict[str, float]:
    """Make the dataset of `videos` in this process; seconds per pair by operator, and peak memory."""
    import lolblur_synth as lb
    from lolblur_synth.dataset.record_reader import read_records

    config = lb.load_config(overrides=settings)
    with tempfile.TemporaryDirectory() as out:
        lb.execute(lb.plan_run(videos, Path(out, "d"), config))
        records = read_records(Path(out, "d")).values()
    pairs = sum(len(record.pairs) for record in records)
    seconds: dict[str, float] = {}
    for record in records:
        for name, value in record.seconds.items():
            seconds[name] = seconds.get(name, 0) + value / pairs
    return {"pairs": pairs, **seconds, "peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20}


def main() -> None:
    """Run each case in its own process and print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--case", nargs="+", help=argparse.SUPPRESS)
    parser.add_argument("--pairs", type=int, default=3)
    arguments = parser.parse_args()
    if arguments.case:
        print(json.dumps(measure(Path(arguments.case[0]), arguments.case[1:])))
        return
    shutter = "sequences.shutter_ms=[32]"
    base = [shutter, "sequences.per_video=1", "sequences.min_pairs=1", "denoise.backend=none"]
    few, many = f"sequences.pairs={arguments.pairs}", f"sequences.pairs={3 * arguments.pairs}"
    cases = {
        "65 sub-frames, short clip": ("short", [*base, few]),
        "65 sub-frames, clip three times as long": ("long", [*base, many]),
        "257 sub-frames (8000 fps), short clip": ("short", [*base, few, "interpolate.fps=8000"]),
        "65 sub-frames, denoised, best": ("short", [*base, few, "denoise.backend=vbm4d", "denoise.sigma=2"]),
        "65 sub-frames, averaged in sRGB": ("short", [*base, few, "average.space=srgb"]),
    }
    with tempfile.TemporaryDirectory() as folder:
        film(Path(folder, "short"), 15 + round(10.5 * arguments.pairs))
        film(Path(folder, "long"), 15 + round(31.5 * arguments.pairs))
        for name, (clip, settings) in cases.items():
            command = [sys.executable, __file__, "--case", str(Path(folder, clip)), *settings]
            result = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            pairs, peak = result.pop("pairs"), result.pop("peak_gb")
            steps = ", ".join(f"{step} {value:.2f}" for step, value in sorted(result.items(), key=lambda kv: -kv[1]))
            whole = sum(result.values())
            print(f"{name}: {whole:.2f} s a pair, peak {peak:.2f} GiB, {pairs} pairs ({steps})", flush=True)


if __name__ == "__main__":
    main()
