#!/usr/bin/env python3
"""compare_tok.py - ids of tokens beside the authors' implementations: Hugging Face's tokenizers for byte-level vocabularies, sentencepiece for the others, with random texts.

  compare_tok.py GPT2.gguf [SPM.gguf...] [--library build/libleat.so] [--texts 4000]

GPT2.gguf is any file with a byte-level vocabulary; it serves every family of pre-tokenizers, whose patterns are those of the models' tokenizer.json.  For each: how many random
texts and how many characters of Unicode between letters differ.  Needs tokenizers, sentencepiece and gguf from PyPI.
"""
import argparse
import ctypes as c
import random
import tempfile

import sentencepiece
from gguf import GGUFReader
from sentencepiece import sentencepiece_model_pb2
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers

import gguf_file

TAIL = r"\s*[\r\n]+|\s+(?!\S)|\s+"
CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
UPPER, LOWER = r'[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]', r'[\p{Ll}\p{Lm}\p{Lo}\p{M}]'
DEEPSEEK = r'''[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|''' + TAIL


def llama3(digits):
    return CONTRACTIONS + r'|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}' + digits + r'| ?[^\s\p{L}\p{N}]+[\r\n]*|' + TAIL


def cased(tail, digits):
    word = r'[^\r\n\p{L}\p{N}]?'
    return f'{word}{UPPER}*{LOWER}+{tail}|{word}{UPPER}+{LOWER}*{tail}|\\p{{N}}{digits}' + r'| ?[^\s\p{L}\p{N}]+[\r\n/]*|' + TAIL


def cuts(*patterns):
    bytes_ = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    return pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(p), 'isolated') for p in patterns] + [bytes_])


GPT2 = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
DIGITS = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), GPT2])
FAMILIES = {  # name of tokenizer.ggml.pre: (pre-tokenizer, whether words that are tokens stay whole, whether the text is composed)
    'gpt-2': (GPT2, False, False), 'llama-bpe': (cuts(llama3('{1,3}')), True, False), 'qwen2': (cuts(llama3('')), False, True), 'smollm': (DIGITS, False, False),
    'command-r': (DIGITS, False, True), 'gpt-4o': (cuts(cased(CONTRACTIONS + '?', '{1,3}')), False, False), 'tekken': (cuts(cased('', '')), True, False),
    'deepseek-v3': (cuts(r'\p{N}{1,3}', r'[一-龥぀-ゟ゠-ヿ]+', DEEPSEEK), False, False),
}
PIECES = ["'s", "'S", "'re", "'LL", "'ſ", '  ', '\n', '\r\n', '\t', ' \n ', '123', '12345', '٣٤', '½', '²', 'hello', 'HELLO', 'Hello', ' the', 'é', 'e\u0301', '中文', 'ひら', 'カタ', '한국', 'Привет', 'שלום',
          'नमस्ते', '👍🏽', '👨\u200d👩\u200d👧',
          '...', '!?', '--', '__', 'a_b', '//', 'http://x.y', '$', '<=>', '^~|`', '\u00a0', '\u3000', '\u2028', '\u200b', '\u180e', '\x85', '\x0b', '\x1c', '\u00ad', 'ǅ',
          'ʰ', 'ª', 'ﬁ', 'Σς', 'İ', 'ß', '\u0e33', '\u0300', 'A', 'b', ' ', '  a', "'", "''", '"', '\\', '{', '}', '(', ')', '@', '#', '%', ';', ':', ',', '.', '\u2581']
RANGES = [(32, 127)] * 8 + [(0xa0, 0x250), (0x300, 0x530), (0x5d0, 0x600), (0x900, 0x980), (0x1e00, 0x1f00), (0x2000, 0x2070), (0x3000, 0x3100), (0x4e00, 0x4e80), (0xac00, 0xac40), (0x1f600, 0x1f640)]


