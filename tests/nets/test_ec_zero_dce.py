from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lolblur_synth.nets.ec_zero_dce import ECZeroDCE, apply_curves

GOLDEN = Path(__file__).parents[1] / "golden" / "ec_zero_dce.npz"


def small_net(**arguments: int | bool) -> ECZeroDCE:
    torch.manual_seed(0)
    return ECZeroDCE(**{"width": 4, "iterations": 3, **arguments}).eval()


def test_released_form_matches_the_released_network(released_state):
    golden = {key: torch.from_numpy(value) for key, value in np.load(GOLDEN).items()}
    net = ECZeroDCE()
    net.load_state_dict(released_state)
    with torch.no_grad():
        output = apply_curves(golden["dce_lightness"], net(golden["dce_lightness"], golden["dce_exposure"]))
    torch.testing.assert_close(output, golden["dce_output"], rtol=0, atol=1e-5)


def test_released_form_has_its_published_size():
    with torch.device("meta"):
        assert sum(p.numel() for p in ECZeroDCE().parameters()) == 7_154_186


@pytest.mark.parametrize("context", [False, True])
@pytest.mark.parametrize("scale", [1, 4, 16])
@pytest.mark.parametrize("size", [(1, 1), (7, 13), (32, 48)])
def test_maps_cover_any_size(size, scale, context):
    net = small_net(scale=scale, context=context)
    lightness = torch.rand(2, 1, *size)
    maps = net(lightness, torch.full_like(lightness, 0.1))
    assert maps.shape == (2, 3, -(-size[0] // scale), -(-size[1] // scale))
    assert maps.abs().max() <= 1
    assert apply_curves(lightness, maps).shape == lightness.shape


def test_an_average_over_partial_cells_ignores_what_is_beyond_the_border():
    net = small_net(scale=4, context=True)
    flat = torch.full((1, 1, 9, 10), 0.4)
    maps = net(flat, flat)
    torch.testing.assert_close(maps, maps[..., :1, :1].expand_as(maps))


def test_context_tells_a_region_about_the_rest_of_the_picture():
    lightness = torch.full((1, 1, 64, 64), 0.4)
    brighter = lightness.clone()
    brighter[..., 48:] = 0.9
    asked = torch.full_like(lightness, 0.1)
    for context, same in ((False, True), (True, False)):
        net = small_net(context=context)
        corner = [net(image, asked)[..., 20:28, 4:12] for image in (lightness, brighter)]
        assert torch.equal(*corner) is same


def test_one_picture_of_a_batch_does_not_depend_on_the_others():
    net = small_net(scale=2, context=True)
    lightness, exposure = torch.rand(3, 1, 16, 16), torch.rand(3, 1, 16, 16)
    torch.testing.assert_close(net(lightness, exposure)[1:2], net(lightness[1:2], exposure[1:2]))


def test_curve_by_hand():
    lightness = torch.tensor(0.5).view(1, 1, 1, 1)
    maps = torch.tensor([1.0, -0.5]).view(1, 2, 1, 1)
    # 0.5 + 1 (0.25 - 0.5) = 0.25; 0.25 - 0.5 (0.0625 - 0.25) = 0.34375
    assert apply_curves(lightness, maps).item() == 0.34375


def test_coarse_maps_are_interpolated():
    lightness = torch.full((1, 1, 1, 4), 0.5)
    maps = torch.tensor([0.0, 1.0]).view(1, 1, 1, 2)
    # bilinear between cell centres: 0, 1/4, 3/4, 1; each lowers 0.5 by a quarter of itself
    expected = 0.5 - 0.25 * torch.tensor([0, 0.25, 0.75, 1]).view(1, 1, 1, 4)
    torch.testing.assert_close(apply_curves(lightness, maps), expected)


@pytest.mark.parametrize("coarse", [(1, 1), (3, 5), (20, 33), (37, 53)])
def test_maps_of_any_size_are_applied_as_in_double_precision(coarse: tuple[int, int]):
    generator = torch.Generator().manual_seed(0)
    lightness, maps = torch.rand(2, 1, 37, 53, generator=generator), torch.rand(2, 6, *coarse, generator=generator)
    expected = apply_curves(lightness.double(), maps.double())
    torch.testing.assert_close(apply_curves(lightness, maps).double(), expected, atol=1e-5, rtol=0)


@given(curves=st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=12))
def test_a_curve_keeps_range_order_black_and_white(curves):
    tones = torch.linspace(0, 1, 101, dtype=torch.float64).view(1, 1, 1, 101)
    out = apply_curves(tones, torch.tensor(curves, dtype=torch.float64).view(1, -1, 1, 1).expand(1, -1, 1, 101))
    assert out.min() >= 0
    assert out.max() <= 1
    assert out.diff().min() >= -1e-12
    assert (out[..., 0].item(), out[..., -1].item()) == (0, 1)


def test_inputs_are_left_alone():
    lightness, maps = torch.rand(1, 1, 8, 8), torch.rand(1, 2, 8, 8)
    copies = lightness.clone(), maps.clone()
    apply_curves(lightness, maps)
    small_net(context=True)(lightness, lightness)
    assert torch.equal(lightness, copies[0])
    assert torch.equal(maps, copies[1])


def test_gradients_of_the_curve():
    generator = torch.Generator().manual_seed(0)
    lightness = torch.rand(1, 1, 4, 6, dtype=torch.float64, generator=generator, requires_grad=True)
    maps = (torch.rand(1, 3, 2, 3, dtype=torch.float64, generator=generator) - 0.5).requires_grad_()
    assert torch.autograd.gradcheck(apply_curves, (lightness, maps))


def test_arguments_build_the_same_network():
    net = small_net(scale=2, context=True)
    again = ECZeroDCE(**net.arguments())
    again.load_state_dict(net.state_dict())
