"""Bounds of the settings of a run."""

import pytest

from lolblur_synth.config.loading import load, to_yaml
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
        ("camera.response=rec709", "camera.response: srgb, gamma2.2 or a table of [LIGHT, CODE] in [0, 1], such as"),
        ("camera.response=2.2", "camera.response: srgb, gamma2.2 or a table of [LIGHT, CODE] in [0, 1], such as"),
        ("camera.response=[]", "a table of [LIGHT, CODE]"),
        ("camera.response=[[0,0],[0.5,true],[1,1]]", "a table of [LIGHT, CODE]"),
        ("camera.response=[[0,0],[0.5,1.5],[1,1]]", "a table of [LIGHT, CODE] in [0, 1]"),
        ("camera.response=[[0,0],[0.5],[1,1]]", "a table of [LIGHT, CODE]"),
        ("camera.response=[[0,0],[0.5,.nan],[1,1]]", "a table of [LIGHT, CODE]"),
        (
            "camera.response=[[0,0],[0.5,0.7],[0.6,0.7],[1,1]]",
            "rises strictly in light and code, but point 3, [0.6, 0.7]",
        ),
        ("camera.response=[[0,0.1],[1,1]]", "a response table goes from [0, 0] to [1, 1]"),
        ("isp.jpeg_quality=[60,101]", "isp.jpeg_quality: lies within [1, 100], got [60, 101]"),
        ("isp.jpeg_quality=[90,60]", "isp.jpeg_quality: a range goes from low to high"),
        ("isp.jpeg_quality=60.5", "isp.jpeg_quality"),
        ("isp.jpeg_subsampling=4:1:1", "isp.jpeg_subsampling: Input should be '4:4:4', '4:2:2', '4:2:0' or 'any'"),
        ("isp.sharpen=-1", "isp.sharpen: lies within [0, 5]"),
        ("isp.sharpen_radius=0", "isp.sharpen_radius"),
        ("video.size=12x12", "64"),
        ("seed", "write key=value"),
        ("seed=[", "not YAML"),
    ],
)
def test_bad_values(assignment: str, part: str):
    with pytest.raises(UserError) as caught:
        load(Config, [], [assignment])
    assert part in str(caught.value)


def test_a_response_is_a_name_or_a_table_that_files_hold(tmp_path):
    (tmp_path / "curve.yaml").write_text("camera:\n  response:\n  - [0, 0]\n  - [0.2, 0.5]\n  - [1, 1]\n")
    config = load(Config, ["night", str(tmp_path / "curve.yaml")])
    assert config.camera.response == ((0.0, 0.0), (0.2, 0.5), (1.0, 1.0))
    (tmp_path / "again.yaml").write_text(to_yaml(config))
    assert load(Config, [str(tmp_path / "again.yaml")]) == config
    assert Config.model_validate_json(config.model_dump_json()) == config
    assert load(Config, [], ["camera.response=gamma2.2"]).camera.response == "gamma2.2"


def test_a_response_of_too_many_points_is_refused():
    table = [[n / 1024, n / 1024] for n in range(1025)]
    with pytest.raises(UserError, match="has 1024 points at most, here are 1025"):
        load(Config, [], [f"camera.response={table}"])


def test_faults_of_a_response_are_one_line():
    for value in ("rec709", "[[0,0],[0.5,0.7],[0.4,0.8],[1,1]]", "[1]"):
        with pytest.raises(UserError) as caught:
            load(Config, [], [f"camera.response={value}"])
        assert len(str(caught.value).splitlines()) == 2  # the first says that there are faults
