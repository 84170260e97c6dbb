"""Language models: GGUF files, sessions, generation, embeddings (``leat/lm.h``, ``leat/generate.h``).

    from leat import lm
    with lm.Model("model.gguf") as model, model.session() as session:
        print(session.generate("Once upon a time", max_tokens=100, temperature=0).text)
        for piece in session.stream("Once upon a time"):
            print(piece.text, end="", flush=True)

A `Model` is read-only and may be shared between threads; a `Session` is one conversation.  A generation is one call into the library, however many tokens it
makes, and the interpreter's lock is free meanwhile.  A second call on a session while one is inside raises `StateError`, except ``cancel`` and ``close``, which
any thread, and a callback, may call at any time.
"""
from __future__ import annotations

import ctypes
import os
import threading
from collections import deque
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable, Deque, Iterator, List, Mapping, NoReturn, Optional, Sequence, Tuple, Union

import numpy as np

from . import _abi
from ._generate import Call, Generation, OnToken, Options, Piece, Prompt, Watcher, c_text, ids
from ._handle import Closable, Handle, Stay
from ._library import check, fail, lib, path_bytes, text
from .errors import LeatError, Status
from .model import _plain

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["Cache", "CacheStats", "Generation", "Model", "ModelInfo", "Options", "Piece", "Session", "SessionStats", "Stream", "TokenizerInfo",
           "generate_batch"]

_KV_TYPES = ("f16", "f32", "q8_0")
_POOLING = ("model", "mean", "cls", "last")
_WAITING_PIECES = 4096  # of a stream; a reader that is further behind holds the generation up


@dataclass(frozen=True)
class ModelInfo:
    """What a model is."""

    architecture: str
    name: str
    file_type: str
    encoder: bool
    layers: int
    width: int
    heads: int
    kv_heads: int
    head_width: int
    ffn_width: int
    experts: int
    experts_used: int
    vocabulary: int
    train_context: int
    window: int
    pooling: str
    parameters: int
    weight_bytes: int
    file_bytes: int
    weight_bytes_token: int
    kv_bytes_token: int
    open_ns: int


@dataclass(frozen=True)
class TokenizerInfo:
    """What a vocabulary is; an id of -1: it has none."""

    kind: str
    pre: str
    tokens: int
    bos: int
    eos: int
    eot: int
    unk: int
    sep: int
    pad: int
    add_bos: bool
    add_eos: bool
    add_space_prefix: bool


@dataclass(frozen=True)
class SessionStats:
    """What a session holds and did since it was opened."""

    kv_bytes: int
    scratch_bytes: int
    evaluated_tokens: int
    reused_tokens: int
    prompt_ns: int
    prompt_tokens: int
    decode_ns: int
    decode_tokens: int
    allocations: int
    context: int
    threads: int


@dataclass(frozen=True)
class CacheStats:
    """What a cache holds and did."""

    models: int
    hits: int
    misses: int
    evictions: int
    bytes: int
    max_bytes: int


def _choice(names: Tuple[str, ...], name: str, what: str) -> int:
    if name not in names:
        fail(Status.EINVAL, f"{what} is '{name}', not one of {', '.join(names)}")
    return names.index(name)


def _options(threads: int, prefetch: bool = False, lock: bool = False, copy: bool = False) -> _abi.LmOptions:
    options = _abi.LmOptions()
    lib.leat_lm_options_default(options)
    options.threads, options.flags = threads, (1 if prefetch else 0) | (2 if lock else 0) | (4 if copy else 0)
    return options


def _raw(value: Union[str, bytes]) -> bytes:
    return value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value


