"""measure.py - measures one model in a process of its own; bench_peers.py starts it and reads the JSON on its stdout.

usage: measure.py time LIBRARY JOB      JOB: {"path", "inputs", "threads", "seconds", "ncnn"}, inputs as describe() gives them
       measure.py rss ENGINE LIBRARY JOB

time: the engines take turns in blocks of a few runs, A B A B (and C where ncnn has the network); the first run of a block is not
counted, and a pause before it lets the other engine's spinning threads go to sleep.  The speed ratio is the median over the rounds
of the ratio of the blocks' medians: what slows the machine for a while slows both.
rss: opens and runs one engine; its share is the peak minus what the Python host held before.
"""
import json
import statistics
import sys
import time

import numpy as np

import engines

PAUSE_S, ROUNDS, MIN_BLOCK_RUNS = 0.03, 7, 2
LARGE_ID = 1000


def make_inputs(specs):
    """Uniform values in [offset, offset + scale), or the fixed integers that a model wants."""
    rng, inputs = np.random.default_rng(5), []
    for spec in specs:
        shape = spec["dims"]
        if spec["type"] == "int64":
            value = spec.get("value")
            array = rng.integers(0, LARGE_ID, shape) if value is None else np.full(shape, value)
            array = np.asarray(array, np.int64)
        else:
            array = (rng.random(shape) * spec["scale"] + spec["offset"]).astype(spec["type"])
        inputs.append((spec["name"], array))
    return inputs


def timed(engine):
    start = time.perf_counter_ns()
    engine.run()
    stop = time.perf_counter_ns()
    engine.after()
    return (stop - start) / 1e6


def relative_l2(got, want):
    """Worst over the outputs, which must agree in number and element count."""
    worst = 0.0
    for a, b in zip(got, want, strict=True):
        a, b = a.astype(np.float64).ravel(), b.astype(np.float64).ravel()
        if a.shape != b.shape:
            return None
        norm = np.linalg.norm(b)
        worst = max(worst, float(np.linalg.norm(a - b) / norm if norm else np.linalg.norm(a)))
    return worst


def results_of(engine):
    engine.run()
    results = engine.outputs()
    engine.after()
    return results


def block(engine, runs):
    time.sleep(PAUSE_S)
    timed(engine)
    return statistics.median(timed(engine) for _ in range(runs))


def interleave(field, seconds):
    """{name: [median ms of each round]}; block lengths are set so that each engine gets its share of `seconds`."""
    runs = {}
    for engine in field:
        for _ in range(2):
            once = timed(engine)
        share = seconds * 1000 / len(field) / ROUNDS
        runs[engine.name] = max(MIN_BLOCK_RUNS, min(2000, int(share / max(once, 1e-3)) - 1))
    rounds = {engine.name: [] for engine in field}
    for i in range(ROUNDS):
        for engine in field if i % 2 == 0 else reversed(field):
            rounds[engine.name].append(block(engine, runs[engine.name]))
    return rounds


def measure_threads(library, job, threads):
    inputs = make_inputs(job["inputs"])
    ort, leat, out = engines.OnnxRuntime(engines.onnxruntime_library()), engines.Leat(library), {}
    ort.open(job["path"], inputs, threads)
    want = results_of(ort)
    field = [ort]
    try:
        leat.open(job["path"], inputs, threads)
        out["rel_l2"] = relative_l2(results_of(leat), want)
        field.append(leat)
        stats = leat.stats()
        out.update(mmac=stats.macs / 1e6, arena_bytes=stats.arena_bytes, packed_bytes=stats.weight_bytes_packed)
    except engines.Failed as reason:
        out["leat_failed"] = str(reason)
    if job.get("ncnn"):
        try:
            ncnn = engines.Ncnn()
            ncnn.open(job["ncnn"], inputs, threads)
            out["ncnn_rel_l2"] = relative_l2(results_of(ncnn), want[:1])
            field.append(ncnn)
        except Exception as reason:  # a peer's trouble is not ours
            out["ncnn_failed"] = str(reason)
    rounds = interleave(field, job["seconds"])
    for name, values in rounds.items():
        out[f"{name}_ms"] = statistics.median(values)
    if "leat" in rounds:
        for peer in ("ort", "ncnn"):
            if peer in rounds:
                out[f"speed_over_{peer}"] = statistics.median(a / b for a, b in zip(rounds[peer], rounds["leat"]))
        machine = leat.machine(150, threads)
        out["fma_gflops"] = machine.fma_gflops_1t if threads == 1 else machine.fma_gflops_nt
    for engine in field:
        engine.close()
    return out


def status_kib(key):
    with open("/proc/self/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith(key + ":"))


def peak_rss(name, library, job):
    inputs = make_inputs(job["inputs"])
    before = status_kib("VmRSS")
    engine = engines.Leat(library) if name == "leat" else engines.OnnxRuntime(library)
    engine.open(job["path"], inputs, 1)
    for _ in range(3):
        timed(engine)
    return {"rss_mib": (status_kib("VmHWM") - before) / 1024}


def main(mode, *args):
    if mode == "rss":
        return peak_rss(args[0], args[1], json.loads(args[2]))
    job = json.loads(args[1])
    return {str(t): measure_threads(args[0], job, t) for t in job["threads"]}


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
