"""Requests and results of leat/generate.h: keyword arguments in, numpy arrays out.  Used by leat/lm.py."""
from __future__ import annotations

import ctypes
import json
from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple, TypedDict, Union

import numpy as np

from . import _abi
from ._library import check, fail, lib, text
from .errors import Status

Prompt = Union[str, bytes, Sequence[int], np.ndarray]
_PROB = np.dtype([("token", np.int32), ("logprob", np.float32)])
_TEXT_PER_TOKEN = 256  # bytes kept for each token on average; untouched memory costs nothing
_FLAGS = {"no_bos": 1, "parse": 2, "ignore_eos": 4, "append": 8, "specials": 16}
_SAMPLING = {name for name, *_ in _abi.Sampling._fields_} - {"size", "bias", "n_bias"}


class Options(TypedDict, total=False):
    """How to generate; what is not given is the library's default, named in leat/generate.h."""

    max_tokens: int  #: 128; -1 = as many as the context holds
    temperature: float  #: 0 = greedy
    top_k: int
    top_p: float
    min_p: float
    typical_p: float
    repeat_penalty: float
    presence_penalty: float
    frequency_penalty: float
    penalty_last: int
    mirostat: int
    mirostat_tau: float
    mirostat_eta: float
    seed: int  #: 0 = random; the one that was used is in the result
    logit_bias: Mapping[int, float]  #: added to the logits of tokens; -inf forbids one
    stop: Union[str, Sequence[str]]  #: strings that end the text
    grammar: str  #: GBNF
    json_schema: Union[str, Mapping[str, Any]]
    no_bos: bool  #: do not put BOS in front, whatever the file says
    parse: bool  #: control tokens written out in the prompt become their ids
    ignore_eos: bool
    append: bool  #: the prompt continues what the session holds
    specials: bool  #: control tokens appear in the text
    logprobs: bool  #: fill Generation.logprobs
    n_top: int  #: alternatives reported with each token, 0..64
    prompt_logits: bool  #: fill Generation.prompt_logits; evaluates the whole prompt anew


@dataclass(frozen=True)
class Piece:
    """A made token.  text: what can be shown now, whole characters, never a part of a stop string; token -1: only text that was held back, at the end."""

    index: int
    token: int
    text: str
    logprob: float
    top: Tuple[Tuple[int, float], ...] = ()


@dataclass(frozen=True)
class Generation:
    """What a generation made.  finish: "eos", "stop", "length", "context", "grammar", "callback" or "cancelled"."""

    text: str
    tokens: np.ndarray  #: [n] int32
    finish: str
    seed: int
    prompt_tokens: int
    cached_tokens: int  #: of the prompt, found in the session
    prompt_ns: int
    first_token_ns: int
    decode_ns: int
    total_ns: int
    logprobs: Optional[np.ndarray] = None  #: [n] float32
    top_tokens: Optional[np.ndarray] = None  #: [n, n_top] int32
    top_logprobs: Optional[np.ndarray] = None  #: [n, n_top] float32
    prompt_logits: Optional[np.ndarray] = None  #: [prompt tokens, vocabulary] float32


OnToken = Callable[[Piece], object]


def ids(tokens: Any) -> np.ndarray:
    """Tokens as a contiguous array of int32."""
    if tokens is None:
        raise TypeError("a text or tokens are needed, not None")
    array = np.asarray(tokens)
    if array.size and array.dtype.kind not in "iu":
        fail(Status.ETYPE, f"tokens are {array.dtype}, not integers")
    if array.size and (array.min() < -(2**31) or array.max() >= 2**31):
        fail(Status.EINVAL, "a token is out of range")
    return np.ascontiguousarray(array.reshape(-1), np.int32)


def c_text(value: str, what: str) -> bytes:
    """Text without NUL, as C takes it."""
    raw = value.encode("utf-8", "surrogatepass")
    if b"\0" in raw:
        fail(Status.EINVAL, f"{what} may not contain NUL")
    return raw


