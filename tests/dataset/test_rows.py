"""A row per pair: typed, and so that a reader who guesses types finds the same in each split."""

import io

import pyarrow.json
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import to_json

from lolblur_synth.dataset.records import PairRecord
from lolblur_synth.dataset.rows import COLUMNS, known, rows, values
from lolblur_synth.synthesis.draws import Draws
from tests.support.staged import SENSOR, SOURCE, STATISTICS, pair, record


def test_a_row_has_what_was_drawn_and_measured():
    first, second = rows(record())
    assert (first.pair, second.pair, first.sequence, first.video, first.number) == (
        "0003/0001", "0003/0002", "0003-0", 3, 1,
    )  # fmt: skip
    assert (first.first_frame, first.center_frame, first.last_frame) == (6, 10, 14)
    assert (first.exposure, first.dim, first.streak, first.shutter_ms, first.sub_frames) == (0.1, 0.9, 0.2, 32, 65)
    assert (first.defocus_along, first.defocus_across, first.defocus_angle, first.defocus_shape) == (1.0, 0.5, 0.3, 2.0)
    assert (first.blur_mean, first.blur_direction, first.psnr, first.tier) == (12.5, 45.0, 33.0, "medium")
    assert (first.mean, first.lightness, first.p99_grey, first.saturated, first.noise_sigma) == (1, 2, 9, 0, 0.5)
    assert (first.camera, first.jpeg_quality, first.jpeg_subsampling, first.blur_wanted) == ("", 0, "", None)


def test_the_type_of_each_value_is_that_of_its_column():
    deep = Draws(0.3, 0.8, 24.0, 0.1, None, 1e-4, 1e-6, noise="bayer", sensor=SENSOR, blur=9.0)
    for made in (record(), record(draws=deep)):
        for row in rows(made):
            for column in COLUMNS:
                value = getattr(row, column.name)
                assert value is None or type(value) is column.kind or column.kind is float, column
    assert next(rows(record(draws=deep))).camera == "phone"


@pytest.mark.parametrize(
    "name", ["2026-11-30", "2026-11-30 21:15", "2026-11-30T21:15:00Z", "2026-11-30 21", "a.mp4", "7"]
)
def test_no_name_is_taken_for_a_time(name):
    (row, _) = rows(record(source=SOURCE.model_copy(update={"name": name})))
    table = pyarrow.json.read_json(io.BytesIO(to_json(values(row, ["source"]))))
    assert str(table.schema.field("source").type) == "string"
    assert row.source.rstrip("/") == name


@given(st.from_regex(r"[0-9]{4}-[0-1][0-9]-[0-3][0-9][0-9T :.Z+-]{0,15}", fullmatch=True))
def test_no_name_at_all_is_taken_for_a_time(name):
    (row, _) = rows(record(source=SOURCE.model_copy(update={"name": name})))
    table = pyarrow.json.read_json(io.BytesIO(to_json(values(row, ["source"]))))
    assert str(table.schema.field("source").type) == "string"


def test_columns_that_a_split_does_not_know_are_left_out_of_both():
    knows = [*rows(record())]
    not_all = [*rows(record(pairs=[PairRecord(1, 1, 10, 6, 14, 0.1, pair(1).sha256, STATISTICS)]))]
    assert "blur_direction" in known([knows], 9)
    assert "blur_wanted" not in known([knows], 9)
    left_out = set(known([knows], 9)) - set(known([knows, not_all], 9))
    assert {"untrusted", "blur_mean", "psnr", "tier"} < left_out
    assert "blur_direction" in known([not_all + knows], 2)
    assert "blur_direction" not in known([not_all + knows], 1)
