"""What a training of LEDNet is given: pairs, a first network, a loss, and what of it all its processes share."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from lolblur_synth.config.training import TrainLEDNet
from lolblur_synth.core.fingerprint import fingerprint
from lolblur_synth.core.version import __version__
from lolblur_synth.dataset.layout import Split
from lolblur_synth.nets.lednet import LEDNet
from lolblur_synth.nets.lpips import LPIPS
from lolblur_synth.nets.weights.catalogue import entry
from lolblur_synth.nets.weights.load import load_lpips, load_vgg19
from lolblur_synth.train.engine.callbacks import Callbacks
from lolblur_synth.train.restoration.decoded_cache import decode_all
from lolblur_synth.train.restoration.losses import RestorationLoss
from lolblur_synth.train.restoration.networks import initial_network
from lolblur_synth.train.restoration.pairs import Pairs
from lolblur_synth.train.restoration.state import FREE


@dataclass(frozen=True)
class Pretrained:
    """Weights that a training is given."""

    start: str | None = None  # of the network that is trained, by name or file; else they are drawn
    vgg: Path | None = None  # of VGG19, a file; else they are looked for in the cache


NOT_PRETRAINED = Pretrained()


@dataclass(frozen=True)
class Validation:
    """What a network is validated by."""

    pairs: Pairs
    lpips: LPIPS | None


@dataclass(frozen=True)
class Given:
    """What a process trains with."""

    loss: RestorationLoss
    net: LEDNet
    training: Pairs
    test: Validation | None
    made_of: dict[str, Any]  # what all processes have to have alike
    identity: dict[str, Any]  # of pairs and weights, by which a run is known again


def prepare(
    data: Path, config: TrainLEDNet, pretrained: Pretrained, callbacks: Callbacks, device: torch.device
) -> Given:
    """Read what is given; raises `UserError` for a dataset with faults, and weights that are missing or of others."""
    loss, vgg_hash = _loss(config, pretrained.vgg, device)
    net, start_hash = initial_network(config, pretrained.start)
    training = _pairs(data, "train", config, callbacks)
    test = _validation(data, config, device) if config.validate_every else None
    pairs = {"train": _identity(training)} | ({"test": _identity(test.pairs)} if test else {})
    weights = {"vgg19": vgg_hash, "start": start_hash}
    settings = config.model_dump(mode="json", exclude=set(FREE))
    made_of = {
        **{f"pairs to {split}": identity for split, identity in pairs.items()},
        **{f"weights ({name})": digest for name, digest in weights.items()},
        **{f"setting {name}": value for name, value in settings.items()},
        "network to measure LPIPS": bool(test and test.lpips),
        "version": __version__,
        "version of torch": torch.__version__,
    }
    return Given(loss, net, training, test, made_of, {"pairs": pairs, **weights})


def _loss(config: TrainLEDNet, vgg: Path | None, device: torch.device) -> tuple[RestorationLoss, str | None]:
    """The loss, and the hash of the VGG19 in it, if any."""
    network, digest = load_vgg19(vgg, device) if config.perceptual else (None, None)
    return RestorationLoss(network, config.perceptual, config.side), digest


def _pairs(data: Path, split: Split, config: TrainLEDNet, callbacks: Callbacks | None = None) -> Pairs:
    decode = None
    if callbacks and config.cache:
        decode = partial(decode_all, Path(config.cache), notify=callbacks.on_decoded)
    return Pairs(data, split, config.crop, config.seed, folders=(config.input, config.target), decode=decode)


def _validation(data: Path, config: TrainLEDNet, device: torch.device) -> Validation:
    measures = config.lpips == "auto" and all(entry(name).path.is_file() for name in ("vgg16", "lpips-vgg"))
    return Validation(_pairs(data, "test", config), load_lpips("vgg", device) if measures else None)


def _identity(pairs: Pairs) -> dict[str, Any]:
    """What tells that these are the same pairs, wherever they lie."""
    files = [[pair.name, pair.input.size, pair.target.size] for pair in pairs.files]
    return {"count": len(files), "fingerprint": fingerprint({"files": files})}
