"""What decoders say of damage in FFmpeg's log."""

import av
import av.logging
import pytest

from lolblur_synth.video.decoder_log import listening, tells_damage
from lolblur_synth.video.stream import open_stream
from tests.support.clips import encode, scene


@pytest.mark.parametrize(
    ("level", "name", "message", "damage"),
    [
        (av.logging.ERROR, "h264", "error while decoding MB 16 5, bytestream -6\n", True),
        (av.logging.INFO, "h264", "concealing 240 DC, 240 AC, 240 MV errors in P frame\n", True),
        (av.logging.WARNING, "h264", "Late SEI is not implemented.\n", False),
        (av.logging.ERROR, "h264", "mmco: unref short failure\n", False),  # as after a cut at an open GOP
        (av.logging.ERROR, "swscaler", "deprecated pixel format used\n", False),
    ],
)
def test_which_lines_tell_of_damage(level, name, message, damage):
    assert tells_damage((level, name, message), "h264") == damage


def test_all_who_listen_hear_and_then_it_is_quiet(tmp_path, caplog):
    path = encode(tmp_path / "a.mkv", scene(3), "ffv1")
    with open_stream(path) as (_, one), open_stream(path) as (_, two), listening(one) as first:
        with listening(two) as second:
            av.logging.log(av.logging.ERROR, "ffv1", "slice CRC mismatch")
            assert second.has_heard()
        with listening(two) as third:
            assert not third.has_heard()
        assert first.has_heard()
    assert av.logging.get_level() is None
    av.logging.log(av.logging.ERROR, "ffv1", "slice CRC mismatch")
    assert not caplog.records
