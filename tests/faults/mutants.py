"""Datasets and footage in which something was changed: whoever reads them ends in a word, and touches nothing else."""

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from tests.faults.forks import NEXT, start
from tests.faults.kills import Kinds, Trial, Undisturbed
from tests.faults.worlds import SETTINGS, Verdict, World, judge, make_world

_ENDS = {0, 1, 2}
HERE = "<an absolute path>"  # of the neighbour of a dataset
_PATHS = "../neighbour", "../../train", HERE, "..", ".", "", "a/b", "a\0b", "a\nb", "\x1b[31m", "train/../../train"
_VALUES: tuple[Any, ...] = (
    None, True, -1, 0, 1, 10**30, -(2**63), 1.5, 1e308, float("nan"), float("inf"), "x", "1", "0" * 5000, [], {}, [[]],
    [None], {"a": {}}, *_PATHS,
)  # fmt: skip
_KEYS = "split", "id", "video", "sequence", "number", "pairs", "sha256", "config", "source", "format", "first", "last"
_LINES = "", "\t", "a: [", "- 1", "\0", "x: &a [*a]", "!!python/name:math.pi x", "2001-99-99", "é: \x85", "? {}"

Change = Callable[[World, Random], None]


def kinds(normal: Undisturbed, rng: Random, share: float) -> Kinds:
    """Each with its trials; `share` of those that `make faults` takes."""

    def trials(change: Change, count: int) -> list[Trial]:
        return [_trial(normal, change, rng.getrandbits(64)) for _ in range(max(1, round(count * share)))]

    yield "mutants of records", trials(_record, 120)
    yield "mutants of the manifest", trials(_manifest, 40)
    yield "mutants of dataset.yaml", trials(_settings, 60)
    yield "mutants of staged folders", trials(_staged, 80)
    yield "mutants of pictures", trials(_picture, 40)
    yield "mutants of footage", trials(_video, 60)
    yield "mutants of folders", trials(_folder, 40)


def _trial(normal: Undisturbed, change: Change, seed: int) -> Trial:
    def trial(root: Path) -> Verdict:
        world = make_world(root, normal.videos, normal.dataset)
        shutil.copytree(normal.dataset, world.out)
        change(world, Random(seed))
        before = world.outside()
        ended = start(root / "log", readers(world)).wait(120)
        return judge([(ended, {0})], before, world.outside())

    return trial


def readers(world: World, *more: str) -> Callable[[], int]:
    """Everything that reads a dataset, one after another: 0 if each ended as it may, and in one line."""
    run = "run", "--videos", world.videos, "--out", world.out, *SETTINGS, *more

    def work() -> int:
        ends = [_ended(lambda: _command("verify", world.out)), _ended(lambda: _read_pairs(world.out))]
        ends += [_ended(lambda: _command(*run)), _ended(lambda: _command("verify", world.out))]
        return int(not all(ends))

    return work


def _ended(work: Callable[[], int]) -> bool:
    code = work()
    print(end=NEXT, file=sys.stderr, flush=True)
    if code not in _ENDS:
        print(f"error: exit {code}", file=sys.stderr)
    return code in _ENDS


def _command(*arguments: str | Path) -> int:
    from lolblur_synth.cli.main import answer

    sys.argv = ["lolblur-synth", *map(str, arguments)]
    return answer()


def _read_pairs(data: Path) -> int:
    from lolblur_synth.core.errors import SequenceError, UserError
    from lolblur_synth.train.restoration.pairs import Pairs

    try:
        for split in ("train", "test"):
            pairs = Pairs(data, split, crop=32)  # type: ignore[arg-type]
            for index in range(len(pairs)):
                pairs.whole(index)
    except (SequenceError, UserError):
        return 2
    return 0


def bytes_changed(data: bytes, rng: Random) -> bytes:
    """Some bytes cut off, turned, doubled, zeroed, or put in."""
    if not data:
        return b"\0"
    start = rng.randrange(len(data))
    stop = min(len(data), start + rng.choice((1, 2, 16, 500)))
    match rng.randrange(7):
        case 0:
            return data[:start]
        case 1:
            return data[:start] + bytes(byte ^ 1 << rng.randrange(8) for byte in data[start:stop]) + data[stop:]
        case 2:
            return data[:start] + bytes(stop - start) + data[stop:]
        case 3:
            return data[:start] + data[start:stop] * 3 + data[stop:]
        case 4:
            return data[:start] + data[stop:]
        case 5:
            return data[:start] + rng.randbytes(rng.choice((1, 4, 60))) + data[start:]
        case _:
            return b""