def texts(count):
    rng = random.Random(11)
    for _ in range(count):
        if rng.random() < 0.6:
            yield ''.join(rng.choice(PIECES) for _ in range(rng.randint(1, 12)))
        else:
            yield ''.join(chr(rng.randrange(*rng.choice(RANGES))) for _ in range(rng.randint(1, 30)))


def characters():
    for code in [*range(1, 0x3400), *range(0xa000, 0xac00, 3), *range(0xf900, 0x10000), *range(0x10000, 0x1fa00, 7)]:
        yield f'a{chr(code)}b {chr(code)}{chr(code)}1'


class Leat:
    def __init__(self, library, path):
        self.lib, file, self.tokenizer, error = c.CDLL(library), c.c_void_p(), c.c_void_p(), c.create_string_buffer(4096)
        if self.lib.leat_gguf_open(path.encode(), c.byref(file), error) or self.lib.leat_tokenizer_open(file, c.byref(self.tokenizer), error):
            raise RuntimeError(f'{path}: ' + error.raw[4:400].split(b'\0')[0].decode(errors='replace'))

    def ids(self, text):
        data, count = text.encode(), c.c_int64()
        room = (c.c_int32 * (4 * len(data) + 8))()
        if self.lib.leat_tokenizer_encode(self.tokenizer, data, c.c_size_t(len(data)), 0, room, c.c_int64(len(room)), c.byref(count)):
            raise RuntimeError('leat_tokenizer_encode failed')
        return room[:count.value]


def compare(name, leat, theirs, count):
    wrong = [t for t in texts(count) if leat.ids(t) != theirs(t)]
    odd = [t[1] for t in characters() if leat.ids(t) != theirs(t)]
    print(f'{name:12} {len(wrong)} of {count} texts differ, {len(odd)} characters', ' '.join(f'U+{ord(x):04X}' for x in odd[:8]), *map(repr, sorted(wrong, key=len)[:2]), flush=True)


def read(path):
    fields = GGUFReader(path).fields
    return lambda key: fields['tokenizer.ggml.' + key].contents()


def byte_level(path, args):
    get = read(path)
    tokens, merges = get('tokens'), get('merges')
    for name, (cut, whole, composed) in FAMILIES.items():
        theirs = Tokenizer(models.BPE(vocab={t: i for i, t in enumerate(tokens)}, merges=[tuple(m.split(' ')) for m in merges], ignore_merges=whole))
        theirs.pre_tokenizer = cut
        if composed:
            theirs.normalizer = normalizers.NFC()
        with tempfile.NamedTemporaryFile(suffix='.gguf') as file:
            gguf_file.write(file.name, {'tokenizer.ggml.model': 'gpt2', 'tokenizer.ggml.pre': name, 'tokenizer.ggml.tokens': tokens, 'tokenizer.ggml.merges': merges}, [])
            compare(name, Leat(args.library, file.name), lambda t: theirs.encode(t, add_special_tokens=False).ids, args.texts)


def sentence_pieces(path, args):
    get, model = read(path), sentencepiece_model_pb2.ModelProto()
    for token, score, kind in zip(get('tokens'), get('scores'), get('token_type')):
        piece = model.pieces.add()
        piece.piece, piece.score, piece.type = token, float(score), int(kind)  # GGUF's numbers of types are sentencepiece's
    model.trainer_spec.model_type, model.trainer_spec.byte_fallback = 2, True
    model.normalizer_spec.name, model.normalizer_spec.add_dummy_prefix, model.normalizer_spec.remove_extra_whitespaces = 'identity', True, False
    theirs = sentencepiece.SentencePieceProcessor(model_proto=model.SerializeToString())
    compare('spm', Leat(args.library, path), theirs.encode, args.texts)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('files', nargs='+')
    parser.add_argument('--library', default='build/libleat.so')
    parser.add_argument('--texts', type=int, default=4000)
    args = parser.parse_args()
    for path in args.files:
        (byte_level if read(path)('model') == 'gpt2' else sentence_pieces)(path, args)


if __name__ == '__main__':
    main()
