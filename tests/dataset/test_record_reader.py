"""Records are read as if a stranger had written them: what does not fit is one line, whatever it is."""

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lolblur_synth.core.errors import UserError
from lolblur_synth.dataset.layout import record_path
from lolblur_synth.dataset.record_reader import read_record, read_records
from tests.support.staged import record

Place = tuple[str | int, ...]
HOSTILE: list[Any] = [
    None, True, -1, 0, 10**400, 1e308, "", "x", "../../outside", "/etc", "train/../..", "a\nb", [], {}, {"x": {}},
    [[[]]], "a" * 100_000, "\x1b[31m",
]  # fmt: skip


def write(root: Path, content: str | bytes, name: str = "0003-0") -> Path:
    path = record_path(root, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def plain(**changes: Any) -> dict[str, Any]:
    return {**json.loads(record().as_json()), **changes}


def told(root: Path, name: str = "0003-0") -> str:
    with pytest.raises(UserError) as caught:
        read_record(record_path(root, name), name)
    line = str(caught.value)
    assert line.isprintable()
    assert len(line) < 1000
    return line


def places(value: Any, place: Place = ()) -> Iterator[Place]:
    """Every place in a JSON value."""
    if place:
        yield place
    inner = value.items() if isinstance(value, dict) else enumerate(value[:1]) if isinstance(value, list) else ()
    for key, part in inner:
        yield from places(part, (*place, key))


def changed(value: Any, place: Place, to: Any) -> Any:
    """The same JSON with another value at a place."""
    if not place:
        return to
    copy = value.copy()
    copy[place[0]] = changed(value[place[0]], place[1:], to)
    return copy


def test_a_record_survives_the_disk(tmp_path):
    before = record(numbers=(1, 2, 31))
    write(tmp_path, before.model_dump_json(indent=1))
    assert read_record(record_path(tmp_path, "0003-0"), "0003-0") == before
    assert read_records(tmp_path) == {"0003-0": before}


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"split": "../../neighbour/train"}, "split: Input should be 'train' or 'test'"),
        ({"split": "Train"}, "split: Input should be 'train' or 'test'"),
        ({"id": "../0003-0"}, "id '../0003-0' where video and sequence make 0003-0"),
        ({"video": 4}, "id '0003-0' where video and sequence make 0004-0"),
        ({"id": "0004-0", "video": 4}, "id: is that of 0004-0"),
        ({"video": "3"}, "video: Input should be a valid integer"),
        ({"video": 3.0}, "video: Input should be a valid integer"),
        ({"video": 10000}, "video: Input should be less than or equal to 9999"),
        ({"sequence": -1}, "sequence: Input should be greater than or equal to 0"),
        ({"pairs": []}, "pairs: List should have at least 1 item"),
        ({"extra": 1}, "extra: Extra inputs are not permitted"),
        ({"weights": {"ec_zero_dce": "abc"}}, "weights.ec_zero_dce: String should match pattern"),
        ({"versions": {"pipeline": "3"}}, "versions: lacks lolblur-synth"),
        ({"seconds": {"darken": -1}}, "seconds.darken: Input should be greater than or equal to 0"),
        ({"config": {"seed": 1, "nois": {}}}, "config.nois: Extra inputs are not permitted"),
    ],
)
def test_a_damaged_record_is_named_with_its_field(tmp_path, change, what):
    write(tmp_path, json.dumps(plain(**change)))
    line = told(tmp_path)
    assert line.startswith(f"{tmp_path}: damaged record records/0003-0.json: {what}")
    assert line.endswith("; delete it and run again to make its sequence anew")


