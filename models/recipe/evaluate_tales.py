#!/usr/bin/env python3
"""evaluate_tales.py - what the trained model gets right on talks that it never saw: its answers, word by word, chosen greedily.

usage: evaluate_tales.py [--work build/tiny_lm] [--count 100]

Each kind of question is asked alone; `tale` asks about a tale that stands before the question.  `loss` is that of held-out text, in nats a token.
"""
import argparse
import math
import pathlib
import random

import torch

import talks
from tale_model import CONTEXT, TaleModel
from tales import Tale
from train_tales import HELD_OUT, held_out, tokenizer

KINDS = {'sums': talks.sums, 'animals': talks.animals, 'facts': talks.facts}


def answer(model, tokens, messages, most=60):
    ids = [tokens.end] + tokens.encode(talks.chat(messages) + '<|im_start|>assistant\n')
    first = len(ids)
    with torch.no_grad():
        while len(ids) < first + most:
            token = int(model(torch.tensor([ids[-CONTEXT:]]))[0, -1].argmax())
            if token in (tokens.im_end, tokens.end):
                break
            ids.append(token)
    return tokens.decode(ids[first:])


def questions(kind, count):
    """[(messages before the answer, the answer)]"""
    rng = random.Random(f'evaluate {kind}')
    out = []
    while len(out) < count:
        if kind == 'tale':
            tale = Tale(rng)
            question, right = rng.choice(tale.answers)
            before = [('user', 'Tell me a story.'), ('assistant', tale.text().strip())]
        else:
            question, right = KINDS[kind](rng)[0]
            before = []
        if 'riddle?' in question or question == 'Tell me a riddle.':
            continue
        out.append((before + [('user', question)], right))
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--work', default='build/tiny_lm')
    parser.add_argument('--count', type=int, default=100)
    args = parser.parse_args()
    torch.set_num_threads(1)
    tokens, model = tokenizer(), TaleModel()
    state = torch.load(pathlib.Path(args.work) / 'state.pt')
    model.load_state_dict(state['model'])
    loss = held_out(model, tokens)
    print(f'step {state["step"]}, {state["seed"]} documents; held-out loss {loss:.4f}, perplexity {math.exp(loss):.3f}')
    assert HELD_OUT > state['seed']
    for kind in ('sums', 'animals', 'facts', 'tale'):
        asked = questions(kind, args.count)
        given = [answer(model, tokens, messages) for messages, _ in asked]
        wrong = [(m[-1][1], g, r) for (m, r), g in zip(asked, given) if g != r]
        print(f'{kind}: {args.count - len(wrong)} of {args.count} right', *(f'\n    {q} -> {g} (not: {r})' for q, g, r in wrong[:3]))


if __name__ == '__main__':
    main()