class Model(Closable):
    """A GGUF model.

    path: the file; or give its bytes by ``Model.from_bytes``.  threads: of the model's own pool, 0 = all usable CPUs.  prefetch: read the weights ahead while
    opening.  lock: keep them in memory (mlock).  copy: read them into memory of this process, in huge pages, instead of mapping the file.  Raises FormatError,
    UnsupportedError, LeatError (EIO, ENOMEM, ELIMIT).  Sessions outlive close() and keep the memory.
    """

    def __init__(self, path: "os.PathLike[str] | str", *, threads: int = 0, prefetch: bool = False, lock: bool = False,
                 copy: bool = False) -> None:
        pointer, error = ctypes.c_void_p(), _abi.Error()
        check(lib.leat_lm_open(path_bytes(path), _options(threads, prefetch, lock, copy), pointer, error), error)
        self._adopt(pointer)

    @classmethod
    def from_bytes(cls, data: "bytes | bytearray | memoryview | np.ndarray", *, threads: int = 0) -> "Model":
        """Opens a model in memory, which is not copied and must not change while the model is open."""
        pointer, error, memory = ctypes.c_void_p(), _abi.Error(), np.frombuffer(data, np.uint8)
        check(lib.leat_lm_open_memory(memory.ctypes.data, memory.nbytes, _options(threads), pointer, error), error)
        return cls._of(pointer, memory)

    @classmethod
    def _of(cls, pointer: ctypes.c_void_p, memory: object = None) -> "Model":
        model = cls.__new__(cls)
        model._adopt(pointer, memory)
        return model

    def _adopt(self, pointer: ctypes.c_void_p, memory: object = None) -> None:
        assert pointer.value
        self._hold(Handle(pointer.value, "model", lib.leat_lm_unref, parent=memory))

    def _share(self) -> "Model":
        with self._handle as model:
            return Model._of(ctypes.c_void_p(lib.leat_lm_ref(model)), self._handle.parent)

    @property
    def info(self) -> ModelInfo:
        """What the model is."""
        record = _abi.LmInfo()
        with self._handle as model:
            lib.leat_lm_get_info(model, record)
            values = _plain(record)
        return ModelInfo(**{**values, "encoder": bool(record.encoder), "pooling": _POOLING[record.pooling]})

    @property
    def tokenizer(self) -> TokenizerInfo:
        """What its vocabulary is."""
        record = _abi.TokenizerInfo()
        with self._handle as model:
            lib.leat_tokenizer_get_info(lib.leat_lm_tokenizer(model), record)
            values = _plain(record)
        return TokenizerInfo(**{**values, **{name: bool(values[name]) for name in ("add_bos", "add_eos", "add_space_prefix")}})

    def tokenize(self, prompt: Union[str, bytes], *, specials: bool = True, parse: bool = False) -> np.ndarray:
        """The ids [n] of a text.  specials: put BOS and EOS around it as the file says.  parse: control tokens written out become their ids."""
        raw, flags, count = _raw(prompt), (1 if specials else 0) | (2 if parse else 0), ctypes.c_int64()
        room = len(raw) // 2 + 16
        with self._handle as model:
            tokenizer = lib.leat_lm_tokenizer(model)
            while True:
                tokens = np.empty(room, np.int32)
                status = lib.leat_tokenizer_encode(tokenizer, raw, len(raw), flags, tokens.ctypes.data, room, count)
                if status != Status.ELIMIT or count.value <= room:
                    check(status)
                    return tokens[: count.value]
                room = count.value

    def detokenize(self, tokens: Any, *, specials: bool = False) -> str:
        """The text of tokens; specials: write control tokens out."""
        return self.detokenize_bytes(tokens, specials=specials).decode("utf-8", "replace")

    def detokenize_bytes(self, tokens: Any, *, specials: bool = False) -> bytes:
        """The same as bytes, which need not be whole characters."""
        array, size = ids(tokens), ctypes.c_size_t()
        room = 16 * array.size + 64
        with self._handle as model:
            tokenizer = lib.leat_lm_tokenizer(model)
            while True:
                buffer = ctypes.create_string_buffer(room)
                status = lib.leat_tokenizer_decode(tokenizer, array.ctypes.data, array.size, int(specials), buffer, room, size)
                if status == Status.EINVAL:
                    self._refuse_tokens(array)
                if status != Status.ELIMIT or size.value <= room:
                    check(status)
                    return buffer.raw[: size.value]
                room = size.value

    def _refuse_tokens(self, array: np.ndarray) -> NoReturn:
        vocabulary = self.tokenizer.tokens
        index = int(np.flatnonzero((array < 0) | (array >= vocabulary))[0])
        fail(Status.EINVAL, f"token {index} is {array[index]}, not in 0..{vocabulary - 1}")

    def token(self, piece: Union[str, bytes]) -> int:
        """The id of the token that is spelled so in the vocabulary, or -1."""
        raw = _raw(piece)
        with self._handle as model:
            return int(lib.leat_tokenizer_find(lib.leat_lm_tokenizer(model), raw, len(raw)))

    @property
    def chat_format(self) -> str:
        """The name of the format that the model's file gives for conversations: "chatml", "llama3", ...  Raises UnsupportedError where it gives none that is known."""
        name, error = ctypes.c_char_p(), _abi.Error()
        with self._handle as model:
            check(lib.leat_chat_of_file(lib.leat_lm_gguf(model), name, error), error)
            return text(name.value)

    def chat_prompt(self, messages: Sequence[Mapping[str, str]], *, format: Optional[str] = None, reply: bool = True) -> str:
        """A conversation as the text that the model was trained on.  messages: ``{"role": "user", "content": "..."}``; format: another one than the file's; reply: end
        with what the assistant's reply begins with.  Generate from it with ``parse=True``: control tokens that a content spells out then become control tokens, so
        strip them from what is not trusted."""
        name = (format or self.chat_format).encode()
        table = (_abi.ChatMessage * len(messages))(*[_abi.ChatMessage(c_text(m["role"], "a role"), c_text(m["content"], "a message")) for m in messages])
        size, error = ctypes.c_size_t(), _abi.Error()
        room = 256 + sum(2 * len(m.content or b"") + 256 for m in table)
        with self._handle as model:
            while True:
                buffer = ctypes.create_string_buffer(room)
                status = lib.leat_chat_render(name, lib.leat_lm_tokenizer(model), table, len(messages), int(reply), buffer, room, size, error)
                if status != Status.ELIMIT or size.value <= room:
                    check(status, error)
                    return buffer.raw[: size.value].decode("utf-8", "replace")
                room = size.value

    def session(self, *, context: int = 0, batch: int = 0, kv_type: str = "f16", threads: int = 0) -> "Session":
        """Opens a session.  context: tokens that it can hold, 0 = the model's, at most 8192.  batch: tokens evaluated at once, 0 = 512.
        kv_type: "f16", "f32" or "q8_0".  threads: at most this many of the pool's, 0 = all."""
        return Session(self, context=context, batch=batch, kv_type=kv_type, threads=threads)

    def generate(self, prompt: Prompt, **options: "Unpack[Options]") -> Generation:
        """Generates on a session of its own, which is closed at the end.  See ``Session.generate``."""
        with self.session() as session:
            return session.generate(prompt, **options)


    def __repr__(self) -> str:
        if self.closed:
            return "<leat.lm.Model closed>"
        info = self.info
        return f"<leat.lm.Model {info.name or info.architecture} {info.file_type} {info.parameters / 1e6:.1f} M>"


