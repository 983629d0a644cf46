"""Denoised frames that are kept for other runs: the same pixels, sooner."""

import errno
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result

from lolblur_synth.cli.main import cli
from lolblur_synth.config.loading import load
from lolblur_synth.config.run import Config, Denoise
from lolblur_synth.core.errors import UserError
from lolblur_synth.dataset.record_reader import read_records
from lolblur_synth.dataset.records import Denoising, NoiseLevel
from lolblur_synth.run import denoised_cache
from lolblur_synth.run.denoised_cache import Key, hold_cache, key_of, recall, storing
from lolblur_synth.run.plan import Plan
from lolblur_synth.run.planning import make_plan
from lolblur_synth.synthesis import pipeline
from lolblur_synth.video.images import quantize
from lolblur_synth.video.probe import probe
from lolblur_synth.video.reader import read_codes, read_frames
from lolblur_synth.video.scan import scan
from lolblur_synth.video.writer import write_video
from tests.support.footage import SMALL, film

CPU = torch.device("cpu")
SETTINGS = [*SMALL, "--set", "sequences.pairs=1", "--set", "sequences.min_pairs=1", "--set", "denoise.preset=fast"]
LEVEL = NoiseLevel(sigma=12.5, space="srgb", a=(0, 0, 0), b=(0.1, 0.1, 0.1), white=True)
NOISE = Denoising(backend="vbm4d", preset="fast", level=LEVEL)


@pytest.fixture(scope="module")
def videos(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    clear = scan(probe(film(folder.with_name("clear") / "a.mkv", frames=40)))
    generator = torch.Generator().manual_seed(0)
    frames = read_frames(clear, 0, clear.frames)
    noisy = (frame + torch.randn(frame.shape, generator=generator) * 12 / 255 for frame in frames)
    write_video(folder / "a.mkv", noisy, Fraction(250))
    return folder


def run(videos: Path, out: Path, *options: str) -> Result:
    return CliRunner().invoke(cli, ["run", "--videos", str(videos), "--out", str(out), *SETTINGS, *options])


def hashes(out: Path) -> dict[str, str]:
    return {str(path): sha256 for record in read_records(out).values() for path, sha256 in record.images()}


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.name != ".lock"}


@pytest.fixture(scope="module")
def filled(videos, tmp_path_factory) -> tuple[Path, Path]:
    """A dataset, and the cache that was filled while it was made."""
    folder = tmp_path_factory.mktemp("filled")
    result = run(videos, folder / "d", "--cache-denoised", str(folder / "new/cache"))
    assert result.exit_code == 0, result.exception
    return folder / "d", folder / "new/cache"


def test_a_cache_changes_no_pixel_and_no_noise(videos, filled, tmp_path, monkeypatch):
    made, cache = filled
    before = files(cache)
    assert sorted(Path(name).suffix for name in before) == [".json", ".json", ".mkv", ".mkv"]  # two sequences
    assert run(videos, tmp_path / "without").exit_code == 0

    def refuse(frames, noise, *rest):
        assert noise is None, "it denoises again"
        return iter(frames)

    monkeypatch.setattr(pipeline, "denoise", refuse)
    monkeypatch.setattr(pipeline, "find_noise", lambda *_: pytest.fail("it measures again"))
    assert run(videos, tmp_path / "with", "--cache-denoised", str(cache)).exit_code == 0
    assert len(hashes(made)) == 10
    assert hashes(tmp_path / "without") == hashes(made) == hashes(tmp_path / "with")
    assert files(cache) == before
    records = [read_records(out) for out in (made, tmp_path / "without", tmp_path / "with")]
    assert all(one["0000-0"].noise.level.sigma > 10 for one in records)
    assert all(
        (one[id].noise, one[id].fingerprint, one[id].config) == (record.noise, record.fingerprint, record.config)
        for one in records
        for id, record in records[0].items()
    )


def test_what_is_dark_elsewhere_is_denoised_once(videos, filled, tmp_path, monkeypatch):
    monkeypatch.setattr(pipeline, "find_noise", lambda *_: pytest.fail("it measures again"))
    changed = ("--set", "darken.exposure=0.07", "--set", "defocus.probability=1", "--set", "dataset.bit_depth=16")
    assert run(videos, tmp_path / "d", "--cache-denoised", str(filled[1]), *changed).exit_code == 0
    assert not set(hashes(tmp_path / "d").values()) & set(hashes(filled[0]).values())


