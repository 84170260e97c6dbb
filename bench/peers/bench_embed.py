#!/usr/bin/env python3
"""bench_embed.py - texts to vectors beside llama.cpp: one encoder, texts of several lengths, both engines in turn in one process.

  bench_embed.py M.gguf [--library build/libleat.so] [-t 1] [--lengths 8,32,128,512] [--rounds 15]

Medians of a text's time, and their ratio.  make_lm.py minilm:F32 writes a file of all-MiniLM-L6's sizes.
"""
import argparse
import ctypes as c
import statistics
import time

import numpy as np

from compare_lm import Leat
from llama_peer import Llama


def timed(call):
    start = time.perf_counter_ns()
    call()
    return time.perf_counter_ns() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('model')
    parser.add_argument('--library', default='build/libleat.so')
    parser.add_argument('-t', '--threads', type=int, default=1)
    parser.add_argument('--lengths', default='8,32,128,512')
    parser.add_argument('--rounds', type=int, default=15)
    args = parser.parse_args()
    leat = Leat(argparse.Namespace(model=args.model, library=args.library, threads=args.threads, kv='f32'))
    llama = Llama()
    model = llama.open(args.model)
    for length in map(int, args.lengths.split(',')):
        tokens = [int(t) for t in np.random.default_rng(7).integers(5, leat.words.tokens, length)]
        context = llama.context(model, args.threads, max(64, length), 'auto', 'f32', embeddings=True)
        batch, session = llama.batch(tokens), leat.open(1, 512)[0]
        array, out, size = (c.c_int32 * length)(*tokens), c.POINTER(c.c_float)(), c.c_int64()
        mine, theirs = [], []
        for _ in range(args.rounds):
            theirs.append(timed(lambda: llama.lib.llama_encode(context, batch)))
            mine.append(timed(lambda: leat.lib.leat_lm_embed_tokens(session, array, c.c_int64(length), 0, 1, c.byref(out), c.byref(size), leat.error)))
        a, b = statistics.median(mine) / 1e6, statistics.median(theirs) / 1e6
        print(f'{length:4} tokens  Leat {a:8.2f} ms  llama.cpp {b:8.2f} ms  ratio {b / a:.2f}', flush=True)


if __name__ == '__main__':
    main()
