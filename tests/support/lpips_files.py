"""Files of LPIPS as torchvision and its authors publish them, with other numbers in them."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from lolblur_synth.nets.lpips import LPIPS, Backbone
from lolblur_synth.nets.weights import catalogue

FILES: dict[Backbone, tuple[str, str]] = {"vgg": ("vgg16", "lpips-vgg"), "alex": ("alexnet", "lpips-alex")}


def random_lpips(backbone: Backbone) -> LPIPS:
    """Features as strong at every depth, and heads that are not negative."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = LPIPS(backbone)
        for head in net.heads:
            torch.nn.init.uniform_(head)
        for layer in net.features:
            if isinstance(layer, torch.nn.Conv2d):
                torch.nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    return net.eval().requires_grad_(False)


def put_into_cache(folder: Path, net: LPIPS, backbone: Backbone, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """Write both files and make `folder` the cache, with a catalogue that pins no content."""
    unpinned = [replace(entry, file=f"{entry.name}.pth", sha256=None, tensors=None) for entry in catalogue.ENTRIES]
    monkeypatch.setattr(catalogue, "ENTRIES", tuple(unpinned))
    monkeypatch.setenv("LOLBLUR_WEIGHTS", str(folder))
    folder.mkdir(parents=True, exist_ok=True)
    features, heads = (folder / f"{name}.pth" for name in FILES[backbone])
    state = {f"features.{key}": value for key, value in net.features.state_dict().items()}
    torch.save({**state, "classifier.6.bias": torch.zeros(1000)}, features)
    torch.save({f"lin{n}.model.1.weight": head.data.view(1, -1, 1, 1) for n, head in enumerate(net.heads)}, heads)
    return features, heads
