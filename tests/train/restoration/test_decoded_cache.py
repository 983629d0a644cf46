import fcntl
import os
import struct
import threading
import zlib
from pathlib import Path

import numpy as np
import pytest

from lolblur_synth.core.errors import UserError
from lolblur_synth.dataset.pairs import PairFiles, find_pairs, read_picture
from lolblur_synth.train.restoration.decoded_cache import Decoded, decode_all, decoded_bytes
from lolblur_synth.video.images import write_png
from tests.support.lol_blur import mark, picture, write_pairs


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Pairs of two sizes and two depths."""
    write_pairs(tmp_path / "data", 5)
    write_png(picture(tmp_path / "data", 2, 0), mark(2, 0, (64, 48), "uint16"))
    write_png(picture(tmp_path / "data", 2, 1), mark(2, 1, (64, 48)))
    return tmp_path / "data"


def assert_same(decoded: Decoded, pairs: list[PairFiles]) -> None:
    """Every picture, and some of its rows, equal the file."""
    for index, pair in enumerate(pairs):
        for which, of in enumerate((pair.input, pair.target)):
            pixels = read_picture(of)
            whole = decoded.rows(2 * index + which, of, 0, of.height)
            assert whole.dtype == pixels.dtype
            assert np.array_equal(whole, pixels)
            assert np.array_equal(decoded.rows(2 * index + which, of, 7, 20), pixels[7:20])


def files(cache: Path) -> list[str]:
    return sorted(path.suffix for path in cache.iterdir())


def test_decoded_pictures_equal_the_files(root, tmp_path):
    pairs, seen = find_pairs(root, "train"), []
    decoded = decode_all(tmp_path / "new" / "cache", pairs, lambda *done: seen.append(done))
    assert_same(decoded, pairs)
    assert seen == [(number, 10) for number in range(1, 11)]
    assert decoded.path.stat().st_size == decoded_bytes(pairs) == 8 * 40 * 56 * 3 + 64 * 48 * 3 * (2 + 1)
    assert files(tmp_path / "new" / "cache") == [".lock", ".pixels"]


def test_what_is_there_is_found_again(root, tmp_path):
    made = decode_all(tmp_path / "cache", find_pairs(root, "train")).path.stat()
    decoded = decode_all(tmp_path / "cache", find_pairs(root, "train"), pytest.fail)
    assert decoded.path.stat() == made


def test_a_dataset_that_changed_is_decoded_again_in_place_of_the_old(root, tmp_path):
    decode_all(tmp_path / "cache", find_pairs(root, "train"))
    write_png(picture(root, 1, 0), mark(30, 0))
    pairs = find_pairs(root, "train")
    assert_same(decode_all(tmp_path / "cache", pairs), pairs)
    write_png(picture(root, 5, 0), mark(5, 0))
    write_png(picture(root, 5, 1), mark(5, 1))
    pairs = find_pairs(root, "train")
    assert_same(decode_all(tmp_path / "cache", pairs), pairs)
    assert files(tmp_path / "cache") == [".lock", ".pixels"]


def test_datasets_and_folders_of_one_have_caches_of_their_own(root, tmp_path):
    other = write_pairs(tmp_path / "other")
    for pairs in (
        find_pairs(root, "train"),
        find_pairs(other, "train"),
        find_pairs(other, "train", target_folder="low_blur_noise"),
    ):
        assert_same(decode_all(tmp_path / "cache", pairs), pairs)
    assert len(list((tmp_path / "cache").glob("*.pixels"))) == 3


@pytest.mark.parametrize("harm", ["cut", "gone", "a draft"])
def test_a_cache_that_is_not_whole_is_made_anew(harm, root, tmp_path):
    pairs = find_pairs(root, "train")
    path = decode_all(tmp_path / "cache", pairs).path
    match harm:
        case "cut":
            os.truncate(path, path.stat().st_size - 1)
        case "gone":
            path.unlink()
        case "a draft":  # of a run that was killed, of what the dataset was then
            path.rename(path.with_name(f".{path.name[:16]}-0123.pixels.partial"))
    assert_same(decode_all(tmp_path / "cache", pairs), pairs)
    assert files(tmp_path / "cache") == [".lock", ".pixels"]


def test_a_training_that_goes_on_never_reads_what_its_dataset_has_become(root, tmp_path):
    pairs = find_pairs(root, "train")
    decoded = decode_all(tmp_path / "cache", pairs)
    write_png(picture(root, 0, 0), mark(30, 0))
    decode_all(tmp_path / "cache", find_pairs(root, "train"))
    with pytest.raises(UserError, match="cannot be read: No such file or directory; start again"):
        decoded.rows(0, pairs[0].input, 0, 40)


def test_a_picture_that_cannot_be_decoded_is_named_and_nothing_is_left(root, tmp_path):
    path = picture(root, 3, 1)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"high_sharp_scaled/0001/0000.png: not a picture that can be decoded"):
        decode_all(tmp_path / "cache", find_pairs(root, "train"))
    assert files(tmp_path / "cache") == [".lock"]


def test_a_disk_without_room_is_told_before_anything_is_decoded(root, tmp_path):
    """A pair of a million by a million pixels, as its headers say, would take six million megabytes."""
    header = b"IHDR" + struct.pack(">IIBBBBB", 10**6, 10**6, 8, 2, 0, 0, 0)
    end = bytes.fromhex("0000000049454e44ae426082")
    for which in (0, 1):
        content = b"\x89PNG\r\n\x1a\n\0\0\0\r" + header + struct.pack(">I", zlib.crc32(header)) + end
        picture(root, 0, which).write_bytes(content)
    pairs = find_pairs(root, "train")
    assert decoded_bytes(pairs) > 6e12
    with pytest.raises(UserError, match=r"decoded cache .*: needs 6000.0 GB, and [\d.]+ GB are free; make room"):
        decode_all(tmp_path / "cache", pairs, pytest.fail)


def test_a_place_that_cannot_be_written_is_told(root, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match=r"decoded cache .*/file/cache: Not a directory; name a folder"):
        decode_all(tmp_path / "file" / "cache", find_pairs(root, "train"))


def test_a_file_that_is_cut_or_deleted_while_it_is_used_is_told(root, tmp_path):
    pairs = find_pairs(root, "train")
    decoded = decode_all(tmp_path / "cache", pairs)
    os.truncate(decoded.path, decoded.path.stat().st_size - 1)
    with pytest.raises(UserError, match="has become shorter since training started"):
        decoded.rows(9, pairs[4].target, 0, 40)
    decoded.path.unlink()
    with pytest.raises(UserError, match="cannot be read: No such file"):
        decoded.rows(0, pairs[0].input, 0, 40)


def test_only_one_process_decodes_at_a_time(root, tmp_path):
    pairs = find_pairs(root, "train")
    path = decode_all(tmp_path / "cache", pairs).path
    waiting = threading.Thread(target=decode_all, args=(tmp_path / "cache", pairs))
    with path.with_name(f"{path.name[:16]}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        path.unlink()
        waiting.start()
        waiting.join(0.2)
        assert waiting.is_alive()
        assert not path.exists()
    waiting.join(20)
    assert path.exists()
