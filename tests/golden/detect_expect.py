#!/usr/bin/env python3
"""Make tests/golden/detect_expect.json: what detectors find on photos, by ONNX Runtime and a decoder of its own in numpy.

usage: detect_expect.py SHARED/models >tests/golden/detect_expect.json
Needs numpy, onnxruntime and Pillow.  Written from the formulas of the papers, without a look at src/workloads: it shall not share its errors.
Images are resized linearly with half-pixel centres and clamped borders, not averaged, not rounded.
"""
import json
import pathlib
import sys

import numpy as np
import onnxruntime
from PIL import Image

STRIDES = (8, 16, 32)


def resize(image, width, height):
    """[H, W, 3] float -> [height, width, 3]"""
    def taps(size, out):
        at = (np.arange(out) + 0.5) * size / out - 0.5
        low = np.floor(at).astype(int)
        return np.clip(low, 0, size - 1), np.clip(low + 1, 0, size - 1), (at - low)
    y0, y1, fy = taps(image.shape[0], height)
    x0, x1, fx = taps(image.shape[1], width)
    rows = image[y0] * (1 - fy)[:, None, None] + image[y1] * fy[:, None, None]
    return rows[:, x0] * (1 - fx)[None, :, None] + rows[:, x1] * fx[None, :, None]


