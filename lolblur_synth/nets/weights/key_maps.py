"""Key maps: names of layers in the state dicts of released checkpoints, and ours."""

from collections.abc import Mapping

from torch import Tensor

_RESIDUAL = {"0": "first", "1": "slope", "2": "second"}
_BLOCK = {f"body1.{key}": f"residual.{name}" for key, name in _RESIDUAL.items()} | {
    "body2.0": "last",
    "body2.1": "slope",
}
_RESIDUALS = {f"body{part + 1}.{key}": f"{part}.{name}" for part in (0, 1) for key, name in _RESIDUAL.items()}
_DOWN = {
    "top.0": "enter",
    "top.1": "enter_slope",
    "top.2": "conv",
    "top.3": "slope",
    "top.5": "leave",
    "bot.1": "direct",
}
_UP = {"top.0": "enter", "top.1": "enter_slope", "top.2": "conv", "top.3": "slope", "top.4": "leave", "bot.1": "direct"}
_PYRAMID = {"fuse.0": "fuse", "fuse.1": "slope"} | {
    f"features.{bins}.{key}": f"{name}.{bins}"
    for bins in range(4)
    for key, name in (("1", "reduce"), ("2", "reduce_slopes"))
}
_CURVE = {f"predict_a.{key}": f"predict.{key}" for key in (0, 2, 4)}
_SKIP = {"0": "features.0", "2": "features.2", "4": "features.4", "6": "kernels"}


def lednet_state(released: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state dict of a released LEDNet under our keys, without its fixed low-pass filters; unknown keys stay."""
    names = _lednet_names()
    state = {}
    for key, value in released.items():
        layer, _, leaf = key.rpartition(".")
        if leaf != "filt":
            state[f"{names.get(layer, layer)}.{leaf}"] = value
    return state


def _lednet_names() -> dict[str, str]:
    names = {"E_block1.0": "stem", "E_block1.1": "stem_slope", "side_out": "side", "D_block0.1": "tail"}

    def add(released: str, own: str, parts: Mapping[str, str]) -> None:
        names.update({f"{released}.{theirs}": f"{own}.{ours}" for theirs, ours in parts.items()})

    for place, block in enumerate(("E_block1.2", "E_block2", "E_block3")):
        own = f"encoder.{place}"
        add(block, f"{own}.block", _BLOCK)
        add(f"{block}.reshape_conv", f"{own}.down", _DOWN)
        add(f"PPM{place + 1}", f"{own}.pyramid", _PYRAMID)
        add(f"conv_{place + 1}c", f"{own}.curve", _CURVE)
        add(f"conv_fac_k{place + 1}", f"skips.{2 - place}", _SKIP)
    for place, block in enumerate(("M_block1", "M_block2")):
        add(block, f"middle.{place}", _BLOCK)
    add("D_block3", "bottom", _RESIDUALS)
    for place, block in enumerate(("D_block2", "D_block1", "D_block0.0")):
        add(f"{block}.reshape_conv", f"decoder.{place}.up", _UP)
        add(block, f"decoder.{place}.blocks", _RESIDUALS)
    return names
