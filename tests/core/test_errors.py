"""What is told can be printed, whatever names are in it."""

import os

import pytest

from lolblur_synth.core.errors import SequenceError, UserError, shown


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("clip 1.mp4", "clip 1.mp4"),
        ("Bäume 桜 🌸.mp4", "Bäume 桜 🌸.mp4"),
        (os.fsdecode(b"caf\xe9.mp4"), r"caf\xe9.mp4"),
        ("two\nlines\r\t", r"two\nlines\r\t"),
        ("\x1b[31mred\x07", r"\x1b[31mred\x07"),
        ("\u202egnp.exe\x9b", r"\u202egnp.exe\x9b"),
        ("\ud800", r"\ud800"),
        (os.PathLike, "<class 'os.PathLike'>"),
    ],
)
def test_text_as_it_can_be_printed(text, told):
    assert shown(text) == told
    assert shown(shown(text)) == told
    told.encode()


@pytest.mark.parametrize("kind", [UserError, SequenceError])
def test_an_error_is_a_line_for_each_argument(kind):
    assert str(kind("a\nb: no such file")) == r"a\nb: no such file"
    assert str(kind("faults:", "one\x1b", "two")) == "faults:\n  one\\x1b\n  two"
    assert str(kind()) == ""
