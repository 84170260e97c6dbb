"""nets_transformer.py - the transformer networks of the comparison, in the primitive nodes that PyTorch exports (opset 14)."""
import math

import numpy as np
from onnx import TensorProto

from netkit import Net


def vit_s16():
    """ViT-S/16 at 224: 12 layers, width 384, 6 heads, pre-norm, class token."""
    net = Net("vit_s16", 21, opset=14)
    width, tokens = 384, 197
    x = net.conv(net.input("input", [1, 3, 224, 224]), width, 16, 16, 0, gain=1.0)
    x = net.transpose(net.reshape(x, [1, width, tokens - 1]), (0, 2, 1))
    cls = net.const(net.he((1, 1, width), 1, 0.02), "cls", True)
    x = net.concat([cls, x], 1)
    x = net.add(x, net.const(net.he((1, tokens, width), 1, 0.02), "position", True))
    for _ in range(12):
        x = net.add(x, vit_attention(net, net.layernorm(x, 1e-6), 6))
        x = net.add(x, net.linear(net.gelu(net.linear(net.layernorm(x, 1e-6), 4 * width)), width))
    x = net.node("Gather", [net.layernorm(x, 1e-6), net.ints(0, "index")], [1, width], axis=1)
    net.output(net.gemm(x, 1000), "output")
    return net


def vit_attention(net, x, heads):
    """One projection to queries, keys and values, picked apart by Gather."""
    _, tokens, width = net.shape[x]
    size = width // heads
    qkv = net.reshape(net.linear(x, 3 * width), [1, tokens, 3, heads, size])
    qkv = net.transpose(qkv, (2, 0, 3, 1, 4))
    q, k, v = (net.node("Gather", [qkv, net.ints(i, "index")], [1, heads, tokens, size], axis=0) for i in range(3))
    scores = net.mul(net.matmul(q, net.transpose(k, (0, 1, 3, 2))), net.floats(1 / math.sqrt(size)))
    y = net.transpose(net.matmul(net.softmax(scores), v), (0, 2, 1, 3))
    return net.linear(net.reshape(y, [1, tokens, width]), width)


def bert_6layer(tokens=128, vocabulary=30522):
    """Six encoder layers of BERT-base shape (768 wide, 12 heads, 3072 inner), post-norm, with an attention mask."""
    net = Net("bert_6layer", 22, opset=14)
    width = 768
    ids = net.input("input_ids", [1, tokens], TensorProto.INT64)
    mask = net.input("attention_mask", [1, tokens], TensorProto.INT64)
    table = net.const(net.he((vocabulary, width), 1, 4e-4), "word_embeddings", True)
    x = net.node("Gather", [table, ids], [1, tokens, width])
    x = net.add(x, net.const(net.he((1, tokens, width), 1, 4e-4), "position_embeddings", True))
    x = net.layernorm(x, 1e-12)
    bias = bert_mask(net, mask, tokens)
    for _ in range(6):
        x = net.layernorm(net.add(bert_attention(net, x, bias, 12), x), 1e-12)
        x = net.layernorm(net.add(net.linear(net.gelu(net.linear(x, 4 * width)), width), x), 1e-12)
    net.output(x, "last_hidden_state")
    return net


def bert_mask(net, mask, tokens):
    """1 = attend -> additive bias [1, 1, 1, T] of 0 or the lowest float."""
    dims = [1, 1, 1, tokens]
    mask = net.node("Unsqueeze", [net.node("Unsqueeze", [mask, net.ints([1], "axes")], [1, 1, tokens]),
                                  net.ints([2], "axes")], dims)
    kept = net.node("Cast", [mask], dims, to=TensorProto.FLOAT)
    return net.mul(net.node("Sub", [net.floats(1), kept], dims), net.floats(np.finfo(np.float32).min))


def bert_attention(net, x, bias, heads):
    _, tokens, width = net.shape[x]
    size = width // heads

    def split_heads(y, perm):
        return net.transpose(net.reshape(y, [1, tokens, heads, size]), perm)

    q = split_heads(net.linear(x, width), (0, 2, 1, 3))
    k = split_heads(net.linear(x, width), (0, 2, 3, 1))
    v = split_heads(net.linear(x, width), (0, 2, 1, 3))
    scores = net.node("Div", [net.matmul(q, k), net.floats(math.sqrt(size))], [1, heads, tokens, tokens])
    y = net.transpose(net.matmul(net.softmax(net.add(scores, bias)), v), (0, 2, 1, 3))
    return net.linear(net.reshape(y, [1, tokens, width]), width)