def test_damaged_frames_are_told_and_made_again(videos, filled, tmp_path):
    cache = tmp_path / "cache"
    cache.mkdir()
    for name, content in files(filled[1]).items():
        (cache / name).write_bytes(content[: len(content) // 2] if name.endswith(".mkv") else content)
    result = run(videos, tmp_path / "d", "--cache-denoised", str(cache))
    assert result.exit_code == 0, result.exception
    assert result.output.count("damaged or gone; denoising") == 2
    assert hashes(tmp_path / "d") == hashes(filled[0])
    assert files(cache) == files(filled[1])


def test_clean_footage_is_not_kept(tmp_path):
    film(tmp_path / "v/a.mkv", frames=40)
    assert run(tmp_path / "v", tmp_path / "d", "--cache-denoised", str(tmp_path / "cache")).exit_code == 0
    assert files(tmp_path / "cache") == {}


def test_a_dry_run_leaves_the_cache_alone(videos, tmp_path):
    result = run(videos, tmp_path / "d", "--cache-denoised", str(tmp_path / "cache"), "--dry-run")
    assert result.exit_code == 0, result.exception
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("cache", "told"),
    [("file/cache", "cannot be written"), ("v", "a folder of its own"), ("d/cache", "a folder of its own")],
)
def test_folders_that_cannot_be_a_cache(tmp_path, cache, told):
    film(tmp_path / "v/a.mkv", frames=2)
    (tmp_path / "file").write_text("x")
    result = run(tmp_path / "v", tmp_path / "d", "--cache-denoised", str(tmp_path / cache))
    assert isinstance(result.exception, UserError)
    assert str(result.exception).startswith(f"cache_denoised {tmp_path / cache}: ")
    assert told in str(result.exception)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "v"]


def test_a_full_cache_stops_the_run_by_its_name(videos, tmp_path, monkeypatch):
    @contextmanager
    def writer(*arguments, **options):
        yield lambda frame: (_ for _ in ()).throw(OSError(errno.ENOSPC, "No space left on device"))

    monkeypatch.setattr(denoised_cache, "video_writer", writer)
    cache = tmp_path / "cache"
    result = run(videos, tmp_path / "d", "--cache-denoised", str(cache))
    assert isinstance(result.exception, UserError)
    assert f"cache_denoised {cache}: No space left on device; make room" in str(result.exception)
    assert files(cache) == {}
    assert not list((tmp_path / "d").glob(".*.partial"))
    monkeypatch.undo()
    assert run(videos, tmp_path / "d").exit_code == 0


def clip(size: tuple[int, int] = (24, 32), count: int = 3) -> list[torch.Tensor]:
    """Frames on the grid of 16 bits, with its ends."""
    codes = np.random.default_rng(0).integers(0, 65536, (count, 3, *size))
    codes[0, :, 0], codes[0, :, 1] = 0, 65535
    return list(torch.from_numpy(codes.astype(np.float32)).div(65535))


def key(first: int = 5, count: int = 3) -> Key:
    return Key(
        source="0" * 64,
        rendering={},
        frames=(first, first + count),
        breaks=[],
        size="source",
        flicker=False,
        denoise=Denoise(),
        pipeline=1,
        device="cpu",
        versions={},
    )


def store(folder: Path, frames: list[torch.Tensor]) -> None:
    with storing(folder, key(), NOISE) as write:
        for frame in frames:
            write(frame)


@pytest.mark.parametrize("size", [(24, 32), (71, 99)])
def test_frames_of_16_bits_come_back_the_same(tmp_path, size):
    frames = clip(size)
    write_video(tmp_path / "a.mkv", frames, Fraction(250), bit_depth=16)
    read = list(read_codes(tmp_path / "a.mkv"))
    assert all(np.array_equal(codes, quantize(frame, 16)) for codes, frame in zip(read, frames, strict=True))
    with pytest.raises(UserError, match=r"16 bits are written as \.mkv"):
        write_video(tmp_path / "a.mp4", frames, Fraction(250), bit_depth=16)


