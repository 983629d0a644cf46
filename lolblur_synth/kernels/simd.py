"""How functions are compiled for the CPU, and several floats as one value in them.

Loops over arrays become instructions for several floats only where the compiler knows that what is written does not
overlap what is read, and of parts of the same plane it seldom does. An `Eight` leaves it nothing to prove: it is
loaded, added, multiplied and stored as a whole. Where the processor has narrower registers it takes several of them.
A `Wide` is the same of as many floats as a register holds, 16 with AVX-512, for code that does not care how many.
"""

import math
import operator
from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

import numba
import numpy as np
from llvmlite import ir
from numba.core import cgutils, config, types
from numba.core.codegen import get_host_cpu_features
from numba.core.types.containers import UniTuple
from numba.core.typing import signature
from numba.core.typing.templates import ConcreteTemplate, infer_global
from numba.extending import intrinsic, lower_builtin, models, register_model
from numpy.typing import NDArray

from lolblur_synth.kernels.jit_cache import KernelCache

Real = Any  # a number; numba tells its type
Eight = Any  # eight floats, one behind the other where they come from and go to
Wide = Any  # WIDTH floats, likewise
Lanes = Any  # either
Eights = tuple[Eight, Eight, Eight, Eight, Eight, Eight, Eight, Eight]
Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
ZERO, ONE, HALF = np.float32(0), np.float32(1), np.float32(0.5)
Function = TypeVar("Function", bound=Callable[..., Any])

_LOOSE = ("nsz", "arcp", "contract", "afn", "reassoc")  # sums in any order, but infinities are what they are
_OPERATORS = {
    operator.add: "fadd",
    operator.iadd: "fadd",
    operator.sub: "fsub",
    operator.mul: "fmul",
    operator.truediv: "fdiv",
}


def compiled(function: Function) -> Function:
    """Compile for the CPU at the first call; kept on disk for later ones. Other Python threads run meanwhile.

    Inlined where it is called: else what was compiled in this process and what came from the disk gave other last bits
    in a few places, and so a first run other pixels than the next.
    """
    jit = numba.njit(fastmath=set(_LOOSE), nogil=True, error_model="numpy", forceinline=True)
    dispatcher = jit(function)
    dispatcher._cache = KernelCache(function)  # as its enable_caching sets numba's own
    return cast(Function, dispatcher)


@compiled
def whole(value: Real) -> int:
    """The nearest whole number."""
    return int(math.floor(value + HALF))  # noqa: RUF046 - a float to mypy


@compiled
def clamp(value: Real, low: Real, high: Real) -> Real:
    """The value, or the limit that it passes."""
    return min(max(value, low), high)


class _LanesType(types.Type):
    def __init__(self, count: int) -> None:
        super().__init__(f"Lanes{count}")
        self.count = count

    @property
    def vector(self) -> ir.VectorType:
        return ir.VectorType(ir.FloatType(), self.count)


@register_model(_LanesType)
class _LanesModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, kind.vector)


def _width() -> int:
    """Floats in the widest registers of the processor that numba compiles for."""
    features = get_host_cpu_features() if config.CPU_FEATURES is None else config.CPU_FEATURES
    return 16 if "+avx512f" in features.split(",") else 8


WIDTH = _width()
_EIGHT, _WIDE = _LanesType(8), _LanesType(WIDTH)


def _shuffled(builder: Any, one: Any, other: Any, order: list[int]) -> Any:
    return builder.shuffle_vector(one, other, ir.Constant(ir.VectorType(ir.IntType(32), len(order)), order))


def _spread(builder: Any, kind: Any, value: Any) -> Any:
    nothing = ir.Constant(kind.vector, ir.Undefined)
    return _shuffled(builder, builder.insert_element(nothing, value, ir.IntType(32)(0)), nothing, [0] * kind.count)


def _define_arithmetic(lanes: _LanesType) -> None:
    """Lanes and single floats, in any order, but for two floats."""
    pairs = ((lanes, lanes), (types.float32, lanes), (lanes, types.float32))
    cases = [signature(lanes, *pair) for pair in pairs]
    for function, instruction in _OPERATORS.items():

        def lower(_: Any, builder: Any, sig: Any, args: Any, instruction: str = instruction) -> Any:
            both = (v if kind == lanes else _spread(builder, lanes, v) for kind, v in zip(sig.args, args, strict=True))
            return getattr(builder, instruction)(*both, flags=_LOOSE)

        infer_global(function)(type(instruction, (ConcreteTemplate,), {"cases": cases}))
        for pair in pairs:
            lower_builtin(function, *pair)(lower)


