"""Who changes a pixel learns it here, in seconds: then VERSION is to be raised, and golden pixels kept anew.

Processors differ in the last bit of float32, so that now and then a value is rounded to the next of 256 levels.
"""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from lolblur_synth.synthesis.pipeline import VERSION
from tests.synthesis.golden_pixels import DRAWS, path, pictures

MOST = 1e-3  # of all values may be another level, the next one


def share_of_others(found: NDArray[np.uint8], golden: NDArray[np.uint8]) -> float:
    difference = np.abs(found.astype(int) - golden)
    return 1.0 if difference.max() > 1 else float((difference > 0).mean())


@pytest.fixture(scope="module")
def golden() -> dict[str, NDArray[np.uint8]]:
    assert path().exists(), f"VERSION is {VERSION}: look at the pictures, then python -m tests.synthesis.golden_pixels"
    return dict(np.load(path()))


def test_the_pixels_of_this_version_are_what_they_were(golden):
    found = pictures()
    assert found.keys() == golden.keys()
    others = {name: share_of_others(found[name], golden[name]) for name in golden}
    assert {name: share for name, share in others.items() if share > MOST} == {}


def test_a_change_of_a_hundredth_is_seen(golden):
    found = pictures(replace(DRAWS, shot=DRAWS.shot * 1.05, exposure=DRAWS.exposure * 1.01))
    assert share_of_others(found["low_sharp"], golden["low_sharp"]) > MOST
    assert share_of_others(found["high_sharp_scaled"], golden["high_sharp_scaled"]) == 0
