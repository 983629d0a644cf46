"""Names, settings and records that nobody has by accident."""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from random import Random

from tests.faults.forks import Ended, command, start
from tests.faults.kills import Kinds, Trial, Undisturbed
from tests.faults.mutants import HERE, dumped, readers
from tests.faults.worlds import SETTINGS, Verdict, World, judge, make_world

_NAMES = (
    b"rec-12:30:00", b"file:a", b"pipe:0", b"concat:a|b", b"http:", b"two\nlines", b"\x1b[31mred\x1b[0m", b"\x9b31m",
    b"\xff\xfe\x80", b"caf\xe9", b"\xed\xa0\x80", "é".encode(), "e\u0301".encode(), "\u202egnp".encode(),
    "\u2028".encode(), b"x" * 240, "ü".encode() * 120, b"-out", b"--help", b"[bold]red", b"[link=x", b"%d", b"%s%n",
    b"{0}", b"$HOME", b"~", b"a b", b"'", b'"', b"\\", b"*", b"?", b"a\tb", b"a\rb", b"CON", b"\xf0\x9f\x8e\xa5",
    b"NaN", b"null", b"a..b", b"a..",
)  # fmt: skip
_LAUGHS = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)
)
_UNKNOWN = "".join(f"key{number}: 1\n" for number in range(20_000))
_YAML = (
    b"", b"\0" * 400, b"\xff\xfe", b"\xff\xfes\0e\0", b"caf\xe9: 1", b"seed: \x07", b"seed: 2001-13-99",
    b"seed: 2001-01-01", b"seed: " + b"9" * 5000, b"seed: 0x" + b"f" * 5000, b"seed: 1e999999", b"[" * 3000,
    b"{a: " * 3000, b"- " * 3000, _LAUGHS.encode(), b"seed: &a [*a]", b"<<: *x", b"a: &a {<<: *a}", b"null: 1", b"1: 2",
    b"!!python/object/apply:math.sqrt [4]", b"!!set {1, 2}", b"? [1]\n: 2", b"seed: 1\nseed: 2",
    b"seed: !!binary x", b"---\na: 1\n---\nb: 2", b"%YAML 9.9\n---\n", b"video: 3", b"video: {size: [1e9, 1e9]}",
    b"seed: .nan", b"seed: yes", b"'", b"\t", b"seed: 1__0:59", b"null", b"3", b"[]", _UNKNOWN.encode(), b"? ",
    b"sequences: {fps: .inf}",
)  # fmt: skip
_HARMLESS = b"", b"null", b"? ", b"%YAML 9.9\n---\n"  # which may be taken for no settings at all


def kinds(normal: Undisturbed, rng: Random, share: float) -> Kinds:
    """Each with its trials; `share` of those that `make faults` takes."""

    def some(things: tuple[bytes, ...]) -> list[bytes]:
        return list(things) if share >= 1 else rng.sample(things, max(2, round(share * len(things))))

    yield "hostile names of footage and dataset", [_named(normal, name) for name in some(_NAMES)]
    yield "hostile settings", [_set(normal, text, stored) for text in some(_YAML) for stored in (False, True)]
    climbing = [(key, value) for key, values in _CLIMBING.items() for value in values]
    chosen = climbing if share >= 1 else rng.sample(climbing, 3)
    yield (
        "records that lead out",
        [_climbs(normal, key, value, at) for key, value in chosen for at in ("records", "staged")],
    )


def _of(what: object, verdict: Verdict) -> Verdict:
    """The same, which tells what it is of."""
    return replace(verdict, told=f"{what!r}: {verdict.told}")


def _named(normal: Undisturbed, name: bytes) -> Trial:
    """One video, and a dataset, of such a name: made, verified, made no second time; shown without control codes."""

    def trial(root: Path) -> Verdict:
        world = make_world(root, normal.videos)
        folder = root / "footage"
        folder.mkdir()
        (folder / os.fsdecode(name + b".mkv")).symlink_to(world.videos / "a.mkv")
        before, ends = world.outside(), []
        out = world.out / os.fsdecode(name)
        run = command("run", "--videos", folder, "--out", out, *SETTINGS, "--verbose")
        for work in (run, command("verify", out), run):
            ended = start(root / "log", work).wait()
            codes = set(ended.out + ended.err) & {chr(code) for code in (*range(10), *range(11, 32), *range(127, 160))}
            ends.append((ended if not codes else Ended(-1, "", f"printed {sorted(map(repr, codes))}"), {0}))
        return _of(name, judge(ends, before, world.outside()))

    return trial


def _set(normal: Undisturbed, text: bytes, stored: bool) -> Trial:
    """Settings given by --config, or found in the dataset that is to go on: in a second, in one line."""

    def trial(root: Path) -> Verdict:
        world = make_world(root, normal.videos)
        (root / "settings.yaml").write_bytes(text)
        if stored:
            shutil.copytree(normal.dataset, world.out)
            (world.out / "dataset.yaml").write_bytes(text)
        before = world.outside()
        more = () if stored else ("--config", root / "settings.yaml")
        codes = {0, 2} if text in (b"", b"null", b"? ", b"[]") or text == b"seed: yes" else {2}
        ended = world.run(*more).wait(6)  # a second, on a machine that does nothing else
        return _of((text[:40], stored), judge([(ended, codes)], before, world.outside()))

    return trial


_CLIMBING: dict[str, tuple[object, ...]] = {
    "split": ("../neighbour/train", "../../train", HERE, "..", "train/..", "", None, ["train"], "TRAIN", "train\0"),
    "id": ("../../neighbour/x", "../x", HERE, "0000-0/../../x", "..", "", "0001-0", None, 3),
    "video": (-1, "../neighbour", 10**30, 1.5, None, True, 10_000),
    "sequence": (-1, "x", 10**30, None),
    "number": (-1, "../../x", 10**30, 1.5, None, True),
    "sha256": ({}, [], None, {"../low_blur": "x"}, "x"),
}


def _climbs(normal: Undisturbed, key: str, value: object, place: str) -> Trial:
    """A record, published or staged, in which one key leads elsewhere."""

    def trial(root: Path) -> Verdict:
        world = make_world(root, normal.videos, normal.dataset)
        shutil.copytree(normal.dataset, world.out)
        path = world.out / "records" / "0000-0.json"
        data = json.loads(path.read_text())
        holder = data["pairs"][0] if key in data["pairs"][0] else data
        holder[key] = value
        path.write_text(dumped(data, world))
        if place == "staged":
            _stage(world, path)
        before = world.outside()
        ended = start(root / "log", readers(world, "--overwrite")).wait(120)
        return _of((key, value, place), judge([(ended, {0})], before, world.outside()))

    return trial


def _stage(world: World, record: Path) -> None:
    """Put pictures and record back to where they were before they were published."""
    staging = world.out / f".{record.stem}.partial"
    for path in list(world.out.glob("t*/*/0000/*.png")):
        target = staging / path.relative_to(world.out)
        target.parent.mkdir(parents=True, exist_ok=True)
        path.rename(target)
    record.rename(staging / "record.json")
