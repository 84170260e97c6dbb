"""Leat: neural networks and language models on the CPU.

    leat.Model      an ONNX model; leat.Context runs it
    leat.lm.Model   a language model; leat.lm.Session generates and embeds, leat.lm.Cache shares models
    leat.LeatError and its kinds: what a failed call raises, with the library's own message
"""
from __future__ import annotations

from typing import Dict

from . import _abi, lm
from ._library import lib as _lib, text as _text
from .errors import CancelledError, FormatError, InvalidError, LeatError, StateError, Status, UnsupportedError
from .model import Context, ContextStats, Model, ModelInfo, NodeStats, OperatorInfo, ValueInfo

__all__ = ["CancelledError", "Context", "ContextStats", "FormatError", "InvalidError", "LeatError", "Model", "ModelInfo", "NodeStats", "OperatorInfo",
           "StateError", "Status", "UnsupportedError", "ValueInfo", "__version__", "cpu_count", "isa", "lm", "memory"]

__version__: str = _text(_lib.leat_version())
"""The version of the library that was loaded."""


def cpu_count() -> int:
    """CPUs that this process may use (affinity and cgroup quota)."""
    return int(_lib.leat_cpu_count())


def isa() -> str:
    """The instruction-set level in use: "ref", "avx2", "avx512" or "avx512vnni"."""
    return _text(_lib.leat_isa_name(_lib.leat_isa_selected()))


def memory() -> Dict[str, int]:
    """Bytes that the library holds in this process by what they are for, with "peak", and the number of "allocations"."""
    stats = _abi.MemoryStats()
    _lib.leat_memory_get(stats)
    held = {_text(_lib.leat_memory_tag_name(tag)): stats.live_bytes[tag] for tag in range(_abi.MEMORY_TAGS)}
    return {**held, "peak": stats.peak_bytes, "allocations": stats.allocations}
