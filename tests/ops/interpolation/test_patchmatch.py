import numpy as np
import torch

from lolblur_synth.ops.interpolation.patchmatch import patchmatch
from tests.ops.interpolation.test_interpolate import texture


def test_a_flow_that_is_lost_is_found_by_its_neighbours():
    before = texture()[:, :80, :90].contiguous()
    after = torch.roll(before, 5, 2)
    pixels = [frame.contiguous().numpy() for frame in (before, after)]
    forward, backward = np.zeros((2, 80, 90), np.float32), np.zeros((2, 80, 90), np.float32)
    forward[0], backward[0] = 5, -5
    forward[:, 30:38, 40:48] = np.array([-6, 3], np.float32)[:, None, None]
    patchmatch(*pixels, forward, backward)
    assert (abs(forward[0, 28:40, 38:50] - 5) < 0.3).all()
    assert (abs(forward[1, 28:40, 38:50]) < 0.3).all()
