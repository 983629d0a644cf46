"""What a trial works on, what it may not touch, and what it has to leave."""

import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from lolblur_synth.core.files import file_hash
from tests.faults.forks import Ended, Running, command, start
from tests.support.footage import film

SETTINGS = (
    "--size", "64x64", "--set", "sequences.pairs=2", "--set", "sequences.min_pairs=2", "--set", "sequences.per_video=1",
    "--set", "denoise.backend=none", "--set", "interpolate.backend=linear", "--set", "interpolate.fps=480",
    "--set", "defocus.sigma=1",
)  # fmt: skip
_VIDEOS = {"a.mkv": 1, "b.mkv": 2}  # and the seeds of their scenes
Facts = dict[str, str]


@dataclass(frozen=True)
class World:
    """Folders of one trial: what is outside of `out` has to stay as it is."""

    root: Path

    @property
    def videos(self) -> Path:
        """The footage."""
        return self.root / "videos"

    @property
    def out(self) -> Path:
        """The dataset."""
        return self.root / "work" / "out"

    def run(self, *more: str | Path) -> Running:
        """Start the run that makes, or goes on with, the dataset."""
        return self.call("run", "--videos", self.videos, "--out", self.out, *SETTINGS, *more)

    def call(self, *arguments: str | Path, name: str = "log") -> Running:
        """Start a command."""
        return start(self.root / name, command(*arguments))

    def outside(self) -> Facts:
        """Every file that is not in the dataset: what it holds, and when it was written."""
        places = (path for path in self.root.rglob("*") if not path.is_relative_to(self.out))
        logs = {".out", ".err"}
        return {
            str(path.relative_to(self.root)): _fact(path)
            for path in places
            if not (path.parent == self.root and path.suffix in logs) and path != self.out.parent
        }

    def made(self) -> Facts:
        """What decides whether a dataset is the one that was asked for: its pictures, and the lines about them."""
        pictures = {str(p.relative_to(self.out)): file_hash(p) for p in self.out.glob("t*/*/*/*.png") if p.is_file()}
        manifest = self.out / "manifest.jsonl"
        lines = manifest.read_text(errors="replace").splitlines() if manifest.is_file() else []
        return pictures | {f"manifest, pair {_pair(line)}": line for line in lines}

    def remove(self) -> None:
        """Take it away."""
        shutil.rmtree(self.root)


def _pair(line: str) -> str:
    try:
        return str(json.loads(line)["pair"])
    except (ValueError, KeyError, TypeError):
        return line


def _fact(path: Path) -> str:
    if path.is_symlink():
        return f"link to {path.readlink()}"
    if path.is_file():
        return f"{path.stat().st_mtime_ns} {file_hash(path)}"
    return "folder"


def film_all(folder: Path) -> None:
    """Write the footage of all worlds: lossless, two sequences of two pairs."""
    for name, seed in _VIDEOS.items():
        film(folder / name, frames=40, seed=seed)


def make_world(root: Path, videos: Path, dataset: Path | None = None) -> World:
    """A world with the footage, a neighbour of the dataset that looks like one, and perhaps the dataset itself."""
    world = World(root)
    world.out.parent.mkdir(parents=True)
    world.videos.symlink_to(videos)
    if dataset:
        neighbour = world.out.parent / "neighbour"
        shutil.copytree(dataset, neighbour)
        shutil.copytree(dataset, root / "train")  # where `../` and `../../` of a dataset lead
        shutil.copytree(dataset / "train", world.out.parent / "train")
    return world


@dataclass(frozen=True)
class Verdict:
    """What is wrong after a trial."""

    lost: int = 0
    differing: int = 0
    tracebacks: int = 0
    outside: int = 0
    ends: int = 0  # exit codes that are none, lines too many, processes that hung
    struck: bool = True  # whether the fault came before the end
    told: str = ""  # of the first thing that is wrong

    @property
    def wrong(self) -> bool:
        """Whether anything is."""
        return bool(self.lost or self.differing or self.tracebacks or self.outside or self.ends)


def judge(
    ends: list[tuple[Ended, set[int]]],
    before: Facts,
    after: Facts,
    wanted: Facts | None = None,
    made: Facts | None = None,
    struck: bool = True,
) -> Verdict:
    """Compare how processes ended with how they may, what is outside, and the dataset with what it should be."""
    wanted, made = wanted or {}, made or {}
    lost = [name for name in wanted if name not in made]
    differing = [name for name in made if wanted.get(name) != made[name]]
    touched = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    tracebacks = [ended for ended, _ in ends if "Traceback" in ended.err or "Traceback" in ended.out]
    others = [e for e, codes in ends if (e.code not in codes or len(e.told) > 1) and e not in tracebacks]
    told = "; ".join(
        [*(f"lost {name}" for name in lost[:1]), *(f"differs: {name}" for name in differing[:1])]
        + [f"outside: {name}" for name in touched[:2]]
        + [_last_words(e.err or e.out) for e in tracebacks[:1]]
        + [f"exit {e.code}: {' | '.join(e.err.strip().splitlines()[-2:])}" for e in others[:1]]
    )
    return Verdict(len(lost), len(differing), len(tracebacks), len(touched), len(others), struck, told)


def _last_words(text: str) -> str:
    """Of a traceback: the last place in the product, and the error."""
    places = [line.strip() for line in text.splitlines() if "lolblur_synth" in line and line.startswith("  File ")]
    errors = [line for line in text.splitlines() if re.match(r"[\w.]*(Error|Exception|Interrupt|Exit)\b", line)]
    return " ".join([*places[-1:], *errors[-1:]])
