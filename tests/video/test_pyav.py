"""PyAV 14 to 19: what is not set, and tags that are not UTF-8."""

import pickle
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import pytest

from lolblur_synth.core.errors import SequenceError
from lolblur_synth.video.probe import probe
from lolblur_synth.video.pyav import exact, open_input, readable
from lolblur_synth.video.scan import scan
from tests.support.clips import encode, scene


class Ratio(NamedTuple):
    """As PyAV 19 gives it: no number of Python's, and 0/0 where nothing is set."""

    numerator: int
    denominator: int


@pytest.mark.parametrize("unset", [None, Ratio(0, 0), Ratio(0, 1), Fraction(0)])
def test_what_is_not_set_is_none(unset):
    assert exact(unset) is None


@pytest.mark.parametrize("rate", [Ratio(240000, 1001), Fraction(240000, 1001)])
def test_a_rate_becomes_a_fraction(rate):
    found = exact(rate)
    assert type(found) is Fraction
    assert found == Fraction(240000, 1001)


def test_rationals_of_this_pyav_become_fractions(tmp_path):
    base = Fraction(1, 30000)
    clip = encode(tmp_path / "a.mp4", scene(3), fps=1 / (1001 * base), time_base=base, pts=lambda n: 1001 * n)
    with open_input(str(clip), {}) as container:
        stream = container.streams.video[0]
        assert (exact(stream.average_rate), exact(stream.sample_aspect_ratio)) == (Fraction(30000, 1001), None)
        assert exact(stream.time_base) == base


def test_what_a_scan_holds_are_pythons_own_numbers(tmp_path):
    """They go to other processes, into records, and into the names of what is kept."""
    info = probe(encode(tmp_path / "a.mp4", scene(3)))
    found = scan(info)
    assert {type(value) for value in (info.stored_fps, info.capture_fps, found.time_base)} == {Fraction}
    assert {type(value) for value in (info.width, info.height, *found.pts)} == {int}
    assert pickle.loads(pickle.dumps(found)) == found


def in_latin(path: Path, tag: str, **options: str) -> Path:
    """A clip with a tag in Latin-1, as old cameras write it."""
    encode(path, scene(3), tags={tag: "caf#"}, container_options=options)
    data = path.read_bytes()
    assert data.count(b"caf#") == 1
    path.write_bytes(data.replace(b"caf#", b"caf\xe9"))
    return path


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.avi"])
def test_tags_in_other_encodings_are_read(tmp_path, name):
    with open_input(str(in_latin(tmp_path / name, "title")), {}) as container:
        title = {key.lower(): value for key, value in readable(container.metadata).items()}["title"]
    assert title == "caf\N{REPLACEMENT CHARACTER}"
    assert probe(tmp_path / name).stored_fps == 250


def test_what_is_told_of_such_a_tag_can_be_printed(tmp_path):
    clip = in_latin(tmp_path / "a.mp4", "com.android.capture.fps", movflags="use_metadata_tags")
    with pytest.raises(SequenceError, match="no capture rate in tag") as told:
        probe(clip)
    assert "caf\N{REPLACEMENT CHARACTER}" in str(told.value)


def test_a_raw_stream_tells_neither_aspect_nor_length(tmp_path):
    found = scan(probe(encode(tmp_path / "a.h264", scene(5), options={"bf": "0"})))
    assert (found.frames, found.info.width, found.info.height) == (5, 96, 64)
