#!/usr/bin/env python3
"""train_detector.py - draws scenes, trains the detector of coins and beads, writes models/coin_bead.onnx and .json.

usage: train_detector.py [--out models] [--work build/recipe] [--pictures 16000] [--epochs 8] [--tune-pictures 2400] [--tune-epochs 3] [--threads 1]
First at 256x256, then the rest of the way at 512x512.  A checkpoint is written twice a minute: started again, it goes on from there.  Training uses
scenes with seeds below 1,000,000, evaluate_detector.py those above.  Needs build/libleat.so (make).
"""
import argparse
import json
import pathlib
import time

import numpy as np
import torch
from torch.nn import functional

import detector_data
import detnet

RATE, DECAY, AVERAGING, SEED = 2e-3, 5e-4, 0.998, 7
MATCH = 2.6                                # an anchor answers for boxes whose sides are at most this factor off
BALANCE, BOX, OBJECT, CLASS = (4.0, 1.0, 0.4), 2.0, 20.0, 0.4


# --- what the heads should say --------------------------------------------------------------------------------------------------


def objects_of(boxes, side, flips):
    """Objects [n, 7] = picture, class, centre, size, counts, of a batch's boxes [N, MAX_BOXES, 6] in pictures of `side`, mirrored as they were."""
    picture, row = torch.nonzero(boxes[:, :, 0] >= 0, as_tuple=True)
    b = boxes[picture, row]
    size, centre = b[:, 3:5] - b[:, 1:3], (b[:, 1:3] + b[:, 3:5]) / 2
    centre = torch.where(flips[picture], side - centre, centre)
    counts = (b[:, 5] >= detector_data.LEAST_VISIBLE) & (size.min(1).values >= detector_data.LEAST_SIDE)
    return torch.cat([picture[:, None].float(), b[:, :1], centre, size, counts[:, None].float()], 1)


def assign(objects, level, height, width):
    """Which (picture, anchor, y, x) answer for which objects: good anchors, the centre's cell and its nearest neighbour on each axis."""
    anchors, stride = torch.tensor(detnet.ANCHORS[level], dtype=torch.float32), detnet.STRIDES[level]
    good = objects[objects[:, 6] > 0]
    ratio = good[:, None, 4:6] / anchors[None]
    which, anchor = torch.nonzero(torch.maximum(ratio, 1 / ratio).amax(2) < MATCH, as_tuple=True)
    at = good[which, 2:4] / stride
    base = at.floor()
    near = torch.where(at - base < 0.5, -1.0, 1.0)
    zero = torch.zeros_like(near[:, 0])
    cells = torch.cat([base, base + torch.stack([near[:, 0], zero], 1), base + torch.stack([zero, near[:, 1]], 1)]).long()
    which, anchor = which.repeat(3), anchor.repeat(3)
    inside = (cells[:, 0] >= 0) & (cells[:, 1] >= 0) & (cells[:, 0] < width) & (cells[:, 1] < height)
    return good[which[inside]], anchor[inside], cells[inside]


def ciou(a, b):
    """Complete IoU of boxes [n, 4] = centre, size (Zheng et al. 2020)."""
    a1, a2, b1, b2 = a[:, :2] - a[:, 2:] / 2, a[:, :2] + a[:, 2:] / 2, b[:, :2] - b[:, 2:] / 2, b[:, :2] + b[:, 2:] / 2
    cut = (torch.minimum(a2, b2) - torch.maximum(a1, b1)).clamp(min=0).prod(1)
    iou = cut / (a[:, 2:].prod(1) + b[:, 2:].prod(1) - cut + 1e-6)
    hull = (torch.maximum(a2, b2) - torch.minimum(a1, b1)).square().sum(1) + 1e-6
    shape = (4 / np.pi ** 2) * (torch.atan(b[:, 2] / b[:, 3]) - torch.atan(a[:, 2] / (a[:, 3] + 1e-6))).square()
    weight = shape / (1 - iou + shape + 1e-6)
    return iou - (a[:, :2] - b[:, :2]).square().sum(1) / hull - weight.detach() * shape


