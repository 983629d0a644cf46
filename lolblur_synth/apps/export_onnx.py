"""The `export` command: LEDNet as ONNX, for pictures of any size, checked against the network that it was made of."""

import warnings
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from lolblur_synth.apps.outputs import check_file
from lolblur_synth.core.errors import UserError
from lolblur_synth.nets.lednet import LEDNet
from lolblur_synth.nets.weights.load import load_lednet

OPSET = 18
INPUT, OUTPUTS = "dark", ("restored", "side")
TOLERANCE = 1e-4
_TRACED = (72, 88)  # pixels; the graph holds for others
_CHECKED = ((101, 64), (33, 135), (5, 7))
_SMALLEST = 9  # pixels, of what is traced: below, the reflection of borders takes other ways, to the same values


def export(weights: str, out: Path, *, overwrite: bool = False) -> float:
    """Write LEDNet as ONNX and return by how much it differs from the network, at most, in onnxruntime.

    `dark` (1, 3, H, W) becomes `restored` (1, 3, H, W), not clipped, and `side` (1, 3, ⌈H/8⌉, ⌈W/8⌉), sRGB in [0, 1],
    for any H and W. The file appears whole or not at all. Raises `UserError` when the extra `onnx` is not installed,
    when `out` is there already, and when the two differ by more than 1e-4.
    """
    _check_extra()
    check_file(out, (".onnx",), overwrite=overwrite)
    net, _ = load_lednet(weights)
    with TemporaryDirectory(dir=out.parent, prefix=".export-") as folder:
        draft = Path(folder) / out.name
        write_graph(net, draft)
        differs = largest_difference(net, draft)
        if differs > TOLERANCE:
            raise UserError(
                f"onnxruntime differs from the network by {differs:.1e}, more than {TOLERANCE:g}; nothing was written",
                where=out,
                advice="try other versions of torch, onnxscript and onnxruntime",
            )
        draft.replace(out)
    return differs


def _check_extra() -> None:
    missing = [name for name in ("onnx", "onnxscript", "onnxruntime") if find_spec(name) is None]
    if missing:
        raise UserError(f"export needs {', '.join(missing)}", advice="pip install 'lolblur-synth[onnx]'")


def write_graph(net: LEDNet, path: Path) -> None:
    """Trace the network (torch.export) and write it as an ONNX graph for any height and width."""
    sides = {2 + axis: torch.export.Dim(name, min=_SMALLEST) for axis, name in enumerate(("height", "width"))}
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter, about itself
        program = torch.export.export(
            net,
            (torch.zeros(1, 3, *_TRACED),),
            dynamic_shapes=(sides,),
            prefer_deferred_runtime_asserts_over_guards=True,
        )
        graph: Any = torch.onnx.export(
            program,
            dynamo=True,
            input_names=[INPUT],
            output_names=list(OUTPUTS),
            opset_version=OPSET,
            optimize=False,  # it takes minutes, and onnxruntime does it when it loads the file
            verbose=False,
        )
    graph.save(path)


@torch.inference_mode()
def largest_difference(net: LEDNet, path: Path) -> float:
    """The largest difference between a network and a graph in onnxruntime, over noise of several sizes."""
    from onnxruntime import InferenceSession, SessionOptions

    options = SessionOptions()
    options.log_severity_level = 3  # errors; it warns of what it cannot fold
    session = InferenceSession(path, options, providers=["CPUExecutionProvider"])
    worst = 0.0
    for size in _CHECKED:
        dark = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(size[0]))
        outputs: Iterable[Any] = session.run(list(OUTPUTS), {INPUT: dark.numpy()})
        for output, reference in zip(outputs, net(dark), strict=True):
            worst = max(worst, float((torch.from_numpy(output) - reference).abs().max()))
    return worst
