#!/usr/bin/env python3
"""train_tales.py - writes tales and talks, learns a tokenizer from them, trains the model on them, writes models/tiny_lm.gguf.

usage: train_tales.py [--out models/tiny_lm.gguf] [--steps 1900] [--work build/tiny_lm] [--threads 1]

Text of the seeds 0, 1, 2, ... is used once, in order; the held-out text has seeds of its own.  The state is kept in --work every twenty steps, and a run that was
broken off goes on from there.  The rate is constant after the warm-up and falls to zero over the last third, so --steps may be changed until then.
"""
import argparse
import math
import os
import pathlib
import sys
import time

import numpy as np
import torch
from torch.nn import functional as F

import tale_tokens
from tale_model import CONTEXT, VOCAB, TaleModel, metadata
from tales import tale
from talks import chat, talk

sys.path.append(str(pathlib.Path(__file__).resolve().parents[2] / 'bench' / 'peers'))
import gguf_file  # noqa: E402
import gguf_quant  # noqa: E402

BATCH, RATE, WARM_UP, DECAY = 1920, 3e-3, 100, 0.1  # BATCH: tokens
LENGTHS = ((0.28, 40), (0.57, 80), (0.68, 160), (1, CONTEXT))  # of rows, until this share of the steps
HELD_OUT = 10 ** 9


def document(seed):
    return tale(seed) if seed % 2 else chat(talk(seed))


def tokenizer():
    return tale_tokens.Tokens(tale_tokens.learn([document(i).replace('<|im_start|>', '').replace('<|im_end|>', '') for i in range(3000)],
                                                VOCAB - 256 - len(tale_tokens.CONTROL)))


class Stream:
    """Rows of documents, each behind an end-of-text token.  A row begins with a document, so that what a token refers to stands in its row; what does not
    fit at a row's end is left out: there is always more."""

    def __init__(self, tokens, seed):
        self.tokens, self.seed = tokens, seed

    def row(self, length):
        out = []
        while len(out) <= length:
            out += [self.tokens.end] + self.tokens.encode(document(self.seed))
            self.seed += 1
        return out[:length + 1]

    def batch(self, length=CONTEXT):
        x = torch.tensor([self.row(length) for _ in range(BATCH // length)])
        return x[:, :-1], x[:, 1:]


def loss_of(model, x, y):
    return F.cross_entropy(model(x).flatten(0, 1), y.flatten())


def held_out(model, tokens, batches=12):
    """mean loss in nats per token"""
    stream = Stream(tokens, HELD_OUT)
    with torch.no_grad():
        return float(np.mean([loss_of(model, *stream.batch()).item() for _ in range(batches)]))


def sample(model, tokens, prompt, count=160, temperature=0.7, seed=1):
    ids, draw = [tokens.end] + tokens.encode(prompt), torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for _ in range(count):
            logits = model(torch.tensor([ids[-CONTEXT:]]))[0, -1] / temperature
            token = int(torch.multinomial(logits.softmax(0), 1, generator=draw))
            if token in (tokens.end, tokens.im_end):
                break
            ids.append(token)
    return tokens.decode(ids[1:])


def export(model, tokens, path):
    """vectors as F32, matrices as Q8_0"""
    tensors = []
    for name, p in model.named_parameters():
        values = p.detach().numpy()
        form = 'F32' if values.ndim == 1 else 'Q8_0'
        tensors.append((name, values.shape, form, lambda v=values, f=form: gguf_quant.quantise(v, f)))
    gguf_file.write(path, metadata() | tokens.metadata(), tensors)


def length_of(step, steps):
    """Short rows first: where there is little to look at, the model soon finds what is worth it."""
    return next(length for until, length in LENGTHS if step < until * steps or until == 1)


def optimiser(model):
    """weights of matrices decay, those of norms and the embedding do not"""
    decaying = [p for name, p in model.named_parameters() if p.dim() == 2 and name.startswith('blk.')]
    others = [p for name, p in model.named_parameters() if p.dim() == 1 or not name.startswith('blk.')]
    return torch.optim.AdamW([{'params': decaying, 'weight_decay': DECAY}, {'params': others, 'weight_decay': 0}], RATE, (0.9, 0.98))


def share_of_rate(step, steps):
    return min(1, (step + 1) / WARM_UP, (steps - step) / (steps / 3))


def train(args, tokens, model):
    state_path = pathlib.Path(args.work) / 'state.pt'
    opt, stream, step = optimiser(model), Stream(tokens, 0), 0
    if state_path.exists():
        state = torch.load(state_path)
        model.load_state_dict(state['model'])
        opt.load_state_dict(state['opt'])
        stream, step = Stream(tokens, state['seed']), state['step']
    start, first, mean = time.time(), step, None
    while step < args.steps:
        with torch.autocast('cpu', torch.bfloat16):
            loss = loss_of(model, *stream.batch(length_of(step, args.steps)))
        model.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for group in opt.param_groups:
            group['lr'] = RATE * share_of_rate(step, args.steps)
        opt.step()
        step += 1
        mean = loss.item() if mean is None else 0.95 * mean + 0.05 * loss.item()
        if step % 20 == 0:
            pace = (time.time() - start) / (step - first)
            print(f'step {step} loss {mean:.4f}  {BATCH / pace:.0f} tokens/s  {pace * (args.steps - step) / 60:.1f} min left', flush=True)
        if step % 20 == 0 or step == args.steps:
            torch.save({'model': model.state_dict(), 'opt': opt.state_dict(), 'seed': stream.seed, 'step': step}, f'{state_path}.new')
            os.replace(f'{state_path}.new', state_path)
    return stream.seed


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--out', default='models/tiny_lm.gguf')
    parser.add_argument('--work', default='build/tiny_lm')
    parser.add_argument('--steps', type=int, default=1900)
    parser.add_argument('--threads', type=int, default=1)
    args = parser.parse_args()
    torch.manual_seed(1)
    torch.set_num_threads(args.threads)
    os.makedirs(args.work, exist_ok=True)
    tokens, model = tokenizer(), TaleModel()
    print(sum(p.numel() for p in model.parameters()), 'parameters')
    documents = train(args, tokens, model)
    loss = held_out(model, tokens)
    print(f'{documents} documents; held-out loss {loss:.4f} nats a token, perplexity {math.exp(loss):.3f}')
    export(model, tokens, args.out)
    for prompt in ('', 'Once upon a time there was a brave owl', chat([('user', 'What is 7 plus 5?')]) + '<|im_start|>assistant\n',
                   chat([('user', 'Tell me a story about a duck.')]) + '<|im_start|>assistant\n'):
        print('---\n' + sample(model, tokens, prompt))


if __name__ == '__main__':
    main()
