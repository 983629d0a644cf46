import pytest
import torch
from torch import Tensor

from lolblur_synth.nets.vgg import VGG19
from lolblur_synth.train.restoration.losses import RestorationLoss, perceptual_loss, side_target


@pytest.fixture(scope="module")
def vgg() -> VGG19:
    """With small random weights, in double precision."""
    torch.manual_seed(0)
    return VGG19().double().eval().requires_grad_(False)


@pytest.fixture(scope="module")
def passing() -> VGG19:
    """Hands red on, pixel by pixel, as the first channel of each layer; all other channels are 0."""
    net = VGG19().requires_grad_(False)
    for layer in net.features:
        if isinstance(layer, torch.nn.Conv2d):
            layer.weight.zero_()
            layer.bias.zero_()
            layer.weight[0, 0, 1, 1] = 1
    return net


def flat(value: float, size: int = 32) -> Tensor:
    return torch.full((2, 3, size, size), value)


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_without_the_perceptual_part_by_hand():
    terms = RestorationLoss(perceptual=0)(flat(0.5), flat(0.1, 4), flat(0.2))
    assert terms.keys() == {"total", "l1", "side_l1"}
    assert terms["l1"].item() == pytest.approx(0.3)
    assert terms["side_l1"].item() == pytest.approx(0.1)
    assert terms["total"].item() == pytest.approx(0.3 + 0.8 * 0.1)
    assert RestorationLoss(perceptual=0, side=0.25)(flat(0.5), flat(0.1, 4), flat(0.2))[
        "total"
    ].item() == pytest.approx(0.3 + 0.25 * 0.1)


def test_all_terms_by_hand(passing):
    """Red above ImageNet's mean passes every ReLU, so a layer of C channels differs by the difference / 0.229 / C."""
    per_unit = (1 / 64 + 1 / 128 + 1 / 256 + 1 / 512) / 0.229
    terms = RestorationLoss(passing)(flat(0.9, 64), flat(0.6, 8), flat(0.7, 64))
    assert terms["perceptual"].item() == pytest.approx(0.2 * per_unit, rel=1e-5)
    assert terms["side_perceptual"].item() == pytest.approx(0.1 * per_unit, rel=1e-5)
    wanted = 0.2 + 0.01 * 0.2 * per_unit + 0.8 * (0.1 + 0.01 * 0.1 * per_unit)
    assert terms["total"].item() == pytest.approx(wanted, rel=1e-6)


def test_features_are_compared_before_they_are_rectified(passing):
    """Red below the mean is negative after conv1_1 and cut there; after conv1_2 it is cut only for what comes next."""
    net = VGG19().requires_grad_(False)
    net.load_state_dict(passing.state_dict())
    net.features[2].weight.neg_()
    assert perceptual_loss(net, flat(0.9), flat(0.7)).item() == pytest.approx(0.2 / 0.229 / 64, rel=1e-5)


def test_perceptual_weight_0_never_touches_a_network_that_is_there(passing):
    net = VGG19()
    net.register_forward_pre_hook(lambda *_: pytest.fail("was asked"))
    assert "perceptual" not in RestorationLoss(net, perceptual=0)(flat(0.5), flat(0.1, 4), flat(0.2))


def test_what_cannot_be_computed_is_refused():
    with pytest.raises(ValueError, match=r"weight 0.01 needs a VGG19"):
        RestorationLoss()
    with pytest.raises(ValueError, match="at least 0, got -1 and"):
        RestorationLoss(perceptual=-1)


def test_nothing_differs_from_itself(vgg):
    target = random(1, 3, 64, 64)
    terms = RestorationLoss(vgg)(target, side_target(target, (8, 8)), target)
    assert {name: value.item() for name, value in terms.items()} == dict.fromkeys(terms, 0.0)


def test_the_side_target_samples_without_a_low_pass():
    """Keys' cubic, a = -0.75, half a pixel from the two nearest of 8: weights -3/32, 19/32, 19/32, -3/32; 4 unseen."""
    line = torch.zeros(1, 3, 8, 64, dtype=torch.float64)
    line[..., 8:16] = torch.tensor([9, 9, 1, 2, 4, 8, 9, 9])
    wanted = (-3 * 1 + 19 * 2 + 19 * 4 - 3 * 8) / 32
    assert side_target(line, (1, 8))[0, 0, 0].tolist() == pytest.approx([0, wanted, 0, 0, 0, 0, 0, 0], abs=1e-12)


def test_the_side_target_has_any_size_of_a_side_output():
    assert side_target(torch.rand(2, 3, 61, 83), (8, 11)).shape == (2, 3, 8, 11)


def test_gradients_reach_both_outputs_and_nothing_else(vgg):
    restored, side = random(1, 3, 64, 64).requires_grad_(), random(1, 3, 8, 8, seed=1).requires_grad_()
    target = random(1, 3, 64, 64, seed=2)
    RestorationLoss(vgg)(restored, side, target)["total"].backward()
    assert (restored.grad != 0).all()
    assert (side.grad != 0).all()
    assert all(parameter.grad is None for parameter in vgg.parameters())


def test_gradients_are_those_of_the_loss(vgg):
    restored, side, target = random(1, 3, 16, 16), random(1, 3, 8, 8, seed=1), random(1, 3, 16, 16, seed=2)
    loss = RestorationLoss(vgg, perceptual=3)

    def total(restored: Tensor, side: Tensor) -> Tensor:
        return loss(restored, side, target)["total"]

    assert torch.autograd.gradcheck(total, (restored.requires_grad_(), side.requires_grad_()), fast_mode=True)
