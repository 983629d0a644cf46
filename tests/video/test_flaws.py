"""Which slots damage reaches, and which frames are told as repeated."""

import numpy as np
import pytest

from lolblur_synth.video.flaws import DecodeStats, damaged_slots, find_flaws
from lolblur_synth.video.metadata import Flaw, FlawKind
from lolblur_synth.video.timeline import Timeline

RNG = np.random.default_rng(0)


def stats_of(pictures: list[np.ndarray], keys: tuple[int, ...] = (0,)) -> DecodeStats:
    stats = DecodeStats()
    for number, picture in enumerate(pictures):
        stats.add(number, picture, 8, key=number in keys, damaged=False)
    return stats


def moving(count: int, repeated: int | None = None) -> list[np.ndarray]:
    """Noise that drifts by two pixels a frame; a frame may equal the one before."""
    wide = RNG.integers(0, 255, (16, 16 + 2 * count), dtype=np.uint8)
    pictures = [wide[:, 2 * n : 2 * n + 16] for n in range(count)]
    return pictures if repeated is None else [*pictures[:repeated], pictures[repeated - 1], *pictures[repeated + 1 :]]


def steady(count: int) -> Timeline:
    return Timeline([*range(count)], [*range(count)], [1.0] * count)


def test_change_is_the_mean_difference_of_full_scale():
    stats = stats_of([np.full((4, 4), value, np.uint8) for value in (0, 51, 51, 255)])
    assert stats.change == pytest.approx([0, 0.2, 0, 0.8])
    assert stats.span == pytest.approx([0, 0, 0, 1])


@pytest.mark.parametrize("repeated", [None, 7])
def test_a_frame_that_equals_the_one_before_is_a_flaw_where_the_scene_moves(repeated):
    flaws = find_flaws(stats_of(moving(20, repeated)), steady(20), range(20), (), {})
    assert flaws == ([] if repeated is None else [Flaw(6, 7, FlawKind.DUPLICATED_FRAME)])


def test_cuts_and_missing_frames_lie_between_slots():
    timeline = Timeline([0, 1, 3, 4], [0, 1, 3, 4], [1.0] * 4)
    flaws = find_flaws(stats_of(moving(4)), timeline, [0, 1, None, 3, 4], (2, 3), {})
    assert flaws == [Flaw(2, 2, FlawKind.MISSING_FRAME), Flaw(3, 4, FlawKind.SCENE_CUT)]


def test_damage_reaches_to_the_next_key_frame_and_as_far_back_as_frames_are_reordered():
    stats = stats_of(moving(12), keys=(0, 4, 8))
    stats.concealed.append(5)
    found = damaged_slots(stats, steady(12), range(12), reorder=0)
    assert found == dict.fromkeys(range(5, 8), FlawKind.CONCEALED_DAMAGE)
    stats.concealed.clear()
    stats.damaged.append(9)
    assert set(damaged_slots(stats, steady(12), range(12), reorder=2)) == {8, 9, 10, 11}


def test_what_could_not_be_decoded_outweighs_what_was_concealed():
    stats = stats_of(moving(4))
    stats.pending, stats.concealed = {2}, [1]
    found = damaged_slots(stats, steady(4), [0, 1, None, 3], reorder=0)
    assert found == {
        1: FlawKind.CONCEALED_DAMAGE,
        2: FlawKind.DECODE_ERROR,
        3: FlawKind.DECODE_ERROR,
    }