def ignored(objects, level, n, height, width):
    """1 where a cell's objectness counts, 0 inside objects that are too small or too hidden to ask for."""
    keep, stride = torch.ones(n, 1, height, width), detnet.STRIDES[level]
    for picture, _, x, y, w, h, counts in objects.tolist():
        if not counts:
            x0, x1, y0, y1 = max(0, int((x - w / 2) / stride)), int((x + w / 2) / stride) + 1, max(0, int((y - h / 2) / stride)), int((y + h / 2) / stride) + 1
            keep[int(picture), 0, y0:y1, x0:x1] = 0
    return keep


def level_loss(head, level, objects):
    n, _, height, width = head.shape
    raw = head.float().view(n, 3, detnet.OUTPUTS, height, width)
    wanted, anchor, cell = assign(objects, level, height, width)
    target, keep = torch.zeros(n, 3, height, width), ignored(objects, level, n, height, width)
    box = kind = raw.sum() * 0
    if len(wanted):
        y = raw[wanted[:, 0].long(), anchor, :, cell[:, 1], cell[:, 0]]
        s, anchors = y[:, :4].sigmoid(), torch.tensor(detnet.ANCHORS[level], dtype=torch.float32)[anchor]
        guess = torch.cat([(2 * s[:, :2] - 0.5 + cell) * detnet.STRIDES[level], (2 * s[:, 2:]).square() * anchors], 1)
        iou = ciou(guess, wanted[:, 2:6])
        box = (1 - iou).mean()
        kind = functional.binary_cross_entropy_with_logits(y[:, 5:], functional.one_hot(wanted[:, 1].long(), detnet.CLASSES).float())
        at = (wanted[:, 0].long(), anchor, cell[:, 1], cell[:, 0])
        target[at] = torch.maximum(target[at], iou.detach().clamp(min=0))
        keep = torch.maximum(keep, (target > 0).float())
    presence = functional.binary_cross_entropy_with_logits(raw[:, :, 4], target, weight=keep.expand_as(target))
    return BOX * box + OBJECT * BALANCE[level] * presence + CLASS * kind


# --- training -------------------------------------------------------------------------------------------------------------------


def load(pixels, flips, rng):
    """Pictures [N, H, W, 3] mirrored, of varied colour and brightness, as floats [N, 3, H, W], channels last."""
    n = len(pixels)
    for i, (across, down) in enumerate(flips):
        if across or down:
            pixels[i] = pixels[i][::-1 if down else 1, ::-1 if across else 1]
    gain = rng.uniform(0.75, 1.25, (n, 1, 1, 1)) * rng.uniform(0.92, 1.08, (n, 1, 1, 3)) / 255
    lift = rng.uniform(-0.06, 0.06, (n, 1, 1, 1))
    x = torch.from_numpy(pixels).float().mul_(torch.from_numpy(gain).float()).add_(torch.from_numpy(lift).float()).clamp_(0, 1)
    return x.permute(0, 3, 1, 2)


def batches(path, size, rng, skip=0):
    pixels, boxes = np.load(f"{path}.pixels.npy", mmap_mode="r"), np.load(f"{path}.boxes.npy")
    order, side = rng.permutation(len(pixels)), pixels.shape[1]
    for i in range(skip * size, len(order) - size + 1, size):
        pick = np.sort(order[i:i + size])
        flips = rng.random((size, 2)) < 0.5
        yield load(pixels[pick], flips, rng), objects_of(torch.from_numpy(boxes[pick]), side, torch.from_numpy(flips))