@pytest.mark.parametrize(
    ("key", "value", "what"),
    [
        ("number", 0, "pairs.0.number: Input should be greater than or equal to 1"),
        ("number", 10000, "pairs.0.number: Input should be less than or equal to 9999"),
        ("number", 7, "pairs: numbers do not rise"),
        ("seconds", 1e999, "pairs.0.seconds: Input should be a finite number"),
        ("untrusted", 1.5, "pairs.0.untrusted: Input should be less than or equal to 1"),
        ("sha256", {"low_blur": "a" * 64}, "pairs.0.sha256: Dictionary should have at least 5 items"),
        ("sha256", {"../..": "a" * 64}, "pairs.0.sha256.../...[key]: Input should be 'low_blur_noise'"),
        ("sha256", {"low_blur": "A" * 64}, "pairs.0.sha256.low_blur: String should match pattern"),
        ("statistics", {"mean": 1}, "pairs.0.statistics: Dictionary should have at least 5 items"),
    ],
)
def test_a_damaged_pair_is_named_with_its_field(tmp_path, key, value, what):
    content = plain()
    content["pairs"][0][key] = value
    write(tmp_path, json.dumps(content))
    assert f"damaged record records/0003-0.json: {what}" in told(tmp_path)


@pytest.mark.parametrize(
    "content",
    [b"", b"\0" * 4096, b"{", b"null", b"[]", b"{}", b"\xff\xfe", b"[" * 100_000, b'{"a":' * 50_000, b"9" * 5000],
)
def test_what_is_no_record_at_all_is_told(tmp_path, content):
    write(tmp_path, content)
    assert "damaged record records/0003-0.json: " in told(tmp_path)


def test_millions_of_faults_are_not_listed(tmp_path):
    begun = time.process_time()
    for key, value in (("rejects", [1] * 4_000_000), ("weights", {str(number): 1 for number in range(500_000)})):
        write(tmp_path, json.dumps(plain(**{key: value}), separators=(",", ":")))
        assert "damaged record records/0003-0.json: " in told(tmp_path)
    assert time.process_time() - begun < 20  # seconds, most of them to write it
    write(tmp_path, b'{"x":[' + b"1," * 1_000_000 + b"1]}")
    assert "damaged record records/0003-0.json: config: is not there (and 16 faults more)" in told(tmp_path)
    write(tmp_path, b"[" * (2 << 20))
    assert "damaged record records/0003-0.json: recursion limit exceeded" in told(tmp_path)
    write(tmp_path, b" " * (17 << 20))
    assert "records/0003-0.json: cannot be read: larger than 16384 KiB" in told(tmp_path)


def test_every_place_of_a_record_withstands_what_does_not_belong_there(tmp_path):
    """What passes names the very same pictures: then it is harmless."""
    content, paths = plain(), [path for path, _ in record().images()]
    passed = 0
    for place in places(content):
        for value in HOSTILE if "config" not in place[:-1] else ["x"]:
            path = write(tmp_path, json.dumps(changed(content, place, value)))
            try:
                found = read_record(path, "0003-0")
            except UserError:
                assert "record" in told(tmp_path)
                continue
            passed += 1
            assert found.id == "0003-0"
            assert {image.parts[:3] for image, _ in found.images()} <= {path.parts[:3] for path in paths}
    assert passed < 200  # of a thousand


def test_another_format_is_no_damage(tmp_path):
    write(tmp_path, json.dumps({"format": 3, "id": "0003-0"}))
    assert "record format 3, this version reads 4 and 5; use the lolblur-synth that made the dataset" in told(tmp_path)


def test_damaged_records_are_listed_at_once(tmp_path):
    for number in range(5):
        write(tmp_path, "{}", f"{number:04d}-0")
    write(tmp_path, record(7).model_dump_json(), "0007-0")
    with pytest.raises(
        UserError, match=r"records/0000-0.json: .*records/0002-0.json: .*; and 2 more; delete"
    ) as caught:
        read_records(tmp_path)
    assert str(caught.value).isprintable()


def test_links_and_pipes_are_no_records(tmp_path):
    outside = tmp_path / "outside.json"
    outside.write_text(record().model_dump_json())
    root = tmp_path / "d"
    (root / "records").mkdir(parents=True)
    record_path(root, "0003-0").symlink_to(outside)
    assert "damaged record records/0003-0.json: cannot be read: Too many levels of symbolic links" in told(root)
    record_path(root, "0003-0").unlink()
    os.mkfifo(record_path(root, "0003-0"))  # on which a reader waits for ever
    assert "damaged record records/0003-0.json: cannot be read: not a file" in told(root)
    record_path(root, "0003-0").unlink()
    record_path(root, "0003-0").mkdir()
    assert "damaged record records/0003-0.json: cannot be read: not a file" in told(root)
