"""ONNX models: open once, run in any number of contexts (``leat/model.h``).

    import leat, numpy as np
    with leat.Model("classifier.onnx") as model:
        logits = model.run({"image": np.zeros((1, 3, 64, 64), np.float32)})["logits"]

A `Model` is read-only and may be shared between threads.  A `Context` is one thread's buffers and plans; a second call while one is inside raises
`StateError`, except `Context.cancel`, `Context.close` and `Context.poll`, which any thread may call at any time.
"""
from __future__ import annotations

import ctypes
import os
import sys
import threading
from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple, Union

import numpy as np

from . import _abi
from ._handle import Closable, Handle, Stay
from ._library import check, fail, lib, path_bytes, text
from .errors import Status, StateError

# leat_dtype -> numpy; bfloat16 has no numpy type and travels as uint16.
_NUMPY = {1: np.float32, 2: np.uint8, 3: np.int8, 4: np.uint16, 5: np.int16, 6: np.int32, 7: np.int64, 9: np.bool_, 10: np.float16,
          11: np.float64, 12: np.uint32, 13: np.uint64, 14: np.complex64, 15: np.complex128, 16: np.uint16}
_NUMBER = {np.dtype(kind): number for number, kind in _NUMPY.items() if number != 16}
_NAMES = {0: "none", 8: "string", 16: "bfloat16", **{n: np.dtype(t).name for n, t in _NUMPY.items() if n != 16}}
_BFLOAT16 = 16
_ALIGN, _TAIL = 64, 64

Feeds = Union[Mapping[str, Any], Sequence[Any]]


@dataclass(frozen=True)
class ValueInfo:
    """An input or output as the model declares it: a dimension is a number, the name of a symbol, or None; shape None: of unknown rank."""

    name: str
    dtype: str
    shape: Optional[Tuple[Union[int, str, None], ...]]


@dataclass(frozen=True)
class ModelInfo:
    """What a model is made of."""

    producer: str
    producer_version: str
    graph_name: str
    doc: str
    ir_version: int
    opset: int
    parameters: int
    file_bytes: int
    nodes_file: int
    nodes_run: int
    unsupported: int
    open_ns: int


@dataclass(frozen=True)
class OperatorInfo:
    """One kind of operator in the file."""

    domain: str
    op: str
    opset: int
    count: int
    supported: int


@dataclass(frozen=True)
class ContextStats:
    """What a context holds and did; ``*_bytes`` are bytes now."""

    runs: int
    last_run_ns: int
    prepare_ns: int
    arena_bytes: int
    dynamic_bytes: int
    weight_bytes_mapped: int
    weight_bytes_packed: int
    run_allocations: int
    macs: int
    largest_bytes: int
    nodes: int
    threads: int


@dataclass(frozen=True)
class NodeStats:
    """One node of a context's plan; times are kept by ``model.context(profile=True)``."""

    name: str
    op: str
    kernel: str
    shape: Tuple[int, ...]
    macs: int
    bytes: int
    runs: int
    last_start_ns: int
    last_ns: int
    total_ns: int
    min_ns: int


def _plain(record: ctypes.Structure) -> Dict[str, Any]:
    values = {}
    for field in record._fields_:
        value = getattr(record, field[0])
        values[field[0]] = text(value) if value is None or isinstance(value, bytes) else value
    return values


def _value_info(record: _abi.ValueInfo) -> ValueInfo:
    shape: Optional[Tuple[Union[int, str, None], ...]] = None
    if record.rank >= 0:
        shape = tuple(record.dims[d] if record.dims[d] >= 0 else text(record.dim_names[d]) or None for d in range(record.rank))
    return ValueInfo(text(record.name), _NAMES.get(record.dtype, "unknown"), shape)


