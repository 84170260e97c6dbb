"""engines.py - Leat, ONNX Runtime and ncnn behind one face: open(path, inputs, threads), run(), outputs(), close().

Leat and ONNX Runtime are both called through their C interfaces, with all arguments made beforehand, so that run() costs each the
same microsecond of Python.  Inputs are (name, array) pairs; outputs() copies the results of the last run in the model's order.
ONNX Runtime: default options (all graph optimisations, spinning on), intra-op threads set.  Its function table only ever grows at the
end, so the positions below hold for every version.
"""
import ctypes as c
import glob
import importlib.util
import os

import numpy as np

P = c.c_void_p
LEAT_DTYPES = {1: np.float32, 2: np.uint8, 3: np.int8, 6: np.int32, 7: np.int64, 9: np.bool_, 10: np.float16, 11: np.float64}
NUMBERS = {np.dtype(t): n for n, t in LEAT_DTYPES.items()}


class Failed(Exception):
    """The engine refused the model or the run; the text says why."""


# --- Leat --------------------------------------------------------------------------------------------------------------


class LeatTensor(c.Structure):
    _fields_ = [("data", P), ("dtype", c.c_int), ("rank", c.c_int32), ("dims", c.c_int64 * 8), ("flags", c.c_uint32)]


class LeatError(c.Structure):
    _fields_ = [("status", c.c_int), ("message", c.c_char * 768), ("offset", c.c_uint64)]


class LeatModelOptions(c.Structure):
    _fields_ = [("size", c.c_size_t), ("threads", c.c_int), ("flags", c.c_uint32), ("pool", P), ("max_bytes", c.c_uint64)]


class LeatStats(c.Structure):
    _fields_ = [("runs", c.c_uint64), ("last_run_ns", c.c_int64), ("prepare_ns", c.c_int64), ("arena_bytes", c.c_uint64),
                ("dynamic_bytes", c.c_uint64), ("weight_bytes_mapped", c.c_uint64), ("weight_bytes_packed", c.c_uint64),
                ("run_allocations", c.c_uint64), ("macs", c.c_int64), ("largest_bytes", c.c_uint64), ("nodes", c.c_int),
                ("threads", c.c_int), ("spare", c.c_uint64 * 16)]


class LeatMachine(c.Structure):
    _fields_ = [("cpu_name", c.c_char * 64), ("cpus", c.c_int), ("l1d_kib", c.c_int), ("l2_kib", c.c_int), ("l3_kib", c.c_int),
                ("fma_gflops_1t", c.c_double), ("fma_gflops_nt", c.c_double), ("rest", c.c_double * 16)]


def tensor_of(array):
    dims = (c.c_int64 * 8)(*array.shape)
    return LeatTensor(array.ctypes.data, NUMBERS[array.dtype], array.ndim, dims, 0)


class Leat:
    """One model and context of libleat.so."""

    name = "leat"

    def __init__(self, library):
        self.lib = c.CDLL(library)
        self.model, self.context, self.error = P(), P(), LeatError()
        for call in ("leat_model_open", "leat_context_open", "leat_context_set_input", "leat_context_run", "leat_context_output"):
            getattr(self.lib, call).restype = c.c_int

    def check(self, status):
        if status:
            raise Failed(self.error.message.decode(errors="replace") or f"status {status}")

    def open(self, path, inputs, threads):
        options = LeatModelOptions()
        self.lib.leat_model_options_default(c.byref(options))
        options.threads = threads
        error = c.byref(self.error)
        self.check(self.lib.leat_model_open(str(path).encode(), c.byref(options), c.byref(self.model), error))
        self.check(self.lib.leat_context_open(self.model, None, c.byref(self.context), error))
        self.inputs = inputs
        for name, array in inputs:
            index = self.lib.leat_model_input_index(self.model, name.encode())
            self.check(self.lib.leat_context_set_input(self.context, index, c.byref(tensor_of(array)), error))

    def run(self):
        if self.lib.leat_context_run(self.context, c.byref(self.error)):
            raise Failed(self.error.message.decode(errors="replace"))

    def after(self):
        pass

    def outputs(self):
        results = []
        for i in range(self.lib.leat_model_output_count(self.model)):
            t = LeatTensor()
            self.check(self.lib.leat_context_output(self.context, i, c.byref(t)))
            dtype = np.dtype(LEAT_DTYPES[t.dtype])
            shape = tuple(t.dims[:t.rank])
            count = int(np.prod(shape, dtype=np.int64))
            raw = c.string_at(t.data, count * dtype.itemsize) if count else b""
            results.append(np.frombuffer(raw, dtype).reshape(shape))
        return results

    def stats(self):
        stats = LeatStats()
        self.lib.leat_context_get_stats(self.context, c.byref(stats))
        return stats

    def machine(self, milliseconds, threads):
        machine = LeatMachine()
        self.lib.leat_machine_measure(milliseconds, threads, c.byref(machine))
        return machine

    def close(self):
        self.lib.leat_context_close(self.context)
        self.lib.leat_model_unref(self.model)


