"""Damage that decoders conceal: what they say of it in FFmpeg's log, and frames that come out otherwise each time."""

from pathlib import Path

import av
import av.logging
import numpy as np
import pytest

from lolblur_synth.video import damage
from lolblur_synth.video import scan as scanning
from lolblur_synth.video.metadata import FlawKind, VideoScan
from lolblur_synth.video.probe import probe
from lolblur_synth.video.scan import scan
from lolblur_synth.video.stream import decoded_frames, open_stream
from tests.support.clips import encode, scene

CODECS = {  # all intra with a checksum a slice, whose end tells where slices lie; and predicted without B-frames
    "ffv1": ("a.mkv", {"level": "3", "slicecrc": "1", "g": "1"}, 0.6),
    "libx264": ("a.mp4", {"bf": "0", "g": "10", "x264-params": "cabac=0", "crf": "10"}, 1.0),
}


def spoil(path: Path, number: int, end: float) -> None:
    """Replace a packet by noise, from its first quarter up to `end` of its length."""
    with av.open(str(path)) as container:
        packet = bytes([packet for packet in container.demux(video=0) if packet.size][number])
    start, stop = len(packet) // 4, int(len(packet) * end)
    noise = np.random.default_rng(0).bytes(stop - start)
    path.write_bytes(path.read_bytes().replace(packet, packet[:start] + noise + packet[stop:]))


def damaged_clip(folder: Path, codec: str) -> tuple[Path, list[np.ndarray]]:
    """A clip whose packet 25 of 40 is spoilt, and the frames as they were."""
    name, options, end = CODECS[codec]
    path = encode(folder / name, scene(40), codec, options=options)
    with open_stream(path) as (container, stream):
        clean = [frame.to_ndarray() for frame in decoded_frames(container, stream)]
    spoil(path, 25, end)
    return path, clean


def flawed(found: VideoScan) -> set[int]:
    return {frame for flaw in found.flaws for frame in range(flaw.first, flaw.last + 1)}


@pytest.mark.parametrize(("codec", "reached"), [("ffv1", range(25, 26)), ("libx264", range(25, 30))])
def test_damage_that_is_only_logged_is_a_flaw_up_to_the_next_key_frame(tmp_path, codec, reached):
    path, clean = damaged_clip(tmp_path, codec)
    found = scan(probe(path))
    assert flawed(found) == set(reached)
    with open_stream(path) as (container, stream):
        shown = [frame.to_ndarray() for frame in decoded_frames(container, stream)]
    assert {n for n in range(40) if not np.array_equal(shown[n], clean[n])} == set(reached)


def test_a_checksum_that_fails_is_told_as_concealed_damage(tmp_path):
    path, _ = damaged_clip(tmp_path, "ffv1")
    kinds = {flaw.kind for flaw in scan(probe(path)).flaws}
    assert kinds == {FlawKind.CONCEALED_DAMAGE}


def test_a_frame_that_comes_out_otherwise_the_second_time_is_told_as_such(tmp_path, monkeypatch):
    path, _ = damaged_clip(tmp_path, "ffv1")
    number = iter(range(40))
    right = damage.digest
    monkeypatch.setattr(damage, "digest", lambda samples: right(samples) + bytes(next(number) == 31))
    found = scan(probe(path))
    assert {(flaw.first, flaw.kind) for flaw in found.flaws} == {
        (25, FlawKind.CONCEALED_DAMAGE),
        (31, FlawKind.UNSTABLE_DECODE),
    }
    assert found.checksums[31] is None


def test_a_sound_file_is_decoded_once(tmp_path, monkeypatch):
    monkeypatch.setattr(scanning, "locate_damage", lambda *_: pytest.fail("looked again at a sound file"))
    assert not scan(probe(encode(tmp_path / "a.mp4", scene(12)))).flaws
