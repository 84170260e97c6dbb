"""detector_data.py - pictures for the detector, drawn by Leat's scene source with random parameters.

A picture is a scene drawn at 1 to 2.5 times the size needed and brought down as a camera's frame would be, often with unequal scales for the
two sides (a wide frame stretched to a square), sometimes with grey borders (letterbox).
"""
import numpy as np
import torch
import torch.nn.functional as functional

import scenes

PER_SCENE, MAX_BOXES = 8, 32
LEAST_VISIBLE, LEAST_SIDE = 0.25, 6  # an object counts from here on; below, it is neither asked for nor held against the detector


def shrink(pixels, width, height, average):
    """uint8 [H, W, 3] to [height, width, 3], linear with half-pixel centres, with or without averaging."""
    if pixels.shape[:2] == (height, width):
        return pixels
    x = torch.from_numpy(pixels).permute(2, 0, 1)[None].float()
    y = functional.interpolate(x, (height, width), mode="bilinear", align_corners=False, antialias=bool(average))
    return y[0].permute(1, 2, 0).add(0.5).clamp(0, 255).to(torch.uint8).numpy()


def random_spec(rng, seed):
    scale, count = float(np.exp(rng.uniform(np.log(0.8), np.log(3.2)))), int(rng.integers(2, 16))
    if rng.random() < 0.04:
        count = 0
    effects = {"noise": rng.uniform(0, 2), "blur": rng.uniform(0, 2), "shadow": rng.uniform(0, 1.4), "light": rng.uniform(0, 1.5), "clutter": rng.uniform(0, 2)}
    return f"scene:seed={seed},objects={count},scale={scale:.3f},coins={rng.uniform(0.3, 0.7):.3f}," + ",".join(f"{k}={v:.3f}" for k, v in effects.items())


def pictures(seed, side):
    """PER_SCENE pictures [side, side, 3] of one scene and their objects [n, 6] = class, x1, y1, x2, y2, visible."""
    rng = np.random.default_rng((11, seed))
    content_w = content_h = side
    shape = rng.random()
    if shape < 0.25:  # letterboxed
        content_h = int(side * rng.uniform(0.5, 0.9))
        if rng.random() < 0.3:
            content_w, content_h = content_h, content_w
    factor = float(rng.choice([1, 1.25, 1.6, 2.5], p=[0.3, 0.2, 0.25, 0.25]))
    squeeze = float(rng.choice([1, 1.3334, 1.7778, 0.75], p=[0.4, 0.15, 0.35, 0.1])) if shape >= 0.25 else 1.0
    width, height = round(content_w * factor * squeeze ** 0.5), round(content_h * factor / squeeze ** 0.5)
    left, top, average = (side - content_w) // 2, (side - content_h) // 2, rng.random() < 0.5
    out = []
    with scenes.Scene(random_spec(rng, seed), width, height, stride=int(rng.integers(20, 90))) as scene:
        for _ in range(PER_SCENE):
            pixels, truth = scene.next()
            canvas = np.full((side, side, 3), 114, np.uint8)
            canvas[top:top + content_h, left:left + content_w] = shrink(pixels, content_w, content_h, average)
            truth[:, [1, 3]] = truth[:, [1, 3]] * (content_w / width) + left
            truth[:, [2, 4]] = truth[:, [2, 4]] * (content_h / height) + top
            out.append((canvas, truth[:MAX_BOXES]))
    return out


def write(path, first_seed, count, side):
    """`count` pictures into path.pixels.npy and path.boxes.npy (unused rows have class -1)."""
    torch.set_num_threads(1)
    pixels = np.lib.format.open_memmap(f"{path}.pixels.npy", "w+", np.uint8, (count, side, side, 3))
    boxes = np.full((count, MAX_BOXES, 6), -1, np.float32)
    for i in range(0, count, PER_SCENE):
        for k, (picture, truth) in enumerate(pictures(first_seed + i // PER_SCENE, side)[:count - i]):
            pixels[i + k] = picture
            boxes[i + k, :len(truth)] = truth
    pixels.flush()
    np.save(f"{path}.boxes.npy", boxes)
