"""Kept scans: known footage is not decoded again, and whatever is not surely the same is."""

import hashlib
import os
import shutil
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import cv2
import pytest
from pydantic import TypeAdapter

from lolblur_synth.core.errors import SequenceError
from lolblur_synth.video import scan_cache
from lolblur_synth.video.metadata import Flaw, FlawKind, VideoScan
from lolblur_synth.video.probe import probe
from lolblur_synth.video.scan import scan
from lolblur_synth.video.scan_cache import recall_or_scan
from tests.support.clips import encode, scene, textured

NO_OPTIONS = {"capture_fps": "None"}


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch) -> Path:
    """An empty folder for scans, where all files count as written long ago."""
    monkeypatch.setattr(scan_cache, "folder", lambda: tmp_path / "cache/scans")
    monkeypatch.setattr(scan_cache, "SETTLED", -(10**12))
    return tmp_path / "cache/scans"


@pytest.fixture
def clip(tmp_path) -> Path:
    return encode(tmp_path / "a.mkv", scene(12), "ffv1", "bgr0", options={"g": "1"})


class Scanner:
    """Scans, and counts how often."""

    def __init__(self, capture_fps: float | None = None) -> None:
        self.capture_fps, self.count = capture_fps, 0

    def __call__(self, path: Path, **options: str) -> VideoScan:
        def make() -> VideoScan:
            self.count += 1
            return scan(probe(path, self.capture_fps))

        return recall_or_scan(path, {"capture_fps": str(self.capture_fps), **options}, make)


def test_a_known_video_is_not_decoded_again(clip, tmp_path):
    look = Scanner()
    first = look(clip)
    assert look(clip) == first == scan(probe(clip))
    (tmp_path / "elsewhere").mkdir()
    moved = clip.rename(tmp_path / "elsewhere/b.mkv")
    again = look(moved)
    assert (again.info.path, replace(again, info=replace(again.info, path=clip))) == (moved, first)
    assert look.count == 1


def test_its_bytes_are_not_even_read_again(clip, monkeypatch):
    look = Scanner()
    first = look(clip)
    monkeypatch.setattr(scan_cache, "file_hash", lambda path: pytest.fail("it is read again"))
    assert look(clip) == first


def test_what_was_just_written_is_read_again(clip, monkeypatch):
    """Its time may not tell a second change."""
    monkeypatch.setattr(scan_cache, "SETTLED", 10**12)
    read = []
    monkeypatch.setattr(scan_cache, "file_hash", lambda path: read.append(path) or hashlib.sha256().hexdigest())
    look = Scanner()
    assert look(clip) == look(clip)
    assert read == [clip] * 3  # before and after the scan, and once more
    assert look.count == 1


def test_a_folder_of_frames_is_known_too(tmp_path):
    for number in range(4):
        cv2.imwrite(str(tmp_path / f"{number}.png"), textured(number))
    look = Scanner(250)
    assert look(tmp_path) == look(tmp_path)
    (tmp_path / "notes.txt").write_text("no frame")
    look(tmp_path)
    assert look.count == 1
    cv2.imwrite(str(tmp_path / "2.png"), textured(9))
    changed = look(tmp_path)
    (tmp_path / "3.png").rename(tmp_path / "5.png")
    assert len({changed, look(tmp_path)}) == 2
    assert look.count == 3


