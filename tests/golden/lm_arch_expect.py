#!/usr/bin/env python3
"""Make tests/golden/lm_arch_expect.json: logits of small models of every architecture, by llama.cpp.

usage: LLAMA_CPP_LIB=FOLDER lm_arch_expect.py build/tests/golden/test_lm_arch >tests/golden/lm_arch_expect.json
The models are written by the test program itself; bench/peers/oracle.py (numpy) runs llama.cpp.
"""
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

STEP, POSITIONS = 8, [5, 14, 23]
TOKENS = [1] + [3 + (7 * i * i + 13 * i + 5) % 256 for i in range(1, 24)]


def main():
    oracle = pathlib.Path(__file__).parents[2] / 'bench' / 'peers' / 'oracle.py'
    out = {}
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.argv[1], '--write', folder], check=True)
        for path in sorted(pathlib.Path(folder).glob('*.gguf')):
            rows = path.with_suffix('.npy')
            subprocess.run([sys.executable, oracle, path, '--tokens', ','.join(map(str, TOKENS)), '--kv', 'f32', '-o', rows], check=True, stdout=subprocess.DEVNULL)
            logits = np.load(rows)
            out[path.stem] = {'step': STEP, 'positions': POSITIONS, 'range': round(float(logits.max() - logits.min()), 4),
                              'logits': [[round(float(x), 6) for x in logits[p][::STEP]] for p in POSITIONS]}
    lines = ',\n'.join(f' {json.dumps(name)}: {json.dumps(record, separators=(",", ":"))}' for name, record in out.items())
    print('{\n' + lines + '\n}')


main()
