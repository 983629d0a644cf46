import pytest
import skimage.data
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.stats import spearmanr
from torch import Tensor

from lolblur_synth.core.colorimetry import lightness as lightness_of
from lolblur_synth.nets.ec_zero_dce import ECZeroDCE
from lolblur_synth.nets.weights.load import load_ec_zero_dce
from lolblur_synth.ops.darken import (
    SATURATED,
    brightness_relation,
    darken,
    exposure_map,
    light_weight,
    mean_lightness,
    mean_of,
    metering_target,
    pin,
    relight,
)
from lolblur_synth.video.images import dequantize, quantize


def net_of(bias: float, **arguments: int | bool) -> ECZeroDCE:
    """A network whose curves are tanh(bias) everywhere, whatever it sees."""
    net = ECZeroDCE(**{"width": 2, "iterations": 10, "scale": 8, **arguments}).eval()
    torch.nn.init.zeros_(net.e_conv7.weight)
    torch.nn.init.constant_(net.e_conv7.bias, bias)
    return net


def wild_net(seed: int) -> ECZeroDCE:
    """A network that has learnt nothing and darkens and brightens at random."""
    torch.manual_seed(seed)
    net = ECZeroDCE(4, 6, 2, context=True).eval()
    torch.nn.init.normal_(net.e_conv7.weight)
    torch.nn.init.normal_(net.e_conv7.bias)
    return net