for _lanes in {_EIGHT, _WIDE}:  # one where they are the same
    _define_arithmetic(_lanes)


def _place(context: Any, builder: Any, kind: Any, array: Any, at: Any) -> Any:
    if kind.dtype != types.float32 or kind.layout != "C":
        raise TypeError(f"lanes come from and go to float32 that lies whole and in order, not {kind}")
    first = context.make_array(kind)(context, builder, array).data
    return builder.gep(first, [at])


def _loads(lanes: _LanesType) -> Any:
    def typed(_: Any, array: Any, _at: Any) -> Any:
        def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            place = _place(context, builder, sig.args[0], *args)
            return builder.load(builder.bitcast(place, lanes.vector.as_pointer()), align=4)

        return lanes(array, types.intp), lower

    return typed


def _store(_: Any, value: Any, array: Any, _at: Any) -> Any:
    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        place = _place(context, builder, sig.args[1], *args[1:])
        builder.store(args[0], builder.bitcast(place, value.vector.as_pointer()), align=4)
        return context.get_dummy_value()

    return types.void(value, array, types.intp), lower


def _put(_: Any, values: Any, array: Any, _at: Any, _step: Any) -> Any:
    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        one, (found, _, at, step) = values.dtype.vector.as_pointer(), args
        for value in cgutils.unpack_tuple(builder, found, values.count):
            builder.store(value, builder.bitcast(_place(context, builder, sig.args[1], args[1], at), one), align=4)
            at = builder.add(at, step)
        return context.get_dummy_value()

    return types.void(values, array, types.intp, types.intp), lower


def _spreads(lanes: _LanesType) -> Any:
    def typed(_: Any, _value: Any) -> Any:
        return lanes(types.float32), lambda _, builder, __, args: _spread(builder, lanes, args[0])

    return typed


def _samples(lanes: _LanesType) -> Any:
    def typed(_: Any, array: Any, _at: Any) -> Any:
        def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            return _spread(builder, lanes, builder.load(_place(context, builder, sig.args[0], *args), align=4))

        return lanes(array, types.intp), lower

    return typed


def _lane(_: Any, _value: Any, _at: Any) -> Any:
    return types.float32(_EIGHT, types.intp), lambda _, builder, __, args: builder.extract_element(*args)


def _total(_: Any, value: Any) -> Any:
    def lower(_: Any, builder: Any, __: Any, args: Any) -> Any:
        left, half = args[0], value.count // 2
        while half:
            halves = [_shuffled(builder, left, left, [*range(start, start + half)]) for start in (0, half)]
            left, half = builder.fadd(*halves, flags=_LOOSE), half // 2
        return builder.extract_element(left, ir.IntType(32)(0))

    return types.float32(value), lower


def _choice(value: Any, limit: Any, *others: Any, choose: Callable[..., Sequence[Any]]) -> Any:
    """The first of two where a value is above a limit, else the second."""

    def lower(_: Any, builder: Any, sig: Any, args: Any) -> Any:
        limits = args[1] if sig.args[1] == value else _spread(builder, value, args[1])
        return builder.select(builder.fcmp_ordered(">", args[0], limits), *choose(args[0], limits, *args[2:]))

    return value(value, value if limit == value else types.float32, *others), lower


def _above(_: Any, value: Any, limit: Any) -> Any:
    numbers = [ir.Constant(value.vector, [number] * value.count) for number in (1.0, 0.0)]
    return _choice(value, limit, choose=lambda *_: numbers)


def _larger(_: Any, value: Any, limit: Any) -> Any:
    return _choice(value, limit, choose=lambda one, other: (one, other))


def _smaller(_: Any, value: Any, limit: Any) -> Any:
    return _choice(value, limit, choose=lambda one, other: (other, one))


def _where_above(_: Any, value: Any, limit: Any, one: Any, other: Any) -> Any:
    return _choice(value, limit, one, other, choose=lambda _value, _limit, one, other: (one, other))


