#!/usr/bin/env python3
"""Compares `leat detect` with the same job done with ONNX Runtime and OpenCV (detect_peer.py), on this machine, in one run, by ratios.

usage: bench_detect.py [--leat FILE] [--library FILE] [--out DIR] [--frames N] [--rounds N] [--only TEXT]

The job: 1080p I420 frames of a Y4M file of 60, round after round -> preprocess -> infer -> decode -> NMS -> track -> draw; what is drawn is not encoded.  Two
networks: YOLOX-nano of $LEAT_SHARED (default ../shared) on its photos, panned over, and the bundled detector on a synthetic scene.
Makes its own Python environment (needs python3-venv and a package index) and the clips below --out.  All ways of doing it take turns,
round after round; of each side the one with the better median counts, the ratio is the median over the rounds.  Frames per second
are counted without opening the model.  Writes detect.json and detect.md.
"""
import argparse
import ctypes as c
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
CLIP_FRAMES, WARM_UP, PAUSE_S, MIN_RATIO = 60, 10, 0.2, 1.5
PHOTOS = ("ji_peds_0.jpg", "dk_dog_bicycle_truck.jpg", "ji_humans_7.jpg", "ji_horse_2.jpg")
# Ways of ONNX Runtime + OpenCV: name, class, its arguments behind the model's.
PEERS = (("sequential, 2 threads", "Sequential", (2,)), ("three stages, inference on 2 threads", "Threaded", (2, 1)),
         ("three stages, 2 sessions of 1 thread", "Threaded", (1, 2)))
LEATS = (("default", ()), ("one frame at a time on 2 threads", ("--replicas", "infer=1", "-t", "2")))


def enter_environment(out):
    """Runs this script again under the environment with the pinned peers, made if need be."""
    python = out / "venv_detect" / "bin" / "python"
    stamp, pins = out / "venv_detect" / "pins.txt", (HERE / "requirements_detect.txt").read_text()
    if not stamp.exists() or stamp.read_text() != pins:
        subprocess.run([sys.executable, "-m", "venv", out / "venv_detect"], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "-r", HERE / "requirements_detect.txt"], check=True)
        stamp.write_text(pins)
    if pathlib.Path(sys.prefix).resolve() != (out / "venv_detect").resolve():
        os.execv(python, [str(python), *sys.argv])


# --- clips ------------------------------------------------------------------------------------------------------------------


def photo_clip(path, photos, frames):
    """A window of 1080p wandering over four photos side by side."""
    import cv2
    import numpy as np
    tiles = [cv2.resize(cv2.imread(str(photos / name)), (1200, 720), interpolation=cv2.INTER_AREA) for name in PHOTOS]
    wall = np.vstack([np.hstack(tiles[:2]), np.hstack(tiles[2:])])
    with open(path, "wb") as file:
        file.write(b"YUV4MPEG2 W1920 H1080 F30:1 Ip A1:1 C420jpeg\n")
        for t in range(frames):
            x, y = int(240 + 220 * np.sin(t / 9)), int(180 + 170 * np.cos(t / 11))
            view = np.ascontiguousarray(wall[y:y + 1080, x:x + 1920])
            file.write(b"FRAME\n" + cv2.cvtColor(view, cv2.COLOR_BGR2YUV_I420).tobytes())


class Frame(c.Structure):
    _fields_ = [("format", c.c_int), ("matrix", c.c_int), ("full_range", c.c_int32), ("width", c.c_int32), ("height", c.c_int32),
                ("plane", c.c_void_p * 3), ("stride", c.c_int64 * 3), ("index", c.c_int64), ("pts_ns", c.c_int64), ("capture_ns", c.c_int64)]


class Error(c.Structure):
    _fields_ = [("status", c.c_int), ("message", c.c_char * 768), ("offset", c.c_uint64)]


