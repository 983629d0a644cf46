"""Bounds of the settings of a run."""

import pytest

from lolblur_synth.config.loading import load
from lolblur_synth.config.run import Config
from lolblur_synth.core.errors import UserError


@pytest.mark.parametrize(
    ("assignment", "part"),
    [
        ("seed=true", "valid integer"),
        ("seed='1'", "valid integer"),
        ("seed=1.5", "integer"),
        ("darken.exposure=[0.1]", "darken.exposure"),
        ("darken.exposure=0.1:0.3", "a range is [LOW, HIGH] or one number, such as [0.05,0.16] (got '0.1:0.3')"),
        ("video.size=1120", "a size is WIDTHxHEIGHT, such as 1120x640, or `source` (got 1120)"),
        ("darken.exposure=[0.1,.nan]", "finite"),
        ("sequences.shutter_ms=[50]", "does not fit into a frame at 24 fps"),
        ("sequences.shutter_ms=[]", "at least one"),
        ("sequences.min_pairs=31", "more than pairs"),
        ("camera.rolling_ms=[0,42]", "camera.rolling_ms: a readout of 42 ms does not fit into a frame at 24 fps"),
        ("camera.rolling_ms=-1", "lies within [0, 1000]"),
        ("noise.shot=[0,0.1]", "log-uniformly"),
        ("video.size=12x12", "64"),
        ("seed", "write key=value"),
        ("seed=[", "not YAML"),
    ],
)
def test_bad_values(assignment: str, part: str):
    with pytest.raises(UserError) as caught:
        load(Config, [], [assignment])
    assert part in str(caught.value)
