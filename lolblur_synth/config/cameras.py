"""Cameras of sensor noise: presets of `configs/noise/cameras.yaml`, whose lines have their sources, and files alike.

A file's camera becomes part of the settings, so that records hold it whole and a fingerprint changes with it.
"""

from functools import cache
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, ValidationError, model_validator

from lolblur_synth.config.presets import preset_dir
from lolblur_synth.config.section import Section, as_tuple, within
from lolblur_synth.config.yaml_reader import Value, read_yaml
from lolblur_synth.core.errors import UserError, refused
from lolblur_synth.mosaic.color import Matrix, normalized
from lolblur_synth.mosaic.pattern import Pattern
from lolblur_synth.ops.noise.camera import Camera, Converter, Gains
from lolblur_synth.ops.noise.levels import CountedLevel, LogLine, LogLinearLevel, ScaledLevel

Interval = Annotated[tuple[float, float], BeforeValidator(as_tuple)]
Share = Annotated[float, Field(ge=0, le=1)]  # of white
_SINGULAR = 1e-3  # determinant of a colour matrix whose rows sum to 1; real ones have 0.3 and more


class _Part(Section):
    model_config = ConfigDict(strict=False)


class _Scaled(_Part):
    shot: Share
    read_std: Share
    scale: Annotated[Interval, within(0, 100)]

    def level(self) -> ScaledLevel:
        return ScaledLevel(self.shot, self.read_std, self.scale)


class _LogLinear(_Part):
    shot: Annotated[Interval, within(1e-12, 1)]
    slope: float = Field(ge=0, le=10)
    offset: float = Field(ge=-50, le=50)
    spread: float = Field(ge=0, le=10)

    def level(self) -> LogLinearLevel:
        return LogLinearLevel(self.shot, self.slope, self.offset, self.spread)


_Line = Annotated[
    tuple[
        Annotated[float, Field(ge=-10, le=10)],
        Annotated[float, Field(ge=-50, le=50)],
        Annotated[float, Field(ge=0, le=10)],
    ],
    BeforeValidator(as_tuple),
]


class _Counted(_Part):
    log_gain: Annotated[Interval, within(-20, 20)]
    read: _Line
    row: _Line | None

    def level(self) -> CountedLevel:
        return CountedLevel(self.log_gain, LogLine(*self.read), LogLine(*self.row) if self.row else None)


class _Gains(_Part):
    red: Annotated[Interval, within(1, 16)]
    blue: Annotated[Interval, within(1, 16)]


class _Converter(_Part):
    bits: int
    black: int = Field(ge=0)
    white: int | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.bits not in (10, 12, 14, 16):
            raise ValueError(f"a converter has 10, 12, 14 or 16 bits, not {self.bits}")
        top = (1 << self.bits) - 1
        if not self.black < (top if self.white is None else self.white) <= top:
            raise ValueError(f"its black level lies below its white, and that within {self.bits} bits")
        return self


def _form(level: object) -> str:
    """Which of the three forms a level has, by a field that it alone has."""
    if isinstance(level, _Counted | _LogLinear | _Scaled):
        return {_Counted: "counted", _LogLinear: "log-linear", _Scaled: "scaled"}[type(level)]
    fields = level if isinstance(level, dict) else {}
    return "counted" if "log_gain" in fields else "log-linear" if "slope" in fields else "scaled"


_Level = Annotated[
    Annotated[_Scaled, Tag("scaled")] | Annotated[_LogLinear, Tag("log-linear")] | Annotated[_Counted, Tag("counted")],
    Discriminator(_form),
]


class CameraSettings(_Part):
    """A camera as `noise.camera` holds it: its noise level, colours, white balance and converter."""

    name: str = Field(min_length=1, max_length=100)
    level: _Level
    matrices: tuple[Matrix, ...] = Field(min_length=1, max_length=100)
    gains: _Gains | None
    converter: _Converter | None
    tukey_lambda: float | None = Field(ge=-0.49, le=10)
    pattern: Pattern | None = None

    @model_validator(mode="after")
    def _drawable(self) -> Self:
        if isinstance(self.level, _Counted) and self.converter is None:
            raise ValueError("a noise level in digital numbers needs a converter")
        for matrix in self.matrices:
            _check_matrix(matrix, balanced=self.gains is None)
        return self

    def camera(self) -> Camera:
        """The camera as the noise model takes it."""
        converter = Converter(**self.converter.model_dump()) if self.converter else None
        gains = Gains(self.gains.red, self.gains.blue) if self.gains else None
        return Camera(self.level.level(), self.matrices, gains, converter, self.tukey_lambda, self.pattern)


