"""The C side of the binding: structures and prototypes, as include/leat/*.h declares them.

Every structure carries the C type's name in ``c_name``; tests/bindings/check_abi.py has a C compiler print each size and offset and compares.
Nothing here is public.
"""
from __future__ import annotations

import ctypes
from ctypes import POINTER, c_char, c_char_p, c_float, c_int, c_int32, c_int64, c_size_t, c_uint32, c_uint64, c_void_p

MAX_RANK = 8
MEMORY_TAGS = 6


class Error(ctypes.Structure):
    c_name = "leat_error"
    _fields_ = [("status", c_int), ("message", c_char * 768), ("offset", c_uint64)]


class Tensor(ctypes.Structure):
    c_name = "leat_tensor"
    _fields_ = [("data", c_void_p), ("dtype", c_int), ("rank", c_int32), ("dims", c_int64 * MAX_RANK), ("flags", c_uint32)]


class MemoryStats(ctypes.Structure):
    c_name = "leat_memory_stats"
    _fields_ = [("live_bytes", c_uint64 * MEMORY_TAGS), ("peak_bytes", c_uint64), ("allocations", c_uint64), ("hot_allocations", c_uint64)]


# ---- model.h ------------------------------------------------------------------------------------------------------------------


class ModelOptions(ctypes.Structure):
    c_name = "leat_model_options"
    _fields_ = [("size", c_size_t), ("threads", c_int), ("flags", c_uint32), ("pool", c_void_p), ("max_bytes", c_uint64)]


class ValueInfo(ctypes.Structure):
    c_name = "leat_value_info"
    _fields_ = [("name", c_char_p), ("dtype", c_int), ("rank", c_int32), ("dims", c_int64 * MAX_RANK), ("dim_names", c_char_p * MAX_RANK)]


class ModelInfo(ctypes.Structure):
    c_name = "leat_model_info"
    _fields_ = [("producer", c_char_p), ("producer_version", c_char_p), ("graph_name", c_char_p), ("doc", c_char_p), ("ir_version", c_int64),
                ("opset", c_int), ("parameters", c_int64), ("file_bytes", c_uint64), ("nodes_file", c_int), ("nodes_run", c_int),
                ("unsupported", c_int), ("open_ns", c_int64)]


class OperatorInfo(ctypes.Structure):
    c_name = "leat_operator_info"
    _fields_ = [("domain", c_char_p), ("op", c_char_p), ("opset", c_int), ("count", c_int), ("supported", c_int)]


class ContextOptions(ctypes.Structure):
    c_name = "leat_context_options"
    _fields_ = [("size", c_size_t), ("threads", c_int), ("profile", c_int), ("max_plans", c_int), ("keep", c_char_p)]


class ContextStats(ctypes.Structure):
    c_name = "leat_context_stats"
    _fields_ = [("runs", c_uint64), ("last_run_ns", c_int64), ("prepare_ns", c_int64), ("arena_bytes", c_uint64), ("dynamic_bytes", c_uint64),
                ("weight_bytes_mapped", c_uint64), ("weight_bytes_packed", c_uint64), ("run_allocations", c_uint64), ("macs", c_int64),
                ("largest_bytes", c_uint64), ("nodes", c_int), ("threads", c_int)]


class NodeStats(ctypes.Structure):
    c_name = "leat_node_stats"
    _fields_ = [("name", c_char_p), ("op", c_char_p), ("kernel", c_char_p), ("output", Tensor), ("macs", c_int64), ("bytes", c_uint64),
                ("runs", c_uint64), ("last_start_ns", c_int64), ("last_ns", c_int64), ("total_ns", c_int64), ("min_ns", c_int64)]


_error = POINTER(Error)

# name: (result, arguments)
PROTOTYPES = {
    "leat_version": (c_char_p, []),
    "leat_status_name": (c_char_p, [c_int]),
    "leat_status_text": (c_char_p, [c_int]),
    "leat_cpu_count": (c_int, []),
    "leat_isa_supported": (c_int, []),
    "leat_isa_selected": (c_int, []),
    "leat_isa_name": (c_char_p, [c_int]),
    "leat_memory_get": (None, [POINTER(MemoryStats)]),
    "leat_memory_tag_name": (c_char_p, [c_int]),
    "leat_free": (None, [c_void_p]),
    "leat_model_options_default": (None, [POINTER(ModelOptions)]),
    "leat_model_open": (c_int, [c_char_p, POINTER(ModelOptions), POINTER(c_void_p), _error]),
    "leat_model_open_memory": (c_int, [c_void_p, c_size_t, POINTER(ModelOptions), POINTER(c_void_p), _error]),
    "leat_model_unref": (None, [c_void_p]),
    "leat_model_input_count": (c_int, [c_void_p]),
    "leat_model_output_count": (c_int, [c_void_p]),
    "leat_model_input_info": (c_int, [c_void_p, c_int, POINTER(ValueInfo)]),
    "leat_model_output_info": (c_int, [c_void_p, c_int, POINTER(ValueInfo)]),
    "leat_model_get_info": (None, [c_void_p, POINTER(ModelInfo)]),
    "leat_model_unsupported": (c_char_p, [c_void_p, c_int]),
    "leat_model_operator": (c_int, [c_void_p, c_int, POINTER(OperatorInfo)]),
    "leat_model_constant": (c_int, [c_void_p, c_char_p, POINTER(Tensor)]),
    "leat_model_dump": (c_int, [c_void_p, c_int, POINTER(c_void_p)]),
    "leat_context_options_default": (None, [POINTER(ContextOptions)]),
    "leat_context_open": (c_int, [c_void_p, POINTER(ContextOptions), POINTER(c_void_p), _error]),
    "leat_context_close": (None, [c_void_p]),
    "leat_context_set_input": (c_int, [c_void_p, c_int, POINTER(Tensor), _error]),
    "leat_context_set_output": (c_int, [c_void_p, c_int, c_void_p, c_size_t, _error]),
    "leat_context_prepare": (c_int, [c_void_p, _error]),
    "leat_context_run": (c_int, [c_void_p, _error]),
    "leat_context_warmup": (c_int, [c_void_p, c_int, _error]),
    "leat_context_output": (c_int, [c_void_p, c_int, POINTER(Tensor)]),
    "leat_context_kept": (c_int, [c_void_p, POINTER(Tensor)]),
    "leat_context_cancel": (None, [c_void_p]),
    "leat_context_start": (c_int, [c_void_p, _error]),
    "leat_context_poll": (c_int, [c_void_p]),
    "leat_context_wait": (c_int, [c_void_p, c_int64, _error]),
    "leat_context_get_stats": (None, [c_void_p, POINTER(ContextStats)]),
    "leat_context_node": (c_int, [c_void_p, c_int, POINTER(NodeStats)]),
}
