import pytest
import torch
from torch import Tensor

from lolblur_synth.ops.darken import exposure_map
from lolblur_synth.train.ecdce.losses import (
    exposure_gain,
    exposure_loss,
    picture_exposure_loss,
    smoothness_loss,
    spatial_loss,
)


def flat(value: float, size: int = 32, count: int = 1) -> Tensor:
    return torch.full((count, 1, size, size), value, dtype=torch.float64)


def random(*shape: int) -> Tensor:
    return torch.rand(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 0.9


def test_exposure_loss_by_hand():
    assert exposure_loss(flat(0.3), flat(0.8), flat(0.1)).item() == pytest.approx(0.04)
    assert exposure_loss(flat(0.1), flat(0.8), flat(0.1)).item() == 0


def test_exposure_loss_asks_for_no_more_than_there_is():
    assert exposure_loss(flat(0.05), flat(0.05), flat(0.3)).item() == 0


def test_exposure_loss_is_satisfied_by_lights_that_stay():
    light = flat(0.5)
    light[..., :16, :16] = 1.0
    written = torch.where(light == 1, light, 0.2)
    assert exposure_loss(written, light, exposure_map(light, 0.2)).item() == pytest.approx(0)


def test_exposure_loss_sees_patches_not_pixels():
    stripes = flat(0.0)
    stripes[..., ::2] = 0.2
    assert exposure_loss(stripes, flat(0.8), flat(0.1)).item() == pytest.approx(0)


def test_picture_exposure_loss_leaves_lights_out_and_takes_each_picture_alone():
    unlit = flat(1.0, count=2)
    unlit[..., :8] = 0.0
    written = torch.where(unlit == 0, 1.0, 0.2)
    target = torch.tensor([0.2, 0.3], dtype=torch.float64)
    assert picture_exposure_loss(written, unlit, target).item() == pytest.approx((0 + 0.1**2) / 2)


def test_picture_exposure_loss_lets_regions_differ():
    written = flat(0.05)
    written[..., :16] = 0.15
    target = torch.tensor([0.1], dtype=torch.float64)
    assert picture_exposure_loss(written, flat(1.0), target).item() == pytest.approx(0)
    assert exposure_loss(written, flat(0.8), flat(0.1)).item() > 0


def test_spatial_loss_by_hand():
    """Two columns of cells, a step of 0.4 in, 0.1 out: in each row one pair, counted from both of its two cells."""
    light, written = flat(0.2, 8), flat(0.1, 8)
    light[..., 4:], written[..., 4:] = 0.6, 0.2
    one, quarter, none = (torch.tensor([gain], dtype=torch.float64) for gain in (1.0, 0.25, 0.0))
    unlit = torch.ones_like(light)
    assert spatial_loss(written, light, unlit, one).item() == pytest.approx((0.1 - 0.4) ** 2)
    assert spatial_loss(written, light, unlit, quarter).item() == pytest.approx(0)
    assert spatial_loss(written, light, unlit, none).item() == pytest.approx(0.1**2)


def test_spatial_loss_leaves_out_pairs_with_a_light():
    light, written, gain = flat(0.2, 8), flat(0.02, 8), torch.tensor([0.1], dtype=torch.float64)
    light[..., 4:], written[..., 4:] = 1.0, 1.0
    unlit = (light < 1).to(light.dtype)
    assert spatial_loss(written, light, unlit, gain).item() == pytest.approx(0)


def test_smoothness_loss_by_hand():
    maps = torch.zeros(1, 2, 3, 4, dtype=torch.float64)
    maps[:, 0, :, 2:] = 0.5  # one step of 0.5 among three across, in one of two maps; none down
    assert smoothness_loss(maps).item() == pytest.approx(0.25 / 3 / 2)


def test_exposure_gain():
    light, target = flat(0.5, count=2), torch.tensor([0.1, 0.8], dtype=torch.float64)
    assert exposure_gain(light, torch.ones_like(light), target, 1).tolist() == pytest.approx([0.2, 1])
    assert exposure_gain(light, torch.ones_like(light), target, 0).tolist() == [1, 1]


def test_gradients():
    written, light, unlit = random(2, 1, 16, 16).requires_grad_(), random(2, 1, 16, 16), random(2, 1, 16, 16)
    asked, maps = torch.tensor([0.1, 0.3], dtype=torch.float64), random(2, 3, 4, 4).requires_grad_()
    gain = exposure_gain(light, unlit, asked, 1)
    assert torch.autograd.gradcheck(lambda x: exposure_loss(x, light, exposure_map(light, asked), 8), (written,))
    assert torch.autograd.gradcheck(lambda x: picture_exposure_loss(x, unlit, asked), (written,))
    assert torch.autograd.gradcheck(lambda x: spatial_loss(x, light, unlit, gain), (written,))
    assert torch.autograd.gradcheck(smoothness_loss, (maps,))
