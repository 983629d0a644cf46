"""LPIPS, without its weights: the published definition, written out again, on random ones."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from lolblur_synth.core.errors import UserError
from lolblur_synth.nets.lpips import LPIPS, SMALLEST, Backbone
from lolblur_synth.nets.weights.catalogue import ENTRIES
from lolblur_synth.nets.weights.load import load_lpips
from tests.support.lpips_files import FILES, put_into_cache, random_lpips

VGG = (64, 64, "M", 128, 128, "M", 256, 256, 256, "M", 512, 512, 512, "M", 512, 512, 512)


@pytest.fixture(scope="module", params=["vgg", "alex"])
def backbone(request) -> Backbone:
    return request.param


@pytest.fixture(scope="module")
def net(backbone) -> LPIPS:
    return random_lpips(backbone)


def images(size: tuple[int, int], count: int = 2) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    one = torch.rand(count, 3, *size, generator=generator)
    return one, (one + 0.2 * torch.randn(one.shape, generator=generator)).clamp(0, 1)


def features_by_the_book(image: Tensor, backbone: Backbone, state: dict[str, Tensor]) -> list[Tensor]:
    """From values in [-1, 1]; the indices are those of torchvision's layers."""
    shift, scale = torch.tensor([-0.030, -0.088, -0.188]), torch.tensor([0.458, 0.448, 0.450])
    x = (image - shift.view(1, 3, 1, 1)) / scale.view(1, 3, 1, 1)

    def conv(x: Tensor, index: int, **options: int) -> Tensor:
        return F.relu(F.conv2d(x, state[f"features.{index}.weight"], state[f"features.{index}.bias"], **options))

    if backbone == "alex":
        first = conv(x, 0, stride=4, padding=2)
        second = conv(F.max_pool2d(first, 3, 2), 3, padding=2)
        third = conv(F.max_pool2d(second, 3, 2), 6, padding=1)
        fourth = conv(third, 8, padding=1)
        return [first, second, third, fourth, conv(fourth, 10, padding=1)]
    found, index = [], 0
    for width in VGG:
        if width == "M":
            found.append(x)
            x = F.max_pool2d(x, 2, 2)
            index += 1
        else:
            x = conv(x, index, padding=1)
            index += 2
    return [*found, x]


def distance_by_the_book(one: Tensor, other: Tensor, backbone: Backbone, state: dict[str, Tensor]) -> Tensor:
    """Eq. 1: sum over layers of the mean over positions of |w · (y - y')|^2, y of unit length along channels."""
    total = torch.zeros(len(one))
    both = [features_by_the_book(2 * image - 1, backbone, state) for image in (one, other)]
    for layer, (y, z) in enumerate(zip(*both, strict=True)):
        unit_y, unit_z = (f / (torch.sqrt(torch.sum(f**2, 1, keepdim=True)) + 1e-10) for f in (y, z))
        weighted = F.conv2d((unit_y - unit_z) ** 2, state[f"heads.{layer}"].view(1, -1, 1, 1))
        total = total + weighted.mean((1, 2, 3))
    return total


@pytest.mark.parametrize("size", [(31, 31), (40, 57), (64, 48)])
def test_it_is_the_published_definition(net, backbone, size):
    one, other = images(size)
    expected = distance_by_the_book(one, other, backbone, net.state_dict())
    assert expected.min() > 0.05
    assert torch.allclose(net(one, other), expected, atol=1e-5)


def test_it_is_a_distance(net):
    one, other = images((40, 48))
    assert net(one, one).tolist() == [0, 0]
    assert torch.allclose(net(one, other), net(other, one))
    nearer = net(one, one + (other - one) / 8)
    assert (nearer < net(one, other)).all()
    alone = torch.cat([net(a[None], b[None]) for a, b in zip(one, other, strict=True)])
    assert torch.allclose(net(one, other), alone, atol=1e-6)


def test_black_has_a_distance(net):
    """Where no feature responds there is no direction; nothing is divided by zero."""
    black = torch.zeros(1, 3, 40, 40)
    assert net(black, black).item() == 0
    assert net(black, torch.ones_like(black)).isfinite()


def test_the_smallest_pictures(net, backbone):
    size = SMALLEST[backbone]
    assert net(*images((size, size))).isfinite().all()
    with pytest.raises(RuntimeError):
        net(*images((size - 1, 64)))


def test_layers_have_the_shapes_of_the_published_files(net, backbone):
    convolutions = [layer for layer in net.features if isinstance(layer, torch.nn.Conv2d)]
    if backbone == "vgg":
        assert [layer.out_channels for layer in convolutions] == [width for width in VGG if width != "M"]
        assert sum(p.numel() for p in net.features.parameters()) == 14_714_688
    else:
        assert sum(p.numel() for p in net.features.parameters()) == 2_469_696
    widths = {"vgg": [64, 128, 256, 512, 512], "alex": [64, 192, 384, 256, 256]}[backbone]
    assert [head.numel() for head in net.heads] == widths


@pytest.fixture
def cache(net, backbone, tmp_path, monkeypatch) -> tuple[Path, Path]:
    return put_into_cache(tmp_path, net, backbone, monkeypatch)


def test_published_files_load(net, backbone, cache):
    loaded = load_lpips(backbone)
    one, other = images((40, 48))
    assert torch.equal(loaded(one, other), net(one, other))
    assert not any(parameter.requires_grad for parameter in loaded.parameters())


def test_files_of_another_network_and_missing_ones(backbone, cache):
    features, heads = cache
    whole = torch.load(heads, weights_only=True)
    torch.save({**whole, "lin5.model.1.weight": torch.zeros(1, 9, 1, 1)}, heads)
    with pytest.raises(
        UserError, match=rf"{heads.name}: of another network: has unknown 5 \(9,\); give weights of LPIPS"
    ):
        load_lpips(backbone)
    heads.unlink()
    with pytest.raises(UserError, match=f"weights {FILES[backbone][1]}: not in .*; get them by "):
        load_lpips(backbone)
    torch.save({"features.0.weight": torch.zeros(8, 3, 3, 3)}, features)
    with pytest.raises(UserError, match=f"{features.name}: of another network"):
        load_lpips(backbone)
    features.unlink()
    with pytest.raises(UserError, match=f"weights {FILES[backbone][0]}: not in .*; get them by "):
        load_lpips(backbone)


def test_the_catalogue_says_where_each_file_is_from():
    for name in (name for names in FILES.values() for name in names):
        found = next(entry for entry in ENTRIES if entry.name == name)
        assert len(found.sha256 or "") == 64
        assert found.licence
        assert found.url or found.wheel
