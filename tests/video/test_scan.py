"""The timeline and its flaws: what a window of frames may not cross, and what is no flaw."""

import re
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lolblur_synth.core.errors import SequenceError
from lolblur_synth.video.metadata import RateOrigin, VideoInfo, VideoScan
from lolblur_synth.video.probe import probe
from lolblur_synth.video.reader import read_frames
from lolblur_synth.video.scan import scan
from lolblur_synth.video.timeline import place, usual_step
from tests.support.clips import Picture, encode, scene, textured

FAST = {"preset": "ultrafast", "bf": "2", "g": "10", "crf": "12"}
MILLISECOND, NINETY_KHZ = Fraction(1, 1000), Fraction(1, 90000)


def opened(path: Path, capture_fps: float | None = None) -> VideoScan:
    return scan(probe(path, capture_fps))


def clip(folder: Path, pictures: Iterable[Picture], name: str = "a.mp4", **kinds) -> VideoScan:
    return opened(encode(folder / name, pictures, options=FAST, **kinds))


def lossless(folder: Path, pictures: Iterable[Picture], **kinds) -> VideoScan:
    return opened(encode(folder / "a.mkv", pictures, "ffv1", "bgr0", options={"g": "1"}, **kinds))


def flaws(found: VideoScan, reason: str | None = None) -> list[tuple[int, int]]:
    return [(flaw.first, flaw.last) for flaw in found.flaws if reason in (None, flaw.kind)]


# --- the timeline


@pytest.mark.parametrize(
    ("name", "fps"),
    [
        ("a.mp4", Fraction(250)),
        ("a.mp4", Fraction(240000, 1001)),
        ("a.mkv", Fraction(250)),
        ("a.mkv", Fraction(240)),  # 4 4 4 4 4 5 milliseconds
        ("a.mkv", Fraction(480)),
        ("a.mkv", Fraction(960)),  # milliseconds tell nothing
        ("a.mkv", Fraction(1000)),
        ("a.ts", Fraction(120)),
        ("a.avi", Fraction(240)),
        ("a.h264", Fraction(25)),
    ],
)
def test_a_steady_rate_gives_a_timeline_without_gaps(tmp_path, name, fps):
    found = clip(tmp_path, scene(60), name, fps=fps)
    assert (found.frames, found.flaws) == (60, ())
    assert float(found.info.stored_fps) == pytest.approx(float(fps), rel=1e-5)
    assert found.info.capture_source == "stream rate"
    assert all(pts is not None for pts in found.pts)
    times = [float(found.time(index)) for index in range(60)]
    assert times == pytest.approx([index / float(fps) for index in range(60)], abs=1.1e-3 if name == "a.mkv" else 1e-5)


@pytest.mark.parametrize(("name", "base"), [("a.mp4", NINETY_KHZ), ("a.mkv", MILLISECOND), ("a.mp4", MILLISECOND)])
@pytest.mark.parametrize("fps", [250, 240])
def test_holes_are_found_where_they_are(tmp_path, name, base, fps):
    kept = [n for n in range(60) if n not in (7, 20, 21, 22, 23, 24, 25, 26, 41, 43)]
    pictures = scene(60)
    pts = [round(n / (fps * base)) for n in kept]
    found = clip(tmp_path, [pictures[n] for n in kept], name, fps=fps, time_base=base, pts=pts.__getitem__)
    assert found.frames == 60
    holes = [n for n in range(60) if n not in kept]
    assert flaws(found) == flaws(found, "missing frame") == [(n, n) for n in holes]
    assert [n for n, pts in enumerate(found.pts) if pts is None] == holes
    assert float(found.info.stored_fps) == pytest.approx(fps, rel=0.01)  # not the average, which is a sixth less
    assert found.info.capture_fps == found.info.stored_fps
    assert found.info.capture_source == ("stream rate" if name == "a.mkv" else "timestamps")
    assert float(found.time(59)) == pytest.approx(59 / fps, abs=0.0011)


def test_a_capture_rate_that_is_known_stays(tmp_path):
    pts = [n * 3000 for n in range(30) if n % 5]
    path = encode(tmp_path / "a.mp4", scene(24), options=FAST, fps=30, time_base=NINETY_KHZ, pts=pts.__getitem__)
    found = opened(path, 240)
    assert (found.info.stored_fps, found.info.capture_fps, found.info.capture_source) == (30, 240, "given")
    assert found.frames == 29


