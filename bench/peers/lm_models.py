"""lm_models.py - language models by description: their metadata and their tensors, as llama.cpp's converter names them.

A Model says what an architecture has (fused projections, norms, experts, windows) and its sizes; metadata() and tensors() follow from that.
MODELS holds the two sizes that are timed and, as 'arch-NAME', a small odd-shaped member of every architecture to compare logits with.
"""
from dataclasses import dataclass, field, replace


@dataclass(frozen=True)
class Model:
    arch: str = 'llama'
    width: int = 96
    layers: int = 3
    heads: int = 6
    kv_heads: int = 2
    head: int = 0            # elements of a head, 0 = width / heads
    ffn: int = 176
    vocab: int = 331
    context: int = 512
    tokenizer: str = 'spm'
    tied: bool = False
    qkv_bias: bool = False
    fused_qkv: bool = False
    fused_up: bool = False   # gate and up in one matrix
    qk_norm: bool = False
    post_norm: bool = False  # norms behind attention and feed-forward
    eps: float = 1e-5
    rope_base: float = 10000.0
    experts: int = 0
    experts_used: int = 0
    expert_ffn: int = 0
    shared_ffn: int = 0
    encoder: bool = False    # BERT's family: layer norms with biases behind the blocks, no output matrix
    gated: bool = True
    biases: bool = False     # of every matrix (BERT)
    positions: bool = False  # learned ones
    metadata: dict = field(default_factory=dict)
    vectors: dict = field(default_factory=dict)  # name: (elements, lowest, highest) of further float32 tensors

    @property
    def head_size(self):
        return self.head or self.width // self.heads


def metadata(m):
    a = m.arch
    out = {'general.architecture': a, 'general.name': 'random weights', f'{a}.context_length': m.context, f'{a}.embedding_length': m.width,
           f'{a}.block_count': m.layers, f'{a}.feed_forward_length': m.ffn, f'{a}.attention.head_count': m.heads}
    if m.encoder:
        out |= {f'{a}.attention.layer_norm_epsilon': 1e-12, f'{a}.attention.causal': False}
    else:
        out |= {f'{a}.attention.head_count_kv': m.kv_heads, f'{a}.attention.layer_norm_rms_epsilon': m.eps, f'{a}.rope.freq_base': m.rope_base,
                f'{a}.rope.dimension_count': m.head_size}
    if m.head:
        out |= {f'{a}.attention.key_length': m.head, f'{a}.attention.value_length': m.head}
    if m.experts:
        out |= {f'{a}.expert_count': m.experts, f'{a}.expert_used_count': m.experts_used}
    if m.expert_ffn:
        out[f'{a}.expert_feed_forward_length'] = m.expert_ffn
    if m.shared_ffn:
        out[f'{a}.expert_shared_feed_forward_length'] = m.shared_ffn
    return out | {k.replace('@', a): v for k, v in m.metadata.items()}


def attention(m, prefix):
    q, kv = m.heads * m.head_size, (m.heads if m.encoder else m.kv_heads) * m.head_size
    names = [('attn_qkv', q + 2 * kv)] if m.fused_qkv else [('attn_q', q), ('attn_k', kv), ('attn_v', kv)]
    for name, rows in names:
        yield f'{prefix}{name}.weight', (rows, m.width)
        if m.qkv_bias or m.biases:
            yield f'{prefix}{name}.bias', (rows,)
    if m.qk_norm:
        yield f'{prefix}attn_q_norm.weight', (m.head_size,)
        yield f'{prefix}attn_k_norm.weight', (m.head_size,)
    yield f'{prefix}attn_output.weight', (m.width, q)
    if m.biases:
        yield f'{prefix}attn_output.bias', (m.width,)


def feed_forward(m, prefix):
    if m.experts:
        n, ffn = m.experts, m.expert_ffn or m.ffn
        yield f'{prefix}ffn_gate_inp.weight', (n, m.width)
        yield f'{prefix}ffn_gate_exps.weight', (n, ffn, m.width)
        yield f'{prefix}ffn_up_exps.weight', (n, ffn, m.width)
        yield f'{prefix}ffn_down_exps.weight', (n, m.width, ffn)
        if m.shared_ffn:
            yield f'{prefix}ffn_gate_inp_shexp.weight', (m.width,)
            yield f'{prefix}ffn_gate_shexp.weight', (m.shared_ffn, m.width)
            yield f'{prefix}ffn_up_shexp.weight', (m.shared_ffn, m.width)
            yield f'{prefix}ffn_down_shexp.weight', (m.width, m.shared_ffn)
        return
    if m.gated and not m.fused_up:
        yield f'{prefix}ffn_gate.weight', (m.ffn, m.width)
    for name, shape in (('up', (m.ffn * (1 + m.fused_up), m.width)), ('down', (m.width, m.ffn))):
        yield f'{prefix}ffn_{name}.weight', shape
        if m.biases:
            yield f'{prefix}ffn_{name}.bias', shape[:1]


