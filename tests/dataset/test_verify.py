"""The check that all is as recorded."""

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from lolblur_synth.core.errors import UserError
from lolblur_synth.dataset.layout import SETTINGS
from lolblur_synth.dataset.publish import publish
from lolblur_synth.dataset.record_reader import read_staged
from lolblur_synth.dataset.verify import verify
from tests.support.staged import stage


@pytest.fixture
def root(tmp_path) -> Path:
    (tmp_path / SETTINGS).write_text("seed: 0\n")
    return tmp_path


def test_what_a_killed_run_had_moved_already_is_no_stray(root):
    staging = stage(root)
    (path, _), *_ = read_staged(staging).images()
    (root / path).parent.mkdir(parents=True)
    (staging / path).replace(root / path)
    _, faults = verify(root)
    assert faults == [f"{staging.name}: an unfinished sequence; run again to finish it"]


def test_verify_names_what_is_wrong(root):
    publish(root, stage(root))
    folder = root / "train"
    (folder / "low_blur/0003/0001.png").unlink()
    (folder / "low_sharp/0003/0001.png").write_bytes(b"\x89PNG")
    cv2.imwrite(str(folder / "low_blur_noise/0003/0002.png"), np.zeros((4, 6, 3), np.uint8))
    shutil.copy(folder / "low_blur/0003/0002.png", folder / "low_blur/0003/0009.png")
    count, faults = verify(root)
    assert count == 10
    assert sorted(fault.split(": ", 1)[1] for fault in faults) == [
        "cannot be decoded",
        "its pixels differ from its record",
        "missing",
        "no record names it",
    ]


def test_verify_of_another_folder_is_refused(tmp_path):
    with pytest.raises(UserError, match="not a dataset"):
        verify(tmp_path)
