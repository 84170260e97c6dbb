#!/usr/bin/env python3
"""bert_gguf.py - an encoder of BERT's family as its authors publish it (config.json, vocab.txt, model.safetensors) to GGUF, named as llama.cpp's converter names things.

  bert_gguf.py FOLDER OUT.gguf [--type F32|F16|Q8_0|...]

Matrices of the layers and the embedding of words get the type; positions, token types, norms and biases stay float32.  Pooling comes from 1_Pooling/config.json.
"""
import argparse
import json
import pathlib
import struct

import numpy as np

import gguf_file
import gguf_quant

LAYER = {'attention.self.query': 'attn_q', 'attention.self.key': 'attn_k', 'attention.self.value': 'attn_v', 'attention.output.dense': 'attn_output',
         'attention.output.LayerNorm': 'attn_output_norm', 'intermediate.dense': 'ffn_up', 'output.dense': 'ffn_down', 'output.LayerNorm': 'layer_output_norm'}
MODEL = {'embeddings.word_embeddings.weight': 'token_embd.weight', 'embeddings.position_embeddings.weight': 'position_embd.weight',
         'embeddings.token_type_embeddings.weight': 'token_types.weight', 'embeddings.LayerNorm.weight': 'token_embd_norm.weight',
         'embeddings.LayerNorm.bias': 'token_embd_norm.bias'}
KEPT = ('position_embd.weight', 'token_types.weight')
SPECIAL = {'[PAD]': 'padding_token_id', '[UNK]': 'unknown_token_id', '[CLS]': 'cls_token_id', '[SEP]': 'seperator_token_id', '[MASK]': 'mask_token_id'}
DTYPES = {'F32': np.float32, 'F16': np.float16, 'I64': np.int64}


def read_safetensors(path):
    """{name: array}, mapped"""
    raw = np.memmap(path, np.uint8, 'r')
    size = struct.unpack('<Q', raw[:8].tobytes())[0]
    head = json.loads(raw[8:8 + size].tobytes())
    head.pop('__metadata__', None)
    return {n: raw[8 + size + t['data_offsets'][0]:8 + size + t['data_offsets'][1]].view(DTYPES[t['dtype']]).reshape(t['shape']) for n, t in head.items()}


def gguf_name(name):
    """None for what GGUF leaves out: the pooler, which sentence encoders do not use, and the list of positions"""
    name = name.removeprefix('bert.')
    if name in MODEL:
        return MODEL[name]
    parts = name.split('.')
    if parts[:2] != ['encoder', 'layer']:
        return None
    return f'blk.{parts[2]}.{LAYER[".".join(parts[3:-1])]}.{parts[-1]}'


def spelled(token):
    if token.startswith('[') and token.endswith(']'):
        return token
    return token[2:] if token.startswith('##') else '\u2581' + token


def pooling(folder):
    config = folder / '1_Pooling/config.json'
    says = json.loads(config.read_text()) if config.exists() else {}
    return 2 if says.get('pooling_mode_cls_token') else 1


def metadata(folder):
    config = json.loads((folder / 'config.json').read_text())
    tokens = (folder / 'vocab.txt').read_text('utf-8').split('\n')[:config['vocab_size']]
    kinds = [3 if t in SPECIAL else 1 for t in tokens]
    out = {'general.architecture': 'bert', 'general.name': config['_name_or_path'], 'bert.context_length': config['max_position_embeddings'],
           'bert.embedding_length': config['hidden_size'], 'bert.feed_forward_length': config['intermediate_size'], 'bert.block_count': config['num_hidden_layers'],
           'bert.attention.head_count': config['num_attention_heads'], 'bert.attention.layer_norm_epsilon': float(config['layer_norm_eps']),
           'bert.attention.causal': False, 'bert.pooling_type': pooling(folder), 'tokenizer.ggml.model': 'bert', 'tokenizer.ggml.pre': 'jina-v2-en',
           'tokenizer.ggml.token_type_count': config['type_vocab_size'], 'tokenizer.ggml.tokens': [spelled(t) for t in tokens],
           'tokenizer.ggml.token_type': ('i32', kinds)}
    return out | {f'tokenizer.ggml.{key}': tokens.index(t) for t, key in SPECIAL.items()}


def convert(folder, path, form):
    folder = pathlib.Path(folder)
    plan = []
    for name, values in read_safetensors(folder / 'model.safetensors').items():
        to = gguf_name(name)
        if to:
            this = form if values.ndim == 2 and to not in KEPT else 'F32'
            plan.append((to, values.shape, this, lambda v=values, f=this: gguf_quant.quantise(np.asarray(v, np.float32), f)))
    gguf_file.write(path, metadata(folder), plan)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('folder')
    parser.add_argument('out')
    parser.add_argument('--type', default='F32', choices=list(gguf_quant.FORMATS))
    args = parser.parse_args()
    convert(args.folder, args.out, args.type)


if __name__ == '__main__':
    main()
