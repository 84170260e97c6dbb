"""tale_tokens.py - the tokenizer of the tales: byte-level BPE, split as GPT-2 splits, its merges learnt here.

Digits are never merged, so that sums are done digit by digit.  The control tokens come last.  metadata() is what a GGUF file says about it.
"""
import collections
import re

CONTROL = ['<|endoftext|>', '<|im_start|>', '<|im_end|>']
# GPT-2's pattern, for text in ASCII
SPLIT = re.compile(r"'s|'t|'re|'ve|'m|'ll|'d| ?[A-Za-z]+| ?[0-9]+| ?[^\sA-Za-z0-9]+|\s+(?!\S)|\s+")
CHAT = ("{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}")


def byte_letters():
    """GPT-2's printable letter of each byte"""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    spare = iter(range(256, 512))
    return [chr(b) if b in plain else chr(next(spare)) for b in range(256)]


LETTERS = byte_letters()


def spelled(word):
    return ''.join(LETTERS[b] for b in word.encode())


def merged(parts, pair):
    out, i = [], 0
    while i < len(parts):
        if i + 1 < len(parts) and (parts[i], parts[i + 1]) == pair:
            out.append(parts[i] + parts[i + 1])
            i += 2
        else:
            out.append(parts[i])
            i += 1
    return out


def learn(texts, count):
    """the `count` merges that shorten the texts most, one after the other"""
    words = collections.Counter(w for text in texts for w in SPLIT.findall(text))
    split = {w: list(spelled(w)) for w in words}
    merges = []
    while len(merges) < count:
        pairs = collections.Counter()
        for w, parts in split.items():
            for pair in zip(parts, parts[1:]):
                if not any(c.isdigit() for c in pair[0] + pair[1]):
                    pairs[pair] += words[w]
        if not pairs:
            raise ValueError(f'only {len(merges)} merges in these texts')
        best = max(pairs, key=lambda p: (pairs[p], p))
        merges.append(best)
        split = {w: merged(parts, best) if best[0] in parts else parts for w, parts in split.items()}
    return merges


class Tokens:
    def __init__(self, merges):
        self.merges = merges
        self.rank = {pair: i for i, pair in enumerate(merges)}
        self.texts = LETTERS + [a + b for a, b in merges] + CONTROL
        self.ids = {t: i for i, t in enumerate(self.texts)}
        self.end, self.im_start, self.im_end = (self.ids[c] for c in CONTROL)
        self.known = {}

    def word(self, word):
        if word not in self.known:
            parts = list(spelled(word))
            while len(parts) > 1:
                pair = min(zip(parts, parts[1:]), key=lambda p: self.rank.get(p, len(self.rank)))
                if pair not in self.rank:
                    break
                parts = merged(parts, pair)
            self.known[word] = [self.ids[p] for p in parts]
        return self.known[word]

    def encode(self, text):
        """control tokens written out in the text become their ids"""
        out = []
        for piece in re.split('(' + '|'.join(map(re.escape, CONTROL)) + ')', text):
            if piece in CONTROL:
                out.append(self.ids[piece])
            else:
                for w in SPLIT.findall(piece):
                    out += self.word(w)
        return out

    def decode(self, ids):
        back = {c: b for b, c in enumerate(LETTERS)}
        return ''.join(t if (t := self.texts[i]) in CONTROL else bytes(back[c] for c in t).decode(errors='replace') for i in ids)

    def metadata(self):
        kinds = [1] * (len(self.texts) - len(CONTROL)) + [3] * len(CONTROL)
        return {'tokenizer.ggml.model': 'gpt2', 'tokenizer.ggml.pre': 'gpt-2', 'tokenizer.ggml.tokens': self.texts, 'tokenizer.ggml.token_type': ('i32', kinds),
                'tokenizer.ggml.merges': [f'{a} {b}' for a, b in self.merges], 'tokenizer.ggml.bos_token_id': self.end, 'tokenizer.ggml.eos_token_id': self.end,
                'tokenizer.ggml.eot_token_id': self.im_end, 'tokenizer.ggml.add_bos_token': True, 'tokenizer.ggml.add_eos_token': False,
                'tokenizer.chat_template': CHAT}
