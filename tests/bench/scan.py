"""What the scan of a video costs: CPU milliseconds a frame, those of decoding alone, and planning over known videos.

Clips of a photograph under a moving, noisy camera, as phones encode them. With another build, which is another checkout
with an environment of its own, its ratio in turn on the same clips.
`python -m tests.bench.scan [../other/.venv/bin/lolblur-synth] [--rounds N] [--videos N]`
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import cv2
import numpy as np

from lolblur_synth.apps.demo import PHOTOS
from lolblur_synth.video.images import read_pixels
from tests.support.clips import Picture, encode

CLIPS = {  # width, height, codec, samples, frames
    "640x480, H.264, 8 bits": (640, 480, "libx264", "yuv420p", 120),
    "640x480, HEVC, 10 bits": (640, 480, "libx265", "yuv420p10le", 120),
    "1120x640, H.264, 8 bits": (1120, 640, "libx264", "yuv420p", 80),
    "1920x1080, H.264, 8 bits": (1920, 1080, "libx264", "yuv420p", 40),
    "1920x1080, HEVC, 10 bits": (1920, 1080, "libx265", "yuv420p10le", 40),
}
WORKER = """
import json, sys, time
from pathlib import Path
from lolblur_synth.core.threads import torch_threads
from lolblur_synth.video.probe import probe
from lolblur_synth.video.scan import scan
from lolblur_synth.video.stream import decode, open_stream

def decoded(path):
    with open_stream(path) as (container, stream):
        return sum(len(frames or ()) for _, frames in decode(container, stream))

with torch_threads(1):
    for line in sys.stdin:
        info = probe(Path(json.loads(line)))
        start = time.process_time()
        found = scan(info)
        between = time.process_time()
        count = decoded(info.path)
        end = time.process_time()
        told = [1000 * (between - start) / count, 1000 * (end - between) / count, found.content]
        print(json.dumps(told), flush=True)
"""


def camera(size: tuple[int, int], frames: int, seed: int = 0) -> Iterator[Picture]:
    """A photograph, seen by a camera that moves and has noise."""
    width, height = size
    rng = np.random.default_rng(seed)
    wide = cv2.resize(read_pixels(PHOTOS / "room.jpg"), (round(1.2 * width), round(1.2 * height)))
    at, step = rng.uniform(0, 6, 2), rng.uniform(0.05, 0.15, 2)
    for number in range(frames):
        x, y = ((1 + np.sin(at + step * number)) * (0.1 * width, 0.1 * height)).astype(int)
        noise = rng.normal(0, 2, (height, width, 1))
        yield np.uint8(np.clip(wide[y : y + height, x : x + width] + noise, 0, 255))


class Build:
    """A process of one build, which scans what it is told to."""

    def __init__(self, python: str) -> None:
        pipe = subprocess.PIPE
        self._process = subprocess.Popen([python, "-P", "-c", WORKER], stdin=pipe, stdout=pipe, text=True)

    def scan(self, clip: Path) -> tuple[float, float, str]:
        """CPU milliseconds a frame of the scan and of decoding alone, and the content of the video."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps(str(clip)), file=self._process.stdin, flush=True)
        line = self._process.stdout.readline()
        if not line:
            sys.exit("a scan failed, see above")
        scanned, decoded, content = json.loads(line)
        return scanned, decoded, content


def compare(builds: list[Build], clip: Path, rounds: int) -> str:
    """One line of the table; the first round is left out, as code is compiled in it."""
    made = [[build.scan(clip) for build in builds] for _ in range(rounds + 1)][1:]
    scanned, decoded = (median(row[0][at] for row in made) for at in (0, 1))
    told = f"{scanned:8.2f} {decoded:8.2f} {decoded / scanned:8.0%}"
    if len(builds) > 1:
        ratios = sorted(mine[0] / theirs[0] for mine, theirs in made)
        beyond = median((mine[0] - mine[1]) / (theirs[0] - theirs[1]) for mine, theirs in made)
        same = "the same" if made[0][0][2] == made[0][1][2] else "another"
        told += f"   {median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})   {beyond:13.2f}   {same}"
    return told


def plan_known(folder: Path, count: int) -> str:
    """How long planning takes the first and the second time."""
    import lolblur_synth as lb

    for number in range(count):
        encode(folder / f"{number:04d}.mp4", camera((64, 48), 340, number), fps=240, options={"preset": "ultrafast"})
    config, seconds = lb.load_config(), []
    time.sleep(4)  # files that were just written are hashed anew
    for _ in range(2):
        start = time.process_time()
        plan = lb.plan_run(folder, folder / "dataset", config, dry=True)
        seconds.append(time.process_time() - start)
    return (
        f"planning {len(plan.videos)} videos of 340 frames: {seconds[0]:.2f} s, once they are known {seconds[1]:.2f} s"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("other", nargs="?", help="the command, or the Python, of the other build")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--videos", type=int, default=100, help="known ones, for planning; 0: none")
    arguments = parser.parse_args()
    builds = [Build(sys.executable)]
    header = f"{'CPU ms a frame':26} {'scan':>8} {'decode':>8} {'share':>8}"
    if arguments.other:
        builds.append(Build(str(Path(arguments.other).with_name("python"))))
        header += "   scan / other's       beyond decode   content"
    with tempfile.TemporaryDirectory() as folder:
        print(header)
        for name, (width, height, codec, pixel_format, frames) in CLIPS.items():
            clip = encode(
                Path(folder, f"{codec}{width}.mp4"), camera((width, height), frames), codec, pixel_format, fps=240,
                options={"preset": "veryfast"},
            )  # fmt: skip
            print(f"{name:26} {compare(builds, clip, arguments.rounds)}", flush=True)
    if arguments.videos:
        with tempfile.TemporaryDirectory() as folder:
            print(plan_known(Path(folder), arguments.videos))


if __name__ == "__main__":
    main()
