#!/usr/bin/env python3
"""train_tales.py - writes tales and talks, learns a tokenizer from them, trains the model on them, writes models/tales.gguf.

usage: train_tales.py [--out models/tales.gguf] [--steps 3000] [--work build/tales] [--threads 1]

Text of the seeds 0, 1, 2, ... is used once, in order; the held-out text has seeds of its own.  The state is kept in --work every hundred steps, and a run that was
broken off goes on from there.  The rate is constant after the warm-up and falls to zero over the last quarter, so --steps may be changed until then.
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

BATCH, WARM_UP = 8, 60
RATE, TURN_RATE, MOMENTUM = 3e-3, 0.02, 0.95
HELD_OUT = 10 ** 9


def document(seed):
    return tale(seed) if seed % 2 else chat(talk(seed))


def tokenizer():
    return tale_tokens.Tokens(tale_tokens.learn([document(i).replace('<|im_start|>', '').replace('<|im_end|>', '') for i in range(3000)],
                                                VOCAB - 256 - len(tale_tokens.CONTROL)))


class Stream:
    """the endless sequence of documents, each behind an end-of-text token"""

    def __init__(self, tokens, seed, rest=()):
        self.tokens, self.seed, self.rest = tokens, seed, list(rest)

    def take(self, count):
        while len(self.rest) < count:
            self.rest += [self.tokens.end] + self.tokens.encode(document(self.seed))
            self.seed += 1
        out, self.rest = self.rest[:count], self.rest[count:]
        return out

    def batch(self, rows):
        x = torch.tensor(self.take(rows * (CONTEXT + 1))).view(rows, CONTEXT + 1)
        return x[:, :-1], x[:, 1:]


def loss_of(model, x, y):
    return F.cross_entropy(model(x).flatten(0, 1), y.flatten())


def held_out(model, tokens, batches=12):
    """mean loss in nats per token"""
    stream = Stream(tokens, HELD_OUT)
    with torch.no_grad():
        return float(np.mean([loss_of(model, *stream.batch(4)).item() for _ in range(batches)]))


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


def orthogonal(m, rounds=5):
    """the nearest matrix with singular values near 1, by Newton-Schulz iteration"""
    x = m / (m.norm() + 1e-7)
    x = x.T if m.shape[0] > m.shape[1] else x
    for _ in range(rounds):
        a = x @ x.T
        x = 3.4445 * x + (2.0315 * a @ a - 4.7750 * a) @ x
    return x.T if m.shape[0] > m.shape[1] else x


class Optimiser:
    """The matrices of the blocks by momentum made orthogonal (Muon, K. Jordan 2024), embedding and norms by Adam."""

    def __init__(self, model):
        inner = {name: p for name, p in model.named_parameters() if p.dim() == 2 and name.startswith('blk.')}
        self.matrices = list(inner.values())
        self.speed = [torch.zeros_like(p) for p in self.matrices]
        self.adam = torch.optim.AdamW([p for name, p in model.named_parameters() if name not in inner], RATE, (0.9, 0.98), weight_decay=0)

    def step(self, share):
        """share: of the full rates"""
        self.adam.param_groups[0]['lr'] = RATE * share
        self.adam.step()
        with torch.no_grad():
            for p, v in zip(self.matrices, self.speed):
                v.lerp_(p.grad, 1 - MOMENTUM)
                turn = orthogonal(p.grad.lerp(v, MOMENTUM))
                p.add_(turn, alpha=-TURN_RATE * share * max(1, p.shape[0] / p.shape[1]) ** 0.5)

    def state(self):
        return {'adam': self.adam.state_dict(), 'speed': self.speed}

    def restore(self, state):
        self.adam.load_state_dict(state['adam'])
        self.speed = state['speed']


def share_of_rate(step, steps):
    return min(1, (step + 1) / WARM_UP, (steps - step) / (steps / 4))


def train(args, tokens, model):
    state_path = pathlib.Path(args.work) / 'state.pt'
    opt, stream, step = Optimiser(model), Stream(tokens, 0), 0
    if state_path.exists():
        state = torch.load(state_path)
        model.load_state_dict(state['model'])
        opt.restore(state['opt'])
        stream, step = Stream(tokens, state['seed'], state['rest']), state['step']
    start, first, mean = time.time(), step, None
    while step < args.steps:
        with torch.autocast('cpu', torch.bfloat16):
            loss = loss_of(model, *stream.batch(BATCH))
        model.zero_grad(set_to_none=True)
        loss.backward()
        opt.step(share_of_rate(step, args.steps))
        step += 1
        mean = loss.item() if mean is None else 0.95 * mean + 0.05 * loss.item()
        if step % 20 == 0:
            pace = (time.time() - start) / (step - first)
            print(f'step {step} loss {mean:.4f}  {BATCH * CONTEXT / pace:.0f} tokens/s  {pace * (args.steps - step) / 60:.1f} min left', flush=True)
        if step % 100 == 0 or step == args.steps:
            torch.save({'model': model.state_dict(), 'opt': opt.state(), 'seed': stream.seed, 'rest': stream.rest, 'step': step}, f'{state_path}.new')
            os.replace(f'{state_path}.new', state_path)
    return stream.seed


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--out', default='models/tales.gguf')
    parser.add_argument('--work', default='build/tales')
    parser.add_argument('--steps', type=int, default=3000)
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