def picture(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("shape", [(3, 1, 1), (3, 7, 13), (2, 3, 33, 17), (5, 3, 16, 16)])
def test_shape_and_type_are_kept(shape):
    frames = picture(*shape)
    copy = frames.clone()
    out = darken(frames, 0.1, net_of(0.5))
    assert out.shape == frames.shape
    assert out.dtype == torch.float32
    assert torch.equal(frames, copy)
    assert not out.requires_grad


def test_a_frame_is_darkened_the_same_alone_and_in_a_clip():
    clip = picture(3, 3, 24, 40)
    together = darken(clip, 0.1, wild_net(1))
    torch.testing.assert_close(darken(clip[1], 0.1, wild_net(1)), together[1])


def test_every_frame_can_have_its_own_exposure():
    clip = picture(2, 3, 24, 24)
    both = darken(clip, torch.tensor([0.05, 0.3]), wild_net(2))
    torch.testing.assert_close(both[1], darken(clip[1], 0.3, wild_net(2)))


@example(seed=0, exposure=0.0, gain=0.5)
@given(seed=st.integers(0, 99), exposure=st.floats(0.01, 1), gain=st.floats(0.5, 3))
def test_never_brighter_and_in_range_whatever_the_network(seed, exposure, gain):
    frame = (picture(3, 18, 22, seed=seed) * gain).clamp(0, 1)
    out = darken(frame, exposure, wild_net(seed))
    assert torch.isfinite(out).all()
    assert out.min() >= 0
    assert (out - frame).max() <= 1e-6


@given(seed=st.integers(0, 99), exposure=st.floats(0.01, 1))
def test_lights_are_kept_exactly(seed, exposure):
    frame = picture(3, 18, 22, seed=seed)
    frame[:, 4:9, 5:8] = 1 - 0.02 * frame[:, 4:9, 5:8]
    saturated = (lightness_of(frame) > SATURATED).expand_as(frame)
    assert saturated.any()
    assert torch.equal(darken(frame, exposure, wild_net(seed))[saturated], frame[saturated])


@given(bias=st.floats(0, 3), exposure=st.floats(0.02, 1), bright=st.floats(0, 1))
def test_the_order_of_tones_is_kept(bias, exposure, bright):
    """Every grey, in patches so wide that no neighbour decides, in pictures with more and with fewer bright tones."""
    tones = torch.linspace(0, 1, 41) ** (1 - 0.9 * bright)
    frame = tones.repeat_interleave(8).expand(3, 8, -1)
    out = lightness_of(darken(frame, exposure, net_of(bias)))[0, 4, 4::8]
    assert out.diff().min() >= -1e-6


@given(seed=st.integers(0, 99), exposure=st.floats(0.01, 1), bright=st.floats(0.1, 1))
def test_lights_weigh_the_same_compiled_and_in_double_precision(seed, exposure, bright):
    lightness = picture(2, 1, 23, 31, seed=seed) ** bright
    found, expected = light_weight(lightness, exposure), light_weight(lightness.double(), exposure)
    torch.testing.assert_close(found.double(), expected, atol=2e-5, rtol=0)
    assert (found[lightness > SATURATED] == 1).all()


def test_black_stays_black_without_nan():
    frame = torch.zeros(3, 8, 8)
    frame[2, 0, 0] = 1 / 255  # blue of lightness 0.0002
    for as_released in (True, False):
        out = darken(frame, 0.05, net_of(1.0), as_released=as_released)
        assert torch.isfinite(out).all()
        assert torch.equal(out[:, 1:], torch.zeros(3, 7, 8))


def test_released_form_may_brighten_and_clips():
    frame = picture(3, 16, 16)
    out = darken(frame, 0.1, net_of(-1.0), as_released=True)
    assert (out > frame + 0.05).any()
    assert out.max() <= 1


@pytest.mark.parametrize("exposure", [0.05, 0.1, 0.2, 0.3])
@pytest.mark.parametrize("bias", [-1.0, 0.0, 0.2, 2.0])
def test_the_exposure_is_metered_whatever_the_network(bias, exposure):
    frame = picture(3, 6, 8).mul(0.8).repeat_interleave(32, 1).repeat_interleave(32, 2)
    target = metering_target(lightness_of(frame[None]), torch.ones(1, 1, *frame.shape[1:]), exposure).item()
    made = lightness_of(darken(frame, exposure, net_of(bias))).mean().item()
    assert target == pytest.approx(exposure, abs=0.02)
    assert made == pytest.approx(target, rel=0.02)


def test_a_picture_darker_than_the_exposure_stays_as_it_is():
    frame = picture(3, 32, 32) * 0.2
    torch.testing.assert_close(darken(frame, 0.5, net_of(1.0)), frame)


def test_metering_keeps_the_differences_between_regions():
    """A network that darkens the left more than the right still does when both were too bright."""
    frame, net = torch.full((3, 64, 64), 0.6), net_of(0.0, scale=1, context=False)
    one = darken(frame, 0.1, net)
    torch.testing.assert_close(one, one[:, :1, :1].expand_as(one))
    torch.nn.init.constant_(net.e_conv7.weight, 0.3)
    frame[..., 32:] = 0.7
    two = darken(frame, 0.1, net)
    assert two[0, 32, 50] / 0.7 != pytest.approx(two[0, 32, 10].item() / 0.6, rel=0.01)
    assert lightness_of(two).mean().item() == pytest.approx(0.1, rel=0.02)


def test_metering_target_by_hand():
    """Half at 0.05, half at 0.55: the mean of both is 0.3; at 0.2 the dark half reaches 0.05 only, so 0.125."""
    lightness, unlit = torch.full((1, 1, 32, 32), 0.05), torch.ones(1, 1, 32, 32)
    lightness[..., 16:] = 0.55
    assert metering_target(lightness, unlit, 0.2).item() == pytest.approx(0.2 - 0.02)
    assert metering_target(lightness, unlit, 0.06).item() == pytest.approx((0.06 + 0.055) / 2)
    assert metering_target(lightness, unlit, 0.9).item() == pytest.approx(0.3)
    assert metering_target(lightness, unlit, torch.tensor([0.04])).item() == pytest.approx(0.04)


def test_mean_of():
    image = torch.tensor([0.2, 0.4, 1.0]).view(1, 1, 1, 3)
    assert mean_of(image, torch.tensor([1.0, 0.5, 0.0]).view(1, 1, 1, 3)).item() == pytest.approx(0.4 / 1.5)
    assert mean_of(image, torch.zeros(1, 1, 1, 3)).item() == 0


def test_released_form_is_rgb_times_the_ratio_of_lightness():
    frame = picture(3, 8, 8) * 0.8
    net = net_of(100.0, iterations=1)  # r = 1: the lightness is squared, so the ratio is the lightness
    expected = frame * lightness_of(frame)
    torch.testing.assert_close(darken(frame, 0.1, net, as_released=True), expected)


def test_exposure_map():
    lightness = torch.tensor([0.2, 0.97, 0.98]).view(1, 1, 1, 3)
    assert exposure_map(lightness, 0.1).flatten().tolist() == pytest.approx([0.1, 0.1, 0.98])
    two = exposure_map(lightness.repeat(2, 1, 1, 1), torch.tensor([0.1, 0.3]))
    assert two[:, 0, 0, 0].tolist() == pytest.approx([0.1, 0.3])


def test_the_edge_of_a_lamp_keeps_its_ramp_and_far_tones_do_not():
    """A disc on a wall of 0.5: where the disc covers part of a pixel, the picture stays between wall and lamp."""
    row = torch.full((32,), 0.5)
    row[8:16] = 1.0
    row[7] = row[16] = 0.75
    weight = light_weight(row.expand(1, 1, 16, 32), 0.05)[0, 0, 8]
    assert torch.equal(weight[8:16], torch.ones(8))
    assert 0.2 < weight[7] < 0.9
    assert weight[5:9].diff().min() >= 0
    assert weight[:5].max() == 0
    assert weight[19:].max() == 0


def test_the_knee_is_low_where_there_is_room_and_high_where_there_is_not():
    glow = torch.full((1, 1, 64, 64), 0.5)
    glow[..., :4, :4] = 0.9
    sky = torch.full((1, 1, 64, 64), 0.9)
    assert light_weight(glow, 0.1)[0, 0, 1, 1] > 0.5
    assert light_weight(sky, 0.1).max() == 0
    assert light_weight(sky, torch.tensor([0.1])).max() == 0


def test_grain_in_a_glow_is_not_turned_into_speckle():
    """A knee amplifies differences of tone; the mean around a pixel has a fraction of its grain."""
    grain = 0.01 * torch.randn(1, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    weight = light_weight(0.88 + grain, 1.0)[..., 4:-4, 4:-4]
    t = (0.88 + grain[..., 4:-4, 4:-4] - 0.8) / 0.17
    assert weight.std() < 0.35 * (t * t * (3 - 2 * t)).std()


def test_a_flat_bright_area_has_no_rim_at_its_edge():
    frame = torch.full((1, 1, 32, 32), 0.9)
    frame[..., 16:] = 0.1
    weight = light_weight(frame, 1.0)[0, 0, 16]
    torch.testing.assert_close(weight[:16], weight[8].expand(16))
    assert weight[16:].max() == 0


def test_pin_blends():
    lightness, dark = torch.tensor([0.6, 0.6, 0.6]), torch.tensor([0.2, 0.2, 0.2])
    out = pin(lightness, dark, torch.tensor([0.0, 0.5, 1.0]))
    assert out[:2].tolist() == pytest.approx([0.2, 0.4])
    assert out[2] == lightness[2]


def test_gradients_reach_the_curve():
    generator = torch.Generator().manual_seed(0)
    frame = torch.rand(1, 3, 4, 4, dtype=torch.float64, generator=generator) * 0.8 + 0.1
    lightness = lightness_of(frame)
    dark = (lightness * 0.3).requires_grad_()
    weight = torch.rand(1, 1, 4, 4, dtype=torch.float64, generator=generator)

    def written(value: Tensor) -> Tensor:
        return lightness_of(relight(frame, lightness, pin(lightness, value, weight)))

    assert torch.autograd.gradcheck(written, (dark,))


@pytest.fixture(scope="module")
def bundled() -> ECZeroDCE:
    return load_ec_zero_dce("ec_zero_dce")[0]


@pytest.mark.parametrize("exposure", [0.05, 0.1, 0.2, 0.3])
def test_bundled_weights_on_a_photograph_they_never_saw(bundled, exposure):
    frame = dequantize(skimage.data.stereo_motorcycle()[0])
    out = dequantize(quantize(darken(frame, exposure, bundled)))
    before, after = lightness_of(frame), lightness_of(out)
    dim = before <= SATURATED
    assert after[dim].mean().item() == pytest.approx(exposure, abs=0.02)
    assert (after - before)[~dim].abs().max() <= 0.001
    assert spearmanr(before[dim].numpy(), after[dim].numpy()).statistic > 0.95


def test_bundled_weights_alone_are_near_what_is_asked(bundled):
    """Metering corrects the network; it does not replace it."""
    frame = dequantize(skimage.data.stereo_motorcycle()[0])
    for exposure in (0.05, 0.1, 0.2, 0.3):
        made = lightness_of(darken(frame, exposure, bundled, as_released=True)).mean().item()
        assert made == pytest.approx(exposure, abs=0.03)


def test_bundled_weights_follow_a_moving_window_without_flicker(bundled):
    """A pan over a photograph with lamps: the darkened mean changes as smoothly as the picture's."""
    photograph = dequantize(skimage.data.rocket())
    clip = torch.stack([photograph[:, 40:400, x : x + 520] for x in range(0, 24, 3)])
    before = lightness_of(clip).mean((1, 2, 3))
    after = lightness_of(darken(clip, 0.1, bundled)).mean((1, 2, 3))
    steps_before, steps_after = (mean.diff().abs() / mean[:-1] for mean in (before, after))
    assert (steps_after - steps_before).max() < 0.005


def test_mean_lightness_leaves_lights_out():
    frame = torch.full((3, 8, 8), 0.5)
    expected = lightness_of(frame)[0, 0, 0].item()
    frame[:, :2] = 1
    assert mean_lightness(frame) == pytest.approx(expected, abs=1e-6)
    assert mean_lightness(torch.ones(3, 8, 8)) == 0


def test_brightness_relation_by_hand():
    """Bright pictures of 0.4 become dark ones of 0.1; of 0.32 where cropping and dimming leave four fifths."""
    assert brightness_relation(0.1, 0.4, 0.3, 0.3) == pytest.approx(0.25)
    assert brightness_relation(0.1, 0.4, 0.49, 0.39) == pytest.approx(0.1 / 0.32)
    assert brightness_relation(0.1, 0.4, 0.0, 0.0) == pytest.approx(0.25)  # black to begin with
