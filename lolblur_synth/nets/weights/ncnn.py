"""RIFE as files of ncnn, written layer by layer: the whole way from two frames to the one between them.

ncnn runs a list of layers: flownet.param has a line for each, with the names of its inputs and outputs and numbered
settings, flownet.bin all weights in the same order. `rife.Warp` is an operator of rife-ncnn-vulkan, all others are
ncnn's. There is no need to trace the network and to convert the trace.
"""

import json
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from pydantic import TypeAdapter
from pydantic_core import from_json
from torch import Tensor, nn

from lolblur_synth.core.errors import UserError
from lolblur_synth.core.files import file_hash, read_bounded
from lolblur_synth.nets.rife import Block, IFNet, Residual, Version
from lolblur_synth.nets.weights.catalogue import entry, pull_command, weights_dir

PARAM, BIN, FACTS = "flownet.param", "flownet.bin", "facts.json"
_MAGIC = 7767517
_FLOAT32 = bytes(4)  # stands before the weights of a convolution, not before biases and slopes
_PLUS, _TIMES, _TAKEN_FROM = 0, 2, 7  # of BinaryOp
_THE_REST = -233  # of the channels, in Slice


@dataclass(frozen=True)
class _Layer:
    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    settings: str


class _Graph:
    """Layers in the order in which they run; whatever adds one returns the name of what comes out."""

    def __init__(self) -> None:
        self.layers: list[_Layer] = []
        self.weights = bytearray()

    def add(self, kind: str, *inputs: str, **settings: float | str) -> str:
        """Add a layer of one output; setting 0 is called _0. To ncnn 1 is no float: it must be 1.0."""
        name = f"blob{len(self.layers)}"
        text = " ".join(f"{key[1:]}={value}" for key, value in settings.items())
        self.layers.append(_Layer(kind, inputs, (name,), text))
        return name

    def enter(self, name: str) -> str:
        self.layers.append(_Layer("Input", (), (name,), ""))
        return name

    def cut(self, x: str, channels: int) -> tuple[str, str]:
        """Take off the first channels."""
        first, rest = f"blob{len(self.layers)}", f"rest{len(self.layers)}"
        self.layers.append(_Layer("Slice", (x,), (first, rest), f"-23300=2,{channels},{_THE_REST} 1=0"))
        return first, rest

    def scale(self, x: str, factor: float) -> str:
        return x if factor == 1 else self.add("Interp", x, _0=2, _1=float(factor), _2=float(factor), _6=0)

    def times(self, x: str, factor: float) -> str:
        return x if factor == 1 else self.add("BinaryOp", x, _0=_TIMES, _1=1, _2=float(factor))

    def plus(self, x: str | None, change: str) -> str:
        return change if x is None else self.add("BinaryOp", x, change, _0=_PLUS)

    def hold(self, values: Tensor) -> None:
        self.weights += values.detach().cpu().float().contiguous().numpy().tobytes()

    def layer(self, module: nn.Module, x: str) -> str:
        """Add what a module does, with its weights."""
        if isinstance(module, nn.Sequential):
            for part in module:
                x = self.layer(part, x)
            return x
        if isinstance(module, nn.PReLU):
            self.hold(module.weight)
            return self.add("PReLU", x, _0=module.weight.numel())
        if isinstance(module, nn.LeakyReLU):
            return self.add("ReLU", x, _0=module.negative_slope)
        if isinstance(module, Residual):
            return self.add("ReLU", self.plus(x, self._convolve(module.conv, x, module.beta.flatten())), _0=0.2)
        assert isinstance(module, nn.Conv2d | nn.ConvTranspose2d)
        return self._convolve(module, x)

    def _convolve(self, module: nn.Conv2d | nn.ConvTranspose2d, x: str, gain: Tensor | None = None) -> str:
        turned = isinstance(module, nn.ConvTranspose2d)
        weight, bias = module.weight.transpose(0, 1) if turned else module.weight, module.bias
        assert bias is not None
        if gain is not None:
            weight, bias = weight * gain.view(-1, 1, 1, 1), bias * gain
        self.weights += _FLOAT32
        self.hold(weight)
        self.hold(bias)
        kernel, stride, padding = module.kernel_size[0], module.stride[0], int(module.padding[0])
        settings = {"_0": weight.shape[0], "_1": kernel, "_3": stride, "_4": padding, "_5": 1, "_6": weight.numel()}
        return self.add("Deconvolution" if turned else "Convolution", x, **settings)


class Model(NamedTuple):
    """An ncnn model in a folder: version of RIFE, what sides must be a multiple of, sha256 of weights."""

    version: Version
    multiple: int
    sha256: str


_MODEL = TypeAdapter(Model)


