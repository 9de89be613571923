"""Weights in the block formats of GGUF, by llama.cpp's own quantiser.

Q8_0 is written by the `gguf` package. The K formats have no writer in Python: `ggml_quantize_chunk`
is called in the library that `xllamacpp` brings. Which tensor gets which format in Q4_K_M is
decided here as `llama_tensor_get_type` in llama.cpp's `src/llama-quant.cpp` decides it, since that
library has the quantiser but not the program around it.
"""

from __future__ import annotations

import ctypes
import re
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt
    from gguf import GGMLQuantizationType

    Array = npt.NDArray[Any]

_LAYER = re.compile(r"blk\.(\d+)\.")


def q8_type(name: str, columns: int, layers: int, *, tied: bool) -> GGMLQuantizationType:
    """The format of a matrix in Q8_0; float16 where its rows do not fill blocks of 32."""
    from gguf import GGMLQuantizationType as Kind

    return Kind.F16 if columns % 32 else Kind.Q8_0


def q4_type(name: str, columns: int, layers: int, *, tied: bool) -> GGMLQuantizationType:
    """The format of a matrix in the mix Q4_K_M.

    The output, and half of the value and down projections, have six bits, the rest has four. Rows
    that do not fill blocks of 256 fall back to blocks of 32: Q8_0 for Q6_K, Q5_0 for Q4_K.

    Args:
        name: the tensor's name in GGUF.
        columns: values in a row.
        layers: how many layers the model has.
        tied: whether the word embeddings are the output too.
    """
    from gguf import GGMLQuantizationType as Kind

    found = _LAYER.match(name)
    six = name == "output.weight" or (tied and name == "token_embd.weight")
    if found and name.endswith(("attn_v.weight", "ffn_down.weight")):
        six = _has_more_bits(int(found.group(1)), layers)
    if columns % 32:
        return Kind.F16
    if columns % 256:
        return Kind.Q8_0 if six else Kind.Q5_0
    return Kind.Q6_K if six else Kind.Q4_K


def _has_more_bits(layer: int, layers: int) -> bool:
    """The first and last eighth of the layers, and every third between (`use_more_bits`)."""
    eighth = layers // 8
    return layer < eighth or layer >= 7 * layers // 8 or (layer - eighth) % 3 == 2


def exact_type(weights: Array) -> GGMLQuantizationType:
    """The smallest plain format that has a matrix's values exactly; float32 for a vector."""
    from gguf import GGMLQuantizationType as Kind
    from gguf import quants

    if weights.ndim > 1:
        for kind in (Kind.BF16, Kind.F16):
            stored = quants.quantize(weights, kind)
            if np.array_equal(quants.dequantize(stored, kind), weights):
                return kind
    return Kind.F32


def quantised(weights: Array, kind: GGMLQuantizationType) -> Array:
    """A matrix in a format of GGUF, as bytes by row where it is one of blocks.

    Args:
        weights: float32, rows × columns.
        kind: a format whose block a row is a multiple of.
    """
    from gguf import GGMLQuantizationType as Kind
    from gguf import quants

    if kind in (Kind.F32, Kind.F16, Kind.BF16, Kind.Q8_0):
        return quants.quantize(weights, kind)
    return _by_llama(np.ascontiguousarray(weights, dtype=np.float32), kind)


def _by_llama(weights: Array, kind: GGMLQuantizationType) -> Array:
    from gguf import GGML_QUANT_SIZES

    rows, columns = weights.shape
    block, size = GGML_QUANT_SIZES[kind]
    out = np.empty((rows, columns // block * size), dtype=np.uint8)
    written = _quantiser()(int(kind), weights.ctypes.data, out.ctypes.data, 0, rows, columns, None)
    if written != out.nbytes:
        raise RuntimeError(f"llama.cpp wrote {written} bytes of {kind.name}, not {out.nbytes}")
    return out


@cache
def _quantiser() -> Any:
    """`ggml_quantize_chunk(type, source, target, start, rows, columns, importance)`."""
    llama: Any = import_module("xllamacpp.xllamacpp")  # compiled, without types
    function = ctypes.CDLL(llama.__file__).ggml_quantize_chunk
    whole, pointer = ctypes.c_int64, ctypes.c_void_p
    function.argtypes = [ctypes.c_int, pointer, pointer, whole, whole, whole, pointer]
    function.restype = ctypes.c_size_t
    return function
