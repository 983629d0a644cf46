"""Reverse clipping and decoding in one pass, against the operators that it stands for."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lolblur_synth.core.colorimetry import srgb_to_linear
from lolblur_synth.kernels.jit import jit
from lolblur_synth.kernels.simd import load8, store
from lolblur_synth.ops.exposure import space_of
from lolblur_synth.ops.linearization import Linearization
from lolblur_synth.ops.linearization_compiled import decode_lanes, light_of_pixel
from lolblur_synth.ops.unclip import unclip


@pytest.mark.parametrize("space", ["linear", "srgb"])
@pytest.mark.parametrize("boost", [0.0, 60 / 255])
def test_compiled_light_is_that_of_the_operators(space, boost):
    frame = torch.rand(3, 50, 70, generator=torch.Generator().manual_seed(0)) * 1.2 - 0.02
    frame[:, :5] = 1
    to_light = Linearization(boost, 98, space)
    expected = space_of(space)[0](unclip(frame, boost, 98))
    torch.testing.assert_close(to_light(frame), expected, atol=3e-7, rtol=1e-6)
    torch.testing.assert_close(to_light(frame.double()).float(), expected, atol=3e-7, rtol=1e-6)


@given(st.floats(0, 100), st.lists(st.floats(0, 1, width=32), min_size=3, max_size=3))
@settings(max_examples=200, deadline=None)
def test_what_is_clipped_lies_between_darker_and_brighter_in_all_channels(threshold, pixel):
    to_light = Linearization(0.5, threshold, "linear")
    light = np.array(light_of_pixel(*np.float32(pixel), *to_light.parameters()))
    plain = np.array(light_of_pixel(*np.float32(pixel), *Linearization(0, threshold, "linear").parameters()))
    boosted = bool((light > plain + 0.01).all())
    level = float(to_light.clipped_from())
    if max(pixel) < level - 1e-4:
        assert not boosted
    if min(pixel) > level + 1e-4:
        assert boosted


@jit
def decoded(values: np.ndarray, out: np.ndarray) -> None:
    for at in range(0, values.size, 8):
        store(decode_lanes(load8(values, at)), out, at)


def test_lanes_are_decoded_as_the_curve_has_it():
    values = np.linspace(-0.1, 1, 80_000, dtype=np.float32)
    found, expected = np.empty_like(values), srgb_to_linear(torch.from_numpy(values).double()).numpy()
    decoded(values, found)
    np.testing.assert_allclose(found, expected, atol=4e-7, rtol=0)
    assert (np.diff(found) > 0).all()
