#!/usr/bin/env python3
"""bench_lm.py - language models beside llama.cpp: prefill, decoding, and some sessions decoded together.

  bench_lm.py --library libleat.so --out FOLDER [--models FOLDER] [--only TEXT] [-t 1,2] [--rounds N] [--isa avx2] [--batch] [--quick] [--cached]
              [--table]

Both engines run as workers that take turns: a warm-up each, then rounds of one measurement of the one and one of the other, whose order changes from round
to round, with a pause between them in which spinning threads fall asleep.  Reported are medians, and the median of the rounds' ratios.  llama.cpp gets
the better of its two kinds of attention, found in the warm-up (a quarter of the test) for each test.  Results are collected in FOLDER/lm.json, so that a long run can be split; the
table is of all that is there.  --isa avx2 compares Leat's AVX2 kernels with llama.cpp's variant for Haswell.

Each engine has a copy of the file of its own and finds it on disk, not in the page cache, as after a start of the machine: what the pages of a file in the cache are like (small,
or huge) is decided by who read it first.  --cached leaves one file as it lies there, for both.
"""
import argparse
import json
import math
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
MODELS = ['110m-q8_0', '110m-q4_0', '110m-q4_k_m', '1b-q8_0', '1b-q4_0', '1b-q4_k_m']
PAUSE = 0.25
VARIANT = {'avx2': 'haswell', 'avx512vnni': 'zen4'}


class Worker:
    def __init__(self, command, environment=None):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1, env=os.environ | (environment or {}))
        self.ready = self.answer()

    def answer(self):
        line = self.process.stdout.readline().strip()
        if not line or line.startswith('error'):
            raise RuntimeError(line or 'a worker ended')
        return line

    def time(self, command):
        self.process.stdin.write(command + '\n')
        seconds = float(self.answer())
        time.sleep(PAUSE)
        return seconds

    def resident(self):
        with open(f'/proc/{self.process.pid}/status') as status:
            return next(int(line.split()[1]) for line in status if line.startswith('VmRSS')) / 1024

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def tests_of(args, model):
    small = args.quick or model.startswith('1b')
    tests = [('pp512', 'pp 512', 512), ('tg128', f'tg {32 if small else 128}', 32 if small else 128)]
    if args.batch:
        count = 24 if small else 64
        tests = [('tg', f'tg {count}', count), ('tg x4', f'batch 4 {count}', 4 * count)]
    return tests