def test_what_is_stored_is_recalled_to_the_bit(tmp_path):
    store(tmp_path, clip((71, 99)))
    frames, noise = recall(tmp_path, key(), CPU, pytest.fail)
    assert noise == NOISE
    assert torch.equal(torch.stack(list(frames)), torch.stack(clip((71, 99))))
    assert recall(tmp_path, key(6), CPU, pytest.fail) is None


@pytest.mark.parametrize(
    "damage",
    [
        lambda video, facts: video.unlink(),
        lambda video, facts: video.write_bytes(video.read_bytes()[:-1]),
        lambda video, facts: video.write_bytes(video.read_bytes()[:1000] + b"?" + video.read_bytes()[1001:]),
        lambda video, facts: facts.write_text(facts.read_text()[:-20]),
        lambda video, facts: facts.write_text("[]"),
        lambda video, facts: facts.write_bytes(b"\xff"),
        lambda video, facts: facts.write_text(NOISE.model_dump_json()),
    ],
)
def test_what_is_damaged_is_not_recalled_but_replaced(tmp_path, damage: Callable[[Path, Path], None]):
    store(tmp_path, clip())
    damage(*(next(tmp_path.glob(f"*{suffix}")) for suffix in (".mkv", ".json")))
    warnings: list[str] = []
    assert recall(tmp_path, key(), CPU, warnings.append) is None
    assert len(warnings) == 1
    store(tmp_path, clip())
    assert recall(tmp_path, key(), CPU, pytest.fail) is not None


def test_what_is_not_complete_is_not_kept(tmp_path):
    store(tmp_path, clip(count=2))  # one is missing
    assert files(tmp_path) == {}
    with pytest.raises(AttributeError):
        store(tmp_path, [*clip(), "no frame"])
    assert files(tmp_path) == {}


def test_frames_without_their_facts_do_not_count(tmp_path):
    """A run that was killed between the two."""
    store(tmp_path, clip())
    next(tmp_path.glob("*.json")).unlink()
    assert recall(tmp_path, key(), CPU, pytest.fail) is None


def test_two_may_store_the_same(tmp_path):
    with storing(tmp_path, key(), NOISE) as one, storing(tmp_path, key(), NOISE) as other:
        for frame in clip():
            one(frame)
            other(frame)
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".json", ".mkv"]
    frames, _ = recall(tmp_path, key(), CPU, pytest.fail)
    assert torch.equal(torch.stack(list(frames)), torch.stack(clip()))


def test_what_killed_runs_left_goes_when_nobody_is_at_work(tmp_path):
    cache, elsewhere = tmp_path / "cache", tmp_path / "elsewhere"
    with hold_cache(cache, elsewhere, elsewhere):
        (cache / ".denoising-1").mkdir()
        (cache / ".denoising-1/half.mkv").write_text("half")
        with hold_cache(cache, elsewhere, elsewhere):
            assert (cache / ".denoising-1/half.mkv").exists()
    with hold_cache(cache, elsewhere, elsewhere):
        assert [path.name for path in cache.iterdir()] == [".lock"]


def test_the_key_follows_what_decides_the_frames_and_nothing_else(videos, tmp_path):
    def plan_with(*assignments: str) -> Plan:
        settings = [option for option in SETTINGS if option != "--set"]
        return make_plan(videos, tmp_path / "d", load(Config, [], [*settings, *assignments]), {})

    recipe = plan_with().sequences[0].recipe

    def key_with(*assignments: str, gaps: int = recipe.shutter.gaps, device: str = "cpu") -> Key:
        plan = plan_with(*assignments)
        task = replace(plan.sequences[0], recipe=replace(recipe, shutter=replace(recipe.shutter, gaps=gaps)))
        return key_of(task, plan, torch.device(device))

    usual = key_with()
    without = "seed=3", "darken.exposure=0.1", "run.workers=2", "video.capture_fps=120", "unclip.strength=0"
    assert key_with(*without) == usual
    others = {
        each.model_dump_json()
        for each in (
            key_with("denoise.preset=best"),
            key_with("denoise.backend=bm4d"),
            key_with("denoise.sigma=12"),
            key_with("video.size=[96,96]"),
            key_with(gaps=recipe.shutter.gaps + 2),
            key_with(gaps=recipe.shutter.gaps - 2),
            key_with(device="cuda"),
        )
    }
    assert len(others) == 7
    assert usual.model_dump_json() not in others
