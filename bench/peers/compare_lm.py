#!/usr/bin/env python3
"""compare_lm.py - logits of Leat beside llama.cpp's, for every GGUF file given.

  compare_lm.py [--library build/libleat.so] [--kv f32] [--length 40] [--greedy 12] FILE...

For each file: the largest difference of any logit as a share of the range of all logits (of an encoder: of its pooled vector), and how many greedy tokens agree until a
step at which the two best logits lie closer than twice that difference.  Both engines round differently: quantised files differ by a few tenths of a percent.
"""
import argparse
import ctypes as c
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

from leat_lm_bench import Timed

HERE = pathlib.Path(__file__).resolve().parent


class Leat(Timed):
    def logits(self, tokens):
        """[positions, vocabulary] of a prompt"""
        session = self.open(1, 512)[0]
        out = np.zeros((len(tokens), self.words.tokens), np.float32)
        array = (c.c_int32 * len(tokens))(*tokens)
        self.check(self.lib.leat_lm_sync_logits(session, array, c.c_int64(len(tokens)), out.ctypes.data_as(c.c_void_p), self.error))
        return out

    def greedy(self, tokens, count):
        session, row = self.sessions[0], c.POINTER(c.c_float)()
        tokens = list(tokens)
        for _ in range(count):
            array = (c.c_int32 * len(tokens))(*tokens)
            self.check(self.lib.leat_lm_sync(session, array, c.c_int64(len(tokens)), self.error))
            self.check(self.lib.leat_lm_logits(session, c.byref(row)))
            tokens.append(int(np.ctypeslib.as_array(row, (self.words.tokens,)).argmax()))
        return tokens[-count:] if count else []

    def vector(self, tokens):
        session, out, size = self.open(1, 512)[0], c.POINTER(c.c_float)(), c.c_int64()
        array = (c.c_int32 * len(tokens))(*tokens)
        self.check(self.lib.leat_lm_embed_tokens(session, array, c.c_int64(len(tokens)), 0, 0, c.byref(out), c.byref(size), self.error))
        return np.ctypeslib.as_array(out, (size.value,)).copy()


def oracle(path, tokens, args):
    with tempfile.TemporaryDirectory() as folder:
        run = subprocess.run([sys.executable, HERE / 'oracle.py', path, '--tokens', ','.join(map(str, tokens)), '--greedy', str(args.greedy), '--kv', args.kv,
                              '--plain', '-o', f'{folder}/a.npy'], check=True, capture_output=True, text=True)
        return json.loads(run.stdout), np.load(f'{folder}/a.npy')


def agreeing(mine, theirs, gaps, tolerance):
    """(tokens alike, tokens that had to be)"""
    for i, (a, b, gap) in enumerate(zip(mine, theirs, gaps)):
        if gap < 2 * tolerance:
            return i, i
        if a != b:
            return i, len(theirs)
    return len(theirs), len(theirs)


def compare(path, args):
    leat = Leat(argparse.Namespace(model=path, library=args.library, threads=args.threads, kv=args.kv))
    rng = np.random.default_rng(7)
    tokens = [int(t) for t in rng.integers(3, leat.words.tokens, args.length)]
    report, theirs = oracle(path, tokens, args)
    mine = leat.vector(tokens) if theirs.ndim == 1 else leat.logits(tokens)
    worst, size = float(np.abs(mine - theirs).max()), float(theirs.max() - theirs.min())
    line = f'{pathlib.Path(path).name:24} max {worst:.2e} = {100 * worst / size:.4f} % of {size:.2f}'
    if theirs.ndim == 2:
        alike, must = agreeing(leat.greedy(tokens, args.greedy), report['tokens'], report['gaps'], worst)
        line += f', greedy {alike} of {must}'
    return line


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('files', nargs='+')
    parser.add_argument('--library', default='build/libleat.so')
    parser.add_argument('--kv', default='f32')
    parser.add_argument('--length', type=int, default=40)
    parser.add_argument('--greedy', type=int, default=12)
    parser.add_argument('-t', '--threads', type=int, default=1)
    args = parser.parse_args()
    for path in args.files:
        try:
            print(compare(path, args), flush=True)
        except (RuntimeError, AttributeError, subprocess.CalledProcessError) as error:
            print(f'{pathlib.Path(path).name:24} {getattr(error, "stderr", None) or error}', flush=True)


if __name__ == '__main__':
    main()
