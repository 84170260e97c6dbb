"""The C side of the binding: structures and prototypes, as include/leat/*.h declares them.

Every structure carries the C type's name in ``c_name``; tests/bindings/check_abi.py has a C compiler print each size and offset and compares.
Nothing here is public.
"""
from __future__ import annotations

import ctypes
from ctypes import POINTER, c_char, c_char_p, c_float, c_int, c_int32, c_int64, c_size_t, c_uint32, c_uint64, c_void_p
from typing import Any

from .errors import InvalidError, Status

MAX_RANK = 8
MEMORY_TAGS = 6


class Record(ctypes.Structure):
    """A structure whose integers are not cut to their width, as ctypes would: what a field cannot hold is refused by name."""

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        held = getattr(self, name)
        if isinstance(held, int) and held != value:
            raise InvalidError(Status.EINVAL, f"{name} is {value}, which {8 * getattr(type(self), name).size} bits of the library's do not hold")


class Error(Record):
    c_name = "leat_error"
    _fields_ = [("status", c_int), ("message", c_char * 768), ("offset", c_uint64)]


class Tensor(Record):
    c_name = "leat_tensor"
    _fields_ = [("data", c_void_p), ("dtype", c_int), ("rank", c_int32), ("dims", c_int64 * MAX_RANK), ("flags", c_uint32)]


class MemoryStats(Record):
    c_name = "leat_memory_stats"
    _fields_ = [("live_bytes", c_uint64 * MEMORY_TAGS), ("peak_bytes", c_uint64), ("allocations", c_uint64), ("hot_allocations", c_uint64)]


# ---- model.h ------------------------------------------------------------------------------------------------------------------


class ModelOptions(Record):
    c_name = "leat_model_options"
    _fields_ = [("size", c_size_t), ("threads", c_int), ("flags", c_uint32), ("pool", c_void_p), ("max_bytes", c_uint64)]


class ValueInfo(Record):
    c_name = "leat_value_info"
    _fields_ = [("name", c_char_p), ("dtype", c_int), ("rank", c_int32), ("dims", c_int64 * MAX_RANK), ("dim_names", c_char_p * MAX_RANK)]


class ModelInfo(Record):
    c_name = "leat_model_info"
    _fields_ = [("producer", c_char_p), ("producer_version", c_char_p), ("graph_name", c_char_p), ("doc", c_char_p), ("ir_version", c_int64),
                ("opset", c_int), ("parameters", c_int64), ("file_bytes", c_uint64), ("nodes_file", c_int), ("nodes_run", c_int),
                ("unsupported", c_int), ("open_ns", c_int64)]


class OperatorInfo(Record):
    c_name = "leat_operator_info"
    _fields_ = [("domain", c_char_p), ("op", c_char_p), ("opset", c_int), ("count", c_int), ("supported", c_int)]


class ContextOptions(Record):
    c_name = "leat_context_options"
    _fields_ = [("size", c_size_t), ("threads", c_int), ("profile", c_int), ("max_plans", c_int), ("keep", c_char_p)]


class ContextStats(Record):
    c_name = "leat_context_stats"
    _fields_ = [("runs", c_uint64), ("last_run_ns", c_int64), ("prepare_ns", c_int64), ("arena_bytes", c_uint64), ("dynamic_bytes", c_uint64),
                ("weight_bytes_mapped", c_uint64), ("weight_bytes_packed", c_uint64), ("run_allocations", c_uint64), ("macs", c_int64),
                ("largest_bytes", c_uint64), ("nodes", c_int), ("threads", c_int)]


class NodeStats(Record):
    c_name = "leat_node_stats"
    _fields_ = [("name", c_char_p), ("op", c_char_p), ("kernel", c_char_p), ("output", Tensor), ("macs", c_int64), ("bytes", c_uint64),
                ("runs", c_uint64), ("last_start_ns", c_int64), ("last_ns", c_int64), ("total_ns", c_int64), ("min_ns", c_int64)]


# ---- tokenizer.h, lm.h, generate.h --------------------------------------------------------------------------------------------


class TokenizerInfo(Record):
    c_name = "leat_tokenizer_info"
    _fields_ = [("kind", c_char_p), ("pre", c_char * 64), ("tokens", c_int32), ("bos", c_int32), ("eos", c_int32), ("eot", c_int32), ("unk", c_int32),
                ("sep", c_int32), ("pad", c_int32), ("add_bos", c_int), ("add_eos", c_int), ("add_space_prefix", c_int)]


