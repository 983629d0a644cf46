"""Settings in YAML: what people write is read, all else is one line, soon."""

import math
import time
from itertools import pairwise

import pytest

from lolblur_synth.config.loading import load, to_yaml
from lolblur_synth.config.run import Config
from lolblur_synth.config.yaml_reader import parse_yaml, read_yaml
from lolblur_synth.core.errors import UserError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("# nothing\n", None),
        ("seed: 3", {"seed": 3}),
        ("a: {b: [1, -2, +3, 0x1F, 010, 1_000]}", {"a": {"b": [1, -2, 3, 31, 10, 1000]}}),
        ("[1e-4, 1.5, .5, 2., -1E3, 0.05]", [1e-4, 1.5, 0.5, 2.0, -1000.0, 0.05]),
        ("[.inf, -.Inf]", [math.inf, -math.inf]),
        ("[true, False, YES, off, yeS]", [True, False, True, False, "yeS"]),
        ("[~, null, 'null', \"1\", '']", [None, None, "null", "1", ""]),
        ("2024-13-45", "2024-13-45"),
        ("2024-12-01", "2024-12-01"),
        ("12:30:45", "12:30:45"),
        ("0.05:0.3", "0.05:0.3"),
        ("1120x640", "1120x640"),
        ('{"darken": {"exposure": [0.05, 0.16]}}', {"darken": {"exposure": [0.05, 0.16]}}),
        ("a: |\n  two\n  lines\n", {"a": "two\nlines\n"}),
        ("١: ٢", {"١": "٢"}),  # digits that only Python takes for such
    ],
)
def test_values_as_people_write_them(text, value):
    assert parse_yaml(text, "x") == value


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: \0", "x: not YAML: holds control characters; remove them"),
        ("a: \x1b[31m", "x: not YAML: holds control characters; remove them"),
        ('a: "\\0"', "x: a zero byte at line 1"),
        ("a: \udcff", "x: not YAML: holds bytes that are not UTF-8"),
        ('a: "\\ud800"', "x: not YAML: found invalid Unicode character escape code at line 1, column "),
        ("seed: " + "1" * 5000, "x: a number of 5000 digits at line 1"),
        ("seed: 0." + "1" * 5000, "x: a number of 5002 digits at line 1"),
        ("seed:\n  " + "[" * 15 + "]" * 15, "x: more than 12 levels at line 2"),
        ("[" * 100_000, "x: "),
        ("{a: " * 50_000, "x: more than 12 levels at line 1"),
        ("- " * 50_000, "x: "),
        ("? " * 50_000, "x: "),
        ("a: &a [1]\nb: *a\n", "x: an alias at line 2"),
        ("base: &b {seed: 1}\n<<: *b\n", "x: an alias at line 2"),
        ("seed: !!python/name:print x", "x: a tag at line 1"),
        ("seed: !!int '3'", "x: a tag at line 1"),
        ("!!set {a, b}", "x: a tag at line 1"),
        ("? [1, 2]\n: 3", "x: a key that is no word at line 1"),
        ("seed: 1\n---\nseed: 2\n", "x: a second document at line 2"),
        ("a: 1\nb: {c: 1,\n  c: 2}", "x: key c is there twice, in the block of line 2 and again at line 3"),
        ("a: [", "x: not YAML: did not find expected node content at line "),
        ("a: b: c", "x: not YAML: mapping values are not allowed in this context at line 1, column 5"),
    ],
)
def test_what_is_no_setting_is_one_line(text, told):
    begun = time.process_time()
    with pytest.raises(UserError) as caught:
        parse_yaml(text, "x")
    assert str(caught.value).startswith(told)
    assert len(str(caught.value)) < 200
    assert str(caught.value).isprintable()
    assert time.process_time() - begun < 1


def test_aliases_that_multiply_are_refused_where_the_first_one_is():
    """Nine lines that PyYAML makes a thousand million values of."""
    names = "abcdefghi"
    lines = ["a: &a [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"{one}: &{one} [{', '.join([f'*{before}'] * 10)}]" for before, one in pairwise(names)]
    with pytest.raises(UserError, match="an alias at line 2"):
        parse_yaml("\n".join(lines), "x")


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"a: 1\nb: caf\xe9\n", "not YAML: not UTF-8 at line 2; save it as UTF-8"),
        ("seed: 3".encode("utf-16"), "not YAML: not UTF-8 at line 1"),
    ],
)
def test_bytes_that_are_no_text(tmp_path, data, told):
    (tmp_path / "a.yaml").write_bytes(data)
    with pytest.raises(UserError, match=told):
        read_yaml(tmp_path / "a.yaml")


def test_a_byte_order_mark_is_no_key(tmp_path):
    (tmp_path / "a.yaml").write_bytes(b"\xef\xbb\xbfseed: 3\n")
    assert read_yaml(tmp_path / "a.yaml") == {"seed": 3}


def test_a_file_that_is_too_large_is_not_read(tmp_path):
    (tmp_path / "a.yaml").write_bytes(b"#" * 600_000)
    with pytest.raises(UserError, match=r"config .*a\.yaml: cannot be read: larger than 512 KiB"):
        load(Config, [str(tmp_path / "a.yaml")])


def test_thousands_of_unknown_keys_are_told_soon(tmp_path):
    for text, told in (
        ("".join(f"unknown_key_{number}: {number}\n" for number in range(20_000)), "unknown_key_9: unknown key"),
        (f"darken: {{{', '.join(f'expsure{number}: 1' for number in range(20_000))}}}", "darken.expsure9: unknown key"),
    ):
        (tmp_path / "a.yaml").write_text(text)
        begun = time.process_time()
        with pytest.raises(UserError) as caught:
            load(Config, [str(tmp_path / "a.yaml")])
        assert time.process_time() - begun < 3  # a third of it where nothing else runs
        lines = str(caught.value).splitlines()
        assert len(lines) == 1 + 10 + 1
        assert lines[10].strip().startswith(told)
        assert lines[11] == "  and 19990 more"


@pytest.mark.parametrize("assignment", ["a" + ".a" * 40_000 + "=1", "seed=" + "v" * 100_000, "k" * 100_000 + "=1"])
def test_assignments_without_end_are_told_in_short(assignment):
    with pytest.raises(UserError) as caught:
        load(Config, [], [assignment])
    assert len(str(caught.value)) < 400


def test_what_is_written_is_read_back():
    config = load(Config, [], ["darken.weights='a\\n: \"b\" é'", "noise.shot=[1e-5,1e-4]"])
    assert Config.model_validate(parse_yaml(to_yaml(config), "x")) == config
