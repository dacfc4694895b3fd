#!/usr/bin/env python3
"""Compares every reference of a set with every other one, and lists the pairs that the checker calls equal.

usage: benchmarks/math_sweep.py [--build build/release] [--references FILE.jsonl] [--jobs N]

FILE has fields `set` and `gold` (default: the shared vectors' gold_answers.jsonl). Two different references of one set are
hardly ever the same answer, so that each pair that is called equal is either the same answer in two spellings, or a false
positive: the list is to be read. Each pair is compared one way, and what is called equal the other way too.
"""
import argparse
import collections
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def references(path):
    sets = collections.defaultdict(dict)
    for line in open(path):
        row = json.loads(line)
        if row["gold"].strip():
            sets[row["set"]][row["gold"]] = None
    return {name: list(golds) for name, golds in sets.items()}


def equal_pairs(assay, directory, number, pairs):
    """(gold, pred, why) of the pairs of one file that are called correct, and how many were undecided."""
    path = f"{directory}/pairs_{number}.jsonl"
    with open(path, "w") as out:
        for gold, pred in pairs:
            out.write(json.dumps({"gold": gold, "pred": pred}) + "\n")
    process = subprocess.Popen([assay, "verify", "--pairs", path], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    equal, undecided = [], 0
    for (gold, pred), line in zip(pairs, process.stdout):
        if '"verdict":"correct"' in line:
            equal.append((gold, pred, json.loads(line)["why"]))
        elif '"verdict":"undecided"' in line:
            undecided += 1
    if process.wait() != 0:
        sys.exit(f"assay verify failed on {path}")
    os.remove(path)
    return equal, undecided


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build/release")
    parser.add_argument("--references", default=os.path.join(ROOT, "..", "shared", "vectors", "gold_answers.jsonl"))
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()
    assay = os.path.join(ROOT, options.build, "bin", "assay")
    begin = time.monotonic()
    compared = total_undecided = 0
    found = []
    with tempfile.TemporaryDirectory() as directory, ThreadPoolExecutor(options.jobs) as pool:
        for name, golds in references(options.references).items():
            pairs = list(itertools.combinations(golds, 2))
            chunks = [pairs[i:i + 50000] for i in range(0, len(pairs), 50000)]
            jobs = [pool.submit(equal_pairs, assay, directory, f"{name}_{i}", chunk) for i, chunk in enumerate(chunks)]
            for job in jobs:
                equal, undecided = job.result()
                total_undecided += undecided
                found += [(name, gold, pred, why) for gold, pred, why in equal]
            compared += len(pairs)
        backwards, _ = equal_pairs(assay, directory, "backwards", [(pred, gold) for _, gold, pred, _ in found])
    both = {(pred, gold) for gold, pred, _ in backwards}
    for name, gold, pred, why in found:
        print(f"{name}\t{gold!r}\t{pred!r}\t{why}\t{'both ways' if (gold, pred) in both else 'this way only'}")
    print(f"{compared} pairs: {len(found)} called equal, {total_undecided} undecided; "
          f"{time.monotonic() - begin:.0f} s, load average {os.getloadavg()[0]:.1f}", file=sys.stderr)


if __name__ == "__main__":
    main()
