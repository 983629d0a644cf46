"""Camera presets of sensor noise: `configs/noise/cameras.yaml`, whose lines have their sources."""

from functools import cache

import yaml
from pydantic import BaseModel, ConfigDict

from lolblur_synth.config.presets import preset_dir
from lolblur_synth.mosaic.color import Matrix
from lolblur_synth.ops.noise.camera import Camera, Converter, Gains
from lolblur_synth.ops.noise.levels import CountedLevel, LogLinearLevel, ScaledLevel


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid")

    level: ScaledLevel | LogLinearLevel | CountedLevel
    matrices: tuple[str, ...]
    gains: Gains | None
    converter: Converter | None
    tukey_lambda: float | None


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid")

    matrices: dict[str, Matrix]
    cameras: dict[str, _Entry]


@cache
def cameras() -> dict[str, Camera]:
    """Camera presets by name.

    >>> cameras()["sony-a7r3"].level
    ScaledLevel(shot=8.8915e-05, read_std=2.943e-05, scale=(0.5, 1.5))
    """
    table = _Table.model_validate(yaml.safe_load((preset_dir() / "noise" / "cameras.yaml").read_text("utf-8")))
    return {name: _camera(entry, table.matrices) for name, entry in table.cameras.items()}


def _camera(entry: _Entry, matrices: dict[str, Matrix]) -> Camera:
    return Camera(
        level=entry.level,
        matrices=tuple(matrices[name] for name in entry.matrices),
        gains=entry.gains,
        converter=entry.converter,
        tukey_lambda=entry.tukey_lambda,
    )


def known(name: str) -> str:
    """The name of a camera preset; `ValueError` for any other."""
    if name not in cameras():
        raise ValueError(f"no such camera; there are {', '.join(cameras())}")
    return name