def value_changed(data: Any, rng: Random) -> Any:
    """One place of a JSON value that is another, or gone, or new; keys that name files more often."""
    places = list(_places(data))
    weighted = [place for place in places for _ in range(8 if place[1] in _KEYS else 1)]
    container, key = rng.choice(weighted)
    match rng.randrange(6):
        case 0:
            del container[key]
        case 1 if isinstance(container, dict):
            container[rng.choice(("new", "", "__class__", "split "))] = container.pop(key)
        case 2:
            container[key] = [container[key]]
        case _:
            container[key] = rng.choice(_VALUES)
    return data


def _places(data: Any) -> list[tuple[Any, Any]]:
    keys = list(data) if isinstance(data, dict) else range(len(data)) if isinstance(data, list) else []
    return [(data, key) for key in keys] + [place for key in keys for place in _places(data[key])]


def dumped(data: Any, world: World) -> str:
    """As JSON, with absolute paths that lie in the world."""
    return json.dumps(data).replace(HERE, str(world.out.parent / "neighbour"))


def _change_file(path: Path, world: World, rng: Random, structured: bool) -> None:
    data = path.read_bytes()
    if structured:
        try:
            path.write_text(dumped(value_changed(json.loads(data), rng), world))
            return
        except (ValueError, IndexError):
            pass
    path.write_bytes(bytes_changed(data, rng))


def _record(world: World, rng: Random) -> None:
    path = rng.choice(sorted((world.out / "records").glob("*.json")))
    _change_file(path, world, rng, structured=rng.random() < 0.7)
    if rng.random() < 0.1:
        path.rename(path.with_name(rng.choice(("0007-0.json", "x.json", "0000-1.json", "-.json", "0000-0-0.json"))))


def _manifest(world: World, rng: Random) -> None:
    path = world.out / "manifest.jsonl"
    if rng.random() < 0.5:
        lines = path.read_text().splitlines()
        index = rng.randrange(len(lines))
        lines[index] = dumped(value_changed(json.loads(lines[index]), rng), world)
        path.write_text("\n".join(lines))
    else:
        path.write_bytes(bytes_changed(path.read_bytes(), rng))


def _settings(world: World, rng: Random) -> None:
    path = world.out / "dataset.yaml"
    if rng.random() < 0.5:
        lines = path.read_text().splitlines()
        index = rng.randrange(len(lines))
        lines[index] = rng.choice((*_LINES, f"{lines[index]}{lines[index]}", lines[index].replace(":", "")))
        path.write_text("\n".join(lines))
    else:
        path.write_bytes(bytes_changed(path.read_bytes(), rng))


def _staged(world: World, rng: Random) -> None:
    """As a run leaves it that was killed while it published, and then changed."""
    record = rng.choice(sorted((world.out / "records").glob("*.json")))
    staging = world.out / f".{record.stem}.partial"
    staging.mkdir()
    for split in ("train", "test"):
        for path in sorted((world.out / split).glob("*/*/*.png")):
            if path.parent.name == record.stem[:4] and rng.random() < 0.7:
                (staging / path.relative_to(world.out)).parent.mkdir(parents=True, exist_ok=True)
                path.rename(staging / path.relative_to(world.out))
    record.rename(staging / "record.json")
    if rng.random() < 0.8:
        _change_file(staging / "record.json", world, rng, structured=rng.random() < 0.7)
    else:
        _change_file(rng.choice(sorted(staging.rglob("*.png"))), world, rng, structured=False)
    if rng.random() < 0.15:
        names = ".0009-0.partial", "..partial", ".x.partial", ".0000-0.partial.partial"
        staging.rename(world.out / rng.choice(names))


def _picture(world: World, rng: Random) -> None:
    _change_file(rng.choice(sorted(world.out.glob("t*/*/*/*.png"))), world, rng, structured=False)


def _video(world: World, rng: Random) -> None:
    """Of footage that is on record, and a dataset that is to be made again from it."""
    real = world.videos.resolve()
    world.videos.unlink()
    shutil.copytree(real, world.videos)
    _change_file(rng.choice(sorted(world.videos.glob("*.mkv"))), world, rng, structured=False)
    if rng.random() < 0.5:
        shutil.rmtree(world.out)


def _folder(world: World, rng: Random) -> None:
    """Something of another kind where a file or folder of the dataset is."""
    path = rng.choice([path for path in sorted(world.out.rglob("*")) if path.name != ".lock"])
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
    match rng.randrange(4):
        case 0:
            path.mkdir()
        case 1:
            path.symlink_to(world.out.parent / "neighbour" / "train")
        case 2:
            path.symlink_to(path.name)  # to itself
        case _:
            path.write_text("something")
