#!/usr/bin/env python3
"""oracle.py - what llama.cpp computes: prompt logits at every position, greedy tokens, embeddings.

  oracle.py M.gguf (--tokens 1,2,3 | -p TEXT) [--greedy N] [--kv f32|f16|q8_0] [--flash auto|on|off] [-t N] [-o F.npy] [--cpu VARIANT] [--plain]

Prints one JSON object: prompt_tokens, greedy tokens, for each step the gap between the two best logits.  F.npy receives the logits [positions, vocab], or of an
encoder the embedding [width] as the file's pooling says (not normalised) or with --per-token [positions, width].
"""
import argparse
import ctypes
import json
import sys

import numpy as np

from llama_peer import Llama


def embeddings(llama, model, args, tokens):
    context = llama.context(model, args.threads, max(64, len(tokens)), 'off', args.kv, embeddings=True, pooling=0 if args.per_token else -1)
    batch = llama.batch(tokens)
    if llama.lib.llama_encode(context, batch):
        sys.exit('oracle: llama_encode failed')
    width = llama.lib.llama_model_n_embd(model)
    if args.per_token:
        rows = [np.ctypeslib.as_array(llama.lib.llama_get_embeddings_ith(context, i), (width,)).copy() for i in range(len(tokens))]
        return np.array(rows)
    return np.ctypeslib.as_array(llama.lib.llama_get_embeddings_seq(context, 0), (width,)).copy()


def generate(llama, model, args, tokens):
    """(prompt logits [positions, vocab], greedy tokens, gaps)"""
    vocab = llama.vocab(model)
    size = (len(tokens) + args.greedy + 255) // 256 * 256
    context = llama.context(model, args.threads, size, args.flash, args.kv)
    rows = []
    for first in range(0, len(tokens), 512):
        part = tokens[first:first + 512]
        if llama.lib.llama_decode(context, llama.batch(part, first)):
            sys.exit('oracle: llama_decode failed')
        rows += [llama.logits(context, i, vocab) for i in range(len(part))]
    row, out, gaps = rows[-1], [], []
    for _ in range(args.greedy):
        best = np.sort(row)[-2:]
        out.append(int(row.argmax()))
        gaps.append(float(best[1] - best[0]))
        llama.decode_one(context, (ctypes.c_int32 * 1)(out[-1]))
        row = llama.logits(context, 0, vocab)
    return np.array(rows), out, gaps


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('model')
    parser.add_argument('--tokens')
    parser.add_argument('-p', '--prompt')
    parser.add_argument('--greedy', type=int, default=0)
    parser.add_argument('--kv', default='f32')
    parser.add_argument('--flash', default='off')
    parser.add_argument('-t', '--threads', type=int, default=1)
    parser.add_argument('-o', '--out')
    parser.add_argument('--cpu', help='haswell, zen4, sse42, ...: a variant of the CPU backend')
    parser.add_argument('--plain', action='store_true', help='weights as in the file, not repacked')
    parser.add_argument('--per-token', action='store_true')
    parser.add_argument('--encoder', action='store_true', help='embeddings also of a model that generates')
    parser.add_argument('-v', '--verbose', action='store_true')
    args = parser.parse_args()
    llama = Llama(args.cpu, args.verbose)
    model = llama.open(args.model, extra_buffers=not args.plain)
    tokens = [int(t) for t in args.tokens.split(',')] if args.tokens else llama.tokenize(model, args.prompt or '')
    encoder = args.encoder or llama.vocab(model) and is_encoder(args.model)
    report = {'cpu': llama.cpu, 'version': llama.lib.llama_version().decode(), 'prompt_tokens': tokens}
    if encoder:
        values = embeddings(llama, model, args, tokens)
    else:
        values, report['tokens'], report['gaps'] = generate(llama, model, args, tokens)
    report['shape'] = list(values.shape)
    if args.out:
        np.save(args.out, values)
    print(json.dumps(report))


def is_encoder(path):
    """whether the file's architecture is one of BERT's family"""
    with open(path, 'rb') as file:
        head = file.read(4096)
    at = head.find(b'general.architecture') + len('general.architecture') + 4
    size = int.from_bytes(head[at:at + 8], 'little')
    return b'bert' in head[at + 8:at + 8 + size]


if __name__ == '__main__':
    main()
