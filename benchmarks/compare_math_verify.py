#!/usr/bin/env python3
"""Compares the grader `math` with Math-Verify on the same pairs in the same run: time for a pair, and right verdicts.

usage: PYTHON benchmarks/compare_math_verify.py [--build build/release] [--repeats 3] [--pairs FILE.jsonl]

PYTHON is one that has Math-Verify:  python3 -m venv venv && venv/bin/pip install 'math-verify[antlr4_11_0]'

Three sets: the shared adversarial pairs (hostile rows left out: Math-Verify hangs on half of them), MATH-500's references
against themselves, and the 800 real outputs whole, so that both sides find the answer first. Each repeat times all pairs of a set with Math-Verify in
this process, and then with `assay verify --pairs`, workers and JSON included; the two alternate, so that the load of the
machine is the same for both. Printed are the medians over the repeats of: CPU time for a pair, which other work on the machine changes least (ours with
reading the file, the workers and the program's start and end, over a file of all pairs ten times, as one start serves a whole
run); the mean and median wall time for a pair; and the ratios.
"""
import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SHARED = os.path.join(ROOT, "..", "shared", "vectors")


def shared_rows(name):
    path = os.path.join(SHARED, name)
    return [json.loads(line) for line in open(path)] if os.path.exists(path) else []


def sets(path):
    """(name, [(gold, answer, expected or None)], "pred" where the answer is one, "raw" where it is a whole reply)"""
    if path:
        rows = [json.loads(line) for line in open(path)]
        return [(path, [(row["gold"], row["pred"], row.get("expected")) for row in rows], "pred")]
    pairs = [(row["gold"], row["pred"], row["expected"]) for row in shared_rows("math_pairs.jsonl")
             if row.get("gold") and row.get("pred") and row["category"] != "hostile"]
    golds = [row["gold"] for row in shared_rows("gold_answers.jsonl") if row["set"] == "MATH500"]
    outputs = [(row["gold_answer_field"], row["raw_output"], row["expected"]) for row in shared_rows("qwen_math_outputs.jsonl")]
    return [("adversarial pairs", pairs, "pred"), ("MATH-500 against itself", [(gold, gold, True) for gold in golds], "pred"),
            ("real outputs, whole", outputs, "raw")]


TIMES = 10  # that our file holds all pairs


def theirs(pairs, field):
    """Wall microseconds for each pair, its verdict, and all CPU microseconds, by Math-Verify."""
    from math_verify import parse, verify
    times, verdicts = [], []
    cpu = time.process_time()
    for gold, pred, _ in pairs:
        begin = time.perf_counter()
        try:
            verdict = verify(parse(f"${gold}$", parsing_timeout=5), parse(pred if field == "raw" else f"${pred}$", parsing_timeout=5), timeout_seconds=5)
        except Exception:
            verdict = False
        times.append(1e6 * (time.perf_counter() - begin))
        verdicts.append(bool(verdict))
    return times, verdicts, 1e6 * (time.process_time() - cpu)


def children_cpu():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def ours(assay, pairs, field):
    """The same by `assay verify`: the times that it prints, which begin before the grader is asked and end with its verdict."""
    cpu = children_cpu()
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as out:
        for gold, pred, _ in pairs * TIMES:
            out.write(json.dumps({"gold": gold, field: pred}) + "\n")
        out.flush()
        end = subprocess.run([assay, "verify", "--pairs", out.name], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                             text=True, check=True)
    rows = [json.loads(line) for line in end.stdout.splitlines()]
    return ([row["microseconds"] for row in rows], [row["verdict"] == "correct" for row in rows[:len(pairs)]],
            1e6 * (children_cpu() - cpu))


def right(pairs, verdicts):
    known = [(verdict, expected) for verdict, (_, _, expected) in zip(verdicts, pairs) if expected is not None]
    wrongly = sum(verdict and not expected for verdict, expected in known)
    return f"{sum(verdict == expected for verdict, expected in known)} of {len(known)} as expected, {wrongly} wrongly equal"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build/release")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--pairs")
    options = parser.parse_args()
    assay = os.path.join(ROOT, options.build, "bin", "assay")
    try:
        from importlib.metadata import version
        import math_verify  # noqa: F401
        peer = f"Math-Verify {version('math-verify')}, sympy {version('sympy')}"
    except ImportError:
        sys.exit("this Python has no math_verify; see the top of this file")
    print(f"{peer}, Python {sys.version.split()[0]}; {options.build}; load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    for name, pairs, field in sets(options.pairs):
        if not pairs:
            continue
        theirs(pairs[:5], field)  # imports and caches
        runs = []
        for _ in range(options.repeats):
            peer_times, peer_verdicts, peer_cpu = theirs(pairs, field)
            our_times, our_verdicts, our_cpu = ours(assay, pairs, field)
            runs.append((peer_cpu, sum(peer_times), statistics.median(peer_times),
                         our_cpu / TIMES, sum(our_times) / TIMES, statistics.median(our_times)))
        middle = [statistics.median(run[i] for run in runs) for i in range(6)]
        for i in (0, 1, 3, 4):
            middle[i] /= len(pairs)
        print(f"{name}: {len(pairs)} pairs, us for each     CPU      mean    median")
        print(f"  Math-Verify {middle[0]:29.1f} {middle[1]:9.1f} {middle[2]:9.1f}   {right(pairs, peer_verdicts)}")
        print(f"  assay       {middle[3]:29.1f} {middle[4]:9.1f} {middle[5]:9.1f}   {right(pairs, our_verdicts)}")
        print(f"  ratio       {middle[0] / middle[3]:29.0f} {middle[1] / middle[4]:9.0f} {middle[2] / middle[5]:9.0f}")


if __name__ == "__main__":
    main()
