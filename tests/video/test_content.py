"""The content of a video: the same for the same frames at the same places in time, whatever file holds them."""

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from blake3 import blake3

from lolblur_synth.core.threads import torch_threads
from lolblur_synth.video.color import samples_of
from lolblur_synth.video.content import Samples, content_of, digest
from lolblur_synth.video.metadata import FlawKind, VideoScan
from lolblur_synth.video.probe import probe
from lolblur_synth.video.scan import scan
from lolblur_synth.video.stream import decoded_frames, open_stream
from tests.support.clips import as_planes, copies_rates, encode, frame_of, remux, scene, textured, turn

FAST = {"preset": "ultrafast", "bf": "2", "g": "10", "crf": "12"}


def opened(path: Path, capture_fps: float | None = None) -> VideoScan:
    return scan(probe(path, capture_fps))


def folder_of(folder: Path, pictures: list[np.ndarray], suffix: str = ".png", first: int = 0, *options: int) -> Path:
    folder.mkdir()
    for number, picture in enumerate(pictures, first):
        assert cv2.imwrite(str(folder / f"{number:04d}{suffix}"), picture[..., ::-1], options)
    return folder


@pytest.mark.parametrize(
    "fps", [Fraction(250), Fraction(240000, 1001), pytest.param(Fraction(960), marks=copies_rates)]
)
@pytest.mark.parametrize("name", ["b.mkv", "b.mov", "b.ts"])
def test_another_container_and_other_tags_change_nothing(tmp_path, name, fps):
    clip = encode(tmp_path / "a.mp4", scene(40), fps=fps, options=FAST)
    copy = remux(clip, tmp_path / name, title="another")
    assert copy.read_bytes() != clip.read_bytes()
    assert opened(copy).content == opened(clip).content


@pytest.mark.parametrize("fps", [Fraction(250), Fraction(240000, 1001)])
def test_milliseconds_of_matroska_leave_holes_where_they_are(tmp_path, fps):
    kept = [n for n in range(60) if n not in (7, 20, 21, 43)]
    pictures = scene(60)
    clip = encode(tmp_path / "a.mp4", [pictures[n] for n in kept], fps=fps, pts=kept.__getitem__, options=FAST)
    shifted = [n if n < 43 else n + 1 for n in kept]
    other = encode(tmp_path / "c.mp4", [pictures[n] for n in kept], fps=fps, pts=shifted.__getitem__, options=FAST)
    assert opened(remux(clip, tmp_path / "b.mkv")).content == opened(clip).content != opened(other).content


def test_how_it_is_shown_is_told_apart_from_what_it_holds(tmp_path):
    one = encode(tmp_path / "a.mp4", scene(12), options=FAST)
    turned = turn(encode(tmp_path / "b.mp4", scene(12), options=FAST), 90)
    wide = encode(tmp_path / "c.mp4", scene(12), options=FAST, aspect=Fraction(4, 3))
    told = [opened(path) for path in (one, turned, wide)]
    slow = opened(one, 1000)
    assert len({found.content for found in (*told, slow)}) == 1
    assert len({str(found.info.rendering) for found in told}) == 3
    assert slow.info.rendering == told[0].info.rendering


@pytest.mark.parametrize(
    ("color", "changed"), [({"color_range": 2}, "range"), ({"colorspace": 9, "color_range": 1}, "matrix")]
)
def test_range_and_matrix_are_shown_not_held(tmp_path, color, changed):
    planes = [as_planes(picture / 255, "yuv420p", "bt601", full=False) for picture in scene(6)]
    frames = [[frame_of(plane, (96, 64), "yuv420p") for plane in planes] for _ in range(2)]
    plain = opened(encode(tmp_path / "a.mkv", frames[0], "ffv1", options={"g": "1"}))
    tagged = opened(encode(tmp_path / "b.mkv", frames[1], "ffv1", options={"g": "1"}, color=color))
    assert tagged.content == plain.content
    differing = {key for key, value in plain.info.rendering.items() if tagged.info.rendering[key] != value}
    assert differing == {changed}


