"""call_cost.c in Python, by the binding: the same lines in, the same lines out; and "stream", which reads an iterator."""
import ctypes
import sys
import time

import numpy as np

from leat import lm
from leat._library import lib

PROMPT = np.array([100 + 7 * i for i in range(16)], np.int32)


class Worker:
    def __init__(self, path, threads, tokens):
        self.model = lm.Model(path, threads=int(threads))
        self.session = self.model.session(context=1024)
        self.want = int(tokens)
        self.options = {"max_tokens": self.want, "temperature": 0, "ignore_eos": True}
        self.calls = 0

    def once(self):
        self.calls = 1
        return self.session.generate(PROMPT, **self.options).tokens

    def callback(self):
        self.calls = 1

        def heard(piece):
            self.calls += 1

        return self.session.generate(PROMPT, on_token=heard, **self.options).tokens

    def stream(self):
        self.calls = 1
        stream = self.session.stream(PROMPT, **self.options)
        for _ in stream:
            self.calls += 1
        return stream.result.tokens

    def tokens(self):
        tokens, held = np.concatenate([PROMPT, np.zeros(self.want, np.int32)]), len(PROMPT)
        self.session.sync(tokens[:held])
        self.calls = 0
        while True:
            tokens[held] = self.session.logits().argmax()
            held += 1
            self.model.detokenize(tokens[held - 1: held])
            self.calls += 3
            if held == len(tokens):
                return tokens[len(PROMPT):]
            self.session.sync(tokens[:held])

    def measured(self, what):
        self.session.sync([])
        start = time.perf_counter_ns()
        tokens = getattr(self, what)()
        spent = time.perf_counter_ns() - start
        return f"{spent} {self.calls} {int((tokens.astype(np.int64) * np.arange(1, len(tokens) + 1)).sum())}"


def cross(count):
    call = lib.leat_utf8_complete
    call.restype, call.argtypes = ctypes.c_size_t, [ctypes.c_char_p, ctypes.c_size_t]
    start = time.perf_counter_ns()
    for _ in range(count):
        call(None, 0)
    return (time.perf_counter_ns() - start) / count


def back(count):
    """qsort of equal numbers calls back a known number of times."""
    heard = [0]

    def compare(a, b):
        heard[0] += 1
        return 0

    kind = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
    qsort = ctypes.CDLL(None).qsort
    qsort.argtypes, qsort.restype = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t, kind], None
    array = (ctypes.c_int * max(2, count // 8))()
    start = time.perf_counter_ns()
    qsort(array, len(array), 4, kind(compare))
    return (time.perf_counter_ns() - start) / heard[0]


def memory():
    fields = dict(line.split(":", 1) for line in open("/proc/self/status") if ":" in line)
    return " ".join(fields[name].split()[0] for name in ("VmHWM", "RssAnon"))


def main():
    worker = Worker(*sys.argv[1:])
    for line in sys.stdin:
        what, _, count = line.strip().partition(" ")
        answer = memory() if what == "memory" else f"{cross(int(count)):.3f}" if what == "cross" else f"{back(int(count)):.3f}" if what == "back" else worker.measured(what)
        print(answer, flush=True)


if __name__ == "__main__":
    main()