def _interruptible(call: Callable[[], int], cancel: Callable[[], None]) -> int:
    """Runs a call so that Ctrl-C ends it: Python handles signals in the main thread only, not while that is inside C, and what a handler raises as a callback
    begins is lost.  The call enters and leaves its handles by itself, so an exception here, whenever it comes, leaves nothing half done."""
    if threading.current_thread() is not threading.main_thread():
        return call()
    done: "Future[int]" = Future()

    def work() -> None:
        try:
            done.set_result(call())
        except BaseException as raised:  # noqa: B902 - handed over
            done.set_exception(raised)

    thread = threading.Thread(target=work, name="leat", daemon=True)
    try:
        thread.start()
        return done.result()
    except BaseException:
        for attempt in range(10**6):  # a cancel before the call has begun is lost
            if done.done() or (attempt > 100 and thread.ident is None):
                break
            try:
                cancel()
                done.exception(0.01)
            except BaseException:  # noqa: B902 - closed; the time is up; or Ctrl-C again
                pass
        raise


class Session(Closable):
    """One conversation: a KV cache and the tokens that it holds.  Open it by ``model.session()``.  Views stay valid after close()."""

    def __init__(self, model: Model, *, context: int = 0, batch: int = 0, kv_type: str = "f16", threads: int = 0) -> None:
        options, pointer, error = _abi.SessionOptions(), ctypes.c_void_p(), _abi.Error()
        lib.leat_lm_session_options_default(options)
        options.context, options.batch, options.threads = context, batch, threads
        options.kv_type = _choice(_KV_TYPES, kv_type, "kv_type")
        with model._handle as native:
            check(lib.leat_lm_session_open(native, options, pointer, error), error)
        assert pointer.value
        self._hold(Handle(pointer.value, "session", lib.leat_lm_session_close, lib.leat_lm_cancel, parent=model._handle.parent))
        self._model = model._share()
        self._vocabulary = self._model.info.vocabulary
        self._context = self.stats.context

    @property
    def model(self) -> Model:
        """The model of the session, which it keeps open."""
        return self._model

    # ---- generating

    def _call(self, prompt: Prompt, options: Any) -> Call:
        return Call(prompt, self._context, self._vocabulary, self._model.tokenize, options)

    def generate(self, prompt: Prompt, *, on_token: Optional[OnToken] = None, **options: "Unpack[Options]") -> Generation:
        """Continues a prompt, a text or tokens, in one call of the library.

        on_token: called with each Piece in the generating thread, which is another one when the caller is the main thread; returning False, or raising, ends the
        generation.  It may call ``cancel`` and ``close``, and nothing else of this session.  options: see Options.  A failure's exception has what was made until then as ``generation``."""
        call, error = self._call(prompt, options), _abi.Error()
        watcher = Watcher(on_token and (lambda _, piece: on_token(piece)), lambda: self._handle.closed)

        def run() -> int:
            with self._handle.exclusive() as session:
                return int(lib.leat_lm_generate(session, call.request, call.result, watcher.function, None, error))

        status = _interruptible(run, self.cancel)
        watcher.reraise()
        return call.finish(status, error)

    def stream(self, prompt: Prompt, **options: "Unpack[Options]") -> "Stream":
        """Starts a generation on the session's own thread and iterates over its Pieces.  Leaving the loop, or dropping the Stream, ends the generation; a slow reader
        holds it up once some thousand pieces wait."""
        return Stream(self, prompt, options)

    def start(self, prompt: Prompt, *, on_token: Optional[OnToken] = None, **options: "Unpack[Options]") -> "Future[Generation]":
        """Starts a generation on the session's own thread; the Future has its Generation.  on_token is called in that thread.  When start returns the session is taken,
        and ``cancel`` ends the generation, however little of it has happened."""
        done: "Future[Generation]" = Future()
        done.set_running_or_notify_cancel()
        begun = threading.Event()

        def work() -> None:  # all that the library borrows is here, so an exception in the caller frees nothing of it
            try:
                done.set_result(self._start_and_wait(prompt, on_token, options, begun))
            except BaseException as raised:  # noqa: B902 - handed over
                done.set_exception(raised)
            finally:
                begun.set()

        try:
            threading.Thread(target=work, name="leat", daemon=True).start()
            begun.wait()
        except BaseException:  # Ctrl-C: nobody will have the Future
            self.cancel()
            raise
        return done

    def _start_and_wait(self, prompt: Prompt, on_token: Optional[OnToken], options: Any, begun: threading.Event) -> Generation:
        call, error = self._call(prompt, options), _abi.Error()
        watcher = Watcher(on_token and (lambda _, piece: on_token(piece)), lambda: self._handle.closed)
        with self._handle.exclusive() as session:
            status = int(lib.leat_lm_start(session, call.request, call.result, watcher.function, _abi.CompleteFunction(), None, error))
            begun.set()
            if status == Status.OK:
                status = int(lib.leat_lm_wait(session, -1, error))
        watcher.reraise()
        return call.finish(status, error)

    def chat(self, messages: Sequence[Mapping[str, str]], *, on_token: Optional[OnToken] = None, **options: "Unpack[Options]") -> Generation:
        """The reply to a conversation, in the format of the model's file.  What the session holds of it already is not evaluated again."""
        options.setdefault("parse", True)
        return self.generate(self._model.chat_prompt(messages), on_token=on_token, **options)

    def cancel(self) -> None:
        """Asks whatever the session is doing to stop, within a token: it raises CancelledError.  Any thread, and callbacks."""
        with self._handle as session:
            lib.leat_lm_cancel(session)

    # ---- evaluating

    def sync(self, tokens: Any) -> None:
        """Makes the session hold exactly these tokens: what it has in common with them from the start is kept, what is missing is evaluated."""
        array, error = ids(tokens), _abi.Error()
        with self._handle.exclusive() as session:
            check(lib.leat_lm_sync(session, array.ctypes.data, array.size, error), error)

    def sync_logits(self, tokens: Any) -> np.ndarray:
        """The same, and the logits of every position [tokens, vocabulary]; evaluates all anew."""
        array, error = ids(tokens), _abi.Error()
        logits = np.empty((array.size, self._vocabulary), np.float32)
        with self._handle.exclusive() as session:
            check(lib.leat_lm_sync_logits(session, array.ctypes.data, array.size, logits.ctypes.data, error), error)
        return logits

    def logits(self) -> np.ndarray:
        """The logits [vocabulary] of the token after the last one: a read-only view of the session's memory, overwritten by its next call."""
        pointer = ctypes.c_void_p()
        with self._handle.exclusive() as session:
            check(lib.leat_lm_logits(session, pointer))
            return self._view(pointer, self._vocabulary)

    @property
    def tokens(self) -> np.ndarray:
        """A copy of the tokens that the session holds."""
        pointer, count = ctypes.c_void_p(), ctypes.c_int64()
        with self._handle.exclusive() as session:
            lib.leat_lm_session_tokens(session, pointer, count)
            return np.frombuffer(ctypes.string_at(pointer, 4 * count.value), np.int32).copy() if count.value else np.empty(0, np.int32)

    def embed(self, prompt: Prompt, *, pooling: str = "model", normalise: bool = True) -> np.ndarray:
        """The vector of a text or of tokens: a read-only view of the session's memory without a copy, overwritten by its next call (``.copy()`` keeps it).
        pooling: "model" (as the file says), "mean", "cls" or "last".  The session is empty afterwards."""
        pointer, size, error = ctypes.c_void_p(), ctypes.c_int64(), _abi.Error()
        how = _choice(_POOLING, pooling, "pooling")
        with self._handle.exclusive() as session:
            if isinstance(prompt, (str, bytes)):
                raw = _raw(prompt)
                check(lib.leat_lm_embed(session, raw, len(raw), how, int(normalise), pointer, size, error), error)
            else:
                array = ids(prompt)
                check(lib.leat_lm_embed_tokens(session, array.ctypes.data, array.size, how, int(normalise), pointer, size, error), error)
            return self._view(pointer, size.value)

    def _view(self, pointer: ctypes.c_void_p, count: int) -> np.ndarray:
        assert pointer.value
        memory: Any = (ctypes.c_float * count).from_address(pointer.value)
        memory._owner = Stay(self._handle)  # the memory is freed when the session is closed and the last view is gone
        array: np.ndarray = np.frombuffer(memory, np.float32)
        array.flags.writeable = False
        return array

    # ---- keeping

    def save(self, path: "os.PathLike[str] | str") -> None:
        """Writes tokens, KV cache and the state of the random numbers to a file."""
        error = _abi.Error()
        with self._handle.exclusive() as session:
            check(lib.leat_lm_session_save(session, path_bytes(path), error), error)

    def load(self, path: "os.PathLike[str] | str") -> None:
        """Reads what save() wrote, for the same model and kv_type.  On failure the session is empty."""
        error = _abi.Error()
        with self._handle.exclusive() as session:
            check(lib.leat_lm_session_load(session, path_bytes(path), error), error)

    @property
    def stats(self) -> SessionStats:
        """What the session holds and did."""
        record = _abi.SessionStats()
        with self._handle.exclusive() as session:
            lib.leat_lm_session_get_stats(session, record)
            return SessionStats(**_plain(record))


