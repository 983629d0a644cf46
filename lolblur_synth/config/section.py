"""Section of a configuration: the base of all, and types of values that several have."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field


class Section(BaseModel):
    """Frozen, strict about types, and closed to unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


def as_tuple(value: object) -> object:
    """YAML and JSON have lists only."""
    return tuple(value) if isinstance(value, list) else value


def as_range(value: object) -> object:
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


Range = Annotated[tuple[float, float], BeforeValidator(as_range), AfterValidator(_ordered)]
WholeRange = Annotated[tuple[int, int], BeforeValidator(as_range), AfterValidator(_ordered)]
SMALLEST_SIDE = 64  # pixels: optical flow needs as much
Side = Annotated[int, Field(ge=SMALLEST_SIDE, le=16384)]
Size = Annotated[tuple[Side, Side] | Literal["source"], BeforeValidator(_as_size)]