class Trainer:
    def __init__(self, args):
        torch.manual_seed(SEED)
        self.args, self.step, self.saved = args, 0, time.time()
        self.net = detnet.Detector().to(memory_format=torch.channels_last)
        self.mean = detnet.Detector().eval()  # running average of the weights: this is what is delivered
        self.mean.load_state_dict(self.net.state_dict())
        weights = [p for p in self.net.parameters() if p.ndim > 1]
        rest = [p for p in self.net.parameters() if p.ndim <= 1]
        self.optimizer = torch.optim.AdamW([{"params": weights, "weight_decay": DECAY}, {"params": rest, "weight_decay": 0}], lr=RATE, betas=(0.9, 0.99))
        self.file = args.work / "checkpoint.pt"
        if self.file.exists():
            kept = torch.load(self.file, weights_only=True)
            self.net.load_state_dict(kept["net"])
            self.mean.load_state_dict(kept["mean"])
            self.optimizer.load_state_dict(kept["optimizer"])
            self.step = kept["step"]

    def save(self):
        kept = {"net": self.net.state_dict(), "mean": self.mean.state_dict(), "optimizer": self.optimizer.state_dict(), "step": self.step}
        torch.save(kept, self.file.with_suffix(".new"))
        self.file.with_suffix(".new").replace(self.file)
        self.saved = time.time()

    def learn(self, x, objects, rate):
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        with torch.autocast("cpu", torch.bfloat16):
            heads = self.net(x)
        loss = sum(level_loss(head, i, objects) for i, head in enumerate(heads))
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), 10)
        self.optimizer.step()
        keep = min(AVERAGING, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            for a, b in zip(self.mean.state_dict().values(), self.net.state_dict().values()):
                a.copy_(a * keep + b * (1 - keep) if a.is_floating_point() else b)
        return float(loss.detach())

    def phase(self, path, epochs, size, first, peak, warm):
        """Epochs over one set; steps before self.step (from a checkpoint) are passed over."""
        steps = int(len(np.load(f"{path}.boxes.npy", mmap_mode="r")) // size)
        self.net.train()
        for epoch in range(epochs):
            if self.step >= first + (epoch + 1) * steps:
                continue
            total, count, start = 0.0, 0, time.time()
            skip = max(0, self.step - first - epoch * steps)
            for x, objects in batches(path, size, np.random.default_rng((SEED, first, epoch)), skip):
                at = self.step - first
                part = at / (epochs * steps)
                rate = float(peak * min((at + 1) / warm, 0.02 + 0.98 * (0.5 + 0.5 * np.cos(np.pi * part))))
                total += self.learn(x, objects, rate)
                count += 1
                self.step += 1
                if time.time() - self.saved > 30:
                    self.save()
            print(f"{path.name} epoch {epoch + 1} of {epochs}: loss {total / max(1, count):.4f}, {time.time() - start:.0f} s", flush=True)
            self.save()
        return first + epochs * steps


def write_sidecar(path):
    """What `leat detect` needs to know; one line a key."""
    fields = {"input_size": [512, 512], "fit": "letterbox", "mean": [0, 0, 0], "std": [1, 1, 1], "color": "rgb", "antialias": False, "labels": detnet.LABELS}
    path.write_text("{\n" + ",\n".join(f'  "{k}": {json.dumps(v)}' for k, v in fields.items()) + "\n}\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("models"))
    parser.add_argument("--work", type=pathlib.Path, default=pathlib.Path("build/recipe"))
    for name, value in (("pictures", 16000), ("epochs", 8), ("tune-pictures", 2400), ("tune-epochs", 3), ("threads", 1)):
        parser.add_argument(f"--{name}", type=int, default=value)
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(args.threads)
    for name, first, count, side in (("train256", 0, args.pictures, 256), ("tune512", 100000, args.tune_pictures, 512)):
        if not (args.work / f"{name}.boxes.npy").exists():
            detector_data.write(args.work / name, first, count, side)
    trainer = Trainer(args)
    done = trainer.phase(args.work / "train256", args.epochs, 32, 0, RATE, 200)
    trainer.phase(args.work / "tune512", args.tune_epochs, 8, done, RATE / 5, 50)
    detnet.write_onnx(args.out / "coin_bead.onnx", trainer.mean)
    write_sidecar(args.out / "coin_bead.json")


if __name__ == "__main__":
    main()
