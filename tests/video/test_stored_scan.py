"""Frames as they are stored: each once, at its own time, and what is lost is told."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import torch

from lolblur_synth.apps.transcoding import losses, variable_rate
from lolblur_synth.core.errors import SequenceError
from lolblur_synth.video.metadata import StoredScan
from lolblur_synth.video.probe import probe
from lolblur_synth.video.reader import read_stored
from lolblur_synth.video.scan import scan
from lolblur_synth.video.stored_scan import scan_stored
from tests.support.clips import Picture, add_sound, encode, scene

TICK = Fraction(1, 90_000)
NIGHT = [n * 3000 if n < 8 else 24_000 + (n - 8) * 9000 for n in range(20)]  # 30 fps, then 10: a phone in the dark
SCREEN = [0, 1440, 2970, 3060, 25_560, 27_000, 36_000, 36_090, 45_000, 60_030]  # whenever something changes
LOSSLESS = {"qp": "0", "preset": "ultrafast", "bf": "2", "g": "8"}


def clip(path: Path, pts: Sequence[int], pictures: Sequence[Picture] | None = None) -> Path:
    shown = pictures or scene(len(pts))
    return encode(
        path, shown, "libx264rgb", "rgb24", 30, time_base=TICK, pts=lambda number: pts[number], options=LOSSLESS
    )


def stored(path: Path) -> StoredScan:
    return scan_stored(probe(path))


def pictures_of(found: StoredScan) -> list[Picture]:
    return [np.uint8(np.round(frame.permute(1, 2, 0).numpy() * 255)) for frame in read_stored(found)]


@pytest.mark.parametrize("pts", [NIGHT, SCREEN], ids=["night", "screen"])
def test_at_a_varying_rate_every_frame_is_there_once_at_its_own_time(tmp_path, pts):
    found = stored(clip(tmp_path / "a.mp4", pts))
    assert found.shown[:-1] == tuple(value * TICK for value in pts)
    assert np.array_equal(pictures_of(found), scene(len(pts)))
    assert (found.lost, found.damaged, found.moved, found.sound) == (0, (), 0, False)
    assert len(list(variable_rate(found))) == 1


def test_a_rate_that_milliseconds_blur_is_exact(tmp_path):
    fps = Fraction(240_000, 1001)
    path = encode(tmp_path / "a.mkv", scene(40), "ffv1", "bgr0", fps)
    assert (probe(path).stored_fps, scan(probe(path)).info.stored_fps) == (fps, fps)
    found = stored(path)
    assert found.steady
    assert found.shown == tuple(number / fps for number in range(41))
    assert list(variable_rate(found)) == []


def test_a_rate_that_only_blurred_timestamps_tell_is_exact(tmp_path):
    """The header has it wrong."""
    fps, pictures = Fraction(240_000, 1001), scene(300, size=(32, 32))
    blurred = [round(number * 1000 / fps) for number in range(300)]
    path = encode(tmp_path / "a.mkv", pictures, "ffv1", "bgr0", 30, Fraction(1, 1000), blurred.__getitem__)
    found = scan(probe(path))
    assert (found.info.stored_fps, found.frames, found.flaws) == (fps, 300, ())


def test_frames_that_share_a_timestamp_are_kept_one_after_the_other(tmp_path):
    pts = [0, 3000, 3000, 3000, 12_000, 15_000, 18_000]
    found = stored(encode(tmp_path / "a.mkv", scene(7), "ffv1", "bgr0", 30, time_base=TICK, pts=pts.__getitem__))
    milliseconds = [0, 33, 34, 35, 133, 167, 200]
    assert found.shown[:-1] == tuple(Fraction(value, 1000) for value in milliseconds)
    assert np.array_equal(pictures_of(found), scene(7))
    assert any(line.endswith("shown right after it: 2") for line in losses(found, tmp_path / "b.mkv"))


def test_a_video_that_begins_after_its_sound_does_so_still(tmp_path):
    quiet = encode(tmp_path / "quiet.mkv", scene(9), "ffv1", "bgr0", 25)
    found = stored(add_sound(quiet, tmp_path / "a.mkv", Fraction(43, 1000)))
    assert found.shown == tuple(Fraction(43, 1000) + Fraction(number, 25) for number in range(10))
    assert (found.sound, found.lead) == (True, Fraction(43, 1000))
    (line,) = losses(found, tmp_path / "b.mkv")
    assert f"ffmpeg -itsoffset 0.043 -i {tmp_path}/b.mkv -i {tmp_path}/a.mkv -map 0:v -map 1:a -c copy" in line


def test_a_stream_that_counts_time_from_anywhere_begins_at_0(tmp_path):
    found = stored(encode(tmp_path / "a.ts", scene(20), fps=50, options={"bf": "2", "g": "8"}))
    assert found.shown == tuple(Fraction(number, 50) for number in range(21))


def test_what_an_edit_list_cuts_away_is_no_frame(tmp_path):
    path = encode(tmp_path / "a.mp4", scene(24), "libx264rgb", "rgb24", pts=lambda n: n - 3, options=LOSSLESS)
    found = stored(path)
    assert found.shown == tuple(Fraction(number, 250) for number in range(22))
    assert np.array_equal(pictures_of(found), scene(24)[3:])


def spoil(path: Path, numbers: Sequence[int]) -> Path:
    """Overwrite packets, as they are stored."""
    with av.open(str(path)) as container:
        packets = [bytes(packet) for packet in container.demux(video=0) if packet.size]
    data = path.read_bytes()
    for packet in (packets[number] for number in numbers):
        data = data.replace(packet, b"\xff" * len(packet))
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("numbers", "damaged", "missing"), [([18, 19], (), []), ([11], (11, 12, 13, 14), [(10, 11)])], ids=["end", "middle"]
)
def test_frames_that_cannot_be_decoded_are_counted_and_what_refers_to_them_is_told(tmp_path, numbers, damaged, missing):
    options = LOSSLESS | {"bf": "0"}
    path = encode(
        tmp_path / "a.mp4", scene(20), "libx264rgb", "rgb24", 30, time_base=TICK, pts=NIGHT.__getitem__, options=options
    )
    found = stored(spoil(path, numbers))
    there = [number for number in range(20) if number not in numbers]
    assert found.shown[:-1] == tuple(NIGHT[number] * TICK for number in there)
    assert (found.lost, found.damaged) == (len(numbers), damaged)
    assert [(flaw.first, flaw.last) for flaw in found.flaws if flaw.kind == "missing frame"] == missing
    made = pictures_of(found)
    assert all(np.array_equal(made[at], scene(20)[n]) for at, n in enumerate(there) if at not in damaged)
    assert {0, 1, 2} & found.breaks == set()
    assert set(damaged) <= found.breaks
    first = next(losses(found, tmp_path / "b.mkv"))
    assert first == f"{path}: frames that cannot be decoded, and are missing in b.mkv: {len(numbers)}"


def test_cuts_and_breaks_are_counted_in_stored_frames(tmp_path):
    pictures = [*scene(10), *scene(10, seed=5)]
    found = stored(clip(tmp_path / "a.mp4", NIGHT, pictures))
    assert (found.cuts, found.breaks) == ((10,), frozenset({10}))


def test_numbered_images_keep_their_gaps(tmp_path):
    for number in (7, 8, 9, 12):
        cv2.imwrite(str(tmp_path / f"{number}.png"), scene(13)[number][..., ::-1])
    found = scan_stored(probe(tmp_path, 25))
    assert found.shown == tuple(Fraction(number, 25) for number in (0, 1, 2, 5, 6))
    assert np.array_equal(pictures_of(found), [scene(13)[number] for number in (7, 8, 9, 12)])


@pytest.mark.parametrize("folder", [False, True])
def test_a_frame_that_is_another_than_was_scanned_is_noticed(tmp_path, folder):
    for number in range(6):
        cv2.imwrite(str(tmp_path / f"{number}.png"), scene(6)[number])
    path = tmp_path if folder else clip(tmp_path / "a.mp4", NIGHT[:6])
    found = scan_stored(probe(path, 25 if folder else None))
    if folder:
        cv2.imwrite(str(tmp_path / "4.png"), scene(9)[8])
    else:
        clip(path, NIGHT[:6], [*scene(4), *scene(2, seed=1)])
    frames = read_stored(found)
    assert all(torch.is_tensor(next(frames)) for _ in range(4))
    with pytest.raises(SequenceError, match="frame 4 is gone; has the file changed"):
        next(frames)