class _Channel:
    """Pieces between the generating thread and a reader, who may be slow or gone."""

    def __init__(self) -> None:
        self._pieces: Deque[Piece] = deque()
        self._changed = threading.Condition()
        self.gone = self._ended = False
        self.result: Optional[Generation] = None
        self.raised: Optional[BaseException] = None

    def put(self, piece: Piece, stopped: Callable[[], bool]) -> bool:
        """Called in the generating thread.  False: nobody reads any more."""
        with self._changed:
            while len(self._pieces) >= _WAITING_PIECES and not self.gone and not stopped():
                self._changed.wait(0.05)
            self._pieces.append(piece)
            self._changed.notify_all()
            return not self.gone

    def end(self, done: "Future[Generation]") -> None:
        with self._changed:
            self.raised, self._ended = done.exception(), True
            self.result = None if self.raised else done.result()
            self._changed.notify_all()

    def get(self) -> Optional[Piece]:
        """The next piece; None at the end."""
        with self._changed:
            while not self._pieces and not self._ended:
                self._changed.wait()
            self._changed.notify_all()
            return self._pieces.popleft() if self._pieces else None

    def leave(self) -> None:
        with self._changed:
            self.gone = True
            self._changed.notify_all()

    def wait(self) -> None:
        with self._changed:
            while not self._ended:
                self._changed.wait()


