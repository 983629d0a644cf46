"""How functions are compiled for the CPU, and eight floats as one value in them.

Loops over arrays become instructions for several floats only where the compiler knows that what is written does not
overlap what is read, and of parts of the same plane it seldom does. An `Eight` leaves it nothing to prove: it is
loaded, added, multiplied and stored as a whole. Where the processor has narrower registers it takes several of them.
"""

import math
import operator
from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

import numba
import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.core.types.containers import UniTuple
from numba.core.typing import signature
from numba.core.typing.templates import ConcreteTemplate, infer_global
from numba.extending import intrinsic, lower_builtin, models, register_model
from numpy.typing import NDArray

Real = Any  # a number; numba tells its type
Eight = Any  # eight floats, one behind the other where they come from and go to
Eights = tuple[Eight, Eight, Eight, Eight, Eight, Eight, Eight, Eight]
Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
ZERO, ONE, HALF = np.float32(0), np.float32(1), np.float32(0.5)
Function = TypeVar("Function", bound=Callable[..., Any])

_LOOSE = ("nsz", "arcp", "contract", "afn", "reassoc")  # sums in any order, but infinities are what they are
_VECTOR = ir.VectorType(ir.FloatType(), 8)
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
    jit = numba.njit(fastmath=set(_LOOSE), nogil=True, cache=True, error_model="numpy", forceinline=True)
    return cast(Function, jit(function))


@compiled
def whole(value: Real) -> int:
    """The nearest whole number."""
    return int(math.floor(value + HALF))  # noqa: RUF046 - a float to mypy


@compiled
def clamp(value: Real, low: Real, high: Real) -> Real:
    """The value, or the limit that it passes."""
    return min(max(value, low), high)


class _EightType(types.Type):
    def __init__(self) -> None:
        super().__init__("Eight")


_EIGHT = _EightType()


@register_model(_EightType)
class _EightModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _VECTOR)


def _shuffled(builder: Any, one: Any, other: Any, order: list[int]) -> Any:
    return builder.shuffle_vector(one, other, ir.Constant(ir.VectorType(ir.IntType(32), len(order)), order))


def _spread(builder: Any, value: Any) -> Any:
    nothing = ir.Constant(_VECTOR, ir.Undefined)
    return _shuffled(builder, builder.insert_element(nothing, value, ir.IntType(32)(0)), nothing, [0] * 8)


def _define_arithmetic() -> None:
    """Eights and single floats, in any order, but for two floats."""
    pairs = ((_EIGHT, _EIGHT), (types.float32, _EIGHT), (_EIGHT, types.float32))
    cases = [signature(_EIGHT, *pair) for pair in pairs]
    for function, instruction in _OPERATORS.items():

        def lower(_: Any, builder: Any, sig: Any, args: Any, instruction: str = instruction) -> Any:
            wide = (v if kind == _EIGHT else _spread(builder, v) for kind, v in zip(sig.args, args, strict=True))
            return getattr(builder, instruction)(*wide, flags=_LOOSE)

        infer_global(function)(type(instruction, (ConcreteTemplate,), {"cases": cases}))
        for pair in pairs:
            lower_builtin(function, *pair)(lower)


_define_arithmetic()


def _place(context: Any, builder: Any, kind: Any, array: Any, at: Any) -> Any:
    first = context.make_array(kind)(context, builder, array).data
    return builder.bitcast(builder.gep(first, [at]), _VECTOR.as_pointer())


def _load(_: Any, array: Any, _at: Any) -> Any:
    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.load(_place(context, builder, sig.args[0], *args), align=4)

    return _EIGHT(array, types.intp), lower


def _store(_: Any, _value: Any, array: Any, _at: Any) -> Any:
    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        builder.store(args[0], _place(context, builder, sig.args[1], *args[1:]), align=4)
        return context.get_dummy_value()

    return types.void(_EIGHT, array, types.intp), lower


def _eight(_: Any, _value: Any) -> Any:
    return _EIGHT(types.float32), lambda _, builder, __, args: _spread(builder, args[0])


def _same(_: Any, array: Any, _at: Any) -> Any:
    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        first = context.make_array(sig.args[0])(context, builder, args[0]).data
        return _spread(builder, builder.load(builder.gep(first, [args[1]]), align=4))

    return _EIGHT(array, types.intp), lower


def _lane(_: Any, _value: Any, _at: Any) -> Any:
    return types.float32(_EIGHT, types.intp), lambda _, builder, __, args: builder.extract_element(*args)


def _total(_: Any, _value: Any) -> Any:
    def lower(_: Any, builder: Any, __: Any, args: Any) -> Any:
        left = args[0]
        for half in (4, 2, 1):
            halves = [_shuffled(builder, left, left, [*range(start, start + half)]) for start in (0, half)]
            left = builder.fadd(*halves, flags=_LOOSE)
        return builder.extract_element(left, ir.IntType(32)(0))

    return types.float32(_EIGHT), lower


def _choice(value: Any, limit: Any, choose: Callable[[Any, Any], Sequence[Any]]) -> Any:
    """The first of two where a value is above a limit, else the second."""

    def lower(_: Any, builder: Any, sig: Any, args: Any) -> Any:
        limits = args[1] if sig.args[1] == _EIGHT else _spread(builder, args[1])
        return builder.select(builder.fcmp_ordered(">", args[0], limits), *choose(args[0], limits))

    return _EIGHT(value, _EIGHT if limit == _EIGHT else types.float32), lower


def _above(_: Any, value: Any, limit: Any) -> Any:
    return _choice(value, limit, lambda *_: [ir.Constant(_VECTOR, [number] * 8) for number in (1.0, 0.0)])


def _larger(_: Any, value: Any, limit: Any) -> Any:
    return _choice(value, limit, lambda one, other: (one, other))


def _smaller(_: Any, value: Any, limit: Any) -> Any:
    return _choice(value, limit, lambda one, other: (other, one))


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


load = cast(Callable[[Floats, int], Eight], intrinsic(_load))  # from where an array, taken as flat, has its sample `at`
store = cast(Callable[[Eight, Floats, int], None], intrinsic(_store))
eight = cast(Callable[[Real], Eight], intrinsic(_eight))  # the same float eight times
same = cast(Callable[[Floats, int], Eight], intrinsic(_same))  # an array's sample `at`, eight times
lane = cast(Callable[[Eight, int], Real], intrinsic(_lane))  # one of the eight
total = cast(Callable[[Eight], Real], intrinsic(_total))  # the sum of the eight
above = cast(Callable[[Eight, Real], Eight], intrinsic(_above))  # one where a value is above a limit, else zero
larger = cast(Callable[[Eight, Real], Eight], intrinsic(_larger))  # of two
smaller = cast(Callable[[Eight, Real], Eight], intrinsic(_smaller))
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
def put(values: Eights, array: Floats, at: int, step: int) -> None:
    """Store eights from `at` on, every `step` samples."""
    store(values[0], array, at)
    store(values[1], array, at + step)
    store(values[2], array, at + 2 * step)
    store(values[3], array, at + 3 * step)
    store(values[4], array, at + 4 * step)
    store(values[5], array, at + 5 * step)
    store(values[6], array, at + 6 * step)
    store(values[7], array, at + 7 * step)


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
