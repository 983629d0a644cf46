"""What a person is told can be printed whatever names are in it, and is the same in Python and at a command line."""

import os
import pickle

import joblib
import pytest

from lolblur_synth.core.errors import SequenceError, UserError, listed, refused, setting, shortened, shown


def as_option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def fails(error: Exception) -> None:
    raise error


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
        ("\ufdd0no mark of ours", r"\ufdd0no mark of ours"),
        (os.PathLike, "<class 'os.PathLike'>"),
    ],
)
def test_text_as_it_can_be_printed(text, told):
    assert shown(text) == told
    assert shown(shown(text)) == told
    told.encode()


def test_settings_are_spelled_for_who_is_told():
    text = f"use {setting('device')} cpu, or {setting('run.device')}\n"
    assert shown(text) == r"use device cpu, or run.device\n"
    assert shown(text, as_option) == r"use --device cpu, or --run.device\n"
    assert shown(shown(text, setting), as_option) == shown(text, as_option)


def test_a_text_is_not_cut_within_the_name_of_a_setting():
    text = f"{setting('a')} or {setting('long_name')}, as you like"
    assert [shown(shortened(text, length), as_option) for length in (6, 7, 12, 18, 19)] == [
        "--a or",
        "--a or ",
        "--a or ",
        "--a or --long-name",
        "--a or --long-name,",
    ]


@pytest.mark.parametrize("kind", [UserError, SequenceError])
@pytest.mark.parametrize(
    ("what", "more", "where", "advice", "told"),
    [
        ("no such file", (), None, "", "no such file"),
        ("no such file", (), "a\nb", "", r"a\nb: no such file"),
        ("no such file", (), None, "name another", "no such file; name another"),
        ("no such file", (), "a", "name another", "a: no such file; name another"),
        ("faults:", ("one\x1b", "two"), None, "", "faults:\n  one\\x1b\n  two"),
        ("faults:", ("one", "two"), "a", "mend them", "a: faults:; mend them\n  one\n  two"),
        ("", (), None, "", ""),
    ],
)
def test_an_error_tells_where_what_and_what_to_do_in_a_line(kind, what, more, where, advice, told):
    error = kind(what, *more, where=where, advice=advice)
    assert str(error) == error.told() == told
    assert (error.what, error.more, error.where, error.advice) == (what, more, where, advice)


def test_where_can_be_left_out_by_who_has_said_it():
    assert UserError("is empty", where="a.mp4", advice="copy it").told(where=False) == "is empty; copy it"


def test_every_part_of_an_error_may_name_a_setting():
    error = UserError(
        f"{setting('b')} is none", f"see {setting('c')}", where=f"{setting('a')} 1", advice=setting("d_e")
    )
    assert str(error) == "a 1: b is none; d_e\n  see c"
    assert error.told(as_option) == "--a 1: --b is none; --d-e\n  see --c"


def test_an_error_within_another_keeps_its_parts():
    inner = SequenceError(f"no rate; {setting('capture_fps')}?", where="a\x07.mp4", advice=f"give {setting('x_y')}")
    outer = UserError(inner, where="videos", advice="or remove it")
    assert str(outer) == r"videos: a\x07.mp4: no rate; capture_fps?; give x_y; or remove it"
    assert outer.told(as_option) == r"videos: a\x07.mp4: no rate; --capture-fps?; give --x-y; or remove it"
    assert outer.what is inner


@pytest.mark.parametrize("kind", [UserError, SequenceError])
def test_an_error_is_the_same_after_a_pickle(kind):
    error = kind(UserError("inner", where="deep"), "and more", where="a", advice=f"give {setting('x_y')}")
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is kind
    assert copy.told(as_option) == error.told(as_option)
    assert (copy.where, copy.advice, copy.more) == (error.where, error.advice, error.more)
    assert isinstance(copy.what, UserError)


@pytest.mark.parametrize("kind", [UserError, SequenceError])
def test_an_error_of_another_process_keeps_its_parts(kind):
    error = kind("broken", where="a.mp4", advice=f"give {setting('x_y')}")
    with pytest.raises(kind) as caught, joblib.parallel_config("loky", n_jobs=2):
        joblib.Parallel()([joblib.delayed(fails)(error)] * 2)
    assert caught.value.told(as_option) == "a.mp4: broken; give --x-y"


def test_what_the_disk_refuses_is_told_with_what_was_tried(tmp_path):
    with pytest.raises(UserError) as caught, refused("a.json", "cannot be read", "make it first"):
        (tmp_path / "a.json").read_bytes()
    assert str(caught.value) == "a.json: cannot be read: No such file or directory; make it first"
    with pytest.raises(UserError, match=r"^a: disk gone; mend it$"), refused("a", "", "mend it"):
        raise OSError("disk gone")
    with pytest.raises(ValueError, match="not the disk's"), refused("a", "", "mend it"):
        raise ValueError("not the disk's")


@pytest.mark.parametrize(("count", "told"), [(1, "1"), (3, "1; 2; 3"), (5, "1; 2; 3; and 2 more")])
def test_many_faults_fit_a_line(count: int, told: str):
    assert listed([str(number) for number in range(1, count + 1)]) == told
