"""scenes.py - frames and ground truth of Leat's synthetic scenes, through the public API of libleat.so (include/leat/video.h).

    with Scene("scene:seed=7,size=640x360", stride=30) as scene:
        pixels, truth = scene.next()    # uint8 [H, W, 3]; float [n, 6] = class, x1, y1, x2, y2, visible

The library is build/libleat.so of the working folder, or $LEAT_LIBRARY.
"""
import ctypes
import os

import numpy as np

MAX_OBJECTS = 200


class Error(ctypes.Structure):
    _fields_ = [("status", ctypes.c_int), ("message", ctypes.c_char * 768), ("offset", ctypes.c_uint64)]


class Frame(ctypes.Structure):
    _fields_ = [("format", ctypes.c_int), ("matrix", ctypes.c_int), ("full_range", ctypes.c_int32), ("width", ctypes.c_int32),
                ("height", ctypes.c_int32), ("plane", ctypes.c_void_p * 3), ("stride", ctypes.c_int64 * 3), ("index", ctypes.c_int64),
                ("pts_ns", ctypes.c_int64), ("capture_ns", ctypes.c_int64)]


class Truth(ctypes.Structure):
    _fields_ = [("track", ctypes.c_int32), ("class_index", ctypes.c_int32), ("box", ctypes.c_float * 4), ("visible", ctypes.c_float)]


class Options(ctypes.Structure):
    _fields_ = [("size", ctypes.c_size_t), ("live_fps", ctypes.c_double), ("loop", ctypes.c_int32), ("stride", ctypes.c_int32),
                ("max_frames", ctypes.c_int64), ("max_pixels", ctypes.c_uint64), ("raw_width", ctypes.c_int32), ("raw_height", ctypes.c_int32),
                ("raw_format", ctypes.c_int), ("fps", ctypes.c_double), ("threads", ctypes.c_int32)]


def load():
    return ctypes.CDLL(os.environ.get("LEAT_LIBRARY", "build/libleat.so"))


class Scene:
    """A scene in RGB24 of a size given in the spec; every `stride`-th frame."""

    def __init__(self, spec, width, height, stride=1):
        self.lib, self.source, self.error = load(), ctypes.c_void_p(), Error()
        options = Options()
        self.lib.leat_source_options_default(ctypes.byref(options))
        options.stride = stride
        self.pixels = np.empty(width * height * 3 + 64, np.uint8)
        self.shape = (height, width, 3)
        text = f"{spec},size={width}x{height},frames=0".encode()
        self.check(self.lib.leat_source_open(text, ctypes.byref(options), ctypes.byref(self.source), ctypes.byref(self.error)))

    def check(self, status):
        if status:
            raise RuntimeError(self.error.message.decode() or f"status {status}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.lib.leat_source_close(self.source)

    def next(self):
        frame, found, count = Frame(), (Truth * MAX_OBJECTS)(), ctypes.c_int()
        self.check(self.lib.leat_source_next(self.source, ctypes.c_void_p(self.pixels.ctypes.data), ctypes.c_size_t(self.pixels.size), ctypes.byref(frame),
                                             ctypes.byref(self.error)))
        self.check(self.lib.leat_source_truth(self.source, ctypes.c_int64(frame.index), found, MAX_OBJECTS, ctypes.byref(count)))
        truth = np.array([[t.class_index, *t.box, t.visible] for t in found[:count.value]], np.float32).reshape(-1, 6)
        height, width, _ = self.shape
        return self.pixels[:width * height * 3].reshape(self.shape).copy(), truth