def compare(leat, peer, command, rounds):
    """(Leat's seconds, llama.cpp's, their ratio, seconds in which memory gives the weights once, the better attention): medians"""
    what, *sizes = command.split()
    short = ' '.join([what, *sizes[:-1], str(int(sizes[-1]) // 4)])
    flash = {kind: min(peer.time(f'{short} {kind}') for _ in range(2)) for kind in ('on', 'off')}
    best = min(flash, key=flash.get)
    peer.time(f'{short} {best}')
    leat.time(short)
    pairs, reads = [], []
    for i in range(rounds):
        reads.append(leat.time('read'))
        turns = [(leat, command), (peer, f'{command} {best}')]
        seconds = {w: w.time(text) for w, text in (turns if i % 2 else turns[::-1])}
        pairs.append((seconds[leat], seconds[peer]))
    return statistics.median(a for a, _ in pairs), statistics.median(b for _, b in pairs), statistics.median(b / a for a, b in pairs), statistics.median(reads), best


def from_disk(path):
    """drops a file's pages from the page cache"""
    with open(path, 'rb') as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def copies(args, model):
    """(the peer's file, Leat's)"""
    path = f'{args.models}/{model}.gguf'
    if args.cached:
        return path, path
    own = f'{args.out}/{model}.copy.gguf'
    if not os.path.exists(own) or os.path.getsize(own) != os.path.getsize(path):
        shutil.copyfile(path, own)
    for file in (path, own):
        from_disk(file)
    return path, own


def run_one(args, model, threads, results):
    path, own = copies(args, model)
    environment = {'LEAT_ISA': args.isa} if args.isa else {}
    peer = Worker([sys.executable, HERE / 'llama_bench.py', path, '-t', str(threads)] + (['--cpu', VARIANT[args.isa]] if args.isa else []))
    leat = Worker([sys.executable, HERE / 'leat_lm_bench.py', own, '-t', str(threads), '--library', os.path.abspath(args.library)], environment)
    for name, command, tokens in tests_of(args, model):
        mine, other, ratio, read, flash = compare(leat, peer, command, args.rounds)
        row = {'cpu': peer.ready.split()[1], 'model': model, 'threads': threads, 'test': name, 'leat': tokens / mine, 'peer': tokens / other, 'ratio': ratio, 'read': read,
               'flash': flash, 'leat_rss': leat.resident(), 'peer_rss': peer.resident()}
        results[f'{row["cpu"]} {model} {threads} {name}'] = row
        memory = f'; memory gives the weights {1 / read:.1f} times a second' if name == 'tg128' else ''
        print(f'{model} {threads}T {name}: llama.cpp {row["peer"]:.1f} ({flash}), Leat {row["leat"]:.1f} tokens/s, {ratio:.2f}{memory}', file=sys.stderr)
    leat.close()
    peer.close()


def geometric(values):
    return math.exp(statistics.fmean(map(math.log, values))) if values else float('nan')


def table(results, cpu):
    rows = [r for r in results.values() if r['cpu'] == cpu]
    out = ['| model | test | llama.cpp 1T | Leat 1T | speed 1T | llama.cpp 2T | Leat 2T | speed 2T | RSS MiB llama.cpp | Leat | Leat, % of memory |', '|' + '---|' * 11]
    for model in MODELS:
        for test in ('pp512', 'tg128', 'tg', 'tg x4'):
            of = {r['threads']: r for r in rows if (r['model'], r['test']) == (model, test)}
            if not of:
                continue
            cells = [f'{of[t]["peer"]:.1f} | {of[t]["leat"]:.1f} | {of[t]["ratio"]:.2f}' if t in of else '- | - | -' for t in (1, 2)]
            last = of[max(of)]
            share = ' / '.join(f'{100 * of[t]["leat"] * of[t]["read"]:.0f}' for t in sorted(of)) if test in ('tg128', 'tg') else ''
            out.append(f'| {model} | {test} | {cells[0]} | {cells[1]} | {last["peer_rss"]:.0f} | {last["leat_rss"]:.0f} | {share} |')
    for test in ('pp512', 'tg128'):
        ratios = [r['ratio'] for r in rows if r['test'] == test]
        if ratios:
            out.append(f'\n{test}: {geometric(ratios):.2f} times llama.cpp ({cpu}; geometric mean of {len(ratios)}), least {min(ratios):.2f}')
    return '\n'.join(out)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--library', default='build/libleat.so')
    parser.add_argument('--out', default='build/peers')
    parser.add_argument('--models', help='folder of the files of make_lm.py --timed; made in FOLDER/lm unless given')
    parser.add_argument('--only', default='')
    parser.add_argument('-t', '--threads', default='1,2')
    parser.add_argument('--rounds', type=int, default=3)
    parser.add_argument('--isa', choices=VARIANT)
    parser.add_argument('--batch', action='store_true', help='instead: one session, and four decoded together')
    parser.add_argument('--quick', action='store_true')
    parser.add_argument('--cached', action='store_true', help='one file for both, as it lies in the page cache')
    parser.add_argument('--table', action='store_true', help='only print what was measured before')
    args = parser.parse_args()
    os.makedirs(args.out, exist_ok=True)
    store = pathlib.Path(args.out) / 'lm.json'
    results = json.loads(store.read_text()) if store.exists() else {}
    models = [m for m in MODELS if args.only in m] if not args.table else []
    if models and not args.models:
        args.models = f'{args.out}/lm'
        if not all(os.path.exists(f'{args.models}/{m}.gguf') for m in models):
            subprocess.run([sys.executable, HERE / 'make_lm.py', '--timed', '-o', args.models], check=True, stdout=subprocess.DEVNULL)
    for model in models:
        for threads in map(int, args.threads.split(',')):
            run_one(args, model, threads, results)
            store.write_text(json.dumps(results, indent=1))
    for cpu in sorted({r['cpu'] for r in results.values()}):
        print(table(results, cpu))


if __name__ == '__main__':
    main()
