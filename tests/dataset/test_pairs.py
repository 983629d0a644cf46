import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lolblur_synth.core.errors import UserError
from lolblur_synth.dataset.layout import image_path
from lolblur_synth.dataset.pairs import check_crop, find_pairs, read_pair, read_picture
from lolblur_synth.video.images import write_png
from tests.support.lol_blur import FOLDERS, mark, picture, write_pairs


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return write_pairs(tmp_path_factory.mktemp("whole"))


def test_pairs_come_in_order_with_what_their_headers_say(tmp_path):
    write_pairs(tmp_path, 5)
    write_png(picture(tmp_path, 1, 0), mark(1, 0, (64, 48), "uint16"))
    write_png(picture(tmp_path, 1, 1), mark(1, 1, (64, 48)))
    found = find_pairs(tmp_path, "train")
    assert [pair.name for pair in found] == ["0000/0000", "0000/0001", "0000/0002", "0001/0000", "0001/0001"]
    assert [pair.input.path for pair in found] == [picture(tmp_path, number, 0) for number in range(5)]
    assert [pair.target.path for pair in found] == [picture(tmp_path, number, 1) for number in range(5)]
    assert (found[0].input.shape, found[0].input.dtype) == ((40, 56, 3), "uint8")
    assert (found[1].input.shape, found[1].input.dtype) == ((64, 48, 3), "uint16")
    assert found[1].input.decoded_bytes == 64 * 48 * 3 * 2
    assert found[1].input.size == picture(tmp_path, 1, 0).stat().st_size


def test_other_folders_may_be_the_input_and_the_truth(tmp_path):
    for folder, value in (("low_blur", 1), ("high_sharp_original", 2)):
        path = tmp_path / image_path("test", folder, 7, 3)
        path.parent.mkdir(parents=True)
        write_png(path, np.full((8, 8, 3), value, np.uint8))
    (pair,) = find_pairs(tmp_path, "test", "low_blur", "high_sharp_original")
    pixels = read_pair(pair)
    assert (pair.name, pixels.input[0, 0, 0], pixels.target[0, 0, 0]) == ("0007/0003", 1, 2)


@pytest.mark.parametrize("which", [0, 1])
def test_a_missing_partner_is_named(which, tmp_path):
    gone = picture(write_pairs(tmp_path), 4, which)
    gone.unlink()
    with pytest.raises(UserError) as caught:
        find_pairs(tmp_path, "train")
    assert str(caught.value).startswith(f"{gone}: missing, its partner is there; ")


def test_sizes_that_differ_between_partners_are_named(tmp_path):
    write_png(picture(write_pairs(tmp_path), 2, 1), mark(2, 1, (40, 55)))
    with pytest.raises(UserError, match=r"low_blur_noise/0000/0002.png: 56x40, its partner in high_sharp_scaled 55x40"):
        find_pairs(tmp_path, "train")


def test_folders_that_are_not_there_and_splits_that_are_empty(whole, tmp_path):
    with pytest.raises(UserError, match=r"has no test split, as a dataset of one video; .*validate_every=0, evaluate"):
        find_pairs(whole, "test")
    for split in ("train", "test"):
        with pytest.raises(UserError, match=f"{split}/low_blur_noise: no such folder; give the folder with train/ and"):
            find_pairs(tmp_path, split)
    with pytest.raises(UserError, match="train/low_sharp: no such folder"):
        find_pairs(whole, "train", target_folder="low_sharp")
    for folder in FOLDERS:
        (tmp_path / "test" / folder / "0000").mkdir(parents=True)
    with pytest.raises(UserError, match=r"test/low_blur_noise: no pictures VVVV/FFFF.png in it"):
        find_pairs(tmp_path, "test")


def test_what_other_systems_leave_beside_pictures_is_no_picture(tmp_path):
    write_pairs(tmp_path)
    (picture(tmp_path, 0, 0).parent / "._0000.png").write_bytes(b"Mac OS X")
    (picture(tmp_path, 0, 0).parent / ".0009.png.partial").write_bytes(b"half")
    assert len(find_pairs(tmp_path, "train")) == 6