def _check_matrix(matrix: Matrix, *, balanced: bool) -> None:
    try:
        rows, gains = normalized(matrix)
    except ZeroDivisionError:
        raise ValueError("a colour matrix that sees no white") from None
    (a, b, c), (d, e, f), (g, h, i) = rows
    if abs(a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)) < _SINGULAR:
        raise ValueError("a colour matrix that cannot be inverted")
    if balanced and not 1 <= min(gains) <= max(gains) <= 16:
        raise ValueError(
            f"its colour matrix has white-balance gains of {gains[0]:.2f} and {gains[1]:.2f}, and 1 to 16 can be used; "
            "write the ranges of red and blue into gains"
        )


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid")

    level: Any
    matrices: tuple[str, ...] | None
    gains: Any
    converter: Any
    tukey_lambda: Any
    pattern: Any = None


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    matrices: dict[str, Matrix] | None
    cameras: dict[str, _Entry]

    def settings(self, name: str) -> CameraSettings:
        """The camera of a name with its matrices; `ValueError` where it has none that are there."""
        entry = self.cameras[name]
        if not entry.matrices:
            raise ValueError(
                "it has no colour matrix: write one, from XYZ (D65) to camera RGB, and name it in matrices"
            )
        missing = [each for each in entry.matrices if each not in (self.matrices or {})]
        if missing:
            raise ValueError(f"no such matrix: {missing[0]}")
        matrices = [(self.matrices or {})[each] for each in entry.matrices]
        return CameraSettings(name=name, **{**entry.model_dump(), "matrices": matrices})


@cache
def cameras() -> dict[str, Camera]:
    """Camera presets by name.

    >>> cameras()["sony-a7r3"].level
    ScaledLevel(shot=8.8915e-05, read_std=2.943e-05, scale=(0.5, 1.5))
    """
    table = _Table.model_validate(read_yaml(preset_dir() / "noise" / "cameras.yaml"))
    return {name: table.settings(name).camera() for name in table.cameras}


def known(name: str) -> str:
    """The name of a camera preset; `ValueError` for any other."""
    if name not in cameras():
        raise ValueError(f"no such camera; there are {', '.join(cameras())} (or give a .yaml file)")
    return name


def camera_of(chosen: str | CameraSettings) -> tuple[str, Camera]:
    """The name of a camera and what it is, by the value of `noise.camera`."""
    if isinstance(chosen, CameraSettings):
        return chosen.name, chosen.camera()
    return chosen, cameras()[chosen]


def read_camera(path: Path) -> CameraSettings:
    """Read a file of one camera, in the form of the presets, such as `calibrate` writes; raises `UserError`."""
    with refused(path, "cannot be read", "name a preset, or a .yaml file of a camera"):
        content = read_yaml(path)
    advice = "`lolblur-synth calibrate` writes such a file; configs/noise/cameras.yaml has its form"
    try:
        table = _Table.model_validate(content)
        if len(table.cameras) != 1:
            raise ValueError(f"holds {len(table.cameras)} cameras, where one is expected")
        return table.settings(next(iter(table.cameras)))
    except ValidationError as error:
        raise UserError(f"no camera: {_fault(error)}", where=path, advice=advice) from None
    except ValueError as error:
        raise UserError(f"no camera: {error}", where=path, advice=advice) from None


def _fault(error: ValidationError) -> str:
    """The first fault in one line: its field, and what is wrong."""
    fault = error.errors(include_url=False, include_context=False)[0]
    told = fault["msg"].removeprefix("Value error, ")
    return f"{'.'.join(map(str, fault['loc']))[:80]}: {told}" if fault["loc"] else told


def with_file(settings: dict[str, Value]) -> dict[str, Value]:
    """Settings of a run with what the file holds that `noise.camera` names, if it names one; raises `UserError`."""
    noise = settings.get("noise")
    named = noise.get("camera") if isinstance(noise, dict) else None
    if not isinstance(noise, dict) or not isinstance(named, str) or Path(named).suffix not in (".yaml", ".yml"):
        return settings
    held: Value = read_camera(Path(named)).model_dump(mode="json")
    return {**settings, "noise": {**noise, "camera": held}}