# --- ONNX Runtime ------------------------------------------------------------------------------------------------------

ORT_GET_MESSAGE, ORT_CREATE_ENV, ORT_CREATE_SESSION, ORT_RUN, ORT_CREATE_OPTIONS, ORT_SET_THREADS = 2, 3, 7, 9, 10, 24
ORT_OUTPUT_COUNT, ORT_OUTPUT_NAME, ORT_TENSOR_OF, ORT_TENSOR_DATA, ORT_TYPE, ORT_RANK, ORT_DIMS, ORT_SHAPE_OF = 31, 37, 49, 51, 60, 61, 62, 65
ORT_CPU_MEMORY, ORT_ALLOCATOR, ORT_FREE_SESSION, ORT_FREE_VALUE, ORT_FREE_SHAPE = 69, 78, 95, 96, 99
ORT_API_VERSION, ORT_LOG_ERROR = 20, 3


def onnxruntime_library():
    spec = importlib.util.find_spec("onnxruntime")
    found = glob.glob(os.path.join(spec.submodule_search_locations[0], "capi", "libonnxruntime.so.*"))
    return found[0]


class OnnxRuntime:
    """One session of the library in the onnxruntime package."""

    name = "ort"

    def __init__(self, library):
        lib = c.CDLL(library)
        lib.OrtGetApiBase.restype = P
        base = c.cast(lib.OrtGetApiBase(), c.POINTER(P))
        self.table = c.cast(c.CFUNCTYPE(P, c.c_uint32)(base[0])(ORT_API_VERSION), c.POINTER(P))
        self.version = c.CFUNCTYPE(c.c_char_p)(base[1])().decode()

    def function(self, index, *types, result=P):
        return c.CFUNCTYPE(result, *types)(self.table[index])

    def call(self, index, *pairs):
        """pairs: type, value, type, value ..."""
        self.check(self.function(index, *pairs[0::2])(*pairs[1::2]))

    def check(self, status):
        if status:
            raise Failed(self.function(ORT_GET_MESSAGE, P, result=c.c_char_p)(status).decode(errors="replace"))

    def make(self, index, *pairs):
        """A call whose last argument receives a handle."""
        out = P()
        self.call(index, *pairs, P, c.addressof(out))
        return out

    def open(self, path, inputs, threads):
        env = self.make(ORT_CREATE_ENV, c.c_int, ORT_LOG_ERROR, c.c_char_p, b"peers")
        options = self.make(ORT_CREATE_OPTIONS)
        self.call(ORT_SET_THREADS, P, options, c.c_int, threads)
        self.session = self.make(ORT_CREATE_SESSION, P, env, c.c_char_p, str(path).encode(), P, options)
        memory = self.make(ORT_CPU_MEMORY, c.c_int, 0, c.c_int, 0)
        self.inputs, values = inputs, []
        for _, array in inputs:
            dims = (c.c_int64 * max(1, array.ndim))(*array.shape)
            values.append(self.make(ORT_TENSOR_OF, P, memory, P, array.ctypes.data, c.c_size_t, array.nbytes, P, c.addressof(dims),
                                    c.c_size_t, array.ndim, c.c_int, NUMBERS[array.dtype]))
        self.bind([name for name, _ in inputs], values)

    def bind(self, names, values):
        """Makes every argument of Run once."""
        count = c.c_size_t()
        self.call(ORT_OUTPUT_COUNT, P, self.session, P, c.addressof(count))
        allocator = self.make(ORT_ALLOCATOR)
        outs = [c.cast(self.make(ORT_OUTPUT_NAME, P, self.session, c.c_size_t, i, P, allocator), c.c_char_p).value
                for i in range(count.value)]
        self.in_names, self.out_names = (c.c_char_p * len(names))(*[n.encode() for n in names]), (c.c_char_p * len(outs))(*outs)
        self.in_values, self.out_values = (P * len(names))(*values), (P * len(outs))()
        types = (P, P, P, P, c.c_size_t, P, c.c_size_t, P)
        run = self.function(ORT_RUN, *types)
        arguments = (self.session, None, self.in_names, self.in_values, len(names), self.out_names, len(outs), self.out_values)
        self.invoke = lambda: run(*arguments)
        self.free_value = self.function(ORT_FREE_VALUE, P, result=None)

    def run(self):
        status = self.invoke()
        if status:
            self.check(status)

    def after(self):
        """Frees the outputs, which ONNX Runtime allocates afresh in every run; not timed."""
        for i, value in enumerate(self.out_values):
            self.free_value(value)
            self.out_values[i] = None

    def shape(self, value):
        info = self.make(ORT_SHAPE_OF, P, value)
        rank, kind = c.c_size_t(), c.c_int()
        self.call(ORT_RANK, P, info, P, c.addressof(rank))
        self.call(ORT_TYPE, P, info, P, c.addressof(kind))
        dims = (c.c_int64 * max(1, rank.value))()
        self.call(ORT_DIMS, P, info, P, c.addressof(dims), c.c_size_t, rank.value)
        self.function(ORT_FREE_SHAPE, P, result=None)(info)
        return tuple(dims[:rank.value]), np.dtype(LEAT_DTYPES[kind.value])

    def outputs(self):
        results = []
        for value in self.out_values:
            shape, dtype = self.shape(value)
            data = self.make(ORT_TENSOR_DATA, P, value)
            count = int(np.prod(shape, dtype=np.int64))
            results.append(np.frombuffer(c.string_at(data, count * dtype.itemsize) if count else b"", dtype).reshape(shape))
        return results

    def close(self):
        self.after()
        self.function(ORT_FREE_SESSION, P, result=None)(self.session)


# --- ncnn --------------------------------------------------------------------------------------------------------------


class Ncnn:
    """The network that pnnx made of the same file; names of blobs are in0.. and out0.."""

    name = "ncnn"

    def open(self, stem, inputs, threads):
        import ncnn
        self.ncnn, self.net = ncnn, ncnn.Net()
        self.net.opt.num_threads = threads
        self.net.opt.use_fp16_packed = self.net.opt.use_fp16_storage = self.net.opt.use_fp16_arithmetic = False
        if self.net.load_param(f"{stem}.ncnn.param") or self.net.load_model(f"{stem}.ncnn.bin"):
            raise Failed("ncnn cannot load it")
        self.inputs = [(f"in{i}", ncnn.Mat(np.ascontiguousarray(a[0])).clone()) for i, (_, a) in enumerate(inputs)]

    def run(self):
        extractor = self.net.create_extractor()
        for name, mat in self.inputs:
            extractor.input(name, mat)
        status, self.out = extractor.extract("out0")
        if status:
            raise Failed("ncnn cannot run it")

    def after(self):
        pass

    def outputs(self):
        return [np.array(self.out)]

    def close(self):
        self.net.clear()
