#!/usr/bin/env python3
"""Measures `assay grade` on a stored run of math replies: 32,000 samples by default.

usage: benchmarks/math_regrade.py [--build build/release] [--outputs FILE.jsonl] [--samples N] [--cores 0,1]

FILE has real replies (idx, sample, question, gold_answer_field, raw_output, expected; the default is the shared vectors'
qwen_math_outputs.jsonl); they are repeated under further sample indices until there are enough, imported once with a task
made of their own questions, and graded again by a fresh process. Every reply is searched and judged each time: nothing is
remembered between repetitions. Prints wall and CPU seconds, and checks every verdict against `expected`.
"""
import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def repeated(rows, wanted):
    """The rows with an index each within its problem, again and again."""
    counts = {}
    written = 0
    while written < wanted:
        for row in rows:
            if written == wanted:
                return
            index = counts.get(row["idx"], 0)
            counts[row["idx"]] = index + 1
            written += 1
            yield row, index


def write_outputs(path, rows, wanted):
    expected = {}
    with open(path, "w") as out:
        for row, index in repeated(rows, wanted):
            expected[(str(row["idx"]), index)] = row["expected"]
            out.write(json.dumps({"id": row["idx"], "index": index, "question": row["question"],
                                  "reference": row["gold_answer_field"], "completion": row["raw_output"]}) + "\n")
    return expected


def run(words):
    """Wall and CPU seconds of a command; CPU with that of its children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begin = time.monotonic()
    end = subprocess.run(words, stdout=subprocess.PIPE, check=True)
    wall = time.monotonic() - begin
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return wall, cpu, end.stdout.decode()


def against_expected(assay, database, directory, expected):
    """How many verdicts are not what was expected."""
    lines = f"{directory}/exported.jsonl"
    subprocess.run([assay, "export", "last", "--db", database, "-o", lines], check=True, stdout=subprocess.DEVNULL)
    wrong = 0
    for line in open(lines):
        row = json.loads(line)
        correct = row["verdict"]["outcome"] == "correct"
        wrong += correct != expected[(row["problem_id"], row["index"])]
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build/release")
    parser.add_argument("--outputs", default=os.path.join(ROOT, "..", "shared", "vectors", "qwen_math_outputs.jsonl"))
    parser.add_argument("--samples", type=int, default=32000)
    parser.add_argument("--cores", default="0,1")
    options = parser.parse_args()
    assay = os.path.join(ROOT, options.build, "bin", "assay")
    if not os.path.exists(options.outputs):
        sys.exit(f"no {options.outputs}: the replies to repeat")
    rows = [json.loads(line) for line in open(options.outputs)]
    print(f"load average at the start: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; {options.build}")
    with tempfile.TemporaryDirectory() as directory:
        expected = write_outputs(f"{directory}/outputs.jsonl", rows, options.samples)
        database = f"{directory}/assay.db"
        wall, cpu, _ = run(["taskset", "-c", options.cores, assay, "import", f"{directory}/outputs.jsonl", "--make-task",
                            f"{directory}/replies.yaml", "--db", database, "--quiet"])
        print(f"import   {len(expected)} samples: {wall:6.2f} s wall, {cpu:6.2f} s CPU")
        for _ in range(3):
            wall, cpu, out = run(["taskset", "-c", options.cores, assay, "grade", "last", "--db", database])
            print(f"grade    {len(expected)} samples: {wall:6.2f} s wall, {cpu:6.2f} s CPU "
                  f"({1e6 * cpu / len(expected):.1f} us CPU each); {out.splitlines()[0]}")
        wrong = against_expected(assay, database, directory, expected)
        print(f"verdicts other than expected: {wrong} of {len(expected)}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
