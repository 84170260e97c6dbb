#!/usr/bin/env python3
"""bench_primitive.py - `leat circlefit` beside fogleman/primitive's circle mode: PSNR at equal wall time, one thread each.

    bench_primitive.py --primitive PATH --photos DIR [--leat build/leat] [--shapes 50,200] [--images a.png,b.jpg,...] [--size 256] [--alpha 128] [--quick]

Both get the same picture, shrunk to --size pixels on its long side, and both are scored on it: 10 log10(255^2 / MSE) over R, G and B.
primitive runs first; its wall time is leat's limit.  "reached" is when leat's trace passed primitive's PSNR.  --quick gives leat a tenth of
the time.  Needs Pillow and numpy.  Get primitive with: go install github.com/fogleman/primitive@latest
"""
import argparse, json, os, subprocess, sys, tempfile, time

import numpy
from PIL import Image

TEN = "astronaut.png,chelsea.png,coffee.png,dk_dog_bicycle_truck.jpg,goldfish.jpg,ji_bird_0.jpg,ji_cat_1.jpg,ji_humans_4.jpg,ji_peds_3.jpg,ji_strawberry_0.jpg"


def psnr(a, b):
    a, b = (numpy.asarray(Image.open(p).convert("RGB")).astype(float) for p in (a, b))
    if a.shape != b.shape: sys.exit(f"sizes differ: {a.shape} {b.shape}")
    return 10 * numpy.log10(255 ** 2 / numpy.mean((a - b) ** 2))


def timed(command):
    start = time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.monotonic() - start


def reached(trace, level):
    for line in open(trace):
        point = json.loads(line)
        if point["psnr_db"] >= level: return point["elapsed_s"]
    return None


def compare(o, image, shapes, folder):
    ref, theirs, ours, trace = (os.path.join(folder, n) for n in ("ref.png", "theirs.png", "ours.png", "trace.jsonl"))
    picture = Image.open(os.path.join(o.photos, image)).convert("RGB")
    scale = o.size / max(picture.size)
    picture.resize([max(1, round(side * scale)) for side in picture.size], Image.LANCZOS).save(ref)
    seconds = timed([o.primitive, "-i", ref, "-o", theirs, "-n", str(shapes), "-m", "4", "-a", str(o.alpha), "-r", str(o.size), "-s", str(o.size), "-j", "1"])
    limit = seconds * (0.1 if o.quick else 1)
    used = timed([o.leat, "circlefit", ref, "-t", "1", "-k", str(shapes), "-q", "--time-limit", f"{limit:.3f}", "-o", ours, "--trace", trace])
    level = psnr(ref, theirs)
    at = reached(trace, level)
    print(f"| {image} | {shapes} | {seconds:.1f} | {level:.2f} | {used:.1f} | {psnr(ref, ours):.2f} | {psnr(ref, ours) - level:+.2f} | "
          f"{'-' if at is None else f'{at:.2f}'} | {'-' if not at else f'{seconds / at:.0f}'} |", flush=True)
    return psnr(ref, ours) - level


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--primitive", required=True)
    p.add_argument("--photos", required=True)
    p.add_argument("--leat", default="build/leat")
    p.add_argument("--shapes", default="50,200")
    p.add_argument("--images", default=TEN)
    p.add_argument("--size", type=int, default=256)
    p.add_argument("--alpha", type=int, default=128)
    p.add_argument("--quick", action="store_true")
    o = p.parse_args()
    gains = []
    print("| image | shapes | primitive s | dB | leat s | dB | gain | reached after s | times faster to it |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|")
    with tempfile.TemporaryDirectory() as folder:
        for shapes in map(int, o.shapes.split(",")):
            gains += [compare(o, image, shapes, folder) for image in o.images.split(",")]
    print(f"\nleast gain {min(gains):+.2f} dB, mean {sum(gains) / len(gains):+.2f} dB over {len(gains)} runs")
    return 0 if min(gains) >= 0 else 4


sys.exit(main())
