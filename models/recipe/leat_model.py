"""leat_model.py - runs an ONNX model with Leat itself, through the public API of libleat.so (include/leat/model.h)."""
import ctypes

import numpy as np

import scenes

FLOAT32, MAX_RANK = 1, 8


class Tensor(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p), ("dtype", ctypes.c_int), ("rank", ctypes.c_int32), ("dims", ctypes.c_int64 * MAX_RANK), ("flags", ctypes.c_uint32)]


class Model:
    """One float32 input, one float32 output."""

    def __init__(self, path):
        self.lib, self.model, self.context, self.error = scenes.load(), ctypes.c_void_p(), ctypes.c_void_p(), scenes.Error()
        self.check(self.lib.leat_model_open(str(path).encode(), None, ctypes.byref(self.model), ctypes.byref(self.error)))
        self.check(self.lib.leat_context_open(self.model, None, ctypes.byref(self.context), ctypes.byref(self.error)))

    def check(self, status):
        if status:
            raise RuntimeError(self.error.message.decode() or f"status {status}")

    def __call__(self, x):
        x = np.ascontiguousarray(x, np.float32)
        tensor, out = Tensor(x.ctypes.data, FLOAT32, x.ndim), Tensor()
        tensor.dims[:x.ndim] = x.shape
        self.check(self.lib.leat_context_set_input(self.context, 0, ctypes.byref(tensor), ctypes.byref(self.error)))
        self.check(self.lib.leat_context_run(self.context, ctypes.byref(self.error)))
        self.check(self.lib.leat_context_output(self.context, 0, ctypes.byref(out)))
        shape = tuple(out.dims[:out.rank])
        return np.ctypeslib.as_array((ctypes.c_float * int(np.prod(shape))).from_address(out.data)).reshape(shape).copy()
