"""What can be configured, with defaults and bounds; YAML presets, single settings; every fault named at once."""

import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from lolblur_synth.config.yaml_reader import Value, parse_yaml, read_yaml
from lolblur_synth.core.errors import UserError, refused, setting
from lolblur_synth.video.metadata import MAX_PIXELS

_TOLD = 10  # faults of a configuration; so many lines can be read
_SHOWN = 80  # letters of a key or value
_DEEPEST = 8  # words of a key; settings have two


def as_tuple(value: object) -> object:
    """YAML and JSON have lists only."""
    return tuple(value) if isinstance(value, list) else value


def _as_range(value: object) -> object:
    """A single number means a range that holds nothing else."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number and not isinstance(value, (list, tuple)):
        raise ValueError("a range is [LOW, HIGH] or one number, such as [0.05,0.16]")
    return (value, value) if is_number else as_tuple(value)


def _ordered(value: tuple[float, float]) -> tuple[float, float]:
    if value[0] > value[1]:
        raise ValueError(f"a range goes from low to high, got [{value[0]:g}, {value[1]:g}]")
    return value


def _as_size(value: object) -> object:
    """Accept `1120x640` for (1120, 640), and `source`."""
    if value == "source" or isinstance(value, (list, tuple)):
        return as_tuple(value)
    parts = str(value).lower().split("x")
    if len(parts) != 2 or not all(part.isdecimal() and len(part) < 6 for part in parts):
        raise ValueError("a size is WIDTHxHEIGHT, such as 1120x640, or `source`")
    return tuple(int(part) for part in parts)


def within(low: float, high: float) -> AfterValidator:
    """The bounds of a range."""

    def check(value: tuple[float, float]) -> tuple[float, float]:
        if not low <= value[0] <= value[1] <= high:
            raise ValueError(f"lies within [{low:g}, {high:g}], got [{value[0]:g}, {value[1]:g}]")
        return value

    return AfterValidator(check)


Range = Annotated[tuple[float, float], BeforeValidator(_as_range), AfterValidator(_ordered)]
SMALLEST_SIDE = 64  # pixels: optical flow needs as much
Side = Annotated[int, Field(ge=SMALLEST_SIDE, le=16384)]
Size = Annotated[tuple[Side, Side] | Literal["source"], BeforeValidator(_as_size)]


class Section(BaseModel):
    """Frozen, strict about types, and closed to unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Video(Section):
    """How source files are read."""

    capture_fps: float | None = Field(None, gt=0, le=1e6)  # None: the file's tags, else the stream's rate
    allow_low_fps: bool = False
    size: Size = (1120, 640)
    flicker: Literal["tell", "remove", "drop"] = "tell"  # of lamps on the mains: drop leaves out the windows with it


class Sequences(Section):
    """Which frames become pairs."""

    fps: float = Field(24, gt=0, le=1000)
    pairs: int = Field(30, ge=1, le=4999)
    per_video: Literal[1, 2] = 2
    min_pairs: int = Field(4, ge=1)
    shutter_ms: Annotated[tuple[Annotated[float, Field(gt=0, le=1000)], ...], BeforeValidator(_as_range)] = (24, 32)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not self.shutter_ms:
            raise ValueError("shutter_ms needs at least one shutter time")
        if self.min_pairs > self.pairs:
            raise ValueError(f"min_pairs ({self.min_pairs}) is more than pairs ({self.pairs})")
        if max(self.shutter_ms) * self.fps > 1000:
            raise ValueError(f"a shutter of {max(self.shutter_ms):g} ms does not fit into a frame at {self.fps:g} fps")
        return self


class Denoise(Section):
    """The denoiser of the source frames."""

    backend: Literal["vbm4d", "bm4d", "none"] = "vbm4d"
    preset: Literal["fast", "best"] = "best"  # of vbm4d: thresholding alone, or Wiener's weights after it
    sigma: Literal["auto"] | Annotated[float, Field(gt=0, le=100)] = "auto"  # of 255