def damaged(root, content: bytes) -> str:
    """What is said of a dataset with one picture of that content."""
    path = picture(root, 1, 0)
    before = path.read_bytes()
    path.write_bytes(content)
    try:
        with pytest.raises(UserError) as caught:
            find_pairs(root, "train")
    finally:
        path.write_bytes(before)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@given(data=st.data())
def test_a_picture_that_is_cut_off_anywhere_is_found(whole, data):
    content = picture(whole, 1, 0).read_bytes()
    cut = data.draw(st.integers(0, len(content) - 1))
    assert ("cut off" if cut >= 33 else "not a PNG, or its header is damaged") in damaged(whole, content[:cut])


@given(at=st.integers(0, 32), change=st.integers(1, 255))
def test_a_damaged_header_is_found(whole, at, change):
    content = bytearray(picture(whole, 1, 0).read_bytes())
    content[at] ^= change
    assert "header is damaged" in damaged(whole, bytes(content))


def test_another_kind_of_picture_is_found(whole):
    jpeg = cv2.imencode(".jpg", mark(1, 0))[1].tobytes()
    assert "not a PNG" in damaged(whole, jpeg)


def test_what_is_appended_to_a_whole_picture_does_no_harm(tmp_path):
    path = picture(write_pairs(tmp_path), 1, 0)
    path.write_bytes(path.read_bytes() + b"a note that some program left" * 9)
    assert np.array_equal(read_picture(find_pairs(tmp_path, "train")[1].input), mark(1, 0))


def test_a_few_faults_are_named_and_the_others_counted(tmp_path):
    write_pairs(tmp_path)
    for number in range(5):
        picture(tmp_path, number, 1).write_bytes(b"")
    with pytest.raises(UserError, match=r"0002.png: not a PNG[^;]*; and 2 more; make the dataset whole") as caught:
        find_pairs(tmp_path, "train")
    assert str(caught.value).count(".png") == 3


def test_a_crop_larger_than_a_picture_is_named(tmp_path):
    write_pairs(tmp_path)
    for which in (0, 1):
        write_png(picture(tmp_path, 3, which), mark(3, which, (40, 32)))
    pairs = find_pairs(tmp_path, "train")
    check_crop(pairs, 32)
    with pytest.raises(UserError, match=r"0001/0000.png: 32x40 is smaller than the crop of 33; set a smaller crop"):
        check_crop(pairs, 33)


def test_damage_that_only_decoding_shows_names_the_file(tmp_path):
    path = picture(write_pairs(tmp_path), 1, 1)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    pair = find_pairs(tmp_path, "train")[1]
    with pytest.raises(
        UserError, match=r"high_sharp_scaled/0000/0001.png: not a picture that can be decoded.*repair it"
    ):
        read_picture(pair.target)


def test_a_picture_that_was_replaced_since_is_not_taken_for_it(tmp_path):
    pair = find_pairs(write_pairs(tmp_path), "train")[0]
    write_png(pair.input.path, mark(0, 0, (41, 56)))
    with pytest.raises(UserError, match="changed since the dataset was looked through"):
        read_picture(pair.input)


def test_grey_pictures_and_those_with_alpha_are_read(tmp_path):
    write_pairs(tmp_path)
    picture(tmp_path, 0, 0).write_bytes(cv2.imencode(".png", mark(0, 0)[..., 0])[1].tobytes())
    picture(tmp_path, 0, 1).write_bytes(cv2.imencode(".png", np.dstack([mark(0, 1), mark(0, 1)[..., :1]]))[1].tobytes())
    pair = find_pairs(tmp_path, "train")[0]
    assert np.array_equal(read_picture(pair.input), mark(0, 0)[..., [0, 0, 0]])
    assert np.array_equal(read_picture(pair.target), mark(0, 1)[..., ::-1])
