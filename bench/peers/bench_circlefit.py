#!/usr/bin/env python3
"""Compares Leat's circle renderer and cost with the Go original, CWBudde/MayFlyCircleFit, on this machine, in one run, by ratios.

usage: bench_circlefit.py --checkout FOLDER [--go GO] [--leat build/bench/bench_circlefit] [--seconds S] [--rounds N] [--only TEXT] [--out DIR]

FOLDER is a checkout of the original with its Go modules at hand (or reachable); nothing in it is changed: the driver circlefit_mayfly_test.go joins
its package by an overlay.  Both programs get the same scenes, take turns, use one thread; medians.  The original runs in its exact mode and with
--fast-compositing, which may be off by one a channel.  Its production geometry rounds to 1/65536 pixel, so sums of random scenes may differ slightly.
"""
import argparse
import json
import os
import pathlib
import random
import statistics
import struct
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOM = pathlib.Path("internal/fit/renderer")

# name, side, circles, scenes, frozen circles, radius up to (None = fixture)
WORKLOADS = [
    ("fixture 256x30", 256, 30, 1, 0, None),
    ("fixture 512x100", 512, 100, 1, 0, None),
    ("small 64 K10", 64, 10, 64, 0, 64),
    ("medium 256 K30", 256, 30, 64, 0, 256),
    ("large 512 K64", 512, 64, 16, 0, 512),
    ("sequential 256, 1 on 30", 256, 1, 64, 30, 256),
    ("sequential 256, 1 of r<32 on 30", 256, 1, 64, 30, 32),
    ("batch 256, 5 of r<64 on 30", 256, 5, 64, 30, 64),
    ("dense 512, K1000 of r<32", 512, 1000, 4, 0, 32),
]


def build_peer(args):
    binary = args.out / "mayfly_peer.test"
    overlay = args.out / "overlay.json"
    target = args.checkout / ROOM / "leat_peer_test.go"
    overlay.write_text(json.dumps({"Replace": {str(target): str(HERE / "circlefit_mayfly_test.go")}}))
    subprocess.run([args.go, "test", "-c", "-overlay", overlay, "-o", binary, "./" + str(ROOM)], cwd=args.checkout, check=True)
    return binary


def fixture(side, k):
    m = side // 4
    return [[37 * c % side + 0.25, 53 * c % side + 0.75, 2 + 11 * c % m, 29 * c % 256 / 255, 47 * c % 256 / 255, 71 * c % 256 / 255,
             0.25 + 0.7 * (17 * c % 100) / 100] for c in range(k)]


def write_scenes(path, side, k, scenes, frozen, reach):
    rng = random.Random(20250812)
    pixels = bytearray()
    for y in range(side):
        for x in range(side):
            noise = rng.randrange(64)
            pixels += bytes([(3 * x + noise) % 256, (5 * y + noise) % 256, (2 * (x + y) + noise) % 256])
    if reach is None:
        circles = fixture(side, k)
    else:
        circles = [[rng.random() * side, rng.random() * side, 1 + rng.random() * (reach - 1), rng.random(), rng.random(), rng.random(), rng.random()]
                   for _ in range(frozen + scenes * k)]
    flat = [v for c in circles for v in c]
    path.write_bytes(struct.pack("<5i", side, side, k, scenes, frozen) + bytes(pixels) + struct.pack(f"<{len(flat)}d", *flat))


def last_object(text):
    return json.loads([line for line in text.splitlines() if line.startswith("{")][-1])


def run_peer(args, binary, scenes, fast):
    env = dict(os.environ, LEAT_SCENES=str(scenes), LEAT_SECONDS=str(args.seconds), LEAT_FAST="1" if fast else "0", GOMAXPROCS="1")
    return last_object(subprocess.run([binary, "-test.run", "^TestLeatPeer$", "-test.v"], env=env, check=True, capture_output=True, text=True).stdout)


def run_leat(args, scenes):
    return last_object(subprocess.run([args.leat, scenes, str(args.seconds)], check=True, capture_output=True, text=True).stdout)


def measure(args, binary, work):
    scenes = args.out / "scenes.bin"
    write_scenes(scenes, *work[1:])
    runs = [(run_leat(args, scenes), run_peer(args, binary, scenes, False), run_peer(args, binary, scenes, True)) for _ in range(args.rounds)]
    median = lambda i, key: statistics.median(r[i][key] for r in runs)
    row = {"workload": work[0], "writes": runs[0][0]["writes"] // work[3], "tier": runs[0][1]["tier"],
           "sse_difference": abs(runs[0][0]["sse"] - runs[0][1]["sse"]) / max(1, runs[0][1]["sse"])}
    for key in ("render_us", "eval_us"):
        row["leat_" + key], row["peer_" + key], row["peer_fast_" + key] = median(0, key), median(1, key), median(2, key)
    return row


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkout", type=pathlib.Path, required=True)
    parser.add_argument("--go", default="go")
    parser.add_argument("--leat", type=pathlib.Path, default=pathlib.Path("build/bench/bench_circlefit"))
    parser.add_argument("--seconds", type=float, default=0.5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("build/peers/circlefit"))
    args = parser.parse_args()
    args.out, args.checkout, args.leat = args.out.resolve(), args.checkout.resolve(), args.leat.resolve()
    args.out.mkdir(parents=True, exist_ok=True)
    binary = args.out / "mayfly_peer.test"
    if not (binary.exists() and binary.stat().st_mtime > (HERE / "circlefit_mayfly_test.go").stat().st_mtime):
        binary = build_peer(args)
    rows = []
    print("| workload | writes | render: Leat us | original us | ratio | evaluate: Leat us | original us | ratio | ratio to its fast mode |")
    print("|---|---|---|---|---|---|---|---|---|")
    for work in WORKLOADS:
        if args.only not in work[0]:
            continue
        r = measure(args, binary, work)
        rows.append(r)
        print(f"| {r['workload']} | {r['writes']:,} | {r['leat_render_us']:.1f} | {r['peer_render_us']:.0f} | {r['peer_render_us'] / r['leat_render_us']:.1f} "
              f"| {r['leat_eval_us']:.1f} | {r['peer_eval_us']:.0f} | {r['peer_eval_us'] / r['leat_eval_us']:.1f} "
              f"| {r['peer_fast_render_us'] / r['leat_render_us']:.1f}, {r['peer_fast_eval_us'] / r['leat_eval_us']:.1f} |", flush=True)
    (args.out / "results.json").write_text(json.dumps(rows, indent=1) + "\n")
    worst = max((r["sse_difference"] for r in rows), default=0)
    print(f"\nlargest relative difference of the squared errors: {worst:.2e}", file=sys.stderr)


if __name__ == "__main__":
    main()
