#!/usr/bin/env python3
"""code_bench beside LiveCodeBench's own runner: the same Python programs and tests, taking turns.

usage: benchmarks/code_compare.py PYTHON CODEGEN_METRICS [--build DIR] [--turns N]

PYTHON has numpy and tqdm; CODEGEN_METRICS is a copy of LiveCodeBench's runner that has `evaluate_generations`, such as
lighteval's tasks/lcb/codegen_metrics.py. Both judge 50 solutions with 20 tests each in two processes. Ratios are told in
wall time and in CPU time (all processes together); the runner's start and imports are not counted, its verdicts are checked."""
import argparse
import json
import os
import statistics
import subprocess
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

# Runs in PYTHON. The problem and the programs are those of code_bench.cc, with other random numbers.
THEIRS = r'''
import importlib.util, json, random, resource, sys, time
spec = importlib.util.spec_from_file_location("codegen_metrics", sys.argv[1])
runner = importlib.util.module_from_spec(spec)
sys.modules["codegen_metrics"] = runner
spec.loader.exec_module(runner)
random.seed(1)
inputs, outputs = [], []
for _ in range(20):
    values = [random.randint(-1000, 1000) for _ in range(50)]
    inputs.append(" ".join(map(str, values)) + "\n")
    outputs.append(f"{sum(values)} {max(values)}\n")
problem = {"input_output": json.dumps({"inputs": inputs, "outputs": outputs, "fn_name": None})}
solutions = [[f"# {i}\nimport sys\ndef main():\n    x = list(map(int, sys.stdin.read().split()))\n    print(sum(x), max(x))\nmain()\n"]
             for i in range(50)]
def cpu():
    return sum(u.ru_utime + u.ru_stime for u in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)))
start, used = time.monotonic(), cpu()
found = runner.evaluate_generations([problem] * 50, solutions, num_process_evaluate=2, timeout=6)
wall, used = time.monotonic() - start, cpu() - used
assert all(result == [[True] * 20] for result in found.values()), found
print(json.dumps([wall / 1000 * 1e6, used / 1000 * 1e6]))
'''


def ours(build, name):
    out = subprocess.run([f"{build}/bin/code_bench", f"--benchmark_filter={name}/", "--benchmark_format=json", "--benchmark_min_time=0.5"],
                         check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    found = json.loads(out.stdout)["benchmarks"][0]
    return [1e6 / found["items_per_second"], found["cpu_us"]]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("python")
    parser.add_argument("runner")
    parser.add_argument("--build", default=f"{ROOT}/build/bench")
    parser.add_argument("--turns", type=int, default=5)
    args = parser.parse_args()
    print(f"{time.strftime('%Y-%m-%d %H:%M')}, load {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores; us a test: wall, CPU")
    turns = {"runner": [], "lcb": [], "native": []}
    with tempfile.NamedTemporaryFile("w", suffix=".py") as script:
        script.write(THEIRS)
        script.flush()
        for _ in range(args.turns):
            out = subprocess.run([args.python, script.name, args.runner], check=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            turns["runner"].append(json.loads(out.stdout))
            turns["lcb"].append(ours(args.build, "PythonLcb"))
            turns["native"].append(ours(args.build, "PythonNative"))
            print("  ".join(f"{who} {values[-1][0]:.0f}, {values[-1][1]:.0f}" for who, values in turns.items()), flush=True)
    for who, wanted in (("lcb", 8), ("native", 1)):
        for i, what in enumerate(("wall", "CPU")):
            ratios = sorted(theirs[i] / mine[i] for theirs, mine in zip(turns["runner"], turns[who]))
            print(f"{who}, {what} time: {statistics.median(ratios):.2f} x ({ratios[0]:.2f}..{ratios[-1]:.2f}), wanted {wanted} x")


if __name__ == "__main__":
    main()
