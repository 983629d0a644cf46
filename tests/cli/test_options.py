"""A setting on the command line: an option of its own, or its key for --set."""

import pytest

from lolblur_synth.cli.main import cli
from lolblur_synth.cli.options import SHORTCUTS, load_config, option
from lolblur_synth.core.errors import UserError


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("video.capture_fps", "--capture-fps"),
        ("run.workers", "--workers"),
        ("cache_denoised", "--cache-denoised"),
        ("out", "--out"),
        ("video.allow_low_fps", "video.allow_low_fps"),
    ],
)
def test_a_setting_is_told_as_its_option_or_its_key(name, told):
    assert option(name) == told


def test_every_shortcut_is_an_option_of_run_and_sets_what_it_says():
    options = {name for parameter in cli.commands["run"].params for name in parameter.opts}
    assert {option(setting) for setting in SHORTCUTS.values()} <= options
    config = load_config((), (), seed=7, capture_fps=240.0, size="96x64", workers=2, device="cpu")
    assert (config.seed, config.video.capture_fps, config.video.size) == (7, 240, (96, 64))
    assert (config.run.workers, config.run.device) == (2, "cpu")


def test_an_option_wins_over_a_single_setting_and_both_over_a_preset():
    assert load_config(("paper",), ("seed=3", "average.space=linear"), seed=4).seed == 4
    assert load_config(("paper",), ("average.space=linear",)).average.space == "linear"


def test_a_setting_that_is_wrong_is_named():
    with pytest.raises(UserError, match=r"video\.size"):
        load_config((), (), size="wide")
