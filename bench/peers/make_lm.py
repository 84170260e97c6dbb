#!/usr/bin/env python3
"""make_lm.py - writes GGUF files with random weights: to time them, and to compare logits with llama.cpp's on every architecture.

  make_lm.py NAME[:MIX]... -o FOLDER      NAME of lm_models.MODELS; MIX of MIXES or any single format of gguf_quant.FORMATS; --list shows both
  make_lm.py --timed -o FOLDER            the six files that are timed: {110m,1b}-{q8_0,q4_0,q4_k_m}.gguf
  make_lm.py --small -o FOLDER            every small model in F32, and arch-llama in every format

A mix says which matrix is stored how, as llama.cpp's quantiser does: the output (or the embedding that serves as one) in Q6_K beside 4-bit weights,
and in Q4_K_M also attn_v and ffn_down of the outer and every third inner layer.  Weights are normal with the variance of 1 / columns.  They are drawn
from a pool of blocks that is quantised once a format, so that a file costs little more than writing it; values repeat, timings do not care.
"""
import argparse
import os
import re
from dataclasses import replace

import numpy as np

import gguf_file
import gguf_quant
import lm_tokenizers
from lm_models import MODELS, metadata, tensors

POOL = 1 << 22   # elements
MIXES = ('Q8_0', 'Q4_0', 'Q4_K_M')
FILE_TYPE = {'F32': 0, 'F16': 1, 'Q4_0': 2, 'Q4_1': 3, 'Q8_0': 7, 'Q5_0': 8, 'Q5_1': 9, 'Q2_K': 10, 'Q3_K': 12, 'Q4_K': 14, 'Q4_K_M': 15, 'Q5_K': 17,
             'Q6_K': 18, 'IQ4_NL': 25, 'IQ4_XS': 30, 'BF16': 32}


def more_bits(layer, layers):
    return layer < layers // 8 or layer >= 7 * layers // 8 or (layer - layers // 8) % 3 == 2


def form_of(name, shape, model, mix):
    """the format of one tensor"""
    if len(shape) == 1 or name.endswith('_norm.weight') or 'ffn_gate_inp' in name or name in ('token_types.weight', 'position_embd.weight'):
        return 'F32'
    if mix not in ('Q4_0', 'Q4_K_M'):
        return mix
    if name == 'output.weight' or (name == 'token_embd.weight' and model.tied):
        return 'Q6_K' if model.width % 256 == 0 else 'Q8_0'
    if mix == 'Q4_0':
        return 'Q4_0'
    layer = re.match(r'blk\.(\d+)\.(attn_v|ffn_down)\.weight', name)
    return 'Q6_K' if layer and more_bits(int(layer[1]), model.layers) else 'Q4_K'


class Weights:
    """random tensors in any format; the same seed gives the same file"""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        self.normal = self.rng.standard_normal(POOL, np.float32)
        self.pools = {}

    def blocks(self, form, deviation):
        key = form, deviation
        if key not in self.pools:
            length = gguf_quant.FORMATS[form][1]
            rows = (self.normal * np.float32(deviation)).reshape(-1, 256)
            self.pools[key] = gguf_quant.quantise(rows, form).reshape(POOL // length, -1)
        return self.pools[key]

    def matrix(self, shape, form):
        pool = self.blocks(form, shape[-1] ** -0.5)
        count = int(np.prod(shape, dtype=np.int64)) // gguf_quant.FORMATS[form][1]
        return pool[self.rng.integers(0, len(pool), count)].reshape(-1)

    def vector(self, shape, name):
        x = self.rng.standard_normal(shape, np.float32) * np.float32(0.2)
        return gguf_quant.f32(x + np.float32(1) if 'norm.weight' in name else x)

    def ramp(self, count, low, high):
        return gguf_quant.f32(np.linspace(low, high, count, dtype=np.float32))


def plan(model, mix, weights):
    for name, shape in tensors(model):
        form = form_of(name, shape, model, mix)
        if form == 'F32' and len(shape) == 1:
            yield name, shape, form, lambda s=shape, n=name: weights.vector(s, n)
        else:
            yield name, shape, form, lambda s=shape, f=form: weights.matrix(s, f)
    for name, (count, low, high) in model.vectors.items():
        yield name, (count,), 'F32', lambda c=count, a=low, b=high: weights.ramp(c, a, b)


def fitting(model, mix):
    """the small models' odd widths made whole blocks"""
    block = 256 if mix.endswith('_K') or mix in ('Q4_K_M', 'IQ4_XS') else gguf_quant.FORMATS[mix][1]
    if model.width % block == 0 and model.ffn % block == 0:
        return model
    if block == 256:
        return replace(model, width=256, heads=8, kv_heads=2, ffn=512, head=0)
    return replace(model, ffn=192)


def make(spec, path, seed):
    name, _, mix = spec.partition(':')
    mix = (mix or 'F32').upper()
    model = fitting(MODELS[name], mix)
    entries = metadata(model) | {'general.file_type': FILE_TYPE[mix], 'general.quantization_version': 2}
    entries |= lm_tokenizers.KINDS[model.tokenizer](model.vocab)
    gguf_file.write(path, entries, list(plan(model, mix, Weights(seed))))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('specs', nargs='*', metavar='NAME[:MIX]')
    parser.add_argument('-o', '--out', default='.')
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--timed', action='store_true')
    parser.add_argument('--small', action='store_true')
    parser.add_argument('--list', action='store_true')
    args = parser.parse_args()
    if args.list:
        print('models:', *MODELS, '\nmixes:', *dict.fromkeys([*MIXES, *gguf_quant.FORMATS]))
        return
    specs = list(args.specs)
    specs += [f'{m}:{x}' for m in ('110m', '1b') for x in MIXES] if args.timed else []
    if args.small:
        specs += [m for m in MODELS if m.startswith('arch-')] + [f'arch-llama:{f}' for f in [*gguf_quant.FORMATS, 'Q4_K_M'] if f != 'F32']
    os.makedirs(args.out, exist_ok=True)
    for spec in specs:
        path = os.path.join(args.out, spec.removeprefix('arch-').lower().replace(':', '-') + '.gguf')
        make(spec, path, args.seed)
        print(path, os.path.getsize(path))


if __name__ == '__main__':
    main()
