"""What `plan` says beside what runs take: two workers, four sizes, as a table.

Seconds are of one core, as others may use the machine; each size is planned, made and planned again, and both plans are
held against the run. `python -m tests.bench.planned [--frames N] [--set KEY=VALUE ...]`
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.support.footage import film

_SIZES = (128, 96), (192, 144), (256, 192), (384, 288)
_COMMON = "sequences.per_video=2", "sequences.pairs=12", "sequences.min_pairs=2"


def spent_by(*words: str) -> tuple[float, str]:
    """Seconds of processors that a command takes, with its processes, and what it prints."""
    before = os.times()
    done = subprocess.run([sys.executable, "-m", "lolblur_synth", *words], check=True, capture_output=True, text=True)
    after = os.times()
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    return spent, done.stdout


def planned(videos: Path, options: list[str], pairs: int) -> dict[str, float]:
    """What `plan` says of so many pairs on two cores."""
    machine = ["--machine", "cores=2,memory=64", "--samples", "3"]
    _, told = spent_by("plan", "--videos", str(videos), *options, "--pairs", str(pairs), *machine, "--json")
    content = json.loads(told)
    (needs,) = content["needs"]
    return {
        "pairs": content["costs"]["pairs"],
        "seconds": 3600 * needs["core_hours"],
        "disk": needs["disk"],
        "memory": content["costs"]["memory"],
    }


def made(videos: Path, out: Path, options: list[str]) -> dict[str, float]:
    """What a run takes."""
    spent, _ = spent_by("run", "--videos", str(videos), "--out", str(out), *options, "--no-report")
    names = "t*/*/*/*.png", "records/*.json", "manifest.jsonl", "t*/metadata.jsonl"
    size = sum(path.stat().st_size for name in names for path in out.glob(name))
    told = json.loads((out / "progress.json").read_text())
    return {"pairs": told["made"]["pairs"], "seconds": spent, "disk": size, "memory": told["peak_memory"]}


def main() -> None:
    """Plan, make, plan again for each size; print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--frames", type=int, default=200)
    parser.add_argument("--set", action="append", default=[])
    arguments = parser.parse_args()
    print("size | pairs | s of one core: planned, made, planned again | error | GB of a worker | MB of disk")
    errors = []
    for width, height in _SIZES:
        with tempfile.TemporaryDirectory() as folder:
            videos = Path(folder, "videos")
            for seed in range(3):
                film(videos / f"{seed}.mkv", arguments.frames, seed, (height, width))
            options = [word for value in (*_COMMON, *arguments.set) for word in ("--set", value)]
            options += ["--size", f"{width}x{height}", "--workers", "2"]
            first = planned(videos, options, 1)
            pairs = int(first["pairs"])
            before = planned(videos, options, pairs)
            real = made(videos, Path(folder, "out"), options)
            after = planned(videos, options, pairs)
        error = ((before["seconds"] + after["seconds"]) / 2 / real["seconds"]) - 1
        errors.append(error)
        print(
            f"{width}x{height} | {pairs}, {real['pairs']:.0f} | {before['seconds']:.1f}, {real['seconds']:.1f}, "
            f"{after['seconds']:.1f} | {error:+.0%} | {before['memory'] / 1e9:.2f}, {real['memory'] / 1e9:.2f} | "
            f"{before['disk'] / 1e6:.2f}, {real['disk'] / 1e6:.2f}",
            flush=True,
        )
    print(f"mean error {sum(map(abs, errors)) / len(errors):.0%}, largest {max(map(abs, errors)):.0%}")


if __name__ == "__main__":
    main()
