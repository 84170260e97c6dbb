#!/usr/bin/env python3
"""Compares Leat with ONNX Runtime (and ncnn where it takes the network) on this machine, in one run, by ratios.

usage: bench_peers.py [--only TEXT] [--quick] [--no-rss] [--no-ncnn] [--library FILE] [--out DIR]

Makes its own Python environment below build/peers (needs python3-venv and a package index), the networks of build_nets.py, and takes
the fp32 models of $LEAT_SHARED (default ../shared) where they are there.  Prints a table, writes results.json and results.md.
Speed is peer time / Leat time: above 1, Leat is faster.  % of peak counts every convolution as direct.
"""
import argparse
import json
import math
import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
FOLDERS = ("classification", "derived", "detection", "image2image", "segmentation", "audio")
MODEL_LIMIT_S = 240
CONVOLUTIONAL = ("mobilenet", "resnet", "yolo", "unet", "squeezenet")


def enter_environment(out):
    """Runs this script again under the environment with the pinned peers, made if need be."""
    python = out / "venv" / "bin" / "python"
    stamp, pins = out / "venv" / "pins.txt", (HERE / "requirements.txt").read_text()
    if not stamp.exists() or stamp.read_text() != pins:
        subprocess.run([sys.executable, "-m", "venv", out / "venv"], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "-r", HERE / "requirements.txt"], check=True)
        stamp.write_text(pins)
    if pathlib.Path(sys.prefix).resolve() != (out / "venv").resolve():
        os.execv(python, [str(python), *sys.argv])


# --- what to measure ----------------------------------------------------------------------------------------------------


def describe(path):
    """Inputs of a model with fixed shapes, as measure.py wants them."""
    import onnx
    specs = []
    for value in onnx.load(path, load_external_data=False).graph.input:
        tensor = value.type.tensor_type
        spec = {"name": value.name, "dims": [d.dim_value for d in tensor.shape.dim], "type": "float32", "scale": 1, "offset": 0}
        if tensor.elem_type == onnx.TensorProto.INT64:
            spec.update(type="int64", value=1 if "mask" in value.name else None)
        specs.append(spec)
    return specs


def built_models(out):
    import build_nets
    (out / "nets").mkdir(parents=True, exist_ok=True)
    return [{"name": name, "path": str(build_nets.build(name, out / "nets")), "group": "built"} for name in build_nets.NETS]


def shared_models():
    root = pathlib.Path(os.environ.get("LEAT_SHARED") or "../shared") / "models"
    found = []
    for record in sorted((root / "golden-ort").glob("*.json")):
        golden = json.loads(record.read_text())
        path = next((p for p in (root / f / golden["model"] for f in FOLDERS) if p.exists()), None)
        if path and not any(word in golden["model"] for word in ("fp16", "int8")):
            found.append({"name": record.stem, "path": str(path), "group": "shared", "inputs": golden["inputs"]})
    if not found:
        print(f"skipped: no shared models at {root} (set LEAT_SHARED)", file=sys.stderr)
    return found


def ncnn_of(model, out):
    """Converts with pnnx once; the stem of its files, or None where it cannot."""
    if not any(word in model["name"] for word in CONVOLUTIONAL):
        return None
    folder = out / "ncnn" / model["name"]
    stem = folder / "net"
    if not folder.exists():
        import pnnx
        folder.mkdir(parents=True)
        (folder / "net.onnx").symlink_to(pathlib.Path(model["path"]).resolve())
        shapes = ",".join("[" + ",".join(map(str, s["dims"])) + "]" for s in model["inputs"])
        tool = pathlib.Path(pnnx.__file__).parent / "pnnx"
        tool.chmod(0o755)
        subprocess.run([tool, "net.onnx", f"inputshape={shapes}", "fp16=0"], cwd=folder, timeout=120, check=False,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for leftover in folder.glob("*.pnnx*"):
            leftover.unlink()
    return str(stem) if stem.with_suffix(".ncnn.bin").exists() else None


# --- measuring ----------------------------------------------------------------------------------------------------------


def child(*args):
    """The JSON that measure.py prints; {"failed": reason} when it crashes or hangs."""
    command = [sys.executable, str(HERE / "measure.py"), *args]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=MODEL_LIMIT_S, check=False)
    except subprocess.TimeoutExpired:
        return {"failed": f"ran past {MODEL_LIMIT_S} s"}
    if done.returncode:
        return {"failed": (done.stderr.strip().splitlines() or [f"ended with status {done.returncode}"])[-1]}
    return json.loads(done.stdout.splitlines()[-1])


def measure(model, args, ort_library):
    model.setdefault("inputs", None)
    model["inputs"] = model["inputs"] or describe(model["path"])
    job = {"path": model["path"], "inputs": model["inputs"], "seconds": 0.8 if args.quick else 4.0, "threads": [1, 2],
           "ncnn": None if args.no_ncnn else ncnn_of(model, args.out)}
    row = {"name": model["name"], "group": model["group"]}
    timed = child("time", args.library, json.dumps(job))
    row.update(timed if "failed" in timed else {"threads": timed})
    if not args.no_rss and "failed" not in row:
        for engine, library in (("leat", args.library), ("ort", ort_library)):
            row[f"{engine}_rss_mib"] = child("rss", engine, library, json.dumps(job)).get("rss_mib")
    return row


# --- report -------------------------------------------------------------------------------------------------------------

