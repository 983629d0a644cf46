"""Which pairs are shown, how large, and within how many bytes."""

from itertools import pairwise

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lolblur_synth.apps.report.facts import read_facts
from lolblur_synth.apps.report.pictures import SMALLEST, all_faults, by_importance, choose_pictures, spread_order
from lolblur_synth.dataset.layout import FOLDERS, record_path
from lolblur_synth.dataset.statistics import measure
from lolblur_synth.video.images import read_image, write_png
from tests.support.reported import COLOURS, SIZE, make_dataset, sequence


def quiet(done: int, total: int) -> None:
    pass


def decoded(file: bytes):
    return cv2.imdecode(np.frombuffer(file, np.uint8), cv2.IMREAD_COLOR_RGB)


@given(st.integers(1, 300))
def test_any_first_numbers_of_the_order_are_spread_evenly(count):
    order = spread_order(count)
    assert sorted(order) == list(range(count))
    for first in (count // 4, count // 2):
        if first > 1:
            steps = [after - before for before, after in pairwise(sorted(order[:first]))]
            assert max(steps) <= 4 * count / first


def test_the_worst_come_first_then_middles_then_all(tmp_path):
    facts = read_facts(make_dataset(tmp_path / "d", [sequence(video, 90) for video in range(4)]))
    order = by_importance(facts.pairs)
    assert sorted(order) == list(range(360))
    numbers = [facts.pairs[number].record.number for number in order]
    assert all(facts.pairs[number].untrusted for number in order[:24])
    first = len(set(order[: numbers.index(46)]))
    assert first <= 7 * 24
    assert {1, 90} <= set(numbers[:first])  # the darkest and the brightest
    assert numbers[first : first + 4] == [46] * 4  # of four sequences
    assert len(set(order[first : first + 4])) == 4


def test_pictures_are_shown_in_their_own_size_where_there_is_room(tmp_path):
    dataset = make_dataset(tmp_path / "d")
    facts, steps = read_facts(dataset), []
    shown = choose_pictures(dataset, facts.pairs, 10**7, lambda *step: steps.append(step))
    assert sorted(shown) == list(range(12))
    assert steps == [(done, 12) for done in range(1, 13)]
    for folder in FOLDERS:
        picture = decoded(shown[0].files[folder])
        assert picture.shape == (SIZE[1], SIZE[0], 3)
        assert picture.mean((0, 1)) == pytest.approx(COLOURS[folder], abs=4)
    assert all_faults(facts.pairs, shown.items()) == {}


def test_of_too_many_the_important_ones_are_shown_within_the_bytes(tmp_path):
    dataset = make_dataset(tmp_path / "d", [sequence(video, 30) for video in range(4)])
    facts = read_facts(dataset)
    each = choose_pictures(dataset, facts.pairs[:1], 10**7, quiet)[0].bytes
    budget = 20 * each + each // 2
    shown = choose_pictures(dataset, facts.pairs, budget, quiet)
    assert list(shown) == by_importance(facts.pairs)[:20]
    assert sum(pictures.bytes for pictures in shown.values()) <= budget


def test_large_pictures_become_as_small_as_they_have_to(tmp_path):
    dataset = make_dataset(tmp_path / "d", [sequence(0, 4)])
    noise = np.random.default_rng(0).integers(0, 256, (360, 640, 3), np.uint8)
    for path in dataset.glob("train/*/*/*.png"):
        path.unlink()
        write_png(path, noise.astype(np.uint16) * 257)
    pairs = read_facts(dataset).pairs
    whole = choose_pictures(dataset, pairs, 10**8, quiet)
    assert {decoded(file).shape for each in whole.values() for file in each.files.values()} == {(360, 640, 3)}
    total = sum(each.bytes for each in whole.values())
    less = choose_pictures(dataset, pairs, total // 2, quiet)
    ((height, width, _),) = {decoded(file).shape for each in less.values() for file in each.files.values()}
    assert SMALLEST < width < 640
    assert height == round(width * 9 / 16)
    assert len(less) == 4
    assert sum(each.bytes for each in less.values()) <= total // 2


def test_what_is_gone_or_damaged_is_told_and_the_others_are_shown(tmp_path):
    dataset = make_dataset(tmp_path / "d")
    (dataset / "train/low_blur/0003/0002.png").unlink()
    (dataset / "train/low_sharp/0003/0002.png").unlink()
    (dataset / "train/low_sharp/0003/0002.png").write_bytes(b"none")
    facts = read_facts(dataset)
    shown = choose_pictures(dataset, facts.pairs, 10**7, quiet)
    faults = all_faults(facts.pairs, shown.items())
    assert faults["train/low_blur/0003/0002.png"] == "cannot be read: No such file or directory"
    assert faults["train/low_sharp/0003/0002.png"].startswith("not a picture that can be decoded")
    assert len(faults) == 2
    assert set(shown[1].files) == {"low_blur_noise", "high_sharp_scaled", "high_sharp_original"}


def test_pairs_without_a_record_are_measured(tmp_path):
    dataset = make_dataset(tmp_path / "d")
    record_path(dataset, "0005-0").unlink()
    facts = read_facts(dataset)
    shown = choose_pictures(dataset, facts.pairs, 10**7, quiet)
    expected = measure(read_image(dataset / "test/low_blur_noise/0005/0001.png"))
    assert shown[6].measured == pytest.approx(expected, abs=1e-4)
    assert shown[0].measured is None
