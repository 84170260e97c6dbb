"""lm_tokenizers.py - made-up but valid tokenizers of the three kinds, as GGUF metadata.

  spm   <unk> <s> </s>, 256 bytes, the pieces of a made-up language with falling scores (SentencePiece with byte fallback)
  bpe   256 bytes in their printable spelling and merges of them, then two special tokens (GPT-2's kind)
  wpm   [PAD] [UNK] [CLS] [SEP] [MASK], letters and syllables with and without the word mark (BERT's kind)
"""
import itertools

CONSONANTS, VOWELS = 'bdfgklmnprstvz', 'aeiou'
NORMAL, UNKNOWN, CONTROL, BYTE = 1, 2, 3, 6


def syllables():
    return [c + v for c in CONSONANTS for v in VOWELS]


def words():
    """endless, short ones first, each twice: within a word, then as its beginning"""
    for length in itertools.count(1):
        for parts in itertools.product(syllables(), repeat=length):
            word = ''.join(parts)
            yield word
            yield '\u2581' + word


def spm(size):
    tokens = ['<unk>', '<s>', '</s>'] + [f'<0x{b:02X}>' for b in range(256)]
    pieces = ['\u2581'] + list('abcdefghijklmnopqrstuvwxyz.,')
    tokens = tokens + pieces
    tokens += list(itertools.islice(words(), max(0, size - len(tokens))))
    tokens = tokens[:size]
    if size < 260:
        raise ValueError('an SPM vocabulary has 260 tokens at least')
    scores = [0.0] * 259 + [float(-i) for i in range(size - 259)]
    # letters score lowest, so that every merge is one upwards
    scores[259:259 + len(pieces)] = [-1e6 - i for i in range(len(scores[259:259 + len(pieces)]))]
    kinds = [UNKNOWN, CONTROL, CONTROL] + [BYTE] * 256 + [NORMAL] * (size - 259)
    return {'tokenizer.ggml.model': 'llama', 'tokenizer.ggml.pre': 'default', 'tokenizer.ggml.tokens': tokens, 'tokenizer.ggml.scores': scores,
            'tokenizer.ggml.token_type': ('i32', kinds), 'tokenizer.ggml.bos_token_id': 1, 'tokenizer.ggml.eos_token_id': 2,
            'tokenizer.ggml.unknown_token_id': 0, 'tokenizer.ggml.add_bos_token': True, 'tokenizer.ggml.add_eos_token': False}


def byte_letters():
    """GPT-2's printable letter of each byte"""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    spare = (chr(256 + i) for i in itertools.count())
    return [chr(b) if b in plain else next(spare) for b in range(256)]


def bpe(size, pre='qwen2'):
    letters = byte_letters()
    space = letters[32]
    tokens, merges = list(letters), []
    for c, v in itertools.product(CONSONANTS + space, VOWELS + CONSONANTS):
        tokens.append(c + v)
        merges.append(f'{c} {v}')
    for first, second in itertools.product(syllables(), repeat=2):
        tokens.append(first + second)
        merges.append(f'{first} {second}')
    tokens, merges = tokens[:size - 2], merges[:max(0, size - 2 - 256)]
    if size < 260 or len(tokens) != size - 2:
        raise ValueError('a BPE vocabulary has 260 to 5000 tokens')
    tokens += ['<|end|>', '<|start|>']
    kinds = [NORMAL] * (size - 2) + [CONTROL, CONTROL]
    return {'tokenizer.ggml.model': 'gpt2', 'tokenizer.ggml.pre': pre, 'tokenizer.ggml.tokens': tokens, 'tokenizer.ggml.token_type': ('i32', kinds),
            'tokenizer.ggml.merges': merges, 'tokenizer.ggml.bos_token_id': size - 1, 'tokenizer.ggml.eos_token_id': size - 2,
            'tokenizer.ggml.add_bos_token': False}


def wpm(size):
    tokens = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'] + ['\u2581' + c for c in 'abcdefghijklmnopqrstuvwxyz0123456789.,!?']
    tokens += list('abcdefghijklmnopqrstuvwxyz0123456789')
    tokens += list(itertools.islice(words(), max(0, size - len(tokens))))
    tokens = tokens[:size]
    kinds = [CONTROL] * 5 + [NORMAL] * (size - 5)
    return {'tokenizer.ggml.model': 'bert', 'tokenizer.ggml.pre': 'jina-v2-en', 'tokenizer.ggml.tokens': tokens, 'tokenizer.ggml.token_type': ('i32', kinds),
            'tokenizer.ggml.padding_token_id': 0, 'tokenizer.ggml.unknown_token_id': 1, 'tokenizer.ggml.bos_token_id': 2, 'tokenizer.ggml.cls_token_id': 2,
            'tokenizer.ggml.eos_token_id': 3, 'tokenizer.ggml.seperator_token_id': 3, 'tokenizer.ggml.mask_token_id': 4,
            'tokenizer.ggml.add_bos_token': True, 'tokenizer.ggml.add_eos_token': True, 'tokenizer.ggml.token_type_count': 2}


KINDS = {'spm': spm, 'bpe': bpe, 'wpm': wpm}
