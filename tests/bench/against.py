"""This build beside another one, in turn on one clip: ratios of seconds by operator, of the whole command, of memory.

Another build is another checkout with an environment of its own. One round each is left out, as code is compiled in it.
`python tests/bench/against.py ../other/.venv/bin/lolblur-synth [--rounds N] [--pairs N] [--set KEY=VALUE ...]`
"""

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from tests.bench.pair import film

BASE = ("sequences.shutter_ms=[32]", "sequences.per_video=1", "sequences.min_pairs=1", "denoise.backend=none")


def measure(program: str, videos: Path, settings: list[str]) -> dict[str, float]:
    """One run: seconds of the whole command and of each operator per pair, and its peak memory in GiB."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "made")
        command = [program, "run", "--videos", str(videos), "--out", str(out)]
        command += [word for setting in settings for word in ("--set", setting)]
        log = os.open(Path(folder, "log"), os.O_WRONLY | os.O_CREAT)
        redirect = [(os.POSIX_SPAWN_DUP2, log, 1), (os.POSIX_SPAWN_DUP2, log, 2)]
        start = time.perf_counter()
        _, status, usage = os.wait4(os.posix_spawn(program, command, os.environ, file_actions=redirect), 0)
        whole = time.perf_counter() - start
        if status:
            sys.exit(f"{' '.join(command)}: {Path(folder, 'log').read_text()}")
        # Plain JSON, as another build may write records of another format.
        records = [json.loads(path.read_text()) for path in sorted(out.glob("records/*.json"))]
    pairs = sum(len(record["pairs"]) for record in records)
    seconds = {step: sum(record["seconds"][step] for record in records) / pairs for step in records[0]["seconds"]}
    return {
        **seconds,
        "all operators": sum(seconds.values()),
        "whole command": whole,
        "the same, CPU seconds": usage.ru_utime + usage.ru_stime,
        "peak memory, GiB": usage.ru_maxrss / 2**20,
    }


def main() -> None:
    """Run both in turn and print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("other", help="the command of the other build")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pairs", type=int, default=4)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="for both")
    parser.add_argument("--only-here", action="append", default=[], metavar="KEY=VALUE", help="for this build alone")
    arguments = parser.parse_args()
    here = str(Path(sys.executable).with_name("lolblur-synth"))
    settings = [*BASE, f"sequences.pairs={arguments.pairs}", *arguments.set]
    rounds = []
    with tempfile.TemporaryDirectory() as folder:
        film(Path(folder), 15 + round(10.5 * arguments.pairs))
        for number in range(arguments.rounds + 1):
            pair = (
                measure(here, Path(folder), settings + arguments.only_here),
                measure(arguments.other, Path(folder), settings),
            )
            if number:
                rounds.append(pair)
    print(f"{'per pair of 1120x640, medians of ' + str(arguments.rounds):40} {'here':>8} {'other':>8}   ratio (range)")
    for name in rounds[0][0]:
        if all(name in each for pair in rounds for each in pair):
            mine, theirs = ([pair[side][name] for pair in rounds] for side in (0, 1))
            ratios = sorted(a / b for a, b in zip(mine, theirs, strict=True) if b)
            span = f"{median(ratios):.3f} ({ratios[0]:.3f} to {ratios[-1]:.3f})" if ratios else ""
            print(f"{name:40} {median(mine):8.3f} {median(theirs):8.3f}   {span}")


if __name__ == "__main__":
    main()
