import numpy as np
import pytest
import skimage.data
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from lolblur_synth.core.errors import UserError
from lolblur_synth.nets.rife import IFNet, Motion, blend, from_released, warp
from lolblur_synth.nets.weights.checkpoint import save_weights
from lolblur_synth.nets.weights.load import load_rife
from lolblur_synth.scenes import Scene, as_photo, glide, render
from tests.support.rife_files import GOLDEN, VERSIONS, random_rife, released_state, smooth_frames, use_released


@pytest.fixture(scope="module", params=VERSIONS)
def net(request) -> IFNet:
    return random_rife(request.param)


def test_motion_is_that_of_the_authors_network(net):
    """Flows and mask at two moments, every second pixel, as the authors' code computes them with the same numbers."""
    motion = net(*smooth_frames(), torch.tensor([0.25, 0.7]))
    with np.load(GOLDEN) as golden:
        flows, mask = torch.from_numpy(golden[f"motion_{net.version}"]).split((4, 1), 1)
    found = torch.cat(motion[:2], 1)[..., ::2, ::2]
    assert flows.abs().mean() > 0.5
    torch.testing.assert_close(found, flows, atol=2e-3, rtol=0)
    torch.testing.assert_close(motion.keep_before[..., ::2, ::2], mask, atol=2e-4, rtol=0)


def test_moments_do_not_depend_on_each_other(net):
    before, after = smooth_frames((70, 50))
    times = torch.tensor([0.125, 0.5, 0.9])
    together = net(before, after, times)
    for index, time in enumerate(times):
        alone = net(before, after, time[None])
        for whole, part in zip(together, alone, strict=True):
            torch.testing.assert_close(whole[index], part[0], atol=1e-4, rtol=0)


def test_features_can_be_computed_before(net):
    frames, times = smooth_frames((70, 50)), torch.tensor([0.5])
    features = net.encode(frames)
    if net.version == "4.0":
        assert features is None
        return
    again = net(*frames, times, (features[0], features[1]))
    assert all(torch.equal(one, other) for one, other in zip(net(*frames, times), again, strict=True))


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (33, 65), (64, 64), (70, 50)])
def test_any_size(net, size):
    before, after = smooth_frames(size)
    motion = net(before, after, torch.tensor([0.3, 0.6]))
    assert [part.shape for part in motion] == [(2, channels, *size) for channels in (2, 2, 1)]
    assert all(part.isfinite().all() for part in motion)
    assert motion.keep_before.min() >= 0
    assert motion.keep_before.max() <= 1
    assert blend(before, after, motion).shape == (2, 3, *size)


def test_padding_repeats_the_border(net):
    """A frame that was padded before gives the same within, so that no black border is ever seen."""
    frames = smooth_frames((64, 70))
    side = -70 % net.multiple
    padded = F.pad(frames, (0, side, 0, 0), "replicate")
    times = torch.tensor([0.4])
    for part, whole in zip(net(*frames, times), net(*padded, times), strict=True):
        torch.testing.assert_close(part, whole[..., :70], atol=1e-6, rtol=0)


def test_half_precision_stays_near(net):
    """As on CUDA in float16; bfloat16, which the CPU has, is eight times coarser."""
    frames, times = smooth_frames(), torch.tensor([0.5])
    exact = net(*frames, times)
    with torch.autocast("cpu", torch.bfloat16):
        near = net(*frames, times)
    assert near.to_before.dtype == torch.float32
    assert (near.to_before - exact.to_before).abs().mean() < 0.05
    assert (near.keep_before - exact.keep_before).abs().mean() < 0.01


@given(st.integers(-5, 5), st.integers(-5, 5), st.integers(6, 20), st.integers(6, 20))
def test_warping_by_whole_pixels_shifts(dx, dy, height, width):
    frame = smooth_frames((height, width))[:1]
    flow = torch.tensor([dx, dy], dtype=torch.float32).view(1, 2, 1, 1).expand(1, 2, height, width)
    rows = torch.arange(height).add(dy).clamp(0, height - 1)
    columns = torch.arange(width).add(dx).clamp(0, width - 1)
    torch.testing.assert_close(warp(frame, flow), frame[..., rows[:, None], columns], atol=1e-5, rtol=0)


