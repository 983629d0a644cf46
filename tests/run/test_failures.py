"""What failed, a file each, under names that a file system takes."""

import json
import shutil

from lolblur_synth.core.errors import setting
from lolblur_synth.run.failures import Failure, write_failures


def test_both_may_fail(tmp_path):
    failures = [Failure("0000-0", "a video", kind="video"), Failure("0000-0", "a sequence")]
    write_failures(tmp_path, failures)
    told = {path.name: json.loads(path.read_text())["message"] for path in (tmp_path / "failed").iterdir()}
    assert told == {"0000-0.json": "a sequence", "0000-0-2.json": "a video"}
    (tmp_path / "elsewhere").mkdir()
    shutil.rmtree(tmp_path / "failed")
    (tmp_path / "failed").symlink_to(tmp_path / "elsewhere")
    write_failures(tmp_path, failures)
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert len(list((tmp_path / "failed").iterdir())) == 2


def test_names_are_cut_and_settings_are_named_as_in_python(tmp_path):
    told = f"12 fps is below 48; give its real rate with {setting('video.capture_fps')}"
    write_failures(tmp_path, [Failure("ä" * 240 + "/a.mp4", told, kind="video")])
    (path,) = (tmp_path / "failed").iterdir()
    content = json.loads(path.read_text())
    assert len(path.name.encode()) < 255
    assert content["message"] == "12 fps is below 48; give its real rate with video.capture_fps"
    assert content["name"].endswith("/a.mp4")


def test_what_failed_before_is_forgotten(tmp_path):
    write_failures(tmp_path, [Failure("0000-0", "a")])
    write_failures(tmp_path, [])
    assert not (tmp_path / "failed").exists()