class Stream(Iterator[Piece]):
    """An iterator over the Pieces of a generation that runs in the session's thread.  ``result`` is the Generation at its end."""

    def __init__(self, session: Session, prompt: Prompt, options: Any) -> None:
        self._session, self._channel = session, _Channel()
        channel, handle = self._channel, session._handle  # what the generation knows: not the Stream, so that one may be dropped
        session.start(prompt, on_token=lambda piece: channel.put(piece, lambda: handle.closed), **options).add_done_callback(channel.end)

    def __next__(self) -> Piece:
        piece = self._channel.get()
        if piece is not None:
            return piece
        raised, self._channel.raised = self._channel.raised, None
        if raised is not None:
            raise raised
        raise StopIteration

    @property
    def result(self) -> Generation:
        """Waits for the end: the Generation, or the exception of a failure."""
        self._channel.wait()
        if self._channel.result is None:
            if self._channel.raised is not None:
                raise self._channel.raised
            fail(Status.ESTATE, "the stream has failed")
        return self._channel.result

    def close(self) -> None:
        """Ends the generation and waits for it; the session may be used again."""
        self._channel.leave()
        try:
            self._session.cancel()
        except LeatError:
            pass  # closed: that has cancelled it
        self._channel.wait()

    def __enter__(self) -> "Stream":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        channel = getattr(self, "_channel", None)
        if channel is not None:
            channel.gone = True  # the next token ends it; nothing waits in a destructor


