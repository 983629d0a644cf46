"""Frames of the footage that gave no pair."""

import cv2
import numpy as np
import pytest

from lolblur_synth.apps.report.dropped import find_footage, picture_dropped
from lolblur_synth.config.run import Config
from lolblur_synth.core.errors import UserError
from lolblur_synth.dataset.records import RejectRecord
from lolblur_synth.dataset.summary import summarize
from lolblur_synth.video.metadata import FlawKind
from lolblur_synth.video.probe import probe
from lolblur_synth.video.reader import read_frames
from lolblur_synth.video.scan import scan
from tests.support.footage import film
from tests.support.staged import SOURCE, record


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("footage")
    film(folder / "a.mkv", frames=40)
    film(folder / "other.mkv", frames=30)
    return folder


def dropped(videos, centers):
    scanned = scan(probe(videos / "a.mkv"))
    source = SOURCE.model_copy(update={"content": scanned.content, "name": "a.mkv"})
    rejects = [
        RejectRecord(slot=slot, center=center, reason=f"scene cut at frame {center}", kinds=[FlawKind.SCENE_CUT])
        for slot, center in enumerate(centers)
    ]
    return scanned, [record(source=source, rejects=rejects, config=Config())]


def test_the_middle_frame_of_a_window_is_shown(videos, tmp_path):
    scanned, records = dropped(videos, [7])
    footage = find_footage(videos, tmp_path, records)
    assert list(footage) == [scanned.content]
    (shown,) = picture_dropped(summarize(records).dropped, records, footage)
    assert (shown.source, shown.window.reason) == ("a.mkv", "scene cut at frame 7")
    picture = cv2.imdecode(np.frombuffer(shown.file, np.uint8), cv2.IMREAD_COLOR_RGB) / 255
    (frame,) = read_frames(scanned, 7, 8)
    expected = cv2.resize(frame.permute(1, 2, 0).numpy(), picture.shape[1::-1], interpolation=cv2.INTER_AREA)
    assert np.abs(picture - expected).mean() < 0.03


def test_of_many_windows_the_first_the_last_and_one_between_are_shown(videos):
    scanned, records = dropped(videos, range(5, 16))
    shown = picture_dropped(summarize(records).dropped, records, {scanned.content: scanned})
    assert [each.window.center for each in shown] == [5, 10, 15]


def test_what_cannot_be_read_is_told(videos, tmp_path):
    _, records = dropped(videos, [7])
    copy = tmp_path / "v"
    copy.mkdir()
    (copy / "a.mkv").write_bytes((videos / "a.mkv").read_bytes())
    footage = find_footage(copy, tmp_path / "out", records)
    (copy / "a.mkv").unlink()
    (shown,) = picture_dropped(summarize(records).dropped, records, footage)
    assert shown.file is None
    assert shown.fault == "no such file"


def test_footage_that_is_not_there_shows_nothing(videos, tmp_path):
    _, records = dropped(videos, [7])
    assert picture_dropped(summarize(records).dropped, records, {}) == []
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError):
        find_footage(tmp_path / "empty", tmp_path, records)
