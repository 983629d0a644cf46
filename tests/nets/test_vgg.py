import shutil
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from lolblur_synth.core.errors import UserError
from lolblur_synth.nets.vgg import VGG19
from lolblur_synth.nets.weights import catalogue
from lolblur_synth.nets.weights.load import load_vgg19

CONVOLUTIONS = {0: (3, 64), 2: (64, 64), 5: (64, 128), 7: (128, 128), 10: (128, 256)} | {
    **dict.fromkeys((12, 14, 16), (256, 256)),
    19: (256, 512),
    **dict.fromkeys((21, 23, 25), (512, 512)),
}  # torchvision's index: channels in and out


@pytest.fixture(scope="module")
def vgg() -> VGG19:
    torch.manual_seed(0)
    return VGG19().eval().requires_grad_(False)


def test_its_keys_are_those_of_torchvision_up_to_conv4_4(vgg):
    wanted = {f"features.{index}.weight": (after, before, 3, 3) for index, (before, after) in CONVOLUTIONS.items()}
    wanted |= {f"features.{index}.bias": (after,) for index, (_, after) in CONVOLUTIONS.items()}
    assert {key: tuple(value.shape) for key, value in vgg.state_dict().items()} == wanted
    assert sum(p.numel() for p in vgg.parameters()) == 10_585_152


def test_features_by_another_way(vgg):
    """The layers written out, from the weights by their keys: convolutions, what is looked at, ReLU, pooling."""
    state, image = vgg.state_dict(), torch.rand(2, 3, 40, 24)
    x = (image - torch.tensor([0.485, 0.456, 0.406])[:, None, None]) / torch.tensor([0.229, 0.224, 0.225])[
        :, None, None
    ]
    wanted = []
    for block in ((0, 2), (5, 7), (10, 12, 14, 16), (19, 21, 23, 25)):
        for index in block:
            before = F.conv2d(x, state[f"features.{index}.weight"], state[f"features.{index}.bias"], padding=1)
            x = before.clamp(min=0)
        wanted.append(before)
        x = F.max_pool2d(x, 2)
    found = vgg(image)
    assert [tuple(features.shape) for features in found] == [
        (2, 64, 40, 24),
        (2, 128, 20, 12),
        (2, 256, 10, 6),
        (2, 512, 5, 3),
    ]
    for one, other in zip(found, wanted, strict=True):
        assert (other < 0).any()
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_sizes_that_pooling_does_not_divide_and_the_smallest(vgg):
    assert [tuple(features.shape[-2:]) for features in vgg(torch.rand(1, 3, 15, 8))] == [
        (15, 8),
        (7, 4),
        (3, 2),
        (1, 1),
    ]


def test_the_input_is_left_alone_and_channels_last_gives_the_same(vgg):
    image = torch.rand(1, 3, 32, 32)
    copy = image.clone()
    plain = vgg(image)
    assert torch.equal(image, copy)
    torch.manual_seed(0)
    last = VGG19().to(memory_format=torch.channels_last).requires_grad_(False)
    for one, other in zip(last(image), plain, strict=True):
        assert one.is_contiguous(memory_format=torch.channels_last)
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def torchvision_file(path: Path, vgg: VGG19, **layout: bool) -> Path:
    """Weights with the keys of torchvision's file, those of layers that are not used among them."""
    rest = {
        "features.28.weight": torch.zeros(1),
        "features.28.bias": torch.zeros(1),
        "classifier.6.bias": torch.zeros(9),
    }
    torch.save(vgg.state_dict() | rest, path, **layout)
    return path


@pytest.fixture
def published(vgg, tmp_path, monkeypatch) -> Path:
    """A file in the format of torchvision's, of before 2020, that the catalogue takes for it; the cache is empty."""
    path = torchvision_file(tmp_path / "vgg.pth", vgg, _use_new_zipfile_serialization=False)
    known = replace(catalogue.entry("vgg19"), sha256=sha256(path.read_bytes()).hexdigest())
    monkeypatch.setattr(catalogue, "ENTRIES", (known,))
    monkeypatch.setenv("LOLBLUR_WEIGHTS", str(tmp_path / "cache"))
    return path


def test_the_pinned_hash_begins_as_the_name_of_the_file_says():
    known = catalogue.entry("vgg19")
    assert known.file == f"vgg19-{known.sha256[:8]}.pth"
    assert len(known.sha256) == 64


def test_loads_from_a_file_and_from_the_cache(published, vgg, tmp_path):
    (tmp_path / "cache").mkdir()
    shutil.copy(published, tmp_path / "cache" / "vgg19-dcbb9e9d.pth")
    for path in (published, None):
        net, digest = load_vgg19(path)
        assert digest == sha256(published.read_bytes()).hexdigest()
        assert not net.training
        assert not any(parameter.requires_grad for parameter in net.parameters())
        assert net.features[0].weight.is_contiguous(memory_format=torch.channels_last)
        assert all(torch.equal(value, vgg.state_dict()[key]) for key, value in net.state_dict().items())


def test_absent_weights_say_where_to_get_them(published, tmp_path):
    with pytest.raises(UserError, match=r"^weights vgg19: not in .*cache; [^\n]*https://download.pytorch.org/[^\n]*$"):
        load_vgg19()
    with pytest.raises(
        UserError, match=r"none.pth: no such file; give torchvision's vgg19-dcbb9e9d.pth, from https://"
    ):
        load_vgg19(tmp_path / "none.pth")


def test_any_other_file_is_refused_without_opening_it(published, vgg, tmp_path):
    other = torchvision_file(tmp_path / "other.pth", vgg)
    with pytest.raises(UserError, match=r"other.pth: is not torchvision's vgg19-dcbb9e9d.pth \(sha256\); get it from"):
        load_vgg19(other)
    published.write_bytes(published.read_bytes()[:-1])
    with pytest.raises(UserError, match=r"vgg.pth: is not torchvision's"):
        load_vgg19(published)


def test_a_file_of_another_network_is_told_even_if_it_was_pinned(vgg, tmp_path, monkeypatch):
    path = tmp_path / "vgg16.pth"
    torch.save({key: value for key, value in vgg.state_dict().items() if "16" not in key}, path)
    pinned = replace(catalogue.entry("vgg19"), sha256=sha256(path.read_bytes()).hexdigest())
    monkeypatch.setattr(catalogue, "ENTRIES", (pinned,))
    with pytest.raises(UserError, match=r"lacks features.16.weight \(256, 256, 3, 3\)"):
        load_vgg19(path)
