"""Pictures of a folder or a dataset, measured against real nights."""

import csv
import json

import numpy as np
import pytest

from lolblur_synth.apps.stats import check_outputs, measure_path, write_measurements
from lolblur_synth.config.run import Config
from lolblur_synth.core.errors import UserError
from lolblur_synth.dataset.publish import publish
from lolblur_synth.dataset.settings import write_settings
from lolblur_synth.dataset.statistics import MEANINGS, measure
from lolblur_synth.video.images import dequantize, read_image, read_pixels, write_png
from tests.support.staged import STATISTICS, stage


def quiet(done: int, total: int) -> None:
    pass


def flat(path, value, size=(8, 8)):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.full((*size, 3), value, np.uint8)
    write_png(path, pixels)
    return dequantize(pixels)


@pytest.fixture
def folder(tmp_path):
    for name, value in (("a/1.png", 20), ("a/2.png", 40), ("b/c/1.png", 200)):
        flat(tmp_path / "in" / name, value)
    return tmp_path / "in"


def test_pictures_at_any_depth_are_measured_by_folder(folder):
    measured = measure_path(folder, quiet)
    assert {name: [*group] for name, group in measured.groups.items()} == {
        "a": ["a/1.png", "a/2.png"],
        "b/c": ["b/c/1.png"],
    }
    expected = measure(read_image(folder / "b/c/1.png"))
    assert measured.pictures["b/c/1.png"] == pytest.approx(expected, abs=1e-4)
    assert measured.means["a"]["mean"] == pytest.approx(30)
    assert measured.outside["mean"] == pytest.approx(2 / 3)


def test_one_picture_may_be_named(folder):
    assert measure_path(folder / "a/2.png", quiet).pictures["2.png"]["mean"] == pytest.approx(40)


def test_a_bad_picture_is_named_and_the_others_are_measured(folder):
    (folder / "a/3.png").write_bytes(b"no picture")
    flat(folder / "a/4.png", 9, size=(2, 9))
    measured = measure_path(folder, quiet)
    assert len(measured.pictures) == 3
    assert measured.faults["a/3.png"].startswith("not a picture that can be decoded")
    assert measured.faults["a/4.png"] == "9x2: noise is measured on 3 pixels each way"


def test_what_cannot_be_measured_at_all_is_refused(tmp_path):
    with pytest.raises(UserError, match="there is no such file or folder"):
        measure_path(tmp_path / "nothing", quiet)
    with pytest.raises(UserError, match=r"no pictures in this folder or below; give one that has some$"):
        measure_path(tmp_path, quiet)
    (tmp_path / "a.png").write_bytes(b"")
    with pytest.raises(UserError, match=r"none of 1 pictures can be measured: a\.png: not a picture"):
        measure_path(tmp_path, quiet)
    (tmp_path / "made").mkdir()
    write_settings(tmp_path / "made", Config())
    with pytest.raises(UserError, match="a dataset without a sequence"):
        measure_path(tmp_path / "made", quiet)


def test_of_a_dataset_the_records_tell_and_no_picture_is_decoded(tmp_path):
    write_settings(tmp_path, Config())
    publish(tmp_path, stage(tmp_path))
    for picture in tmp_path.glob("train/*/*/*.png"):
        picture.write_bytes(b"")
    measured = measure_path(tmp_path, quiet)
    assert measured.groups == {"0003-0": {"0003/0001": STATISTICS, "0003/0002": STATISTICS}}
    assert not measured.faults


def test_of_lol_blur_as_released_the_inputs_are_measured(tmp_path):
    for folder, value in (("low_blur_noise", 20), ("high_sharp_scaled", 200)):
        flat(tmp_path / "test" / folder / "0001/0001.png", value)
    assert [*measure_path(tmp_path, quiet).pictures] == ["test/low_blur_noise/0001/0001.png"]


def test_all_values_are_written_with_the_bands(folder, tmp_path):
    (folder / "a/3.png").write_bytes(b"no picture")
    outs, plot = [tmp_path / "s.json", tmp_path / "s.csv"], tmp_path / "s.png"
    measured = measure_path(folder, quiet)
    write_measurements(measured, outs, plot)
    content = json.loads(outs[0].read_text())
    assert content["pictures"]["a/1.png"] == measured.pictures["a/1.png"]
    assert content["groups"]["a"]["mean"] == pytest.approx(30)
    assert (content["outside"]["mean"], [*content["unreadable"]]) == (0.6667, ["a/3.png"])
    for name, meaning in MEANINGS.items():
        band = content["real_nights"]["bands"][name]
        assert (band["low"], band["high"]) == meaning.night
    rows = list(csv.DictReader(outs[1].read_text().splitlines()))
    assert [(row["group"], row["picture"], float(row["mean"])) for row in rows][2] == ("b/c", "b/c/1.png", 200.0)
    assert read_pixels(plot).shape == (750, 900, 3)


def test_outputs_do_not_replace_or_join_what_is_measured(folder, tmp_path):
    one = folder / "a/1.png"
    with pytest.raises(UserError, match="would replace the input"):
        check_outputs(one, [], one, overwrite=True)
    with pytest.raises(UserError, match=r"^plot .*lies among the pictures"):
        check_outputs(folder, [], folder / "plot.png", overwrite=False)
    with pytest.raises(UserError, match=r"name a file that ends in \.csv or \.json"):
        check_outputs(folder, [tmp_path / "a.txt"], None, overwrite=False)
    (tmp_path / "a.csv").write_text("")
    with pytest.raises(UserError, match="exists"):
        check_outputs(folder, [tmp_path / "a.csv"], None, overwrite=False)
    check_outputs(folder, [tmp_path / "a.csv"], tmp_path / "a.png", overwrite=True)