def test_a_replaced_file_of_the_same_size_and_time_is_scanned_again(tmp_path):
    clip = encode(tmp_path / "a.avi", scene(6), "rawvideo", "bgr24")
    look = Scanner()
    first, before = look(clip), clip.stat()
    encode(clip, scene(6, seed=1), "rawvideo", "bgr24")
    os.utime(clip, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = clip.stat()
    assert (after.st_size, after.st_mtime_ns, after.st_ino) == (before.st_size, before.st_mtime_ns, before.st_ino)
    assert look(clip).content != first.content
    assert look.count == 2


def test_what_a_scan_depends_on_beside_the_file(clip, monkeypatch):
    look, told = Scanner(), Scanner(500)
    assert look(clip).info.capture_fps == 250
    assert told(clip).info.capture_fps == 500
    look(clip, limit="1")
    assert (look.count, told.count) == (2, 1)
    sidecar = clip.with_name("aM01.XML")
    for rate in (1000, 2000):
        sidecar.write_text(f'<VideoFrame captureFps="{rate}p"/>')
        assert [look(clip).info.capture_fps for _ in range(2)] == [rate] * 2
    sidecar.unlink()
    assert look(clip).info.capture_fps == 250
    assert look.count == 4
    monkeypatch.setattr(scan_cache, "made_by", lambda: ["another version"])
    look(clip)
    assert look.count == 5


def test_our_code_and_the_libraries_are_part_of_the_key(monkeypatch):
    code, *versions = scan_cache.made_by()
    assert len(code) == 64
    assert {text.split()[0] for text in versions} >= {"av", "numpy", "opencv-python", "scenedetect"}
    assert any("libavcodec" in text for text in versions)


def test_what_changes_while_it_is_scanned_is_not_kept(clip, place):
    def make() -> VideoScan:
        found = scan(probe(clip))
        encode(clip, scene(9), "ffv1", "bgr0", options={"g": "1"})
        return found

    recall_or_scan(clip, NO_OPTIONS, make)
    assert not list(place.glob("*.scan"))
    assert Scanner()(clip).frames == 9


def test_why_there_is_no_scan_is_not_kept(clip, place):
    for reason in ("too slow", "cut off"):

        def make(reason: str = reason) -> VideoScan:
            raise SequenceError(reason)

        with pytest.raises(SequenceError, match=reason):
            recall_or_scan(clip, NO_OPTIONS, make)
    assert not list(place.glob("*.scan"))


def hostile(scan: VideoScan) -> list[VideoScan]:
    """Well-formed, with the right digest, and impossible."""
    info = scan.info
    return [
        replace(scan, frames=13),
        replace(scan, frames=1, pts=scan.pts[:1], checksums=scan.checksums[:1]),
        replace(scan, checksums=scan.checksums[:5]),
        replace(scan, content="../../x"),
        replace(scan, flaws=(Flaw(-1, 3, FlawKind.SCENE_CUT),)),
        replace(scan, flaws=(Flaw(3, 99, FlawKind.SCENE_CUT),)),
        replace(scan, info=replace(info, capture_fps=Fraction(0))),
        replace(scan, time_base=Fraction(-1, 1000)),
    ]


def test_a_damaged_or_foreign_scan_is_made_anew(clip, tmp_path, place):
    look = Scanner()
    truth = look(clip)
    (entry,), (pointer,) = place.glob("*.scan"), place.glob("*.bytes")
    body = entry.read_bytes()
    other = Scanner()(encode(tmp_path / "b.mkv", scene(9), "ffv1", "bgr0", options={"g": "1"}))
    (foreign,) = set(place.glob("*.scan")) - {entry}
    flipped = [body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :] for at in range(0, len(body), len(body) // 25)]
    bad = [b"", body[:-1], body + b" ", foreign.read_bytes(), body[32:], *flipped]
    for fake in hostile(truth):
        text = TypeAdapter(VideoScan).dump_json(replace(fake, info=replace(fake.info, path=Path())))
        bad.append(hashlib.sha256(entry.name.encode() + text).digest() + text)
    text = body[32:]
    for old, new in (
        (b'"frames":12', b'"frames":"12"'),
        (b'"pts":[0', b'"pts":[0.5'),
        (b'{"info"', b'{"inf"'),
        (b'_fps":"250"', b'_fps":"1/0"'),
        (b'_fps":"250"', b'_fps":"1e999999999"'),
    ):
        assert old in text
        changed = text.replace(old, new)
        bad.append(hashlib.sha256(entry.name.encode() + changed).digest() + changed)
    for number, data in enumerate(bad):
        entry.write_bytes(data)
        assert look(clip) == truth
        assert look.count == 2 + number
        assert entry.read_bytes() == body
    shutil.copy(place / f"{hashlib.sha256(os.fsencode(tmp_path / 'b.mkv')).hexdigest()}.bytes", pointer)
    assert look(clip) == truth != other
    assert look.count == 1 + len(bad)


def test_a_cache_that_cannot_be_written_is_no_error(clip, tmp_path):
    (tmp_path / "cache").write_text("a file where a folder is to be")
    look = Scanner()
    assert look(clip) == look(clip) == scan(probe(clip))
    scan_cache.prune()
    assert look.count == 2


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.mp4")
    with pytest.raises(SequenceError, match="no such file"):
        Scanner()(tmp_path / "a.mp4")


def test_what_was_not_used_for_longest_goes_first(clip, tmp_path, place, monkeypatch):
    look = Scanner()
    second = encode(tmp_path / "b.mkv", scene(9), "ffv1", "bgr0", options={"g": "1"})
    look(clip)
    look(second)
    for age, path in enumerate(sorted(place.iterdir(), key=lambda path: path.stat().st_mtime_ns, reverse=True)):
        os.utime(path, (0, 10**9 - age))
    (place / ".left").write_bytes(bytes(10))
    os.utime(place / ".left", (0, 10**9))
    look(clip)  # which is noted
    scan_cache.prune()
    assert sorted(path.suffix for path in place.iterdir()) == [".bytes", ".bytes", ".scan", ".scan"]
    used = [path for path in place.iterdir() if path.stat().st_mtime > 10**9]
    assert len(used) == 2
    monkeypatch.setattr(scan_cache, "MOST_BYTES", sum(path.stat().st_size for path in used))
    scan_cache.prune()
    assert set(place.iterdir()) == set(used)
    look(clip)
    assert look.count == 2
    monkeypatch.setattr(scan_cache, "MOST_BYTES", 0)
    scan_cache.prune()
    assert not list(place.iterdir())


@pytest.mark.parametrize("kind", FlawKind)
def test_every_scan_comes_back_as_it_was(clip, kind):
    truth = scan(probe(clip))
    odd = replace(truth, flaws=(Flaw(3, 4, kind),), pts=(None, *truth.pts[1:]), time_base=None)
    for made in (truth, odd):
        assert recall_or_scan(clip, {"of": str(made)}, lambda made=made: made) == made
        assert recall_or_scan(clip, {"of": str(made)}, lambda: pytest.fail("it is not kept")) == made
