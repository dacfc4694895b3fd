#!/usr/bin/env python3
"""Grades stored samples in LiveCodeBench's form: time, cores, memory, and what kills change.

usage: code_resume.py ASSAY [SAMPLES] [KILLS] [SEED]        1000 samples, 5 kills

The problems are made here (20 tests each; hidden ones in base64, zlib and pickle), a fifth of the samples each: right,
right another way, wrong, a crash, a syntax error. Graded are a quarter of them and all of them, undisturbed; then all of
them again with kill -9 at random moments and `assay grade --missing` after each. Prints what was found; the exit status
is 1 where verdicts or table differ.
"""
import base64
import json
import os
import pickle
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zlib


def row(problem):
    factor, more = 2 + problem % 7, 3 * problem
    tests = []
    for t in range(20):
        numbers = [(problem * 31 + t * 17 + i * 7) % 1000 for i in range(5)]
        tests.append({"input": "5\n%s\n" % " ".join(map(str, numbers)),
                      "output": "".join("%d\n" % (factor * x + more) for x in numbers), "testtype": "stdin"})
    return {"question_id": "p%d" % problem, "question_title": "affine-%d" % problem, "platform": "own",
            "question_content": "Print %d * x + %d of each x." % (factor, more), "difficulty": "easy",
            "starter_code": "", "contest_date": "2024-09-01T00:00:00", "metadata": "{}",
            "public_test_cases": json.dumps(tests[:2]),
            "private_test_cases": base64.b64encode(zlib.compress(pickle.dumps(json.dumps(tests[2:])))).decode()}


def sample(problem, index):
    factor, more = 2 + problem % 7, 3 * problem
    right = "input()\nfor x in map(int, input().split()): print(%d * x + %d)" % (factor, more)
    other = ("import sys\nprint('\\n'.join(str(int(x) * %d + %d) for x in sys.stdin.read().split()[1:]))"
             % (factor, more))
    body = (right, other, right + "\nprint(0)", "1 / 0", "def f(:")[(index + problem) % 5]
    return {"question_id": "p%d" % problem, "index": index, "completion": "So:\n```python\n%s\n```\n" % body}


def make(assay, folder, samples):
    problems = max(1, samples // 10)
    names = [os.path.join(folder, "%s%d%s" % (name, samples, end))
             for name, end in (("rows", ".jsonl"), ("samples", ".jsonl"), ("ungraded", ".db"))]
    with open(names[0], "w") as rows, open(names[1], "w") as replies:
        for problem in range(problems):
            rows.write(json.dumps(row(problem)) + "\n")
            for index in range(10):
                replies.write(json.dumps(sample(problem, index)) + "\n")
    # Without a sandbox nothing is graded.
    subprocess.run([assay, "import", names[1], "-t", "livecodebench", "--dataset-file", names[0], "--id-field",
                    "question_id", "--index-field", "index", "--completion-field", "completion", "--db", names[2], "-q"],
                   env={**os.environ, "ASSAY_SANDBOXD": "/nowhere"}, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
    return names[2]


def grade(assay, database, seconds=None):
    """Wall and CPU seconds and the harness's own peak in MiB; None where it was killed after `seconds`."""
    began, before = time.monotonic(), os.times()
    process = subprocess.Popen([assay, "grade", "--missing", "--db", database, "--json"], stdout=subprocess.DEVNULL)
    peak = 0
    while True:
        pid, status, _ = os.wait4(process.pid, os.WNOHANG)
        if pid:
            process.returncode = status
            break
        try:
            with open("/proc/%d/status" % process.pid) as file:
                peak = max([peak] + [int(line.split()[1]) for line in file if line.startswith("VmHWM")])
        except OSError:
            pass
        if seconds is not None and time.monotonic() - began > seconds:
            process.send_signal(signal.SIGKILL)
            os.waitpid(process.pid, 0)
            process.returncode = -9
            return None
        time.sleep(0.01)
    after = os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return time.monotonic() - began, cpu, peak / 1024


def found(assay, database):
    text = subprocess.run([assay, "export", "last", "--db", database, "-o", "-"], capture_output=True, text=True).stdout
    verdicts = {}
    for line in text.splitlines():
        one = json.loads(line)
        if one.get("verdict"):
            verdicts[one["problem_id"], one["index"]] = one["verdict"]["outcome"], one["verdict"]["why"]
    table = subprocess.run([assay, "show", "last", "--db", database], capture_output=True, text=True).stdout
    return verdicts, table.partition("\ntask  ")[2]


def main():
    assay = os.path.abspath(sys.argv[1])
    samples, kills, seed = [int(word) for word in sys.argv[2:] + ["1000", "5", "1"][len(sys.argv) - 2:]]
    random.seed(seed)
    with tempfile.TemporaryDirectory() as folder:
        quarter = grade(assay, make(assay, folder, samples // 4))
        database = make(assay, folder, samples)
        undisturbed, killed = (os.path.join(folder, name) for name in ("undisturbed.db", "killed.db"))
        for copy in (undisturbed, killed):
            shutil.copy(database, copy)
        wall, cpu, peak = grade(assay, undisturbed)
        wanted = found(assay, undisturbed)
        print("%d samples: %.1f s, %.1f s of CPU by the harness itself, peak %.1f MiB; a quarter: %.1f s, "
              "peak %.1f MiB; load %.1f" % (samples, wall, cpu, peak, quarter[0], quarter[2], os.getloadavg()[0]))
        steps = []
        for _ in range(kills):
            if grade(assay, killed, random.uniform(0.05, 0.3) * wall) is not None:
                break
            steps.append(len(found(assay, killed)[0]))
        grade(assay, killed)
        same = found(assay, killed) == wanted and len(wanted[0]) == samples
        print("killed with %s verdicts stored; in the end %s" % (steps, "the same" if same else "NOT the same"))
        return 0 if same and steps == sorted(steps) else 1


if __name__ == "__main__":
    sys.exit(main())