class LmOptions(Record):
    c_name = "leat_lm_options"
    _fields_ = [("size", c_size_t), ("threads", c_int), ("flags", c_uint32), ("pool", c_void_p)]


class LmInfo(Record):
    c_name = "leat_lm_info"
    _fields_ = [("architecture", c_char_p), ("name", c_char_p), ("file_type", c_char_p), ("encoder", c_int), ("layers", c_int32), ("width", c_int32),
                ("heads", c_int32), ("kv_heads", c_int32), ("head_width", c_int32), ("ffn_width", c_int32), ("experts", c_int32),
                ("experts_used", c_int32), ("vocabulary", c_int32), ("train_context", c_int32), ("window", c_int32), ("pooling", c_int),
                ("parameters", c_uint64), ("weight_bytes", c_uint64), ("file_bytes", c_uint64), ("weight_bytes_token", c_uint64),
                ("kv_bytes_token", c_uint64), ("open_ns", c_int64)]


class SessionOptions(Record):
    c_name = "leat_lm_session_options"
    _fields_ = [("size", c_size_t), ("context", c_int32), ("batch", c_int32), ("kv_type", c_int), ("threads", c_int)]


class SessionStats(Record):
    c_name = "leat_lm_session_stats"
    _fields_ = [("kv_bytes", c_uint64), ("scratch_bytes", c_uint64), ("evaluated_tokens", c_int64), ("reused_tokens", c_int64), ("prompt_ns", c_int64),
                ("prompt_tokens", c_int64), ("decode_ns", c_int64), ("decode_tokens", c_int64), ("allocations", c_uint64), ("context", c_int32),
                ("threads", c_int32)]


class LogitBias(Record):
    c_name = "leat_logit_bias"
    _fields_ = [("token", c_int32), ("bias", c_float)]


class Sampling(Record):
    c_name = "leat_sampling"
    _fields_ = [("size", c_size_t), ("temperature", c_float), ("top_k", c_int32), ("top_p", c_float), ("min_p", c_float), ("typical_p", c_float),
                ("repeat_penalty", c_float), ("presence_penalty", c_float), ("frequency_penalty", c_float), ("penalty_last", c_int32),
                ("mirostat", c_int32), ("mirostat_tau", c_float), ("mirostat_eta", c_float), ("seed", c_uint64), ("bias", POINTER(LogitBias)),
                ("n_bias", c_int64)]


class Request(Record):
    c_name = "leat_lm_request"
    _fields_ = [("size", c_size_t), ("prompt", c_char_p), ("prompt_bytes", c_size_t), ("tokens", c_void_p), ("n_tokens", c_int64), ("flags", c_uint32),
                ("max_tokens", c_int64), ("sampling", Sampling), ("stop", POINTER(c_char_p)), ("n_stop", c_int32), ("n_top", c_int32),
                ("grammar", c_char_p), ("json_schema", c_char_p)]


class TokenProb(Record):
    c_name = "leat_token_prob"
    _fields_ = [("token", c_int32), ("logprob", c_float)]


class Result(Record):
    c_name = "leat_lm_result"
    _fields_ = [("size", c_size_t), ("tokens", c_void_p), ("token_capacity", c_int64), ("text", c_void_p), ("text_capacity", c_size_t),
                ("probs", c_void_p), ("top", c_void_p), ("prompt_logits", c_void_p), ("logits_capacity", c_int64), ("n_tokens", c_int64),
                ("text_bytes", c_size_t), ("prompt_tokens", c_int64), ("cached_tokens", c_int64), ("finish", c_int), ("seed", c_uint64),
                ("prompt_ns", c_int64), ("first_token_ns", c_int64), ("decode_ns", c_int64), ("total_ns", c_int64)]


class Piece(Record):
    c_name = "leat_lm_piece"
    _fields_ = [("index", c_int64), ("token", c_int32), ("text", c_void_p), ("bytes", c_size_t), ("logprob", c_float), ("top", POINTER(TokenProb)),
                ("n_top", c_int32)]


class ChatMessage(Record):
    c_name = "leat_chat_message"
    _fields_ = [("role", c_char_p), ("content", c_char_p)]


class CacheStats(Record):
    c_name = "leat_lm_cache_stats"
    _fields_ = [("models", c_int64), ("hits", c_int64), ("misses", c_int64), ("evictions", c_int64), ("bytes", c_uint64), ("max_bytes", c_uint64)]


TokenFunction = ctypes.CFUNCTYPE(c_int, c_void_p, POINTER(Piece))
CompleteFunction = ctypes.CFUNCTYPE(None, c_void_p, c_int, POINTER(Result))