def generate_batch(sessions: Sequence[Session], prompts: Sequence[Prompt], *, on_token: Optional[Callable[[int, Piece], object]] = None,
                   return_errors: bool = False, **options: "Unpack[Options]") -> List[Union[Generation, LeatError]]:
    """Continues many prompts over some sessions of one model, decoded together: as many at once as there are sessions.

    on_token: called with the prompt's index and each Piece; returning False ends that one, raising ends all.  return_errors: a failed one's exception
    stands in the list in place of its Generation; else the first one is raised when all are done."""
    if not sessions:
        fail(Status.EINVAL, "no session to generate in")
    count, error = len(prompts), _abi.Error()
    calls = [sessions[0]._call(prompt, options) for prompt in prompts]
    requests, results = (_abi.Request * count)(*[c.request for c in calls]), (_abi.Result * count)(*[c.result for c in calls])
    statuses, users = (ctypes.c_int * count)(), (ctypes.c_void_p * count)(*range(1, count + 1))
    watcher = Watcher(on_token, lambda: any(s.closed for s in sessions))

    def run() -> int:
        with ExitStack() as inside:
            pointers = (ctypes.c_void_p * len(sessions))(*[inside.enter_context(s._handle.exclusive()) for s in sessions])
            return int(lib.leat_lm_generate_batch(pointers, len(sessions), requests, results, count, watcher.function, users, statuses, error))

    def cancel() -> None:
        for session in sessions:
            session.cancel()

    status = _interruptible(run, cancel)
    watcher.reraise()
    if status != Status.OK and all(s == Status.OK for s in statuses):
        check(status, error)  # of the call, not of one request
    made: List[Union[Generation, LeatError]] = []
    for index, call in enumerate(calls):
        call.result = results[index]
        try:
            made.append(call.finish(statuses[index], error if statuses[index] == error.status else _abi.Error()))
        except LeatError as failure:
            if not return_errors:
                raise
            made.append(failure)
    return made


class Cache(Closable):
    """Models by path: opened at first use, closed when the bytes of all exceed ``max_bytes`` (0 = no limit), least recently used first.  Any thread.

    Models that are in use outlive close().
    """

    def __init__(self, max_bytes: int = 0, *, threads: int = 0, prefetch: bool = False, lock: bool = False,
                 copy: bool = False) -> None:
        pointer, error = ctypes.c_void_p(), _abi.Error()
        if not 0 <= max_bytes < 2**64:
            fail(Status.EINVAL, f"max_bytes is {max_bytes}, not 0..2^64 - 1")
        check(lib.leat_lm_cache_open(max_bytes, _options(threads, prefetch, lock, copy), pointer, error), error)
        assert pointer.value
        self._hold(Handle(pointer.value, "cache", lib.leat_lm_cache_close))

    def get(self, path: "os.PathLike[str] | str") -> Model:
        """The model of a file, opened if need be.  Closing it, or the cache, leaves the others' alone."""
        pointer, error = ctypes.c_void_p(), _abi.Error()
        with self._handle as cache:
            check(lib.leat_lm_cache_get(cache, path_bytes(path), pointer, error), error)
        return Model._of(pointer)

    @property
    def stats(self) -> CacheStats:
        """What the cache holds and did."""
        record = _abi.CacheStats()
        with self._handle as cache:
            lib.leat_lm_cache_get_stats(cache, record)
        return CacheStats(**_plain(record))