def _halves(order: list[int]) -> Any:
    def typed(_: Any, _one: Any, _other: Any) -> Any:
        return _EIGHT(_EIGHT, _EIGHT), lambda _, builder, __, args: _shuffled(builder, args[0], args[1], order)

    return typed


def _transpose(_: Any, rows: Any) -> Any:
    """Pairs of rows are merged by single floats, by two, and by four."""

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        found = cgutils.unpack_tuple(builder, args[0], 8)
        for width in (1, 2, 4):
            order = [k if not k & width else k + 8 - width for k in range(8)]
            for low in (k for k in range(8) if not k & width):
                pair = found[low], found[low + width]
                found[low], found[low + width] = (
                    _shuffled(builder, *pair, [k + shift for k in order]) for shift in (0, width)
                )
        return context.make_tuple(builder, sig.return_type, found)

    return UniTuple(_EIGHT, 8)(rows), lower


Load = Callable[[Floats, int], Lanes]
load = cast(Load, intrinsic(_loads(_EIGHT)))  # from where an array, taken as flat, has its sample `at`
load_wide = cast(Load, intrinsic(_loads(_WIDE)))
store = cast(Callable[[Lanes, Floats, int], None], intrinsic(_store))
put = cast(Callable[[tuple[Lanes, ...], Floats, int, int], None], intrinsic(_put))  # store all, every `step` samples
eight = cast(Callable[[Real], Eight], intrinsic(_spreads(_EIGHT)))  # the same float eight times
wide = cast(Callable[[Real], Wide], intrinsic(_spreads(_WIDE)))
wide_same = cast(Load, intrinsic(_samples(_WIDE)))  # an array's sample `at`, over and over
lane = cast(Callable[[Eight, int], Real], intrinsic(_lane))  # one of the eight
total = cast(Callable[[Lanes], Real], intrinsic(_total))  # the sum of all
above = cast(Callable[[Lanes, Real], Lanes], intrinsic(_above))  # one where a value is above a limit, else zero
larger = cast(Callable[[Lanes, Real], Lanes], intrinsic(_larger))  # of two
smaller = cast(Callable[[Lanes, Real], Lanes], intrinsic(_smaller))
where_above = cast(
    Callable[[Lanes, Real, Lanes, Lanes], Lanes], intrinsic(_where_above)
)  # the first there, else the last
first_halves = cast(Callable[[Eight, Eight], Eight], intrinsic(_halves([*range(4), *range(8, 12)])))
last_halves = cast(Callable[[Eight, Eight], Eight], intrinsic(_halves([*range(4, 8), *range(12, 16)])))
transpose = cast(Callable[[Eights], Eights], intrinsic(_transpose))


@compiled
def rows(array: Floats, at: int, step: int) -> Eights:
    """Eights from `at` on, every `step` samples."""
    return (
        load(array, at), load(array, at + step), load(array, at + 2 * step), load(array, at + 3 * step),
        load(array, at + 4 * step), load(array, at + 5 * step), load(array, at + 6 * step), load(array, at + 7 * step),
    )  # fmt: skip


@compiled
def rows_at(array: Floats, at: Ints, more: int) -> Eights:
    """Eights from the eight places `at`, and so many samples behind."""
    return (
        load(array, at[0] + more), load(array, at[1] + more), load(array, at[2] + more), load(array, at[3] + more),
        load(array, at[4] + more), load(array, at[5] + more), load(array, at[6] + more), load(array, at[7] + more),
    )  # fmt: skip


@compiled
def absolute(value: Eight) -> Eight:
    """Without its signs."""
    return larger(value, ZERO - value)


@compiled
def minus(a: Eights, b: Eights) -> Eights:
    """Differences, each of its own pair."""
    return a[0] - b[0], a[1] - b[1], a[2] - b[2], a[3] - b[3], a[4] - b[4], a[5] - b[5], a[6] - b[6], a[7] - b[7]


@compiled
def dot(a: Eights, b: Eights) -> Real:
    """The sum of the products of all 64 pairs."""
    upper = a[0] * b[0] + a[1] * b[1] + a[2] * b[2] + a[3] * b[3]
    return total(upper + (a[4] * b[4] + a[5] * b[5] + a[6] * b[6] + a[7] * b[7]))
