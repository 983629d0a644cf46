import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lolblur_synth.ops.optical_flow import (
    estimate_flow,
    flow_inconsistency,
    pixel_grid,
    sample_opencv,
    sample_torch,
)
from lolblur_synth.scenes import Cutout, Pose, Scene, displacement, glide
from tests.ops.interpolation.test_interpolate import SIZE, film, texture


def test_flow_finds_a_known_motion():
    camera = glide(2.4, -1.1, 0.01)
    forward, backward = estimate_flow(*film(Scene(texture(), camera)))
    for flow, truth in ((forward, displacement(camera, 0, 1, SIZE)), (backward, displacement(camera, 1, 0, SIZE))):
        assert flow.dtype == torch.float32
        assert (flow - truth)[:, 10:-10, 10:-10].square().sum(0).mean().sqrt() < 0.1


@pytest.mark.parametrize("kernel", ["nearest", "bilinear", "bicubic"])
def test_both_libraries_sample_alike(kernel):
    planes = texture()[:, :30, :40].contiguous()
    at = pixel_grid(planes) * 1.1 - 3.3 + torch.rand(2, 30, 40, generator=torch.Generator().manual_seed(2)) * 0.3
    assert torch.allclose(sample_opencv(planes, at, kernel), sample_torch(planes, at, kernel), atol=2e-4)


@pytest.mark.parametrize("scale", [1, 2])
@pytest.mark.parametrize(
    ("scene", "least", "most"),
    [
        (Scene(texture()), 0, 0),
        (Scene(texture(), glide(6, 3)), 0, 0.02),
        (Scene(texture(), glide(angle=0.03)), 0, 0.02),
        (Scene(texture() * 0.02 + 0.4, glide(6, 3)), 0, 0.02),  # nearly flat: no motion can be seen, nor be wrong
        (Scene(texture(), cutouts=(Cutout(texture(1), 14, glide(12, 4, start=Pose(-6, -2))),)), 0.04, 0.3),
        (Scene(texture(), glide(70, 30)), 0.5, 1),
    ],
    ids=["still", "shift", "rotation", "flat", "object", "too far"],
)
def test_motion_that_cannot_be_trusted_is_found(scene, least, most, scale):
    before, after = film(scene)
    share = flow_inconsistency(before, after, *estimate_flow(before, after, scale))
    assert least <= share <= most


def test_what_leaves_the_picture_is_not_inconsistent():
    before, after = film(Scene(texture(), glide(8)))
    flow = torch.zeros(2, *SIZE)
    flow[0] = 1000
    assert flow_inconsistency(before, after, flow, flow) == 0


@given(st.floats(0.5, 30), st.floats(-3, 3))
@settings(max_examples=20, deadline=None)
def test_the_share_is_that_of_the_pixels_that_do_not_come_back(lost: float, shift: float):
    before = torch.zeros(3, 40, 60)
    there, back = torch.full((2, 40, 60), shift), torch.full((2, 40, 60), -shift)
    assert flow_inconsistency(before, before + 1, there, back) == 0
    back[:, :, 20:40] += lost + 2
    share = flow_inconsistency(before, before + 1, there, back)
    assert share == pytest.approx(1 / 3, abs=0.15)
    assert flow_inconsistency(before, before, there, back) == 0  # nobody can see it
