"""A timestamp scale of microseconds."""

import zlib
from fractions import Fraction

import av

from lolblur_synth.video.writer import write_video
from tests.support.clips import scene
from tests.support.videos import as_tensor

UNEVEN = [Fraction(value, 90_000) for value in (3870, 6870, 9870, 18_870, 27_870, 27_900, 39_870, 48_870)]


def test_a_matroska_file_of_microseconds_is_sound(tmp_path):
    """Its tags, and the checksums of what was changed."""
    write_video(tmp_path / "a.mkv", as_tensor(scene(7)), UNEVEN)
    with av.open(str(tmp_path / "a.mkv")) as container:
        (stream,) = container.streams.video
        assert stream.time_base == Fraction(1, 1_000_000)
        assert stream.metadata["DURATION"] == "00:00:00.543000000"
        assert container.duration == 543_000
    data = (tmp_path / "a.mkv").read_bytes()
    for element in (bytes.fromhex("1549a966"), bytes.fromhex("1254c367")):  # Info and Tags; both begin with CRC-32
        at = data.index(element, data.index(element) + 4) + 4  # the seek head names them first
        width = 9 - data[at].bit_length()
        size = int.from_bytes(data[at : at + width]) & (1 << 7 * width) - 1
        assert data[at + width : at + width + 2] == b"\xbf\x84"
        content = data[at + width + 6 : at + width + size]
        assert zlib.crc32(content).to_bytes(4, "little") == data[at + width + 2 : at + width + 6]
