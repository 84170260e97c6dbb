#!/usr/bin/env python3
"""evaluate_detector.py - mean average precision of models/coin_bead.onnx, run by Leat, on scenes that training never saw.

usage: evaluate_detector.py [--model models/coin_bead.onnx] [--size 512x512 ...] [--fit letterbox stretch] [--scenes 60] [--frames 4]
                            [--frame 1280x720] [--spec ,noise=2]
Scenes have the default effects and the seeds from 1,000,000 on.  Average precision is the area under the precision envelope over all points, per class, over all
pictures; mAP is the mean of both classes, at IoU 0.5 and over 0.5, 0.55 .. 0.95.  Objects seen by less than a quarter or narrower than
6 pixels in the network's input count neither way.
"""
import argparse

import numpy as np

import detector_data
import detnet
import leat_model
import scenes

LEVELS, FIRST_SEED, LEAST_SCORE, NMS_IOU, MOST = np.arange(0.5, 0.96, 0.05), 1_000_000, 0.005, 0.6, 200


def bilinear(pixels, width, height):
    """As Leat's preprocessing does it: two neighbours in each direction, half-pixel centres, no averaging, no rounding."""
    def axis(inside, outside):
        at = np.clip((np.arange(outside) + 0.5) * (inside / outside) - 0.5, 0, inside - 1)
        low = np.minimum(at.astype(int), max(0, inside - 2))
        return low, np.minimum(low + 1, inside - 1), (at - low).astype(np.float32)
    (y0, y1, v), (x0, x1, u) = axis(pixels.shape[0], height), axis(pixels.shape[1], width)
    rows = pixels[y0] * (1 - v)[:, None, None] + pixels[y1] * v[:, None, None]
    return rows[:, x0] * (1 - u)[:, None] + rows[:, x1] * u[:, None]


def prepare(pixels, size, fit):
    """Input [1, 3, H, W], and scale and offset of source coordinates: x -> x * scale + offset."""
    (width, height), (h, w, _) = size, pixels.shape
    if fit == "stretch":
        new_w, new_h = width, height
    else:
        ratio = min(width / w, height / h)
        new_w, new_h = round(w * ratio), round(h * ratio)
    left, top = (width - new_w) // 2, (height - new_h) // 2
    canvas = np.full((height, width, 3), 114, np.float32)
    canvas[top:top + new_h, left:left + new_w] = bilinear(pixels, new_w, new_h)
    return canvas.transpose(2, 0, 1)[None] / 255, np.array([new_w / w, new_h / h] * 2), np.array([left, top] * 2)


def overlaps(a, b):
    """IoU [n, m] of boxes [n, 4] and [m, 4] = x1, y1, x2, y2."""
    cut = (np.minimum(a[:, None, 2:], b[None, :, 2:]) - np.maximum(a[:, None, :2], b[None, :, :2])).clip(0).prod(2)
    area = [(c[:, 2:] - c[:, :2]).prod(1) for c in (a, b)]
    return cut / (area[0][:, None] + area[1][None] - cut + 1e-9)


def detections(rows):
    """[n, 6] = class, score, x1, y1, x2, y2 of the output [N, 7]; suppression class by class."""
    found = []
    for kind in range(detnet.CLASSES):
        score = rows[:, 4] * rows[:, 5 + kind]
        pick = np.flatnonzero(score > LEAST_SCORE)
        pick = pick[np.argsort(-score[pick], kind="stable")][:1000]
        boxes = np.concatenate([rows[pick, :2] - rows[pick, 2:4] / 2, rows[pick, :2] + rows[pick, 2:4] / 2], 1)
        over, alive = overlaps(boxes, boxes) > NMS_IOU, np.ones(len(pick), bool)
        for i in range(len(pick)):
            if alive[i]:
                alive[i + 1:] &= ~over[i, i + 1:]
        found.append(np.column_stack([np.full(alive.sum(), kind), score[pick][alive], boxes[alive]])[:MOST])
    return np.concatenate(found)


