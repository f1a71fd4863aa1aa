"""Sixteen neighbouring neurons at a time, in the code that also takes one.

LLVM makes vector code of a loop only where nothing in it has another effect, and to ask memory for a line of the next
time step is one. So the vectors are written out: a kernel's body is a function of an index ``j``, which for one neuron
is an integer and for sixteen a :class:`Block`. Arrays then give and take a :class:`Vector` at ``j``, arithmetic and
comparison work on it value by value, rounding as on one, and :func:`where` takes the place of ``if``.
"""

import operator
from typing import Any

from llvmlite import ir
from numba import int64, njit, types
from numba.core import cgutils
from numba.core.datamodel import models
from numba.extending import intrinsic, overload, register_model

LANES = 16
"""Values of a vector: of fp32, one line of memory."""

inlined = njit(nogil=True, error_model="numpy", inline="always")


class Block(types.Type):
    """Index of ``LANES`` neighbours, by the first of them."""

    def __init__(self) -> None:
        super().__init__("Block")


class Vector(types.Type):
    """``LANES`` values of one type."""

    def __init__(self, element: Any) -> None:
        self.element = element
        super().__init__(f"Vector({element})")


blocks = Block()


@register_model(Block)
class _BlockModel(models.PrimitiveModel):
    def __init__(self, dmm: Any, fe_type: Any) -> None:
        super().__init__(dmm, fe_type, ir.IntType(64))


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, dmm: Any, fe_type: Any) -> None:
        super().__init__(dmm, fe_type, ir.VectorType(dmm.lookup(fe_type.element).get_value_type(), LANES))


def is_vector(value: Any, element: Any = None) -> bool:
    """Whether a Numba type is a vector, or one of ``element``."""
    return isinstance(value, Vector) and element in (None, value.element)


def shaped_as(value: Any, element: Any) -> Any:
    """Return the LLVM type of ``element`` for one, or as many as ``value`` (an LLVM value) has."""
    return ir.VectorType(element, LANES) if isinstance(value.type, ir.VectorType) else element


def constant_as(value: Any, element: Any, number: float) -> Any:
    """Return ``number`` as an LLVM constant of the shape of ``value``."""
    kind = shaped_as(value, element)
    return ir.Constant(kind, [number] * LANES if isinstance(kind, ir.VectorType) else number)


@intrinsic
def block(typingctx, first):
    """Return the index of ``first`` and the neurons after it."""
    return blocks(int64), lambda context, builder, signature, args: args[0]


@intrinsic
def first_of(typingctx, j):
    """Return the index of a block's first neuron."""
    return int64(blocks), lambda context, builder, signature, args: args[0]


@overload(operator.add)
def _moved(offset, j):
    if isinstance(offset, types.Integer) and j == blocks:
        return lambda offset, j: block(offset + first_of(j))


