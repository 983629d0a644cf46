import pytest

from lolblur_synth.video.file_types import VIDEOS, SkipReason, suffix_of, why_no_footage
from lolblur_synth.video.images import SUFFIXES


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("GOPR0001.LRV", SkipReason.PREVIEW),
        ("a.R3D", SkipReason.RAW_VIDEO),
        ("a.insv", SkipReason.SPHERE),
        ("a.CR3", SkipReason.OTHER_PICTURE),
        ("notes.txt", SkipReason.UNKNOWN),
        ("README", SkipReason.UNKNOWN),
    ],
)
def test_why_a_file_is_no_footage(name, why):
    assert why_no_footage(name) is why


def test_a_type_is_a_video_or_a_picture_or_neither():
    assert not VIDEOS & SUFFIXES
    assert {why_no_footage(f"a{suffix}") for suffix in VIDEOS | SUFFIXES} == {SkipReason.UNKNOWN}
    assert suffix_of("A.B.MOV") == ".mov"
