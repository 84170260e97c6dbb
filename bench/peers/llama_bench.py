#!/usr/bin/env python3
"""llama_bench.py - llama.cpp under the conditions of its own llama-bench, as a worker that is told what to time.

  llama_bench.py M.gguf -t THREADS [--cpu VARIANT] [--kv f16]     reads lines "pp N on|off", "tg N on|off", "batch SESSIONS N on|off" from stdin (on: flash
                                                                  attention), answers each with the seconds it took, or with "error ..."
Conditions: random tokens after the BOS, empty F16 cache cleared before each run, 2048 tokens a batch, 512 a micro-batch, a context just large enough for the
test, weights mapped and repacked as the library likes, a pool of threads that polls, one warm-up of either kind, sampling not timed.
"""
import argparse
import ctypes
import random
import sys
import time

from llama_peer import Llama


class Timed:
    def __init__(self, args):
        self.args = args
        self.llama = Llama(args.cpu)
        self.lib = self.llama.lib
        self.model = self.llama.open(args.model)
        self.vocab = self.llama.vocab(self.model)
        words = self.lib.llama_model_get_vocab(self.model)
        self.bos = self.lib.llama_vocab_bos(words) if self.lib.llama_vocab_get_add_bos(words) else None
        self.contexts = {}
        self.pool = self.llama.threadpool(args.threads)

    def context(self, size, flash, sequences=1):
        """one context at a time, as llama-bench has one a test"""
        key = size, flash, sequences
        if key not in self.contexts:
            for old in self.contexts.values():
                self.lib.llama_free(old)
            a = self.args
            context = self.llama.context(self.model, a.threads, size, flash, a.kv, sequences=sequences)
            self.lib.llama_attach_threadpool(context, self.pool, self.pool)
            self.contexts = {key: context}
        return self.contexts[key]

    def tokens(self, count):
        out = [random.randrange(self.vocab) for _ in range(count)]
        if self.bos is not None:
            out[0] = self.bos
        return out

    def pp(self, count, flash='on'):
        count = int(count)
        context = self.context(count, flash)
        self.lib.llama_memory_clear(self.lib.llama_get_memory(context), False)
        tokens = (ctypes.c_int32 * count)(*self.tokens(count))
        start = time.perf_counter()
        self.llama.decode_one(context, tokens)
        self.lib.llama_synchronize(context)
        return time.perf_counter() - start

    def tg(self, count, flash='on'):
        count = int(count)
        context = self.context(count, flash)
        self.lib.llama_memory_clear(self.lib.llama_get_memory(context), False)
        one = [(ctypes.c_int32 * 1)(t) for t in self.tokens(count)]
        start = time.perf_counter()
        for token in one:
            self.llama.decode_one(context, token)
            self.lib.llama_synchronize(context)
        return time.perf_counter() - start

    def batch(self, sessions, count, flash='on'):
        """`count` steps, each with one token of every session"""
        sessions, count = int(sessions), int(count)
        context = self.context(256 * ((count + 255) // 256) * sessions, flash, sessions)
        self.lib.llama_memory_clear(self.lib.llama_get_memory(context), False)
        b = self.lib.llama_batch_init(sessions, 0, 1)
        b.n_tokens = sessions
        start = time.perf_counter()
        for step in range(count):
            for s in range(sessions):
                b.token[s], b.pos[s], b.n_seq_id[s], b.logits[s] = random.randrange(self.vocab), step, 1, 1
                b.seq_id[s][0] = s
            if self.lib.llama_decode(context, b):
                raise RuntimeError('llama_decode failed')
            self.lib.llama_synchronize(context)
        seconds = time.perf_counter() - start
        self.lib.llama_batch_free(b)
        return seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('model')
    parser.add_argument('-t', '--threads', type=int, default=1)
    parser.add_argument('--kv', default='f16')
    parser.add_argument('--cpu')
    args = parser.parse_args()
    timed = Timed(args)
    print('ready', timed.llama.cpu, flush=True)
    for line in sys.stdin:
        what, *rest = line.split()
        try:
            print({'pp': timed.pp, 'tg': timed.tg, 'batch': timed.batch}[what](*rest), flush=True)
        except (RuntimeError, KeyError, TypeError, ValueError) as error:
            print('error', error, flush=True)


if __name__ == '__main__':
    main()