def scene_clip(path, library, frames):
    """The synthetic scene that the bundled detector was made for."""
    leat, error, source, sink, frame = c.CDLL(str(library)), Error(), c.c_void_p(), c.c_void_p(), Frame()
    room = c.create_string_buffer(1920 * 1080 * 3 // 2)
    spec = f"scene:seed=77,size=1920x1080,format=i420,frames={frames}".encode()

    def check(status):
        if status:
            sys.exit(f"bench_detect: {path.name}: {error.message.decode(errors='replace')}")

    check(leat.leat_source_open(spec, None, c.byref(source), c.byref(error)))
    check(leat.leat_sink_open(str(path).encode(), None, c.byref(sink), c.byref(error)))
    for _ in range(frames):
        check(leat.leat_source_next(source, room, c.c_size_t(len(room)), c.byref(frame), c.byref(error)))
        check(leat.leat_sink_write(sink, c.byref(frame), c.byref(error)))
    leat.leat_source_close(source)
    check(leat.leat_sink_close(sink, c.byref(error)))


def jobs(args):
    """[(name, model, kind, fit, clip)]"""
    shared, found = pathlib.Path(os.environ.get("LEAT_SHARED") or "../shared") / "models", []
    args.out.mkdir(parents=True, exist_ok=True)
    model, clip = shared / "detection" / "yolox_nano_416.onnx", args.out / "photos.y4m"
    if model.exists():
        if not clip.exists():
            photo_clip(clip, shared / "photos", CLIP_FRAMES)
        found.append(("YOLOX-nano 416", model, "yolox", "topleft", clip))
    else:
        print(f"YOLOX-nano skipped: no {model}")
    clip = args.out / "scene.y4m"
    if not clip.exists():
        scene_clip(clip, args.library, CLIP_FRAMES)
    found.append(("coins and beads 512", ROOT / "models" / "coin_bead.onnx", "yolov5", "centre", clip))
    return [job for job in found if args.only in job[0]]


# --- Leat -------------------------------------------------------------------------------------------------------------------


class Leat:
    """`leat detect` in a process of its own; its JSON tells frames per second without opening."""

    def __init__(self, program, model, clip, extra):
        self.command = [str(program), "detect", "--model", str(model), str(clip), "--track", "sort", "--out", "null:", "--json", "-q", *extra]
        self.report, self.boxes = {}, 0

    def run(self, frames):
        command = [*self.command, "--loop", "0", "--frames", str(frames)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"bench_detect: {' '.join(command)}: {done.stderr}")
        self.report = json.loads(done.stdout)
        self.boxes = self.report["detections"]
        return self.report["fps"]


# --- measuring --------------------------------------------------------------------------------------------------------------


def field_of(job, args):
    import detect_peer
    _, model, kind, fit, path = job
    clip, field = detect_peer.Clip(path), {}
    for name, kind_of, more in PEERS:
        peer = getattr(detect_peer, kind_of)(str(model), kind, fit, *more)
        peer.run(clip, WARM_UP)
        field["ORT + OpenCV: " + name] = (peer, lambda frames, p=peer: p.run(clip, frames))
    for name, extra in LEATS:
        leat = Leat(args.leat, model, path, extra)
        field["Leat: " + name] = (leat, leat.run)
    return field


def measure(job, args):
    field, rates = field_of(job, args), {}
    for _ in range(args.rounds):
        for name, (_, run) in field.items():
            time.sleep(PAUSE_S)
            rates.setdefault(name, []).append(run(args.frames))
    best = {side: max((n for n in rates if n.startswith(side)), key=lambda n: statistics.median(rates[n])) for side in ("ORT", "Leat")}
    ratio = statistics.median(a / b for a, b in zip(rates[best["Leat"]], rates[best["ORT"]]))
    return {"job": job[0], "frames_per_second": rates, "best": best, "ratio": ratio,
            "boxes": {name: getattr(way, "boxes", None) for name, (way, _) in field.items()},
            "stages_ms": stages(job, args), "leat_report": {n: w.report for n, (w, _) in field.items() if n.startswith("Leat")}}


def stages(job, args):
    """Milliseconds a frame of each stage of ONNX Runtime + OpenCV, everything on one thread."""
    import detect_peer
    _, model, kind, fit, path = job
    peer, clip = detect_peer.Sequential(str(model), kind, fit, 1), detect_peer.Clip(path)
    peer.run(clip, WARM_UP)
    peer.run(clip, args.frames)
    return {name: seconds / args.frames * 1e3 for name, seconds in peer.watch.spent.items()}


def table(results):
    lines = ["| job | way | frames/s, median (min .. max) | |", "|:--|:--|--:|:--|"]
    for r in results:
        for name, rates in r["frames_per_second"].items():
            mark = "**counts**" if name in r["best"].values() else ""
            lines.append(f"| {r['job']} | {name} | {statistics.median(rates):.1f} ({min(rates):.1f} .. {max(rates):.1f}) | {mark} |")
        lines.append(f"| {r['job']} | ratio | **{r['ratio']:.2f}** | {'met' if r['ratio'] >= MIN_RATIO else 'below'} {MIN_RATIO} |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--leat", type=pathlib.Path, default=ROOT / "build" / "leat")
    parser.add_argument("--library", type=pathlib.Path, default=ROOT / "build" / "libleat.so")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "build" / "peers")
    parser.add_argument("--frames", type=int, default=240)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="")
    args = parser.parse_args()
    args.out = args.out.resolve()
    enter_environment(args.out)
    results = [measure(job, args) for job in jobs(args)]
    text = table(results)
    (args.out / "detect.json").write_text(json.dumps(results, indent=1, default=str))
    (args.out / "detect.md").write_text(text + "\n")
    print(text)
    for r in results:
        print(r["job"], "boxes:", r["boxes"])
        print(r["job"], "stages on one thread, ms a frame:", {k: round(v, 2) for k, v in r["stages_ms"].items()})
    return 0 if all(r["ratio"] >= MIN_RATIO for r in results) else 4


if __name__ == "__main__":
    sys.exit(main())