def write(net: IFNet, folder: Path) -> None:
    """Write the network, and what `check` needs, into a folder that exists.

    The inputs are two frames (3, H, W) in [0, 1] and the time in [0, 1] as a map (1, H, W), the output a frame; H and W
    must be multiples of `net.multiple`.
    """
    graph = _whole(net)
    layers = _with_splits(graph.layers)
    lines = [str(_MAGIC), f"{len(layers)} {sum(len(layer.outputs) for layer in layers)}"]
    for number, layer in enumerate(layers):
        counts = f"{len(layer.inputs)} {len(layer.outputs)}"
        parts = (layer.kind, f"layer{number}", counts, *layer.inputs, *layer.outputs, layer.settings)
        lines.append(" ".join(part for part in parts if part))
    (folder / PARAM).write_text("\n".join(lines) + "\n")
    (folder / BIN).write_bytes(graph.weights)
    facts = {"version": net.version, "multiple": net.multiple}
    (folder / FACTS).write_text(json.dumps(facts | {name: file_hash(folder / name) for name in (PARAM, BIN)}))


def ncnn_folder(name: str) -> Path:
    """Folder of the cache for weights of RIFE for ncnn, made or not; raises `UserError` for a name that has none."""
    if not entry(name).name.startswith("rife-"):
        raise UserError("only RIFE runs on ncnn", where=f"weights {name}", advice="take rife-v4.0 or rife-v4.25")
    return weights_dir() / f"{name}-ncnn"


def check(folder: Path) -> Model:
    """Integrity check of a model folder; raises `UserError` for a missing or damaged file: ncnn would crash at it."""
    name = folder.name.removesuffix("-ncnn")
    missing = [name for name in (PARAM, BIN, FACTS) if not (folder / name).is_file()]
    if missing:
        raise UserError(
            f"lacks {', '.join(missing)}",
            where=f"RIFE for ncnn, {folder}",
            advice=f"make it by {pull_command(name, 'ncnn')}",
        )
    try:
        facts = from_json(read_bounded(folder / FACTS, 1 << 16))
        whole = all(facts[name] == file_hash(folder / name) for name in (PARAM, BIN))
        model = _MODEL.validate_python((facts["version"], facts["multiple"], facts[BIN]))
    except (OSError, ValueError, KeyError, TypeError):
        whole = False
    if not whole:
        raise UserError(
            "is damaged",
            where=f"RIFE for ncnn, {folder}",
            advice=f"make it again by {pull_command(name, 'ncnn', 'overwrite')}",
        )
    return model


def _whole(net: IFNet) -> _Graph:
    """The graph of `IFNet.forward` and `blend`."""
    graph = _Graph()
    before, after, time = map(graph.enter, ("in0", "in1", "in2"))
    frames = [before, after]
    if net.encoder is not None:
        frames += [graph.layer(net.encoder, before), graph.layer(net.encoder, after)]
    seen = frames
    flows = logit = passed = None
    for block in net.blocks:
        assert isinstance(block, Block)
        x = graph.add("Concat", *seen, time, *([passed] if passed else []), _0=0)
        x = graph.scale(x, 1 / block.scale)
        if flows:
            coarse = graph.times(graph.scale(flows, 1 / block.scale), 1 / block.scale)
            x = graph.add("Concat", x, coarse, _0=0)
        change, rest = graph.cut(_correct(graph, block, x), 4)
        flows = graph.plus(flows, graph.times(change, block.grows))
        passed = logit = graph.plus(logit, rest) if net.first else rest
        to_before, to_after = graph.cut(flows, 2)
        shown = frames[:2] if block is net.blocks[-1] else frames
        seen = [graph.add("rife.Warp", frame, (to_before, to_after)[side % 2]) for side, frame in enumerate(shown)]
    assert logit is not None
    share = graph.add("Sigmoid", logit if net.first else graph.cut(logit, 1)[0])
    one = graph.add("BinaryOp", seen[0], share, _0=_TIMES)
    other = graph.add("BinaryOp", seen[1], graph.add("BinaryOp", share, _0=_TAKEN_FROM, _1=1, _2=1.0), _0=_TIMES)
    graph.plus(one, other)
    graph.layers[-1] = replace(graph.layers[-1], outputs=("out0",))
    return graph


def _correct(graph: _Graph, block: Block, x: str) -> str:
    """The layers of `Block.forward`, at the size of the frames, but flows still in pixels of its own output."""
    entered = graph.layer(block.enter, x)
    y = graph.layer(block.body, entered)
    if block.first:
        y = graph.layer(block.leave, graph.plus(y, entered))
    else:
        y = graph.add("PixelShuffle", graph.layer(block.leave, y), _0=2)
    return graph.scale(y, block.grows)


def _with_splits(layers: list[_Layer]) -> list[_Layer]:
    """Insert ncnn's Split layers: in its graphs every output is the input of one layer."""
    uses = Counter(name for layer in layers for name in layer.inputs)
    taken: Counter[str] = Counter()
    result = []
    for layer in layers:
        inputs = []
        for name in layer.inputs:
            inputs.append(f"{name}_{taken[name]}" if uses[name] > 1 else name)
            taken[name] += 1
        result.append(replace(layer, inputs=tuple(inputs)))
        for name in layer.outputs:
            if uses[name] > 1:
                copies = tuple(f"{name}_{number}" for number in range(uses[name]))
                result.append(_Layer("Split", (name,), copies, ""))
    return result