def _view(tensor: _abi.Tensor, owner: object, writable: bool = False) -> np.ndarray:
    """A view of a tensor's memory; `owner` lives as long as the view."""
    kind = _NUMPY.get(tensor.dtype)
    if kind is None:
        fail(Status.EUNSUPPORTED, f"numpy has no type for {_NAMES.get(tensor.dtype, tensor.dtype)}")
    shape = tuple(tensor.dims[: tensor.rank])
    dtype = np.dtype(kind)
    count = 1
    for dim in shape:
        count *= dim
    if count == 0:
        return np.empty(shape, dtype)
    memory: Any = (ctypes.c_char * (count * dtype.itemsize)).from_address(tensor.data)
    memory._owner = owner
    array: np.ndarray = np.frombuffer(memory, dtype).reshape(shape)
    array.flags.writeable = writable
    return array


class Model(Closable):
    """An ONNX model.

    path: the file; or give its bytes by ``Model.from_bytes``.  threads: of the model's own pool, 0 = all usable CPUs.  fusion=False keeps the graph as the
    file has it.  allow_links: external data may be reached through links that stay under the model's folder.  allow_unsupported: open although operators
    are missing, to look at it.  max_bytes: refuse larger tensors, 0 = 16 GiB.  Raises FormatError, UnsupportedError (every operator that is missing
    is named), LeatError (EIO, ENOMEM, ELIMIT).
    """

    def __init__(self, path: "os.PathLike[str] | str", *, threads: int = 0, fusion: bool = True, allow_links: bool = False,
                 allow_unsupported: bool = False, max_bytes: int = 0) -> None:
        self._open(path_bytes(path), None, threads, fusion, allow_links, allow_unsupported, max_bytes)

    @classmethod
    def from_bytes(cls, data: "bytes | bytearray | memoryview | np.ndarray", *, threads: int = 0, fusion: bool = True, allow_unsupported: bool = False,
                   max_bytes: int = 0) -> "Model":
        """Opens a model in memory, which is not copied and must not change while the model is open."""
        model = cls.__new__(cls)
        model._open(None, data, threads, fusion, False, allow_unsupported, max_bytes)
        return model

    def _open(self, path: Optional[bytes], data: Any, threads: int, fusion: bool, links: bool, unsupported: bool, max_bytes: int) -> None:
        options, pointer, error = _abi.ModelOptions(), ctypes.c_void_p(), _abi.Error()
        lib.leat_model_options_default(options)
        options.threads, options.max_bytes = threads, max_bytes
        options.flags = (1 if links else 0) | (0 if fusion else 2) | (4 if unsupported else 0)
        memory = None
        if path is not None:
            check(lib.leat_model_open(path, options, pointer, error), error)
        else:
            memory = np.frombuffer(data, np.uint8)
            check(lib.leat_model_open_memory(memory.ctypes.data, memory.nbytes, options, pointer, error), error)
        assert pointer.value
        self._hold(Handle(pointer.value, "model", lib.leat_model_unref, parent=memory))
        self._own: Optional[Context] = None
        self._own_lock = threading.Lock()
        with self._handle as model:
            self._inputs = self._values(model, lib.leat_model_input_count, lib.leat_model_input_info)
            self._outputs = self._values(model, lib.leat_model_output_count, lib.leat_model_output_info)

    @staticmethod
    def _values(model: int, count: Any, info: Any) -> Tuple[ValueInfo, ...]:
        values = []
        for index in range(count(model)):
            record = _abi.ValueInfo()
            check(info(model, index, record))
            values.append(_value_info(record))
        return tuple(values)

    @property
    def inputs(self) -> Tuple[ValueInfo, ...]:
        """The inputs, in the model's order."""
        return self._inputs

    @property
    def outputs(self) -> Tuple[ValueInfo, ...]:
        """The outputs, in the model's order."""
        return self._outputs

    @property
    def info(self) -> ModelInfo:
        """What the model is made of."""
        record = _abi.ModelInfo()
        with self._handle as model:
            lib.leat_model_get_info(model, record)
            return ModelInfo(**_plain(record))

    @property
    def operators(self) -> List[OperatorInfo]:
        """The kinds of operators in the file, the most frequent first."""
        found: List[OperatorInfo] = []
        record = _abi.OperatorInfo()
        with self._handle as model:
            while lib.leat_model_operator(model, len(found), record) == Status.OK:
                found.append(OperatorInfo(**_plain(record)))
        return found

    @property
    def unsupported(self) -> List[str]:
        """Operators without an implementation: domain, name, node and reason."""
        found: List[str] = []
        with self._handle as model:
            while True:
                line = lib.leat_model_unsupported(model, len(found))
                if line is None:
                    return found
                found.append(text(line))

    def constant(self, name: str) -> np.ndarray:
        """The initializer or folded constant of the optimised graph: a read-only view, which keeps the model open."""
        tensor = _abi.Tensor()
        with self._handle as model:
            if lib.leat_model_constant(model, name.encode(), tensor) != Status.OK:
                fail(Status.EINVAL, f"the optimised graph has no constant '{name}'")
            return _view(tensor, Stay(self._handle))

    def dump(self, format: str = "text") -> str:
        """The optimised graph as "text", "dot" (Graphviz) or "json"."""
        kinds = ("text", "dot", "json")
        if format not in kinds:
            fail(Status.EINVAL, f"format is '{format}', not one of {', '.join(kinds)}")
        out = ctypes.c_void_p()
        with self._handle as model:
            check(lib.leat_model_dump(model, kinds.index(format), out))
        try:
            return text(ctypes.cast(out, ctypes.c_char_p).value)
        finally:
            lib.leat_free(out)

    def context(self, *, threads: int = 0, profile: bool = False, max_plans: int = 0, keep: Optional[str] = None) -> "Context":
        """Opens a context.  threads: at most this many of the pool's, 0 = all.  profile: keep times of each node.  max_plans: input shapes whose plan is kept,
        0 = 4.  keep: an intermediate value to read by ``Context.kept`` after a run."""
        return Context(self, threads=threads, profile=profile, max_plans=max_plans, keep=keep)

    def run(self, feeds: Feeds) -> Dict[str, np.ndarray]:
        """Runs the model once on a context of its own; calls from several threads take turns.  See ``Context.run``."""
        with self._own_lock:
            if self._own is None:
                self._own = self.context()
            return self._own.run(feeds)

    def close(self) -> None:
        """Closes the model; its contexts and views stay valid and keep the memory."""
        own, self._own = self._own, None
        if own is not None:
            own.close()
        super().close()

    def __repr__(self) -> str:
        sides = [", ".join(f"{v.name} {v.dtype}{list(v.shape) if v.shape is not None else ''}" for v in side) for side in (self._inputs, self._outputs)]
        return f"<leat.Model {sides[0]} -> {sides[1]}>"


