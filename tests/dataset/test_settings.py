"""The settings that decide pixels, written and compared."""

import pytest

from lolblur_synth.config.loading import load
from lolblur_synth.config.run import Config
from lolblur_synth.core.errors import UserError
from lolblur_synth.dataset.layout import SETTINGS
from lolblur_synth.dataset.settings import differences, has_settings, pixel_settings, read_settings, write_settings
from tests.support.staged import record


def test_settings_are_read_as_they_were_written(tmp_path):
    config = load(Config, [], ["seed=3", "darken.exposure=[0.1,0.2]", "run.workers=2"])
    write_settings(tmp_path, config)
    assert read_settings(tmp_path) == pixel_settings(config)
    assert "run" not in read_settings(tmp_path)
    assert differences(read_settings(tmp_path), config) == []


def test_what_differs_is_named():
    stored = pixel_settings(load(Config, [], ["seed=3", "darken.exposure=[0.1,0.2]"]))
    stored["odd"] = {"key": 1}
    assert differences(stored, Config(seed=4)) == [
        "darken.exposure is [0.1, 0.2] there, [0.05, 0.3] here",
        "odd.key is 1 there, None here",
        "seed is 3 there, 4 here",
    ]


def test_the_share_of_the_machine_is_no_difference():
    machine = load(Config, [], ["run.workers=7"])
    assert has_settings(record(), machine)
    assert not has_settings(record(), Config(seed=1))
    assert differences(pixel_settings(Config()), machine) == []


@pytest.mark.parametrize("content", ["[1, 2]", "a: [", "\0", "&a [*a]"])
def test_damaged_settings_are_told(content, tmp_path):
    (tmp_path / SETTINGS).write_text(content)
    with pytest.raises(UserError, match=r"dataset\.yaml.*damaged; overwrite writes it anew"):
        read_settings(tmp_path)
