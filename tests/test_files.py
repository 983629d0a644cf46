from pathlib import Path

import pytest

from lolblur_synth.errors import UserError, listed, refused
from lolblur_synth.files import write_whole
from tests.disks import small_files


@pytest.mark.parametrize("durable", [False, True])
def test_a_file_is_replaced(tmp_path: Path, durable: bool):
    path = tmp_path / "a.json"
    path.write_bytes(b"what was there before, and longer")
    write_whole(path, b"new", durable)
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("durable", [False, True])
def test_what_was_there_outlives_a_failure(tmp_path: Path, durable: bool):
    path = tmp_path / "a.json"
    path.write_bytes(b"old")
    told = pytest.raises(UserError, match=r"^a\.json: File too large; make room$")
    with told, small_files(1000), refused("a.json", "make room"):
        write_whole(path, bytes(20_000), durable)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(("count", "told"), [(1, "1"), (3, "1; 2; 3"), (5, "1; 2; 3; and 2 more")])
def test_many_faults_fit_a_line(count: int, told: str):
    assert listed([str(number) for number in range(1, count + 1)]) == told