def norm(m, name):
    yield f'{name}.weight', (m.width,)
    if m.encoder:
        yield f'{name}.bias', (m.width,)


def tensors(m):
    """(name, shape with the rows first) of every tensor but m.vectors"""
    yield 'token_embd.weight', (m.vocab, m.width)
    if m.encoder:
        yield 'token_types.weight', (2, m.width)
        yield from norm(m, 'token_embd_norm')
    if m.positions:
        yield 'position_embd.weight', (m.context, m.width)
    for i in range(m.layers):
        p = f'blk.{i}.'
        if not m.encoder:
            yield from norm(m, p + 'attn_norm')
        yield from attention(m, p)
        if m.encoder:
            yield from norm(m, p + 'attn_output_norm')
        else:
            if m.post_norm:
                yield from norm(m, p + 'post_attention_norm')
            yield from norm(m, p + 'ffn_norm')
        yield from feed_forward(m, p)
        if m.encoder:
            yield from norm(m, p + 'layer_output_norm')
        elif m.post_norm:
            yield from norm(m, p + 'post_ffw_norm')
    if not m.encoder:
        yield from norm(m, 'output_norm')
        if not m.tied:
            yield 'output.weight', (m.vocab, m.width)


SMALL = Model()
GEMMA = replace(SMALL, tied=True, head=24, heads=4, kv_heads=2, eps=1e-6)
QWEN = replace(SMALL, tokenizer='bpe', vocab=347, rope_base=1e6, eps=1e-6)
BERT = replace(SMALL, arch='bert', encoder=True, tokenizer='wpm', kv_heads=6, gated=False, biases=True, positions=True,
               metadata={'@.pooling_type': 1})
MODELS = {
    '110m': Model(width=768, layers=12, heads=12, kv_heads=12, ffn=2048, vocab=32000, context=2048, tied=True),
    '1b': Model(width=2048, layers=22, heads=32, kv_heads=4, ffn=5632, vocab=32000, context=2048),
    'minilm': replace(BERT, width=384, layers=6, heads=12, kv_heads=12, ffn=1536, vocab=30522, context=512),
    'arch-llama': SMALL,
    'arch-llama-tied': replace(SMALL, tied=True, kv_heads=6),
    'arch-llama-linear': replace(SMALL, metadata={'@.rope.scaling.type': 'linear', '@.rope.scaling.factor': 4.0}),
    'arch-llama-yarn': replace(SMALL, metadata={'@.rope.scaling.type': 'yarn', '@.rope.scaling.factor': 4.0,
                                                '@.rope.scaling.original_context_length': 128}),
    'arch-llama3': replace(SMALL, rope_base=500000.0, vectors={'rope_freqs.weight': (8, 1.0, 8.0)}),
    'arch-mistral': replace(SMALL, head=24, rope_base=1e6),
    'arch-mixtral': replace(SMALL, experts=5, experts_used=2),
    'arch-qwen2': replace(QWEN, arch='qwen2', qkv_bias=True, tied=True),
    'arch-qwen3': replace(QWEN, arch='qwen3', qk_norm=True, head=32),
    'arch-qwen2moe': replace(QWEN, arch='qwen2moe', qkv_bias=True, experts=7, experts_used=3, expert_ffn=80, shared_ffn=112),
    'arch-qwen3moe': replace(QWEN, arch='qwen3moe', qk_norm=True, head=32, experts=6, experts_used=2, expert_ffn=80),
    'arch-phi3': replace(SMALL, arch='phi3', fused_qkv=True, fused_up=True),
    'arch-phi3-long': replace(SMALL, arch='phi3', fused_qkv=True, fused_up=True,
                              metadata={'@.rope.scaling.original_context_length': 128, '@.rope.scaling.attn_factor': 1.19},
                              vectors={'rope_factors_long.weight': (8, 1.0, 6.0), 'rope_factors_short.weight': (8, 1.0, 1.5)}),
    'arch-gemma': replace(GEMMA, arch='gemma'),
    'arch-gemma2': replace(GEMMA, arch='gemma2', post_norm=True, layers=4,
                           metadata={'@.attention.sliding_window': 9, '@.attn_logit_softcapping': 50.0, '@.final_logit_softcapping': 30.0}),
    'arch-gemma3': replace(GEMMA, arch='gemma3', post_norm=True, qk_norm=True, layers=7, rope_base=1e6, metadata={'@.attention.sliding_window': 9}),
    'arch-smollm3': replace(SMALL, arch='smollm3', layers=5, tied=True),
    'arch-bert': BERT,
    'arch-bert-cls': replace(BERT, metadata={'@.pooling_type': 2}),
    'arch-nomic-bert': replace(BERT, arch='nomic-bert', fused_qkv=True, gated=True, biases=False, positions=False,
                               metadata={'@.pooling_type': 1, '@.rope.freq_base': 1000.0}),
}