HEADER = ["model", "MMAC", "ORT ms 1T", "2T", "Leat ms 1T", "2T", "speed 1T", "2T", "% peak 1T", "2T", "over ncnn 1T", "2T",
          "RSS MiB", "RSS / ORT", "rel. L2"]


def number(value, digits=2):
    return "-" if value is None else f"{value:.{digits}f}"


def cells(row, peaks):
    if "failed" in row or any("leat_failed" in row["threads"][t] for t in "12"):
        reason = row.get("failed") or next(row["threads"][t].get("leat_failed") for t in "12" if "leat_failed" in row["threads"][t])
        ort = [number(row["threads"][t].get("ort_ms"), 3) for t in "12"] if "threads" in row else ["-", "-"]
        return [row["name"], "-", *ort, "failed: " + reason[:90]]
    one, two = row["threads"]["1"], row["threads"]["2"]
    both = lambda key, digits=2: [number(one.get(key), digits), number(two.get(key), digits)]
    percent = [number(200 * x["mmac"] / x["leat_ms"] / peak, 0) if peak and x["mmac"] else "-"
               for x, peak in ((one, peaks["1"]), (two, peaks["2"]))]
    mine, theirs = row.get("leat_rss_mib"), row.get("ort_rss_mib")
    return [row["name"], number(one["mmac"], 0), *both("ort_ms", 3), *both("leat_ms", 3), *both("speed_over_ort"), *percent,
            *both("speed_over_ncnn"), number(mine, 0), number(mine / theirs if mine and theirs else None),
            "shape!" if one["rel_l2"] is None else f"{max(one['rel_l2'], two['rel_l2'] or 0):.0e}"]


def geometric_mean(values):
    values = [v for v in values if v]
    return math.exp(sum(map(math.log, values)) / len(values)) if values else None


def ratios(rows, threads, key="speed_over_ort", pick=lambda row: True):
    return [row["threads"][threads].get(key) for row in rows if "threads" in row and pick(row)]


def summary(rows):
    lines = []
    groups = [("all models", lambda r: True), ("built networks", lambda r: r["group"] == "built"),
              ("MobileNets", lambda r: "mobilenet" in r["name"]), ("lip-sync U-Net", lambda r: r["name"] == "lipsync_unet")]
    for title, pick in groups:
        one, two = (geometric_mean(ratios(rows, t, pick=pick)) for t in "12")
        lines.append(f"{title}: speed over ONNX Runtime {number(one)} at one thread, {number(two)} at two (geometric mean)")
    for threads in "12":
        worst = sorted((row["threads"][threads]["speed_over_ort"], row["name"]) for row in rows
                       if "threads" in row and row["threads"][threads].get("speed_over_ort"))[:5]
        lines.append(f"slowest at {threads}: " + ", ".join(f"{name} {number(value)}" for value, name in worst))
    one, two = (geometric_mean(ratios(rows, t, "speed_over_ncnn")) for t in "12")
    lines.append(f"over ncnn: {number(one)} / {number(two)}")
    rss = [r["leat_rss_mib"] / r["ort_rss_mib"] for r in rows if r.get("leat_rss_mib") and r.get("ort_rss_mib")]
    if rss:
        lines.append(f"peak RSS / ONNX Runtime's: {number(geometric_mean(rss))} geometric mean, {number(max(rss))} largest")
    return lines


def peaks_of(rows):
    """The machine's FMA peak, GFLOP/s: the best that any probe beside a model saw."""
    return {t: max((v for v in ratios(rows, t, "fma_gflops") if v), default=None) for t in "12"}


def markdown(rows, peaks):
    lines = ["| " + " | ".join(HEADER) + " |", "|" + "---|" * len(HEADER)]
    lines += ["| " + " | ".join(cells(row, peaks)) + " |" for row in rows]
    lines += ["", f"FMA peak {number(peaks['1'], 0)} / {number(peaks['2'], 0)} GFLOP/s.", ""]
    return "\n".join(lines + ["- " + line for line in summary(rows)]) + "\n"


def print_row(row, peaks):
    texts = cells(row, peaks)
    print(f"{texts[0]:28}" + " ".join(f"{t:>9}" for t in texts[1:]), flush=True)


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help="models whose name contains TEXT; several with commas")
    parser.add_argument("--quick", action="store_true", help="a fifth of the time, for a look")
    parser.add_argument("--no-rss", action="store_true")
    parser.add_argument("--no-ncnn", action="store_true")
    parser.add_argument("--library", default="build/libleat.so")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("build/peers"))
    return parser.parse_args()


def main():
    args = parse()
    enter_environment(args.out)
    import engines
    ort_library = engines.onnxruntime_library()
    args.library = str(pathlib.Path(args.library).resolve())
    models = built_models(args.out) + shared_models()
    if args.only:
        models = [m for m in models if any(text in m["name"] for text in args.only.split(","))]
    if not models:
        sys.exit("no such model")
    print(f"{'model':28}" + " ".join(f"{h:>9}" for h in HEADER[1:]))
    rows = []
    for model in models:
        rows.append(measure(model, args, ort_library))
        print_row(rows[-1], peaks_of(rows))
    peaks = peaks_of(rows)
    print("\n" + "\n".join(summary(rows)))
    (args.out / "results.json").write_text(json.dumps({"peaks_gflops": peaks, "models": rows}, indent=1) + "\n")
    (args.out / "results.md").write_text(markdown(rows, peaks))


if __name__ == "__main__":
    main()
