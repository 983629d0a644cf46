"""Numbers and splits: by video, by content, and steady when videos are added."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lolblur_synth.config.loading import load
from lolblur_synth.config.run import Config
from lolblur_synth.dataset.layout import Split
from lolblur_synth.run.made import Made
from lolblur_synth.run.splits import assign_splits


def sources(count: int) -> dict[Path, str]:
    return {Path(f"{index:03d}.mp4"): f"content {index}" for index in range(count)}


def as_made(placed: dict[Path, tuple[int, Split]], given: dict[Path, str]) -> dict[str, Made]:
    return {f"{number}": Made("", given[path], number, split, 1) for path, (number, split) in placed.items()}


@pytest.mark.parametrize(("count", "test"), [(1, 0), (2, 1), (3, 1), (7, 1), (20, 3), (200, 30)])
def test_share_of_the_test_split(count, test):
    placed = assign_splits(sources(count), {}, Config())
    assert [split for _, split in placed.values()].count("test") == test
    assert sorted(number for number, _ in placed.values()) == list(range(count))


def test_no_test_split_if_none_is_asked_for():
    placed = assign_splits(sources(9), {}, load(Config, [], ["dataset.test_fraction=0"]))
    assert {split for _, split in placed.values()} == {"train"}


def test_the_split_follows_content_not_names():
    renamed = {Path(f"{999 - index:03d}.mp4"): f"content {index}" for index in range(20)}
    by_content = {sources(20)[path]: split for path, (_, split) in assign_splits(sources(20), {}, Config()).items()}
    assert by_content == {renamed[path]: split for path, (_, split) in assign_splits(renamed, {}, Config()).items()}


@given(st.integers(1, 30), st.sets(st.integers(0, 29)))
def test_an_interrupted_run_goes_on_with_the_same_places(count, finished):
    whole = assign_splits(sources(count), {}, Config())
    done = {path: place for index, (path, place) in enumerate(whole.items()) if index in finished}
    assert assign_splits(sources(count), as_made(done, sources(count)), Config()) == whole


@given(st.integers(1, 20), st.integers(1, 20))
def test_videos_that_join_leave_the_others_where_they_are(count, more):
    before = assign_splits(sources(count), {}, Config())
    after = assign_splits(sources(count + more), as_made(before, sources(count)), Config())
    assert before.items() <= after.items()
    assert sorted(number for number, _ in after.values()) == list(range(count + more))