class _Buffer:
    """Memory for one output, which numpy owns: the library writes into it, and views of it are handed out."""

    def __init__(self, size: int) -> None:
        self.raw = np.empty(size + _ALIGN + _TAIL, np.uint8)
        self.start = -self.raw.ctypes.data % _ALIGN
        self.size = size
        self.address = self.raw.ctypes.data + self.start
        self.idle_references = sys.getrefcount(self.raw)

    def is_idle(self, size: int) -> bool:
        """Whether it has that size and nobody holds a view of it."""
        return self.size == size and sys.getrefcount(self.raw) <= self.idle_references

    def array(self, tensor: _abi.Tensor) -> np.ndarray:
        dtype = np.dtype(_NUMPY[tensor.dtype])
        return self.raw[self.start: self.start + self.size].view(dtype).reshape(tuple(tensor.dims[: tensor.rank]))


class Context(Closable):
    """Buffers and plans of one thread.  Open it by ``model.context()``.  Arrays that were handed out outlive close()."""

    def __init__(self, model: Model, *, threads: int = 0, profile: bool = False, max_plans: int = 0, keep: Optional[str] = None) -> None:
        options, pointer, error = _abi.ContextOptions(), ctypes.c_void_p(), _abi.Error()
        lib.leat_context_options_default(options)
        options.threads, options.profile, options.max_plans = threads, int(profile), max_plans
        options.keep = keep.encode() if keep is not None else None
        with model._handle as native:
            check(lib.leat_context_open(native, options, pointer, error), error)
        assert pointer.value
        self._hold(Handle(pointer.value, "context", lib.leat_context_close, lib.leat_context_cancel,
                          parent=model._handle.parent))
        self._inputs, self._outputs = model.inputs, model.outputs
        self._arrays: List[Optional[np.ndarray]] = [None] * len(self._inputs)
        self._buffers: List[Optional[_Buffer]] = [None] * len(self._outputs)
        self._sizes: Dict[Tuple[Any, ...], Tuple[int, ...]] = {}

    # ---- feeding

    def set_input(self, name: Union[str, int], array: Any) -> None:
        """Binds an input to a C-contiguous array, which is read in place by every run until another one is set; anything else is converted to a
        contiguous copy first.  Lists and numbers get the declared type; arrays keep theirs, which must be the declared one."""
        with self._handle.exclusive() as context:
            self._idle(context)
            self._set_input(context, self._index(self._inputs, name), array)

    def _set_input(self, context: int, index: int, array: Any) -> None:
        declared = self._inputs[index].dtype
        if not isinstance(array, np.ndarray) and not hasattr(array, "__array__"):
            array = np.asarray(array, np.uint16 if declared == "bfloat16" else declared if declared != "none" else None)
        array = np.asarray(array, order="C")
        number = _NUMBER.get(array.dtype.newbyteorder("="))
        if number is None or not array.dtype.isnative:
            fail(Status.ETYPE, f"input '{self._inputs[index].name}' is {array.dtype}, which the library does not take")
        if array.ndim > _abi.MAX_RANK:
            fail(Status.ESHAPE, f"input '{self._inputs[index].name}' has {array.ndim} dimensions, the limit is {_abi.MAX_RANK}")
        if declared == "bfloat16" and array.dtype == np.uint16:
            number = _BFLOAT16
        tensor, error = _abi.Tensor(), _abi.Error()
        tensor.data, tensor.dtype, tensor.rank = array.ctypes.data, number, array.ndim
        tensor.dims[: array.ndim] = array.shape
        check(lib.leat_context_set_input(context, index, tensor, error), error)
        self._arrays[index] = array

    @staticmethod
    def _index(values: Tuple[ValueInfo, ...], name: Union[str, int]) -> int:
        if isinstance(name, int) and 0 <= name < len(values):
            return name
        for index, value in enumerate(values):
            if value.name == name:
                return index
        fail(Status.EINVAL, f"there is no '{name}', only {', '.join(v.name for v in values)}")

    def _feed(self, context: int, feeds: Optional[Feeds]) -> None:
        self._idle(context)
        if feeds is None:
            return
        if isinstance(feeds, Mapping):
            for name, array in feeds.items():
                self._set_input(context, self._index(self._inputs, name), array)
            return
        if len(feeds) != len(self._inputs):
            fail(Status.EINVAL, f"{len(feeds)} arrays for {len(self._inputs)} inputs")
        for index, array in enumerate(feeds):
            self._set_input(context, index, array)

    @staticmethod
    def _idle(context: int) -> None:
        if lib.leat_context_poll(context) == Status.EAGAIN:
            raise StateError(Status.ESTATE, "a started run is in flight; wait for it")

    # ---- running

    def _shapes(self) -> Tuple[Any, ...]:
        return tuple((a.dtype.num, a.shape) if a is not None else None for a in self._arrays)

    def _place_outputs(self, context: int) -> None:
        """Has the library write into arrays of numpy's where an earlier run told the sizes for these input shapes."""
        sizes = self._sizes.get(self._shapes())
        for index in range(len(self._outputs)):
            size = sizes[index] if sizes else -1
            buffer = self._buffers[index]
            if size <= 0:
                buffer = None
            elif buffer is None or not buffer.is_idle(size):
                buffer = _Buffer(size)
            self._buffers[index] = buffer
            check(lib.leat_context_set_output(context, index, buffer.address if buffer else None, buffer.size if buffer else 0, None))

    def _results(self, context: int) -> Dict[str, np.ndarray]:
        found, sizes, tensor = {}, [], _abi.Tensor()
        for index, value in enumerate(self._outputs):
            check(lib.leat_context_output(context, index, tensor))
            buffer = self._buffers[index]
            view = _view(tensor, self) if buffer is None or tensor.data != buffer.address else buffer.array(tensor)
            found[value.name] = view if buffer is not None and view.base is buffer.raw else view.copy()
            sizes.append(view.nbytes)
        if len(self._sizes) >= 64:
            self._sizes.clear()
        self._sizes[self._shapes()] = tuple(sizes)
        return found

    def _run(self, context: int) -> Dict[str, np.ndarray]:
        for attempt in (0, 1):
            self._place_outputs(context)
            error = _abi.Error()
            status = lib.leat_context_run(context, error)
            if status == Status.ELIMIT and attempt == 0 and self._sizes.pop(self._shapes(), None):
                continue  # the outputs' sizes depend on data and have grown
            check(status, error)
            break
        return self._results(context)

    def run(self, feeds: Optional[Feeds] = None) -> Dict[str, np.ndarray]:
        """Runs the graph and returns the outputs by name.  feeds: arrays by name, or one for each input in order, or None for what is set.

        The arrays are the caller's: later runs do not touch them.  From the second run of a shape on the library writes straight into them, and memory of
        results that were dropped is used again, so a loop neither copies nor allocates.  Outputs whose shape depends on data may be copied once."""
        with self._handle.exclusive() as context:
            self._feed(context, feeds)
            return self._run(context)

    def prepare(self, feeds: Optional[Feeds] = None) -> None:
        """Builds the plan for the inputs' shapes, which the first run would else do."""
        error = _abi.Error()
        with self._handle.exclusive() as context:
            self._feed(context, feeds)
            check(lib.leat_context_prepare(context, error), error)

    def warmup(self, runs: int = 1) -> None:
        """Runs `runs` times on the inputs that are set."""
        error = _abi.Error()
        if not 0 <= runs < 2**31:
            fail(Status.EINVAL, f"runs is {runs}, not 0..2^31 - 1")
        with self._handle.exclusive() as context:
            self._idle(context)
            check(lib.leat_context_warmup(context, runs, error), error)

    def start(self, feeds: Optional[Feeds] = None) -> None:
        """Starts a run on the context's own thread; ``wait`` returns its outputs."""
        error = _abi.Error()
        with self._handle.exclusive() as context:
            self._feed(context, feeds)
            for index in range(len(self._outputs)):
                self._buffers[index] = None
                check(lib.leat_context_set_output(context, index, None, 0, None))
            check(lib.leat_context_start(context, error), error)

    def poll(self) -> bool:
        """Whether no started run is in flight.  Any thread."""
        with self._handle as context:
            return bool(lib.leat_context_poll(context) != Status.EAGAIN)

    def wait(self, timeout: Optional[float] = None) -> Optional[Dict[str, np.ndarray]]:
        """Waits for the started run, at most `timeout` seconds: its outputs, or None when the time is up."""
        error = _abi.Error()
        with self._handle.exclusive() as context:
            status = lib.leat_context_wait(context, -1 if timeout is None else int(min(max(0, timeout), 1e9) * 1e9), error)
            if status == Status.EAGAIN:
                return None
            check(status, error)
            return self._results(context)

    def cancel(self) -> None:
        """Asks the run in progress, or else the next one, to stop between two nodes: it raises CancelledError.  Any thread."""
        with self._handle as context:
            lib.leat_context_cancel(context)

    # ---- looking

    def kept(self) -> np.ndarray:
        """A copy of the value that ``keep`` named, after a run."""
        tensor = _abi.Tensor()
        with self._handle.exclusive() as context:
            self._idle(context)
            check(lib.leat_context_kept(context, tensor))
            return _view(tensor, self).copy()

    @property
    def stats(self) -> ContextStats:
        """What the context holds and did."""
        record = _abi.ContextStats()
        with self._handle.exclusive() as context:
            self._idle(context)
            lib.leat_context_get_stats(context, record)
            return ContextStats(**_plain(record))

    @property
    def nodes(self) -> List[NodeStats]:
        """The nodes of the current plan, in order."""
        found: List[NodeStats] = []
        record = _abi.NodeStats()
        with self._handle.exclusive() as context:
            self._idle(context)
            while lib.leat_context_node(context, len(found), record) == Status.OK:
                values = _plain(record)
                output = values.pop("output")
                found.append(NodeStats(shape=tuple(output.dims[: max(0, output.rank)]), **values))
        return found