class Darken(Section):
    """EC-Zero-DCE."""

    exposure: Annotated[Range, within(0.005, 1)] = (0.05, 0.30)
    dim: Annotated[Range, within(0.1, 1)] = (0.8, 1.0)
    weights: str = "ec_zero_dce"  # the bundled ones, or a file


class Interpolate(Section):
    """From the capture rate to the rate of the sub-frames."""

    backend: Literal["auto", "flow", "rife", "rife-ncnn", "linear"] = "auto"  # rife on CUDA, if its weights are there
    weights: str = "rife-v4.0"  # of rife, in the cache or a file; of rife-ncnn, in the cache or a folder
    fps: float = Field(2000, gt=0, le=1e6)
    untrusted: float = Field(0.05, gt=0, le=1)  # of the picture: the most that may move inconsistently in a gap
    reject: bool = False  # the windows that exceed it; else they are only told of


class Unclip(Section):
    """Light beyond clipping."""

    threshold: float = Field(98, ge=0, le=100)  # CIE L*
    strength: Annotated[Range, within(0, 2550)] = (20, 100)  # of 255


class Average(Section):
    """The space in which the exposure adds up."""

    space: Literal["linear", "srgb"] = "linear"


class Defocus(Section):
    """Generalized Gaussian kernels."""

    probability: float = Field(0.5, ge=0, le=1)
    sigma: Annotated[Range, within(0.1, 12)] = (0.4, 1.6)  # pixels, along each axis of the ellipse
    shape: Annotated[Range, within(0.5, 16)] = (0.8, 4.0)  # 2 is a Gaussian, 16 nearly a disc


class Noise(Section):
    """Shot and read noise in linear light: variance = shot x + read."""

    shot: Annotated[Range, within(0, 1)] = (2e-6, 5e-5)  # drawn log-uniformly
    read_slope: float = Field(2.18, ge=0, le=10)
    read_offset: float = Field(1.20, ge=-50, le=50)
    read_spread: float = Field(0.26, ge=0, le=10)

    @model_validator(mode="after")
    def _drawable(self) -> Self:
        if self.shot[0] == 0 and self.shot[1] > 0:
            raise ValueError("shot is drawn log-uniformly: its low end must be above 0 (or both ends 0 for no noise)")
        return self


class Dataset(Section):
    """The folders that are written."""

    bit_depth: Literal[8, 16] = 8
    test_fraction: float = Field(0.15, ge=0, lt=1)