def test_a_frame_that_competes_for_a_slot_is_left_out(tmp_path):
    pts = [*range(0, 120, 4), 121, *range(124, 200, 4)]  # one more frame at 121 than a rate of 250 has room for
    pts[30] = 117
    pictures = scene(len(pts))
    found = lossless(tmp_path, pictures, time_base=MILLISECOND, pts=pts.__getitem__)
    assert found.frames == 50
    assert found.pts[28:32] == (112, 116, None, 124)
    assert flaws(found) == [(30, 30)]
    taken = torch.stack(list(read_frames(found, 29, 32)))
    assert torch.equal(taken[2] * 255, torch.from_numpy(pictures[31]).permute(2, 0, 1).float())


RATES, CODED = (Fraction(240), Fraction(240), RateOrigin.STREAM, ""), ("h264", "yuv420p", 8, "bt709", "limited", 0)
INFO = VideoInfo(Path("v"), 2, 2, *RATES, *CODED)


@settings(max_examples=40, deadline=None)
@given(
    step=st.just(2.1) | st.floats(2.1, 2.6) | st.floats(2.1, 4000),
    drift=st.sampled_from((-1e-6, 1e-6)) | st.floats(-1e-6, 1e-6),  # 0.4 % at both ends
    start=st.integers(-(10**6), 10**12),
    share=st.floats(0.75, 1),
    run=st.integers(1, 200),
    seed=st.integers(0, 2**32 - 1),
)
def test_slots_follow_a_clock_that_jitters_drifts_and_loses_frames(step, drift, start, share, run, seed):
    rng = np.random.default_rng(seed)
    # Most frames are there and at most nine are lost in a row: more than a mean step of rounded timestamps can bridge.
    # Times are off by a quarter of a step at most, rounded ones included: twice as much may be nearer to another slot.
    kept = np.repeat(rng.random(4000 // run + 1) < share, run)
    truth = [n for n in range(4000) if n < 2 or n % 10 == 0 or kept[n]]
    jitter = rng.uniform(-1, 1, len(truth)) * min(0.08 * step, 0.25 * step - 0.5)
    times = [start + n * step * (1 + drift * n) + shift for n, shift in zip(truth, jitter, strict=True)]
    pts = [round(time) for time in times]
    assert place(INFO, pts, [float(usual_step(INFO, pts))] * len(pts)) == truth


def test_timestamps_that_run_backwards_are_refused(tmp_path):
    one = encode(tmp_path / "one.ts", scene(20), options=FAST)
    (tmp_path / "a.ts").write_bytes(one.read_bytes() * 2)
    with pytest.raises(SequenceError, match=r"a\.ts: timestamps run backwards at frame 20; split the file there"):
        opened(tmp_path / "a.ts")


def test_a_rate_that_is_no_rate_is_refused(tmp_path):
    pts = [0, 1, 2, 50, 51, 120, 121, 300, 301]
    with pytest.raises(SequenceError, match=r"more than half of the frames are missing"):
        clip(tmp_path, scene(9), pts=pts.__getitem__)


def test_one_frame_is_no_video(tmp_path):
    with pytest.raises(SequenceError, match=r"1 frame .*not a video"):
        clip(tmp_path, scene(1))


# --- files that are damaged


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.avi"])
def test_a_file_that_is_cut_off_is_refused_with_counts(tmp_path, name):
    options = {"movflags": "faststart"} if name == "a.mp4" else {}
    path = encode(tmp_path / name, scene(100), options=FAST, container_options=options)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 6 // 10])
    with pytest.raises(SequenceError, match=r"cut off: of 100 frames that its header promises \d+ are there") as error:
        opened(path)
    told = re.search(r"promises (\d+) are", str(error.value))
    assert told
    assert 30 < int(told[1]) < 75


def test_a_long_last_frame_is_not_cut_off(tmp_path):
    found = clip(tmp_path, scene(30), time_base=NINETY_KHZ, pts=lambda n: 360 * n + (9000 if n == 29 else 0))
    assert found.frames == 55
    assert flaws(found) == [(n, n) for n in range(29, 54)]


def damage(path: Path, at: float, length: int = 40) -> None:
    data = bytearray(path.read_bytes())
    where = data.find(b"mdat") + int(at * (len(data) - data.find(b"mdat")))
    for offset in range(where, where + length):
        data[offset] ^= 0x5A
    path.write_bytes(bytes(data))


@pytest.mark.parametrize("at", [0.2, 0.45, 0.54, 0.62, 0.8, 0.98])  # where decoders notice: H.264 has no checksums
@pytest.mark.parametrize("codec", ["libx264", "mpeg4"])
def test_whatever_a_damaged_byte_reaches_is_flawed(tmp_path, codec, at):
    container_options = {"movflags": "faststart"}
    options = {"g": "10", "bf": "2"}
    if codec == "libx264":
        options["x264-params"] = "mbtree=0"  # with macroblock trees it now and then makes other bytes of the same
    path = tmp_path / "a.mp4"
    encode(path, scene(60), codec, options=options, container_options=container_options)
    clean = torch.stack(list(read_frames(opened(path), 0, 60)))
    damage(path, at)
    found = opened(path)
    bad = {frame for flaw in found.flaws for frame in range(flaw.first, flaw.last + 1)}
    assert 54 <= found.frames <= 60
    assert len(bad) < 40
    for index, frame in enumerate(read_frames(found, 0, found.frames)):
        assert index in bad or torch.equal(frame, clean[index])


def test_frames_that_cannot_be_decoded_are_told_from_those_that_were_never_there(tmp_path):
    kept = [n for n in range(60) if n != 5]
    pictures = scene(60)
    path = encode(tmp_path / "a.mkv", [pictures[n] for n in kept], options=FAST, pts=kept.__getitem__)
    with av.open(str(path)) as container:
        packet = [packet for packet in container.demux(video=0) if packet.size][34]
    data = path.read_bytes()
    start = data.find(bytes(packet))
    path.write_bytes(data[:start] + bytes(packet.size) + data[start + packet.size :])
    found = opened(path)
    lost = round(packet.pts * packet.time_base * 250)
    assert flaws(found, "missing frame") == [(5, 5)]
    assert (lost, lost) in flaws(found, "decode error")
    assert [n for n, pts in enumerate(found.pts) if pts is None] == [5, lost]


def test_an_interlaced_file_is_refused(tmp_path):
    path = encode(tmp_path / "a.mp4", scene(6), options={"x264-params": "interlaced=1"})
    with pytest.raises(SequenceError, match=r"interlaced; deinterlace it first: ffmpeg"):
        opened(path)


def test_a_size_that_changes_is_refused(tmp_path):
    parts = [encode(tmp_path / f"{w}.h264", scene(5, size=(w, 64)), options=FAST).read_bytes() for w in (96, 128)]
    (tmp_path / "a.h264").write_bytes(b"".join(parts))
    with pytest.raises(SequenceError, match=r"a\.h264: frame 5 has another size"):
        opened(tmp_path / "a.h264")


# --- frames that come twice


@pytest.mark.parametrize(
    ("codec", "pixel_format", "repeat"),
    [*(("ffv1", "bgr0", n) for n in (1, 2, 15, 28, 29)), *(("libx264", "yuv420p", n) for n in (3, 9, 15, 29))],
)
def test_a_frame_that_comes_twice_is_found(tmp_path, codec, pixel_format, repeat):
    pictures = scene(30)
    pictures[repeat] = pictures[repeat - 1]
    options = {"preset": "veryfast", "crf": "15"} if codec == "libx264" else {"g": "1"}
    found = opened(encode(tmp_path / "a.mkv", pictures, codec, pixel_format, options=options))
    assert flaws(found) == flaws(found, "duplicated frame") == [(repeat - 1, repeat)]


@pytest.mark.parametrize("times", [2, 3, 4])
@pytest.mark.parametrize("group", ["1", "12"])
def test_frames_that_all_come_several_times_leave_no_window(tmp_path, times, group):
    pictures = [textured(n // times, shift=3) for n in range(50)]
    found = opened(encode(tmp_path / "a.mkv", pictures, "ffv1", "bgr0", options={"g": group}))
    repeated = flaws(found, "duplicated frame")
    assert flaws(found) == repeated
    assert all(last % times for _, last in repeated)
    for start in range(4, 36):
        assert any(start <= first and last < start + 9 for first, last in repeated)


@pytest.mark.parametrize("hertz", [2, 5, 9])
@pytest.mark.parametrize("phase", [0.0, 0.5, 0.25])
def test_a_hand_that_turns_back_repeats_nothing(tmp_path, hertz, phase):
    wide = textured(0, (192, 160))
    swing = [40 / hertz * np.sin(2 * np.pi * (n + phase) * hertz / 250) for n in range(80)]  # 1 pixel a frame
    pictures = [moved(wide, shift)[48:112, 48:144] for shift in swing]
    assert not lossless(tmp_path, pictures).flaws
    assert not clip(tmp_path, pictures).flaws


def moved(picture: Picture, shift: float) -> Picture:
    matrix = np.array([[1, 0, shift], [0, 1, 0.3 * shift]])
    return cv2.warpAffine(picture, matrix, picture.shape[1::-1], None, cv2.INTER_CUBIC, cv2.BORDER_REFLECT)


def test_a_scene_that_stands_still_repeats_nothing(tmp_path):
    assert not clip(tmp_path, [textured(0)] * 30).flaws
    noise = np.random.default_rng(0).normal(0, 2, (30, 64, 96, 3))
    assert not clip(tmp_path, [np.uint8(np.clip(textured(0) + n, 0, 255)) for n in noise]).flaws


# --- cuts


@pytest.mark.parametrize("cut", [1, 2, 13, 28, 29])
@pytest.mark.parametrize("brightness", [1.0, 0.2])
def test_a_cut_is_found_at_its_frame(tmp_path, cut, brightness):
    pictures = scene(cut) + [textured(n, seed=5) for n in range(cut, 30)]
    found = clip(tmp_path, [np.uint8(picture * brightness) for picture in pictures])
    assert flaws(found) == flaws(found, "scene cut") == [(cut - 1, cut)]


def test_cuts_of_grey_video_are_found_by_lightness(tmp_path):
    pictures = scene(12) + [255 - picture for picture in scene(12)]
    grey = [av.VideoFrame.from_ndarray(picture, "rgb24").reformat(format="gray") for picture in pictures]
    found = opened(encode(tmp_path / "a.mkv", grey, "ffv1", "gray"))
    assert flaws(found, "scene cut") == [(11, 12)]


@pytest.mark.parametrize("speed", [0.5, 4, 12])
def test_fast_motion_is_no_cut(tmp_path, speed):
    assert not lossless(tmp_path, scene(40, shift=speed)).flaws


@pytest.mark.parametrize("gain", [0.4, 2.2])
def test_a_lamp_that_is_switched_is_no_cut(tmp_path, gain):
    y, x = np.mgrid[:64, :96]
    light = 1 + (gain - 1) * (np.hypot(x - 60, y - 30) < 24)[..., None]
    lit = [0.4 * picture * (light if n >= 15 else 1) for n, picture in enumerate(scene(30))]
    pictures = [np.uint8(np.clip(picture, 0, 255)) for picture in lit]
    assert not lossless(tmp_path, pictures).flaws


# --- identity


def test_the_content_of_a_folder_is_of_pixels_and_gaps_between_numbers(tmp_path):
    folder = tmp_path / "f"
    folder.mkdir()
    for number in range(8):
        cv2.imwrite(str(folder / f"{number}.png"), textured(number))
    (folder / "notes.txt").write_text("not a frame")
    hashes = [opened(folder, 250).content]
    (folder / "notes.txt").write_text("still not a frame")
    assert opened(folder, 250).content == hashes[0]
    cv2.imwrite(str(folder / "1.png"), textured(7))
    hashes.append(opened(folder, 250).content)
    (folder / "7.png").rename(folder / "8.png")
    hashes.append(opened(folder, 250).content)
    assert len(set(hashes)) == 3
    for path in sorted(folder.glob("*.png"), reverse=True):
        path.rename(folder / f"frame_{int(path.stem) + 10:04d}.png")
    assert opened(folder, 250).content == hashes[-1]


@pytest.mark.parametrize("suffix", ["mkv", "mp4", "mov", "ts", "flv", "asf"])
@pytest.mark.parametrize("late", [6, 25])
def test_a_whole_file_that_starts_late_is_not_cut_off(tmp_path, suffix, late):
    codec = "mpeg4" if suffix == "asf" else "libx264"
    path = encode(tmp_path / f"a.{suffix}", scene(50), codec, fps=25, pts=lambda n: n + late, options={"bf": "0"})
    found = opened(path)
    assert (found.frames, found.flaws) == (50, ())


@pytest.mark.parametrize("suffix", ["mkv", "mp4"])
def test_a_file_that_starts_late_and_is_cut_off_is_refused_with_its_own_count(tmp_path, suffix):
    options = {"movflags": "faststart"} if suffix == "mp4" else {}
    clip = {"options": {"g": "10", "bf": "0"}, "container_options": options}
    path = encode(tmp_path / f"a.{suffix}", scene(100), fps=25, pts=lambda n: n + 50, **clip)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 6 // 10])
    with pytest.raises(SequenceError, match=r"cut off: of (100|99) frames that its header promises \d\d are there"):
        opened(path)
