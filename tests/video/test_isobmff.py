"""Edit lists of MP4 and QuickTime files."""

import pytest
import torch

from lolblur_synth.video.reader import read_frames
from tests.support.clips import edit, encode, scene
from tests.support.videos import opened


def test_edits_at_other_rates_give_each_stored_frame_once(tmp_path):
    clip = encode(tmp_path / "a.mov", scene(60), fps=240, options={"g": "10", "bf": "0"})
    plain = torch.stack(list(read_frames(opened(clip), 0, 60)))
    at = [round(frame * 64) for frame in (0, 10, 30)]  # in a track of 15360 units a second
    edit(clip, [(42, at[0], 1), (667, at[1], 0.125), (125, at[2], 1)])
    found = opened(clip)
    assert (found.frames, found.flaws, found.info.capture_fps) == (60, (), 240)
    assert torch.equal(torch.stack(list(read_frames(found, 0, 60))), plain)


@pytest.mark.parametrize("count", [0, 1, 2**32 - 1])
def test_an_edit_list_that_is_nonsense_is_no_trap(tmp_path, count):
    clip = edit(encode(tmp_path / "a.mov", scene(12), options={"bf": "0"}), [(48, 0, 1)])
    data = clip.read_bytes()
    at = data.index(b"elst") + 8
    clip.write_bytes(data[:at] + count.to_bytes(4, "big") + data[at + 4 :])
    assert opened(clip).frames == 12