def fit(image, width, height, mode, pad):
    """Returns the input image and the function from its pixels back to the photo's."""
    h, w = image.shape[:2]
    if mode == "stretch":
        return resize(image, width, height), lambda x, y: (x * w / width, y * h / height)
    scale = min(width / w, height / h)
    rw, rh = int(np.rint(w * scale)), int(np.rint(h * scale))
    left, top = ((width - rw) // 2, (height - rh) // 2) if mode == "center" else (0, 0)
    canvas = np.full((height, width, 3), float(pad))
    canvas[top:top + rh, left:left + rw] = resize(image, rw, rh)
    return canvas, lambda x, y: ((x - left) * w / rw, (y - top) * h / rh)


def grid(stride, width, height):
    ys, xs = np.meshgrid(np.arange(height // stride), np.arange(width // stride), indexing="ij")
    return xs.ravel(), ys.ravel()


def yolox(out, width, height):
    a, boxes, first = out[0][0], [], 0
    for s in STRIDES:
        xs, ys = grid(s, width, height)
        p = a[first:first + len(xs)]
        first += len(xs)
        cx, cy = (p[:, 0] + xs) * s, (p[:, 1] + ys) * s
        w, h = np.exp(p[:, 2]) * s, np.exp(p[:, 3]) * s
        boxes.append(np.stack([cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2], 1))
    return np.concatenate(boxes), a[:, 4:5] * a[:, 5:], None


def nanodet(out, width, height):
    boxes, scores = [], []
    for i, s in enumerate(STRIDES):
        xs, ys = grid(s, width, height)
        d = out[3 + i][0].reshape(len(xs), 4, -1)
        e = np.exp(d - d.max(2, keepdims=True))
        d = (e / e.sum(2, keepdims=True)) @ np.arange(d.shape[2]) * s
        cx, cy = (xs + 0.5) * s, (ys + 0.5) * s
        boxes.append(np.stack([cx - d[:, 0], cy - d[:, 1], cx + d[:, 2], cy + d[:, 3]], 1))
        scores.append(out[i][0])
    return np.concatenate(boxes), np.concatenate(scores), None


def ultraface(out, width, height):
    return out[1][0] * [width, height, width, height], out[0][0][:, 1:], None


def yunet(out, width, height):
    boxes, scores, points = [], [], []
    for i, s in enumerate(STRIDES):
        xs, ys = grid(s, width, height)
        cls, obj, box, kps = (out[3 * k + i][0] for k in range(4))
        scores.append(np.sqrt(np.clip(cls, 0, 1) * np.clip(obj, 0, 1)))
        cx, cy = (xs + box[:, 0]) * s, (ys + box[:, 1]) * s
        w, h = np.exp(box[:, 2]) * s, np.exp(box[:, 3]) * s
        boxes.append(np.stack([cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2], 1))
        points.append((kps.reshape(-1, 5, 2) + np.stack([xs, ys], 1)[:, None]) * s)
    return np.concatenate(boxes), np.concatenate(scores), np.concatenate(points)


def nms(boxes, scores, classes, limit):
    kept = []
    for i in np.argsort(-scores, kind="stable"):
        for k in kept:
            if classes[k] != classes[i]:
                continue
            w = max(0.0, min(boxes[i][2], boxes[k][2]) - max(boxes[i][0], boxes[k][0]))
            h = max(0.0, min(boxes[i][3], boxes[k][3]) - max(boxes[i][1], boxes[k][1]))
            area = [(b[2] - b[0]) * (b[3] - b[1]) for b in (boxes[i], boxes[k])]
            if w * h > limit * (area[0] + area[1] - w * h):
                break
        else:
            kept.append(i)
    return kept


CLEAR_FACES = ["astronaut.png", "ji_humans_7.jpg", "ji_humans_4.jpg"]  # on the other one, many anchors share a score of 1.0
FACES = ["astronaut.png", "obama_1face.jpg", "ji_humans_7.jpg"]
MODELS = [  # file, decoder, width, height, fit, padding, BGR, mean, std, score, IoU, photos (None = all)
    ("yolox_nano_416.onnx", yolox, 416, 416, "corner", 114, True, 0, 1, 0.35, 0.45, None),
    ("nanodet_m_320.onnx", nanodet, 320, 320, "center", 0, True, [103.53, 116.28, 123.675], [57.375, 57.12, 58.395], 0.35, 0.45,
     ["astronaut.png", "dk_person.jpg", "dk_dog_bicycle_truck.jpg", "ji_cat_1.jpg", "ji_horse_2.jpg", "ji_humans_4.jpg", "ji_peds_3.jpg"]),
    ("ultraface_rfb_320.onnx", ultraface, 320, 240, "stretch", 0, False, 127, 128, 0.6, 0.45, FACES),
    ("ultraface_rfb_320_simplified.onnx", None, 320, 240, "stretch", 0, False, 127, 128, 0.6, 0.45, CLEAR_FACES),
    ("yunet_n_320.onnx", yunet, 320, 320, "corner", 0, True, 0, 1, 0.5, 0.45, FACES),
]


def detect(session, model, image):
    _, decode, width, height, mode, pad, bgr, mean, std, least, limit, _ = model
    canvas, back = fit(image, width, height, mode, pad)
    canvas = canvas[:, :, ::-1] if bgr else canvas
    # padding is a value of the image, normalised like the rest
    x = ((canvas - mean) / std).astype(np.float32).transpose(2, 0, 1)[None]
    boxes, scores, points = decode([o.astype(np.float64) for o in session.run(None, {session.get_inputs()[0].name: x})], width, height)
    classes, best = scores.argmax(1), scores.max(1)
    keep = best >= least
    boxes, classes, best = boxes[keep], classes[keep], best[keep]
    points = points[keep] if points is not None else None
    h, w = image.shape[:2]
    found = []
    for i in nms(boxes, best, classes, limit):
        x1, y1 = back(boxes[i][0], boxes[i][1])
        x2, y2 = back(boxes[i][2], boxes[i][3])
        box = [np.clip(v, 0, m) for v, m in ((x1, w), (y1, h), (x2, w), (y2, h))]
        row = [int(classes[i]), float(round(best[i], 4))] + [float(round(v, 2)) for v in box]
        if points is not None:
            row += [float(round(v, 2)) for p in points[i] for v in back(*p)]
        found.append(row)
    return found


def main(root):
    root, result = pathlib.Path(root), []
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    for model in MODELS:
        # The simplified file has no boxes in its graph; the decoder of the full one tells what it has to find.
        file = model[0].replace("_simplified", "")
        session = onnxruntime.InferenceSession(str(root / "detection" / file), options, providers=["CPUExecutionProvider"])
        spec = model if model[1] else (model[0], ultraface) + model[2:]
        names = model[11] or sorted(p.name for p in (root / "photos").iterdir() if p.suffix in (".jpg", ".png") and "expected" not in p.name)
        photos = {}
        for name in names:
            photos[name] = detect(session, spec, np.asarray(Image.open(root / "photos" / name).convert("RGB"), np.float64))
        result.append({"model": model[0], "score": model[9], "iou": model[10], "photos": photos})
    rows = []
    for r in result:
        photos = ",\n".join(f'  {json.dumps(k)}: {json.dumps(v)}' for k, v in r["photos"].items())
        rows.append(f'{{"model": "{r["model"]}", "score": {r["score"]}, "iou": {r["iou"]}, "photos": {{\n{photos}}}}}')
    print("[" + ",\n".join(rows) + "]")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
