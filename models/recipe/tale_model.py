"""tale_model.py - a small Llama: RMS norms, rotary positions on neighbouring pairs, grouped-query attention, SwiGLU, embedding and output tied.

The parameters carry the names that GGUF gives them, so that exporting is writing them down.
"""
import torch
from torch import nn
from torch.nn import functional as F

WIDTH, LAYERS, HEADS, KV_HEADS, FFN, VOCAB, CONTEXT = 128, 5, 4, 2, 352, 1024, 320
HEAD = WIDTH // HEADS
ROPE_BASE, EPSILON, COPY = 10000.0, 1e-5, 0.8


def rotation(length):
    angle = torch.arange(length)[:, None] * ROPE_BASE ** (-torch.arange(0, HEAD, 2) / HEAD)
    return angle.cos(), angle.sin()


def rotate(x, cos, sin):
    """x [batch, heads, positions, HEAD]: elements 2i and 2i + 1 are a point of the plane"""
    a, b = x[..., 0::2], x[..., 1::2]
    return torch.stack((a * cos - b * sin, a * sin + b * cos), -1).flatten(-2)


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.attn_norm, self.ffn_norm = nn.RMSNorm(WIDTH, EPSILON), nn.RMSNorm(WIDTH, EPSILON)
        self.attn_q, self.attn_output = nn.Linear(WIDTH, WIDTH, False), nn.Linear(WIDTH, WIDTH, False)
        self.attn_k, self.attn_v = nn.Linear(WIDTH, KV_HEADS * HEAD, False), nn.Linear(WIDTH, KV_HEADS * HEAD, False)
        self.ffn_gate, self.ffn_up, self.ffn_down = nn.Linear(WIDTH, FFN, False), nn.Linear(WIDTH, FFN, False), nn.Linear(FFN, WIDTH, False)

    def begin_by_copying(self):
        """Makes each head hand on what it looks at: values are a part of the input, and the output puts that part back.  Names are copied from the start, so that
        only where to look must be learnt; from random matrices the two wait for each other, for millions of tokens."""
        with torch.no_grad():
            nn.init.orthogonal_(self.attn_v.weight)
            per_group = HEADS // KV_HEADS
            for h in range(HEADS):
                part = self.attn_v.weight[h // per_group * HEAD:(h // per_group + 1) * HEAD]
                self.attn_output.weight[:, h * HEAD:(h + 1) * HEAD] = COPY * part.T

    def attention(self, x, cos, sin):
        def heads(y, n):
            return y.view(y.shape[0], y.shape[1], n, HEAD).transpose(1, 2)
        q, k, v = heads(self.attn_q(x), HEADS), heads(self.attn_k(x), KV_HEADS), heads(self.attn_v(x), KV_HEADS)
        q, k = rotate(q, cos, sin), rotate(k, cos, sin)
        k, v = (y.repeat_interleave(HEADS // KV_HEADS, 1) for y in (k, v))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.attn_output(y.transpose(1, 2).flatten(2))

    def forward(self, x, cos, sin):
        x = x + self.attention(self.attn_norm(x), cos, sin)
        y = self.ffn_norm(x)
        return x + self.ffn_down(F.silu(self.ffn_gate(y)) * self.ffn_up(y))


class TaleModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.token_embd = nn.Embedding(VOCAB, WIDTH)
        self.blk = nn.ModuleList(Block() for _ in range(LAYERS))
        self.output_norm = nn.RMSNorm(WIDTH, EPSILON)
        for name, p in self.named_parameters():
            if p.dim() == 2:
                nn.init.normal_(p, 0, 0.05 / (2 * LAYERS) ** 0.5 if 'output' in name or 'down' in name else 0.05)
        nn.init.normal_(self.token_embd.weight, 0, 0.1)
        for block in self.blk:
            block.begin_by_copying()

    def forward(self, tokens):
        """tokens [batch, positions] -> logits [batch, positions, VOCAB]"""
        cos, sin = rotation(tokens.shape[1])
        x = self.token_embd(tokens)
        for block in self.blk:
            x = block(x, cos, sin)
        return F.linear(self.output_norm(x), self.token_embd.weight)


def metadata():
    return {'general.architecture': 'llama', 'general.name': 'leat tales', 'general.license': 'MIT', 'general.file_type': 7, 'general.quantization_version': 2,
            'general.description': 'Tells little tales. Trained on text that its own recipe wrote.',
            'llama.context_length': CONTEXT, 'llama.embedding_length': WIDTH, 'llama.block_count': LAYERS, 'llama.feed_forward_length': FFN,
            'llama.attention.head_count': HEADS, 'llama.attention.head_count_kv': KV_HEADS, 'llama.attention.layer_norm_rms_epsilon': EPSILON,
            'llama.rope.freq_base': ROPE_BASE, 'llama.rope.dimension_count': HEAD, 'llama.vocab_size': VOCAB}