def match(found, truth, counts, level):
    """For one class in one picture, best first: 1 right, 0 wrong, -1 does not count."""
    verdict, free = np.zeros(len(found), int), np.ones(len(truth), bool)
    iou = overlaps(found, truth)
    for i in range(len(found)):
        fits = free & (iou[i] >= level)
        best = max(np.flatnonzero(fits & counts), key=lambda k: iou[i, k], default=None)
        if best is not None:
            verdict[i], free[best] = 1, False
        elif (fits & ~counts).any():
            verdict[i] = -1
    return verdict


def average_precision(scores, verdicts, wanted):
    order = np.argsort(-scores, kind="stable")
    right = verdicts[order][verdicts[order] >= 0]
    recall, precision = np.cumsum(right) / max(1, wanted), np.cumsum(right) / np.arange(1, len(right) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float((np.diff(recall, prepend=0) * envelope).sum())


class Tally:
    def __init__(self):
        self.scores = [[] for _ in range(detnet.CLASSES)]
        self.verdicts = [[[] for _ in LEVELS] for _ in range(detnet.CLASSES)]
        self.wanted = [0] * detnet.CLASSES

    def add(self, found, truth):
        """truth [n, 6] = class, box in the network's pixels, visible."""
        counts = (truth[:, 5] >= detector_data.LEAST_VISIBLE) & ((truth[:, 3:5] - truth[:, 1:3]).min(1, initial=1e9) >= detector_data.LEAST_SIDE)
        for kind in range(detnet.CLASSES):
            mine, real = found[found[:, 0] == kind], truth[:, 0] == kind
            self.wanted[kind] += int((real & counts).sum())
            self.scores[kind].append(mine[:, 1])
            for verdicts, level in zip(self.verdicts[kind], LEVELS):
                verdicts.append(match(mine[:, 2:], truth[real, 1:5], counts[real], level))

    def table(self):
        """Average precision [classes, levels]."""
        return np.array([[average_precision(np.concatenate(s), np.concatenate(v), n) for v in levels] for s, levels, n in
                         zip(self.scores, self.verdicts, self.wanted)])


def evaluate(run, ways, count, frames, frame, spec=""):
    """A tally for each of ways [(size, fit)], over the same frames."""
    tallies = [Tally() for _ in ways]
    for seed in range(FIRST_SEED, FIRST_SEED + count):
        with scenes.Scene(f"scene:seed={seed}{spec}", *frame, stride=45) as scene:
            for _ in range(frames):
                pixels, truth = scene.next()
                for tally, (size, fit) in zip(tallies, ways):
                    x, scale, offset = prepare(pixels, size, fit)
                    seen = truth.copy()
                    seen[:, 1:5] = truth[:, 1:5] * scale + offset
                    tally.add(detections(run(x)[0]), seen)
    return tallies


def pair(text):
    return tuple(int(n) for n in text.split("x"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="models/coin_bead.onnx")
    parser.add_argument("--size", type=pair, nargs="+", default=[(512, 512)])
    parser.add_argument("--fit", choices=("letterbox", "stretch"), nargs="+", default=["letterbox"])
    parser.add_argument("--scenes", type=int, default=60)
    parser.add_argument("--frames", type=int, default=4)
    parser.add_argument("--frame", type=pair, default=(1280, 720))
    parser.add_argument("--spec", default="", help="more of the scene's keys, such as ,noise=2")
    args = parser.parse_args()
    ways = [(size, fit) for fit in args.fit for size in args.size]
    for (size, fit), tally in zip(ways, evaluate(leat_model.Model(args.model), ways, args.scenes, args.frames, args.frame, args.spec)):
        table = tally.table()
        print(f"{size[0]}x{size[1]} {fit}: mAP@0.5 {table[:, 0].mean():.4f}, mAP@0.5:0.95 {table.mean():.4f}; " + "; ".join(
            f"{label}: {wanted} objects, AP@0.5 {row[0]:.4f}, @0.75 {row[5]:.4f}, @0.5:0.95 {row.mean():.4f}"
            for label, row, wanted in zip(detnet.LABELS, table, tally.wanted)), flush=True)


if __name__ == "__main__":
    main()