def test_blending_takes_each_frame_where_it_is_to_be_kept():
    before, after = smooth_frames((8, 9)) * 5
    still = torch.zeros(1, 2, 8, 9)
    keep = torch.zeros(1, 1, 8, 9)
    keep[..., :4] = 1
    made = blend(before, after, Motion(still, still, keep))[0]
    torch.testing.assert_close(made[..., :4], before[..., :4], atol=1e-4, rtol=0)
    torch.testing.assert_close(made[..., 4:], after[..., 4:], atol=1e-4, rtol=0)


@pytest.mark.parametrize("version", VERSIONS)
def test_released_files_load_without_what_trained_them(version, tmp_path):
    released = {f"module.{key}": value for key, value in released_state(version).items()}
    training = {"4.0": ("block_tea.lastconv", "unet.conv"), "4.25": ("teacher.lastconv.0", "caltime.8")}[version]
    released |= {f"module.{name}.bias": torch.zeros(3) for name in training}
    torch.save(released, tmp_path / "flownet.pkl")
    net, digest = load_rife(str(tmp_path / "flownet.pkl"))
    assert (net.version, len(digest)) == (version, 64)
    assert not net.training
    assert not any(weight.requires_grad for weight in net.parameters())
    assert all(torch.equal(value, net.state_dict()[key]) for key, value in random_rife(version).state_dict().items())


def test_unknown_keys_of_a_released_file_are_not_dropped():
    assert from_released({"extra.weight": torch.zeros(1)})[1].keys() == {"extra.weight"}


def test_round_trip(net, tmp_path):
    digest = save_weights(tmp_path / "net.safetensors", net, {})
    again, found = load_rife(str(tmp_path / "net.safetensors"))
    assert (again.version, found) == (net.version, digest)


def test_another_network_is_refused(tmp_path):
    torch.save({"features.0.weight": torch.zeros(3)}, tmp_path / "vgg.pth")
    with pytest.raises(UserError, match=r"lacks blocks.0.enter.0.weight .*give weights of RIFE v4.0"):
        load_rife(str(tmp_path / "vgg.pth"))
    with pytest.raises(UserError, match=r"no such name, .*; choose from"):
        load_rife("rife-v9")
    with pytest.raises(ValueError, match=r"versions of RIFE are 4.0, 4.25"):
        IFNet("9")


def psnr(one: torch.Tensor, other: torch.Tensor) -> float:
    return float(-10 * (one - other).square().mean().log10())


def test_released_weights_see_motion(pytestconfig, monkeypatch):
    """In-betweens of a shifted and rolled photograph, far better than a cross-fade, also in the dark."""
    use_released("rife-v4.0", pytestconfig, monkeypatch)
    net, _ = load_rife("rife-v4.0")
    scene, size = Scene(as_photo(skimage.data.coffee()), glide(5.3, -2.2, 0.01), 1.25), (192, 256)
    before, after = (render(scene, time, size) for time in (0, 1))
    times = torch.tensor([0.25, 0.5, 0.75])
    motion = net(before, after, times)
    truth = [render(scene, float(time), size) for time in times]
    made = [psnr(frame, true) for frame, true in zip(blend(before, after, motion), truth, strict=True)]
    faded = [psnr(torch.lerp(before, after, time), true) for time, true in zip(times, truth, strict=True)]
    assert min(made) > 34
    assert min(one - other for one, other in zip(made, faded, strict=True)) > 10
    dark = [psnr(frame * 20, true) for frame, true in zip(blend(before / 20, after / 20, motion), truth, strict=True)]
    assert dark == pytest.approx(made, abs=0.01)