class Run(Section):
    """The machine's share: workers change no pixel, a device does by rounding and by the kernel of flow's sampling."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    workers: int = Field(1, ge=1, le=256)
    max_pixels: int = Field(MAX_PIXELS, ge=SMALLEST_SIDE**2, le=2**30)  # of a picture or a frame; more are refused


class Config(Section):
    """Everything `lolblur-synth run` can be told."""

    seed: int = Field(0, ge=0, lt=2**63)
    video: Video = Video()
    sequences: Sequences = Sequences()
    denoise: Denoise = Denoise()
    darken: Darken = Darken()
    interpolate: Interpolate = Interpolate()
    unclip: Unclip = Unclip()
    average: Average = Average()
    defocus: Defocus = Defocus()
    noise: Noise = Noise()
    dataset: Dataset = Dataset()
    run: Run = Run()


Model = TypeVar("Model", bound=Section)


def preset_dir() -> Path:
    """Where the presets lie: inside an installed wheel, or beside the package in a checkout."""
    package = Path(__file__).parents[1]
    return package / "configs" if (package / "configs").is_dir() else package.parent / "configs"


def presets() -> list[str]:
    """Names of the presets."""
    return sorted(path.stem for path in preset_dir().glob("*.yaml"))


def _read_layer(source: str) -> dict[str, Value]:
    path = Path(source)
    if path.suffix not in {".yaml", ".yml"}:
        path = preset_dir() / f"{source}.yaml"
        if not path.is_file():
            raise UserError(
                "no such preset",
                where=f"{setting('config')} {source}",
                advice=f"there are {', '.join(presets())} (or give a .yaml file)",
            )
    with refused(f"{setting('config')} {source}", "cannot be read", "name a preset or a .yaml file"):
        data = read_yaml(path)
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise UserError(f"a config is a mapping of keys to values, this is a {type(data).__name__}", where=path)
    return data


def _override(assignment: str) -> dict[str, Value]:
    key, equals, value = assignment.partition("=")
    if not equals or not key:
        raise UserError(
            "write key=value, such as darken.exposure=[0.05,0.16]", where=f"{setting('set')} {assignment[:_SHOWN]}"
        )
    nested: Value = parse_yaml(value, f"{setting('set')} {key[:_SHOWN]}")
    for part in reversed(key.split(".", _DEEPEST)):
        nested = {part: nested}
    assert isinstance(nested, dict)
    return nested


def _merge(base: dict[str, Value], layer: dict[str, Value]) -> dict[str, Value]:
    merged = dict(base)
    for key, value in layer.items():
        before = merged.get(key)
        merged[key] = _merge(before, value) if isinstance(value, dict) and isinstance(before, dict) else value
    return merged


def _known_keys(model: type[BaseModel], prefix: str = "") -> Iterable[str]:
    for name, field in model.model_fields.items():
        yield prefix + name
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _known_keys(field.annotation, f"{prefix}{name}.")


def _explain(error: ValidationError, model: type[BaseModel]) -> list[str]:
    """A line for each of the first faults, and one for the number of the others."""
    lines: dict[str, str] = {}
    known = list(_known_keys(model))
    faults = error.errors(include_url=False, include_context=False)
    for fault in faults:
        names = [str(part) for part in fault["loc"] if not str(part).startswith(("tuple[", "literal[", "constrained"))]
        key = ".".join(name for name in names if name not in {"float", "int"})
        if key not in lines and len(lines) == _TOLD:
            break
        if fault["type"] == "extra_forbidden":
            near = difflib.get_close_matches(key, known, 1, 0.6)
            message = "unknown key" + (f", did you mean {near[0]}?" if near else "")
        else:
            message = fault["msg"].removeprefix("Value error, ") + f" (got {_brief(fault['input'])})" * (key != "")
        told = key if len(key) <= _SHOWN else f"{key[:_SHOWN]}..."
        lines[key] = f"{lines[key]}, or {message}" if key in lines else f"{told or 'config'}: {message}"
    left = len({fault["loc"] for fault in faults}) - len(lines)
    return [*lines.values(), *([f"and {left} more"] if len(lines) == _TOLD and left else [])]


def _brief(value: object) -> str:
    """A value as Python writes it, or how it begins."""
    whole = repr(value)
    return whole if len(whole) <= _SHOWN else f"{whole[:_SHOWN]}..."


def load(model: type[Model], sources: Iterable[str] = (), assignments: Iterable[str] = ()) -> Model:
    """Layer presets or files, then `key=value` assignments, on the defaults; raises `UserError` naming every fault."""
    merged: dict[str, Value] = {}
    for source in sources:
        layer = _read_layer(source)
        if source in presets() and 2 * len(layer.keys() - model.model_fields.keys()) > len(layer):
            raise UserError(
                "a preset of another command",
                where=f"{setting('config')} {source}",
                advice="`lolblur-synth config presets` tells of which",
            )
        merged = _merge(merged, layer)
    for assignment in assignments:
        merged = _merge(merged, _override(assignment))
    try:
        return model.model_validate(merged)
    except ValidationError as error:
        raise UserError("the configuration has faults:", *_explain(error, model)) from None


def to_yaml(config: Section, exclude: set[str] | None = None) -> str:
    """The effective configuration as YAML that `load` reads back."""
    return yaml.safe_dump(config.model_dump(mode="json", exclude=exclude), sort_keys=False, default_flow_style=None)