_error = POINTER(Error)
_out = POINTER(c_void_p)

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
    "leat_tokenizer_get_info": (None, [c_void_p, POINTER(TokenizerInfo)]),
    "leat_tokenizer_encode": (c_int, [c_void_p, c_char_p, c_size_t, c_uint32, c_void_p, c_int64, POINTER(c_int64)]),
    "leat_tokenizer_type": (c_int, [c_void_p, c_int32]),
    "leat_tokenizer_find": (c_int32, [c_void_p, c_char_p, c_size_t]),
    "leat_tokenizer_piece": (c_int, [c_void_p, c_int32, c_uint32, c_void_p, c_size_t, POINTER(c_size_t)]),
    "leat_tokenizer_decode": (c_int, [c_void_p, c_void_p, c_int64, c_uint32, c_void_p, c_size_t, POINTER(c_size_t)]),
    "leat_lm_options_default": (None, [POINTER(LmOptions)]),
    "leat_lm_open": (c_int, [c_char_p, POINTER(LmOptions), _out, _error]),
    "leat_lm_open_memory": (c_int, [c_void_p, c_size_t, POINTER(LmOptions), _out, _error]),
    "leat_lm_ref": (c_void_p, [c_void_p]),
    "leat_lm_unref": (None, [c_void_p]),
    "leat_lm_get_info": (None, [c_void_p, POINTER(LmInfo)]),
    "leat_lm_tokenizer": (c_void_p, [c_void_p]),
    "leat_lm_session_options_default": (None, [POINTER(SessionOptions)]),
    "leat_lm_session_open": (c_int, [c_void_p, POINTER(SessionOptions), _out, _error]),
    "leat_lm_session_close": (None, [c_void_p]),
    "leat_lm_sync": (c_int, [c_void_p, c_void_p, c_int64, _error]),
    "leat_lm_sync_logits": (c_int, [c_void_p, c_void_p, c_int64, c_void_p, _error]),
    "leat_lm_session_tokens": (None, [c_void_p, _out, POINTER(c_int64)]),
    "leat_lm_logits": (c_int, [c_void_p, _out]),
    "leat_lm_session_save": (c_int, [c_void_p, c_char_p, _error]),
    "leat_lm_session_load": (c_int, [c_void_p, c_char_p, _error]),
    "leat_lm_embed": (c_int, [c_void_p, c_char_p, c_size_t, c_int, c_int, _out, POINTER(c_int64), _error]),
    "leat_lm_embed_tokens": (c_int, [c_void_p, c_void_p, c_int64, c_int, c_int, _out, POINTER(c_int64), _error]),
    "leat_lm_cancel": (None, [c_void_p]),
    "leat_lm_session_get_stats": (None, [c_void_p, POINTER(SessionStats)]),
    "leat_sampling_default": (None, [POINTER(Sampling)]),
    "leat_lm_request_default": (None, [POINTER(Request)]),
    "leat_finish_name": (c_char_p, [c_int]),
    "leat_lm_result_init": (None, [POINTER(Result)]),
    "leat_lm_generate": (c_int, [c_void_p, POINTER(Request), POINTER(Result), TokenFunction, c_void_p, _error]),
    "leat_lm_start": (c_int, [c_void_p, POINTER(Request), POINTER(Result), TokenFunction, CompleteFunction, c_void_p, _error]),
    "leat_lm_poll": (c_int, [c_void_p]),
    "leat_lm_wait": (c_int, [c_void_p, c_int64, _error]),
    "leat_lm_generate_batch": (c_int, [_out, c_int32, POINTER(Request), POINTER(Result), c_int64, TokenFunction, _out, POINTER(c_int), _error]),
    "leat_lm_gguf": (c_void_p, [c_void_p]),
    "leat_chat_name": (c_char_p, [c_int]),
    "leat_chat_of_file": (c_int, [c_void_p, POINTER(c_char_p), _error]),
    "leat_chat_render": (c_int, [c_char_p, c_void_p, POINTER(ChatMessage), c_int64, c_uint32, c_char_p, c_size_t, POINTER(c_size_t), _error]),
    "leat_lm_cache_open": (c_int, [c_uint64, POINTER(LmOptions), _out, _error]),
    "leat_lm_cache_close": (None, [c_void_p]),
    "leat_lm_cache_get": (c_int, [c_void_p, c_char_p, _out, _error]),
    "leat_lm_cache_get_stats": (None, [c_void_p, POINTER(CacheStats)]),
}
