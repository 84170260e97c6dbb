"""bench_bindings.py - what a binding costs: 100 tokens through C, Go and Python, by one call, by a call a token, and by a process a request.

Workers (call_cost.c, worker/main.go, call_cost.py) open the model once and generate when told.  A round asks the one-call contestants in a new random order, and
every eighth round all of them, so drift of the machine falls on all alike; all processes are started anew for every session.  A contestant's figure is the
Hodges-Lehmann estimate of its time divided by that of "C, one call" in the same round (the median of all means of two rounds, on logarithms), with the 95 % interval of
Wilcoxon's signed ranks: bursts of foreign load do not move it.  "C, again" is a second process of the same program: what it shows is the noise.
"""
import argparse
import json
import math
import os
import random
import statistics
import subprocess
import sys
import time

OFTEN = ("C, one call", "C, again", "Go, one call", "Python, one call")
CONTESTANTS = [  # name, worker, what it is told
    ("C, one call", "c", "once"), ("C, again", "c2", "once"), ("C, one call and a callback", "c", "callback"), ("C, a call a step", "c", "tokens"),
    ("Go, one call", "go", "once"), ("Go, one call and a callback", "go", "callback"), ("Go, channel", "go", "stream"), ("Go, a call a step", "go", "tokens"),
    ("Python, one call", "py", "once"), ("Python, one call and a callback", "py", "callback"), ("Python, iterator", "py", "stream"),
    ("Python, a call a step", "py", "tokens")]
TEXT = "the quick brown"
IN_PYTHON = "import sys; from leat import lm; m = lm.Model(sys.argv[1], threads=int(sys.argv[2])); print(m.generate(sys.argv[4], max_tokens=int(sys.argv[3]), temperature=0, ignore_eos=True).text)"


