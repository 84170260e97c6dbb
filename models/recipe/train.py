#!/usr/bin/env python3
"""train.py - renders the cells, trains the classifier, measures it on unseen renders, writes models/abacus_cells.*.

usage: train.py [--out models] [--images 24000] [--epochs 7] [--workers 1]
Minutes on one CPU core; every random choice comes from one seed.  Training renders use the seeds (1, i), the test (2, i).
"""
import argparse
import json
import multiprocessing
import os
import pathlib
import time

os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")

import jax
import jax.numpy as jnp
import numpy as np

import cellnet
import render

MEAN = np.array([0.485, 0.456, 0.406], np.float32)
STD = np.array([0.229, 0.224, 0.225], np.float32)
BATCH, PEAK_RATE, DECAY, SMOOTHING = 128, 4e-3, 1e-4, 0.05


def shrink(pixels):
    """To the network's 64x64, as the graph's own Resize does it: linear, half-pixel centres, no antialiasing."""
    n = pixels.shape[0]
    at = np.clip((np.arange(cellnet.SIZE) + 0.5) * (n / cellnet.SIZE) - 0.5, 0, n - 1)
    low = np.minimum(at.astype(int), n - 2)
    part = (at - low)[:, None, None]
    rows = pixels[low] * (1 - part) + pixels[low + 1] * part
    part = part.transpose(1, 0, 2)
    return (rows[:, low] * (1 - part) + rows[:, low + 1] * part + 0.5).astype(np.uint8)


def sample(job):
    """One render of `size` pixels, brought to the network's size."""
    seed, size = job
    pixels, label = render.cell(seed, size)
    return (pixels if size == cellnet.SIZE else shrink(pixels)), label


def train_job(i):
    return sample(((1, i), (64, 64, 64, 80, 112)[i % 5]))


def dataset(pool, count):
    pixels, labels = zip(*pool.map(train_job, range(count), 64))
    return np.stack(pixels), np.array(labels, np.int32)


def normalise(pixels):
    return (pixels.astype(np.float32) / 255 - MEAN) / STD


def loss(params, state, x, y):
    logits, fresh = cellnet.forward(params, state, x, True)
    target = jax.nn.one_hot(y, cellnet.CLASSES) * (1 - SMOOTHING) + SMOOTHING / cellnet.CLASSES
    return -jnp.mean(jnp.sum(target * jax.nn.log_softmax(logits), -1)), fresh


@jax.jit
def step(params, state, moments, x, y, rate, t):
    """One AdamW step."""
    (value, state), grads = jax.value_and_grad(loss, has_aux=True)(params, state, x, y)
    first = {k: 0.9 * moments[0][k] + 0.1 * g for k, g in grads.items()}
    second = {k: 0.99 * moments[1][k] + 0.01 * g * g for k, g in grads.items()}

    def update(k, p):
        delta = first[k] / (1 - 0.9**t) / (jnp.sqrt(second[k] / (1 - 0.99**t)) + 1e-8)
        return p - rate * (delta + (DECAY * p if p.ndim > 1 else 0))

    return {k: update(k, p) for k, p in params.items()}, state, (first, second), value


def fit(pixels, labels, epochs):
    params, state = cellnet.initial(7)
    moments = tuple({k: np.zeros_like(p) for k, p in params.items()} for _ in range(2))
    rng, steps, t = np.random.default_rng(7), len(pixels) // BATCH, 0
    for epoch in range(epochs):
        order, total, start = rng.permutation(len(pixels)), 0.0, time.time()
        for i in range(steps):
            t += 1
            progress = t / (epochs * steps)
            rate = PEAK_RATE * min(progress / 0.1, 0.5 + 0.5 * np.cos(np.pi * max(0, progress - 0.1) / 0.9))
            pick = order[i * BATCH:(i + 1) * BATCH]
            x = pixels[pick]
            if i % 2:  # a mirrored abacus is an abacus
                x = x[:, :, ::-1]
            params, state, moments, value = step(params, state, moments, normalise(x), labels[pick], rate, float(t))
            total += float(value)
        print(f"epoch {epoch + 1}: loss {total / steps:.4f}, {time.time() - start:.0f} s", flush=True)
    return params, state


def evaluate(params, state, size, count):
    run = jax.jit(lambda x: jnp.argmax(cellnet.forward(params, state, x, False)[0], -1))
    confusion = np.zeros((3, 3), int)
    for base in range(0, count, 500):
        pairs = [sample(((2, size, i), size)) for i in range(base, min(base + 500, count))]
        answers = run(normalise(np.stack([p for p, _ in pairs])))
        for (_, label), answer in zip(pairs, answers):
            confusion[label, int(answer)] += 1
    return confusion


def write_sidecar(path):
    """What `leat classify` needs to know; one line a key."""
    mean, std = ([round(float(x), 3) for x in values] for values in (MEAN, STD))
    fields = {"input_size": [cellnet.SIZE] * 2, "fit": "stretch", "mean": mean, "std": std, "color": "rgb", "labels": render.LABELS}
    path.write_text("{\n" + ",\n".join(f'  "{k}": {json.dumps(v)}' for k, v in fields.items()) + "\n}\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("models"))
    parser.add_argument("--images", type=int, default=24000)
    parser.add_argument("--epochs", type=int, default=7)
    parser.add_argument("--workers", type=int, default=1)
    args = parser.parse_args()
    start = time.time()
    with multiprocessing.get_context("spawn").Pool(args.workers) as pool:
        pixels, labels = dataset(pool, args.images)
    print(f"{args.images} renders in {time.time() - start:.0f} s", flush=True)
    params, state = fit(pixels, labels, args.epochs)
    cellnet.write_onnx(args.out / "abacus_cells.onnx", params, state)
    for size, count in ((64, 6000), (112, 2000), (224, 1000)):
        confusion = evaluate(params, state, size, count)
        print(f"unseen {size}x{size}: {np.trace(confusion) / confusion.sum():.4%}\n{confusion}", flush=True)
    write_sidecar(args.out / "abacus_cells.json")


if __name__ == "__main__":
    main()