@intrinsic
def _read(typingctx, array, j):
    kind = Vector(array.dtype)

    def emit(context, builder, signature, args):
        place = context.make_array(signature.args[0])(context, builder, args[0])
        wide = context.get_value_type(kind).as_pointer()
        return builder.load(builder.bitcast(builder.gep(place.data, [args[1]]), wide), align=array.dtype.bitwidth // 8)

    return kind(array, j), emit


@intrinsic
def _write(typingctx, array, j, value):
    def emit(context, builder, signature, args):
        place = context.make_array(signature.args[0])(context, builder, args[0])
        wide = context.get_value_type(value).as_pointer()
        target = builder.bitcast(builder.gep(place.data, [args[1]]), wide)
        builder.store(args[2], target, align=array.dtype.bitwidth // 8)
        return context.get_dummy_value()

    return types.void(array, j, value), emit


def _in_a_row(array: Any) -> bool:
    return isinstance(array, types.Array) and array.ndim == 1 and array.layout == "C"


@overload(operator.getitem)
def _get(array, j):
    if _in_a_row(array) and j == blocks:
        return lambda array, j: _read(array, j)


@overload(operator.setitem)
def _set(array, j, value):
    if _in_a_row(array) and j == blocks:
        if is_vector(value, array.dtype):
            return lambda array, j, value: _write(array, j, value)
        if value == array.dtype:
            return lambda array, j, value: _write(array, j, filled(value))


@intrinsic
def filled(typingctx, value):
    """Return a vector of one value."""
    kind = Vector(value)

    def emit(context, builder, signature, args):
        wide = context.get_value_type(kind)
        nothing = ir.Constant(wide, ir.Undefined)
        one = builder.insert_element(nothing, args[0], ir.Constant(ir.IntType(32), 0))
        return builder.shuffle_vector(one, nothing, ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES))

    return kind(value), emit


def as_vector(value):
    """Return a vector as it is, and of a number one that is filled with it."""


@overload(as_vector, inline="always")
def _as_vector(value):
    return (lambda value: value) if is_vector(value) else (lambda value: filled(value))


def _element(value: Any) -> Any:
    return getattr(value, "element", value)


def _is_float(element: Any) -> bool:
    return isinstance(element, types.Float)


def _pairwise(python: Any, emit: Any, result: Any = None, of: Any = _is_float) -> None:
    """Give two vectors, or one and a number, of elements that are ``of`` a kind the meaning of an operator."""

    @intrinsic
    def both(typingctx, a, b):
        kind = a if result is None else Vector(result)
        return kind(a, b), lambda context, builder, signature, args: emit(builder, *args)

    @overload(python)
    def operation(a, b):
        if not (is_vector(a) or is_vector(b)) or _element(a) != _element(b) or not of(_element(a)):
            return None
        return lambda a, b: both(as_vector(a), as_vector(b))


_pairwise(operator.add, lambda builder, a, b: builder.fadd(a, b))
_pairwise(operator.sub, lambda builder, a, b: builder.fsub(a, b))
_pairwise(operator.mul, lambda builder, a, b: builder.fmul(a, b))
_pairwise(operator.truediv, lambda builder, a, b: builder.fdiv(a, b))
_pairwise(operator.gt, lambda builder, a, b: builder.fcmp_ordered(">", a, b), types.boolean)
_pairwise(operator.lt, lambda builder, a, b: builder.fcmp_ordered("<", a, b), types.boolean)
_pairwise(operator.ne, lambda builder, a, b: builder.fcmp_unordered("!=", a, b), types.boolean)
_pairwise(operator.and_, lambda builder, a, b: builder.and_(a, b), of=types.boolean.__eq__)


@intrinsic
def _negative(typingctx, a):
    return a(a), lambda context, builder, signature, args: builder.fneg(args[0])


@overload(operator.neg)
def _neg(a):
    if is_vector(a):
        return lambda a: _negative(a)


@overload(abs)
def _abs(a):
    if is_vector(a):
        return lambda a: function_of(a, "fabs")


@intrinsic(prefer_literal=True)
def function_of(typingctx, a, name):
    """Return LLVM's function of that name, value by value."""
    called = f"llvm.{name.literal_value}.v{LANES}f{a.element.bitwidth}"

    def emit(context, builder, signature, args):
        kind = ir.FunctionType(args[0].type, [args[0].type])
        return builder.call(cgutils.get_or_insert_function(builder.module, kind, called), [args[0]])

    return a(a, name), emit


@intrinsic
def _select(typingctx, condition, a, b):
    return a(condition, a, b), lambda context, builder, signature, args: builder.select(*args)


def where(condition, a, b):
    """Return ``a`` where the condition holds and ``b`` elsewhere."""


@overload(where, inline="always")
def _where(condition, a, b):
    if any(is_vector(v) for v in (condition, a, b)) and _element(a) == _element(b):
        return lambda condition, a, b: _select(condition, as_vector(a), as_vector(b))
    if a == b:
        return lambda condition, a, b: _select(condition, a, b)


@intrinsic
def _muladd(typingctx, a, b, c):
    shape = f"v{LANES}" if is_vector(a) else ""
    called = f"llvm.fmuladd.{shape}f{getattr(a, 'element', a).bitwidth}"

    def emit(context, builder, signature, args):
        kind = ir.FunctionType(args[0].type, [args[0].type] * 3)
        return builder.call(cgutils.get_or_insert_function(builder.module, kind, called), args)

    return a(a, b, c), emit


def muladd(a, b, c):
    """Return ``a·b + c``, rounded once where the processor can: the same for one neuron and for many."""


@overload(muladd, inline="always")
def _muladd_of(a, b, c):
    if any(is_vector(v) for v in (a, b, c)) and _element(a) == _element(b) == _element(c):
        return lambda a, b, c: _muladd(as_vector(a), as_vector(b), as_vector(c))
    if a == b == c:
        return lambda a, b, c: _muladd(a, b, c)


@intrinsic
def word_of(typingctx, mask):
    """Return a vector of booleans as a ``uint16``, the first in the lowest bit."""
    return types.uint16(mask), lambda context, builder, signature, args: builder.bitcast(args[0], ir.IntType(LANES))


@intrinsic
def mask_of(typingctx, word):
    """Return the vector of booleans that :func:`word_of` made a ``uint16``."""

    def emit(context, builder, signature, args):
        return builder.bitcast(args[0], ir.VectorType(ir.IntType(1), LANES))

    return Vector(types.boolean)(types.uint16), emit


def any_of(mask):
    """Whether the boolean, or one of a vector of them, is true."""


@overload(any_of, inline="always")
def _any_of(mask):
    return (lambda mask: word_of(mask) != 0) if is_vector(mask) else (lambda mask: mask)