def test_the_same_pictures_in_files_of_any_kind(tmp_path):
    pictures = scene(6)
    png = opened(folder_of(tmp_path / "a", pictures), 250)
    same = [
        opened(folder_of(tmp_path / "b", pictures, ".tif"), 250),
        opened(folder_of(tmp_path / "c", pictures, ".png", 100, cv2.IMWRITE_PNG_COMPRESSION, 0), 250),
        opened(encode(tmp_path / "a.mkv", pictures, "ffv1", "bgr0", options={"g": "1"})),
        opened(encode(tmp_path / "b.avi", pictures, "utvideo", "gbrp")),
        opened(encode(tmp_path / "a.mp4", pictures, "libx264rgb", "rgb24", options={"qp": "0"})),
    ]
    assert {found.content for found in same} == {png.content}
    assert [found.info.rendering for found in same] == [png.info.rendering] * 5  # no tag of RGB counts
    deep = [np.uint16(picture) * 257 for picture in pictures]
    assert opened(folder_of(tmp_path / "d", deep), 250).content != png.content


def test_planes_of_two_layouts_are_the_same(tmp_path):
    frames = [frame_of(as_planes(p / 255, "yuv420p", "bt601", full=False), (96, 64), "yuv420p") for p in scene(3)]
    told = {name: [digest(samples_of(frame.reformat(format=name))) for frame in frames] for name in ("yuv420p", "nv12")}
    assert told["nv12"] == told["yuv420p"]


def test_every_sample_counts():
    rng = np.random.default_rng(0)
    planes = [rng.integers(0, 256, size, np.uint8) for size in ((6, 8), (3, 4), (3, 4))]
    seen = {digest(Samples(planes, 8, rgb=False))}
    for plane in range(3):
        for place in np.ndindex(planes[plane].shape):
            changed = [each.copy() for each in planes]
            changed[plane][place] ^= 1
            seen.add(digest(Samples(changed, 8, rgb=False)))
    assert len(seen) == 1 + 6 * 8 + 2 * 3 * 4


def test_depth_size_kind_and_order_count_but_no_byte_order_or_stride():
    plane = np.arange(48, dtype="<u2").reshape(6, 8)
    one = Samples([plane], 10, rgb=False)
    padded = np.zeros((6, 16), "<u2")
    padded[:, :8] = plane
    assert digest(Samples([padded[:, :8]], 10, rgb=False)) == digest(one)
    assert digest(Samples([plane.astype(">u2")], 10, rgb=False)) == digest(one)
    others = [
        Samples([plane], 12, rgb=False),
        Samples([plane], 10, rgb=True),
        Samples([plane.reshape(8, 6)], 10, rgb=False),
        Samples([plane[:3], plane[3:]], 10, rgb=False),
        Samples([plane[3:], plane[:3]], 10, rgb=False),
    ]
    assert len({digest(each) for each in (one, *others)}) == 6
    expected = blake3(b"YUV 10 6x8\n" + plane.tobytes()).digest()
    assert digest(one) == expected  # datasets that are there keep their draws


def test_slots_count():
    a, b = bytes(32), bytes([1] * 32)
    told = [content_of(frames) for frames in ([(0, a), (1, b)], [(0, a), (2, b)], [(0, b), (1, a)], [(0, a)])]
    assert len(set(told)) == 4


def test_threads_of_the_decoder_change_nothing(tmp_path):
    clip = encode(tmp_path / "a.mp4", [textured(n, (192, 128)) for n in range(30)], options={"crf": "20", "bf": "2"})
    told = set()
    for count in (1, 2, 4):
        with torch_threads(count):
            told.add(opened(clip).content)
    assert len(told) == 1


def test_frames_that_are_damaged_do_not_count(tmp_path):
    """They may be decoded in another way each time; the sound ones and their places tell the video."""
    clip = encode(tmp_path / "a.mkv", scene(60), options=FAST)
    with open_stream(clip) as (container, stream):
        digests = [digest(samples_of(frame)) for frame in decoded_frames(container, stream)]
    with av.open(str(clip)) as container:
        packet = [packet for packet in container.demux(video=0) if packet.size][34]
    data = clip.read_bytes()
    start = data.find(bytes(packet))
    clip.write_bytes(data[:start] + bytes(packet.size) + data[start + packet.size :])
    found = opened(clip)
    bad = {flaw.first for flaw in found.flaws if flaw.kind in (FlawKind.DECODE_ERROR, FlawKind.MISSING_FRAME)}
    assert 0 < len(bad) < 30
    assert found.content == content_of((n, frame) for n, frame in enumerate(digests) if n not in bad)
    assert found.content == opened(clip).content
