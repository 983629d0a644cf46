"""The schema of records: what is made is checked, and JSON keeps its form."""

import json
from dataclasses import replace

import pytest

from lolblur_synth.dataset.records import RejectRecord, SequenceRecord
from lolblur_synth.ops.isp import Jpeg
from lolblur_synth.synthesis.draws import Defocus
from lolblur_synth.synthesis.sequences import Reject, RejectKind, Slot
from lolblur_synth.video.metadata import FlawKind
from tests.support.staged import SENSOR, record


def test_what_is_made_is_checked_too():
    with pytest.raises(ValueError, match="Extra inputs"):
        SequenceRecord(**dict(record()), extra=1)
    with pytest.raises(ValueError, match="frozen"):
        record().split = "test"


def test_the_kernel_of_a_lens_is_a_list_of_four():
    """As before it had names, so that datasets of format 4 are read and written alike."""
    text = record().model_dump_json()
    assert json.loads(text)["draws"]["defocus"] == [1.0, 0.5, 0.3, 2.0]
    assert SequenceRecord.model_validate_json(text).draws.defocus == Defocus(1.0, 0.5, 0.3, 2.0)
    sharp = json.loads(text)
    sharp["draws"]["defocus"] = None
    assert SequenceRecord.model_validate_json(json.dumps(sharp)).draws.defocus is None
    for lens in ([1.0, 0.5, 0.3], [1.0, 0.5, 0.3, 2.0, 1.0], [1.0, 0.5, 0.3, "2"], "1234", 1.0):
        sharp["draws"]["defocus"] = lens
        with pytest.raises(ValueError, match=r"draws\.defocus"):
            SequenceRecord.model_validate_json(json.dumps(sharp))


def test_a_sensor_is_read_back_as_it_was_drawn():
    drawn = replace(record().draws, noise="bayer", sensor=SENSOR)
    text = record(draws=drawn).model_dump_json()
    assert SequenceRecord.model_validate_json(text).draws == drawn
    for key, value in (("pattern", "RGBG"), ("converter", {"bits": 11, "black": 0}), ("demosaic", "best")):
        wrong = json.loads(text)
        wrong["draws"]["sensor"][key] = value
        with pytest.raises(ValueError, match=rf"draws\.sensor\.{key}"):
            SequenceRecord.model_validate_json(json.dumps(wrong))


def test_records_from_before_noise_had_models_are_of_the_linear_one():
    """They are of format 4 too."""
    before = json.loads(record().model_dump_json())
    for name in ("noise", "sensor"):
        del before["draws"][name]
    for name in ("model", "camera", "pattern", "demosaic", "red_gain", "blue_gain"):
        del before["config"]["noise"][name]
    assert SequenceRecord.model_validate_json(json.dumps(before)) == record()


def test_records_from_before_cameras_had_more_than_noise_are_of_a_plain_one():
    before = json.loads(record().model_dump_json())
    del before["draws"]["rolling_ms"], before["shutter"]["readout"], before["config"]["camera"]
    del before["draws"]["sharpening"], before["draws"]["jpeg"], before["config"]["isp"]
    assert SequenceRecord.model_validate_json(json.dumps(before)) == record()


def test_what_a_camera_did_at_last_is_read_back_as_it_was_drawn():
    drawn = replace(record().draws, rolling_ms=12.5, sharpening=0.5, jpeg=Jpeg(80, "4:2:0"))
    text = record(draws=drawn).model_dump_json()
    assert SequenceRecord.model_validate_json(text).draws == drawn
    for key, value in (("quality", 80.5), ("subsampling", "4:1:1")):
        wrong = json.loads(text)
        wrong["draws"]["jpeg"][key] = value
        with pytest.raises(ValueError, match=rf"draws\.jpeg\.{key}"):
            SequenceRecord.model_validate_json(json.dumps(wrong))


def test_pairs_from_before_they_told_of_blur_have_none():
    before = json.loads(record().model_dump_json())
    for told in before["pairs"]:
        for name in ("blur", "psnr", "psnr_in_light"):
            del told[name]
    pairs = SequenceRecord.model_validate_json(json.dumps(before)).pairs
    assert {(pair.blur, pair.psnr, pair.psnr_in_light, pair.tier) for pair in pairs} == {(None, None, None, None)}
    assert [pair.tier for pair in record().pairs] == ["medium", "medium"]


@pytest.mark.parametrize(
    ("field", "value"),
    [("direction", 180), ("direction", -0.1), ("straightness", 1.01), ("concentration", -0.01), ("mean", -1)],
)
def test_what_no_blur_can_be_is_refused(field, value):
    wrong = json.loads(record().model_dump_json())
    wrong["pairs"][0]["blur"][field] = value
    with pytest.raises(ValueError, match=rf"pairs\.0\.blur\.{field}"):
        SequenceRecord.model_validate_json(json.dumps(wrong))
    wrong["pairs"][0]["blur"] = {"mean": 1.0}
    with pytest.raises(ValueError, match=r"pairs\.0\.blur\.p95"):
        SequenceRecord.model_validate_json(json.dumps(wrong))


@pytest.mark.parametrize(
    ("kinds", "frames", "detail", "cause", "reason"),
    [
        (
            (FlawKind.SCENE_CUT, FlawKind.DECODE_ERROR),
            (31, 32, 40, 41),
            "",
            "scene cut and decode error",
            "scene cut and decode error at frame 31, 32, 40, ...",
        ),
        (
            (RejectKind.MOTION,),
            (3,),
            "12% of the picture",
            "motion too large to be trusted",
            "motion too large to be trusted at frame 3 (12% of the picture)",
        ),
        (
            (RejectKind.TOO_SHORT,),
            (),
            "8",
            "its sequence would be shorter than min_pairs = 8",
            "its sequence would be shorter than min_pairs = 8",
        ),
    ],
)
def test_the_cause_of_a_reject_is_told_without_its_frames(kinds, frames, detail, cause, reason):
    reject = Reject(Slot(1, 10), kinds, frames, detail)
    assert (reject.cause, reject.reason) == (cause, reason)
    told = RejectRecord(slot=1, center=10, reason=reason, kinds=list(kinds), frames=list(frames), detail=detail)
    assert RejectRecord.model_validate_json(told.model_dump_json()).cause == cause
    assert RejectRecord(slot=1, center=10, reason=reason).cause == reason  # as records were before


def test_a_record_names_its_pictures():
    paths = [path.as_posix() for path, _ in record(numbers=(1,)).images()]
    assert paths[0] == "train/low_blur_noise/0003/0001.png"
    assert len(paths) == 5