class Worker:
    def __init__(self, command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise SystemExit(f"bench_bindings: a worker ended: {self.process.args}")
        return answer.split()

    def end(self):
        self.process.stdin.close()
        self.process.wait()


def commands(args):
    tail = [args.model, str(args.threads), str(args.tokens)]
    here = os.path.dirname(os.path.abspath(__file__))
    return {"c": [args.c, *tail], "c2": [args.c, *tail], "go": [args.go, *tail], "py": [args.python, os.path.join(here, "call_cost.py"), *tail]}


def measure_session(args, record):
    workers = {name: Worker(command) for name, command in commands(args).items()}
    for name, worker, what in CONTESTANTS:
        checks = record["checks"].setdefault(name, [])
        spent, calls, check = workers[worker].ask(what)  # warms up
        checks.append(int(check))
        record["calls"][name] = int(calls)
    rounds = []
    for number in range(args.rounds):
        asked = [c for c in CONTESTANTS if number % 8 == 0 or c[0] in OFTEN]
        rounds.append({name: int(workers[worker].ask(what)[0]) for name, worker, what in random.sample(asked, len(asked))})
    record["sessions"].append(rounds)
    for name, count in (("c", 10**7), ("go", 10**6), ("py", 10**5)):
        record["cross_ns"].setdefault(name, []).append(float(workers[name].ask(f"cross {count}")[0]))
        record["back_ns"].setdefault(name, []).append(float(workers[name].ask(f"back {count}")[0]))
    for name, worker in workers.items():
        record["memory_kb"].setdefault(name, []).append([int(v) for v in worker.ask("memory")])
        worker.end()


def processes(args):
    common = ["-n", str(args.tokens), "--temp", "0", "--ignore-eos"]
    yield "process a request: leat generate", [args.leat, "generate", "-m", args.model, "-p", TEXT, "-t", str(args.threads), *common]
    yield "process a request: Python and the binding", [args.python, "-c", IN_PYTHON, args.model, str(args.threads), str(args.tokens), TEXT]


def measure_processes(args, record):
    for _ in range(args.processes):
        for name, command in processes(args):
            start = time.perf_counter_ns()
            child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            _, status, usage = os.wait4(child.pid, 0)
            spent = time.perf_counter_ns() - start
            child.returncode = status
            if status:
                print(f"bench_bindings: {' '.join(command[:2])} failed with {status}", file=sys.stderr)
                continue
            record["processes"].setdefault(name, []).append([spent, usage.ru_maxrss])


def interval(record, name):
    """(ratio to C, lower, upper), as factors."""
    logs = [math.log(r[name] / r["C, one call"]) for rounds in record["sessions"] for r in rounds if name in r]
    n = len(logs)
    walsh = sorted((logs[i] + logs[j]) / 2 for i in range(n) for j in range(i, n))
    outside = max(0, int(n * (n + 1) / 4 - 1.96 * math.sqrt(n * (n + 1) * (2 * n + 1) / 24)))  # Walsh averages beyond either end
    return tuple(math.exp(value) for value in (statistics.median(walsh), walsh[outside], walsh[-1 - outside]))


def middle_ms(record, name):
    return statistics.median(r[name] for rounds in record["sessions"] for r in rounds if name in r) / 1e6


def report(args, record):
    checks = {check for values in record["checks"].values() for check in values}
    lines = [f"{args.tokens} tokens after a prompt of 16, {os.path.basename(args.model)}, {args.threads} thread(s), {len(record['sessions'])} sessions, "
             f"{sum(map(len, record['sessions']))} rounds; " + ("all made the same tokens" if len(checks) == 1 else f"NOT all made the same tokens: {sorted(checks)}"), "",
             "| | ms | beside C | 95 % interval | crossings | peak RSS MB | of it own MB |", "|:--|--:|--:|:-:|--:|--:|--:|"]
    for name, worker, _ in CONTESTANTS:
        ratio, low, high = interval(record, name)
        peak, own = (statistics.median(column) / 1024 for column in zip(*record["memory_kb"][worker]))
        rounds = sum(name in r for rounds in record["sessions"] for r in rounds)
        known = f"{(low - 1) * 100:+.2f} .. {(high - 1) * 100:+.2f} %" if rounds > 5 else "too few rounds"
        lines.append(f"| {name} | {middle_ms(record, name):.1f} | {(ratio - 1) * 100:+.2f} % | {known} | {record['calls'][name]} | {peak:.0f} | {own:.0f} |")
    base = 1e6 * middle_ms(record, "C, one call")
    for name, runs in record["processes"].items():
        middle, peak = statistics.median(r[0] for r in runs), statistics.median(r[1] for r in runs) / 1024
        lines.append(f"| {name} | {middle / 1e6:.1f} | {(middle / base - 1) * 100:+.1f} % | | | {peak:.0f} | |")
    lines += ["", "| ns | C | Go | Python |", "|:--|--:|--:|--:|"]
    for title, key in (("a call into the library", "cross_ns"), ("a call back out of it", "back_ns")):
        lines.append(f"| {title} | " + " | ".join(f"{statistics.median(record[key][w]):.1f}" for w in ("c", "go", "py")) + " |")
    return "\n".join(lines), len(checks) == 1


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", required=True)
    parser.add_argument("--c", required=True)
    parser.add_argument("--go", required=True)
    parser.add_argument("--leat", required=True)
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("-t", "--threads", type=int, default=1)
    parser.add_argument("-n", "--tokens", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=16, help="in a session")
    parser.add_argument("--sessions", type=int, default=4)
    parser.add_argument("--processes", type=int, default=5)
    parser.add_argument("--record", help="JSON file that keeps all rounds; what is there is added to")
    parser.add_argument("--report", action="store_true", help="measure nothing, print what the record holds")
    args = parser.parse_args()
    record = {"sessions": [], "checks": {}, "calls": {}, "cross_ns": {}, "back_ns": {}, "memory_kb": {}, "processes": {}}
    if args.record and os.path.exists(args.record):
        record = json.load(open(args.record))
    for session in range(0 if args.report else args.sessions):
        measure_session(args, record)
        if session == args.sessions - 1:
            measure_processes(args, record)
        if args.record:
            json.dump(record, open(args.record, "w"))
    text, same = report(args, record)
    print(text)
    return 0 if same else 4


if __name__ == "__main__":
    sys.exit(main())