class Call:
    """A request and its result with all the memory that they point to."""

    def __init__(self, prompt: Prompt, context: int, vocabulary: int, tokenize: Callable[..., np.ndarray], options: Mapping[str, Any]) -> None:
        self.request, self.result = _abi.Request(), _abi.Result()
        lib.leat_lm_request_default(self.request)
        lib.leat_lm_result_init(self.result)
        self._kept: List[Any] = []
        wanted = dict(options)
        self.request.flags = sum(bit for name, bit in _FLAGS.items() if wanted.get(name))
        if wanted.get("prompt_logits") and isinstance(prompt, (str, bytes)):
            prompt = tokenize(prompt, specials=not wanted.get("no_bos"), parse=bool(wanted.get("parse")))
        self._set_prompt(prompt)
        for name in _FLAGS:
            wanted.pop(name, None)
        self._set_sampling(wanted)
        self._set_limits(wanted)
        self._place_result(wanted, context, vocabulary)
        if wanted:
            raise TypeError(f"unknown option{'s' if len(wanted) > 1 else ''} of a generation: {', '.join(wanted)}")

    def _keep(self, thing: Any) -> Any:
        self._kept.append(thing)
        return thing

    def _set_prompt(self, prompt: Prompt) -> None:
        request = self.request
        if isinstance(prompt, str):
            prompt = prompt.encode("utf-8", "surrogatepass")
        if isinstance(prompt, bytes):
            request.prompt, request.prompt_bytes = prompt, len(prompt)
            self._keep(prompt)
        else:
            tokens = self._keep(ids(prompt))
            request.tokens, request.n_tokens = tokens.ctypes.data, tokens.size
        self.n_prompt = request.n_tokens

    def _set_sampling(self, wanted: Dict[str, Any]) -> None:
        sampling = self.request.sampling
        for name in _SAMPLING & wanted.keys():
            setattr(sampling, name, wanted.pop(name))
        bias = wanted.pop("logit_bias", None)
        if bias:
            table = self._keep((_abi.LogitBias * len(bias))(*[_abi.LogitBias(token, amount) for token, amount in bias.items()]))
            sampling.bias, sampling.n_bias = ctypes.cast(table, ctypes.POINTER(_abi.LogitBias)), len(bias)

    def _set_limits(self, wanted: Dict[str, Any]) -> None:
        request = self.request
        request.max_tokens = wanted.pop("max_tokens", request.max_tokens)
        stop = wanted.pop("stop", ())
        strings = [c_text(s, "a stop string") for s in ([stop] if isinstance(stop, str) else stop or ())]
        if strings:
            request.stop = self._keep((ctypes.c_char_p * len(strings))(*strings))
            request.n_stop = len(strings)
        grammar, schema = wanted.pop("grammar", None), wanted.pop("json_schema", None)
        if grammar is not None:
            request.grammar = self._keep(c_text(grammar, "a grammar"))
        if schema is not None:
            request.json_schema = self._keep(c_text(schema if isinstance(schema, str) else json.dumps(schema), "a schema"))

    def _place_result(self, wanted: Dict[str, Any], context: int, vocabulary: int) -> None:
        result, wanted_tokens = self.result, self.request.max_tokens
        room = min(wanted_tokens, context) if wanted_tokens >= 0 else context
        self.tokens = np.empty(room, np.int32)
        self.text = np.empty(room * _TEXT_PER_TOKEN + 1, np.uint8)
        result.tokens, result.token_capacity = self.tokens.ctypes.data, room
        result.text, result.text_capacity = self.text.ctypes.data, self.text.size
        self.probs = self.top = self.logits = None
        if wanted.pop("logprobs", False):
            self.probs = np.empty(room, _PROB)
            result.probs = self.probs.ctypes.data
        n_top = wanted.pop("n_top", 0)
        self.request.n_top = n_top
        if 0 < n_top <= 64:
            self.top = np.empty((room, n_top), _PROB)
            result.top = self.top.ctypes.data
        if wanted.pop("prompt_logits", False):
            self.logits = np.empty((self.n_prompt, vocabulary), np.float32)
            result.prompt_logits, result.logits_capacity = self.logits.ctypes.data, self.logits.size

    def generation(self) -> Generation:
        """What was made; arrays are views of memory that nothing else will write to."""
        result = self.result
        n = min(result.n_tokens, len(self.tokens))
        held = self.text[: min(result.text_bytes, self.text.size - 1)]
        return Generation(
            text=held.tobytes().decode("utf-8", "replace"), tokens=self.tokens[:n], finish=text(lib.leat_finish_name(result.finish)), seed=result.seed,
            prompt_tokens=result.prompt_tokens, cached_tokens=result.cached_tokens, prompt_ns=result.prompt_ns, first_token_ns=result.first_token_ns,
            decode_ns=result.decode_ns, total_ns=result.total_ns,
            logprobs=None if self.probs is None else self.probs["logprob"][:n],
            top_tokens=None if self.top is None else self.top["token"][:n], top_logprobs=None if self.top is None else self.top["logprob"][:n],
            prompt_logits=self.logits)

    def finish(self, status: int, error: _abi.Error) -> Generation:
        """The generation, or the exception of a failure, whose ``generation`` is what was made until then."""
        made = self.generation()
        try:
            check(status, error)
        except Exception as failure:
            failure.generation = made  # type: ignore[attr-defined]
            raise
        return made


def piece_of(raw: "ctypes._Pointer[_abi.Piece]") -> Piece:
    """A piece whose memory is the callback's only, copied."""
    record = raw.contents
    shown = ctypes.string_at(record.text, record.bytes).decode("utf-8", "replace") if record.bytes else ""
    top = tuple((record.top[i].token, record.top[i].logprob) for i in range(record.n_top)) if record.top else ()
    return Piece(record.index, record.token, shown, record.logprob, top)


class Watcher:
    """The C callback of a Python one.  A callback that raises ends the generation; `reraise` then raises what it raised, in the caller."""

    def __init__(self, on_token: Optional[Callable[[int, Piece], object]], stopped: Callable[[], bool]) -> None:
        self._raised: Optional[BaseException] = None
        if on_token is None:
            self.function = _abi.TokenFunction()  # NULL
            return
        told = on_token

        def called(user: Optional[int], raw: "ctypes._Pointer[_abi.Piece]") -> int:
            try:
                if self._raised is not None or stopped():
                    return 1
                return 1 if told((user or 1) - 1, piece_of(raw)) is False else 0
            except BaseException as raised:  # noqa: B902 - no exception may cross C
                self._raised = raised
                return 1

        self.function = _abi.TokenFunction(called)

    def reraise(self) -> None:
        """Raises in the caller what the callback raised.  The last use: the callback is dropped, which refers to this object."""
        self.function = _abi.TokenFunction()
        raised, self._raised = self._raised, None
        if raised is not None:
            raise raised
