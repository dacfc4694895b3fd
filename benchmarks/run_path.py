#!/usr/bin/env python3
"""Measures the run path with real processes and prints a table: CPU per request, saturation, memory, start, finish, regrade.

usage: benchmarks/run_path.py [--build build/release] [--floor build/bench/bin/curl_floor] [--lm-eval PYTHON] [--quick]

The mock server runs on core 0 and assay on core 1. Every figure is the median of its repeats, with the spread; the load of
the machine before the start is printed, since these machines are shared. With --lm-eval (a Python that has lm_eval[api]),
lm-evaluation-harness answers the same questions from the same server in the same script.
"""
import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class Mock:
    """The mock server pinned to core 0."""

    def __init__(self, build, *flags):
        self.process = subprocess.Popen(
            ["taskset", "-c", "0", f"{build}/bin/assay-mock-server", "--port", "0", *map(str, flags)],
            stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())
        self.url = f"http://127.0.0.1:{self.port}/v1"

    def stats(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/stats") as reply:
            return json.load(reply)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()


def write_task(directory, problems, prompt_bytes, samples=1):
    filler = "x" * max(0, prompt_bytes - 40)
    with open(f"{directory}/bench.jsonl", "w") as out:
        for i in range(problems):
            question = f"Question {i}: what is 6 times 7? {filler}"
            out.write(json.dumps({"id": f"q{i}", "question": question, "answer": "42"}) + "\n")
    with open(f"{directory}/bench.yaml", "w") as out:
        out.write(f"""name: bench
version: "1"
about: Generated questions for the benchmarks.
dataset:
  file: bench.jsonl
fields:
  id: id
  reference: answer
prompt: "{{{{ question }}}}"
extract:
  name: boxed
grader:
  name: math
samples: {samples}
metrics: [pass@1]
""")


def resident_megabytes(pid):
    with open(f"/proc/{pid}/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def measure(command, environment=None, watch=None):
    """(wall s, user + system s, peak RSS MB, stdout) of a command pinned to core 1. `watch` takes the resident MB, five
    times a second."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        start = time.monotonic()
        child = subprocess.Popen(["taskset", "-c", "1", *map(str, command)], stdout=out, stderr=err,
                                 env={**os.environ, **(environment or {})})
        done, status, usage = 0, 0, None
        while watch is not None and done == 0:
            time.sleep(0.2)
            watch.append(resident_megabytes(child.pid))
            done, status, usage = os.wait4(child.pid, os.WNOHANG)
        if done == 0:
            _, status, usage = os.wait4(child.pid, 0)
        wall = time.monotonic() - start
        out.seek(0)
        err.seek(0)
        if status != 0:
            sys.exit(f"{' '.join(map(str, command))}\nstatus {status}:\n{err.read()[-3000:]}{out.read()[-2000:]}")
        return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, out.read()


def spread(values, scale=1.0):
    values = sorted(v * scale for v in values)
    return f"{statistics.median(values):.1f} ({values[0]:.1f}..{values[-1]:.1f})"


def run_assay(build, directory, url, *flags, watch=None):
    for name in os.listdir(directory):
        if name.startswith("runs.db"):
            os.remove(f"{directory}/{name}")
    return measure([f"{build}/bin/assay", "run", "--model", "mock", "--base-url", url, "--tasks",
                    f"{directory}/bench.yaml", "--db", f"{directory}/runs.db", "--quiet", *flags], watch=watch)


def row(what, wanted, found):
    print(f"| {what} | {wanted} | {found} |", flush=True)


def cost_per_request(args, work, repeats, size):
    """Fetch to stored: a whole run's CPU time less that of `assay show`, which starts the same program, opens the same
    database and prints the same table. The floor, a bare libcurl loop that throws the replies away, takes turns with it."""
    for kilobytes, stream, wanted, count in ((2, "false", "<= 60 us", 20000), (64, "false", "<= 150 us", 5000),
                                             (2, "true", "", 10000), (64, "true", "", 2000)):
        n = count // size
        write_task(work, n, 100)
        found, whole, rates, floors = [], [], [], []
        with Mock(args.build, "--body-bytes", kilobytes * 1024) as mock:
            for _ in range(repeats):
                wall, used, _, _ = run_assay(args.build, work, mock.url, "--max-connections", 64, "--model-args",
                                             f"stream={stream}")
                shown = measure([f"{args.build}/bin/assay", "show", "last", "--db", f"{work}/runs.db"])[1]
                whole.append(used / n)
                found.append((used - shown) / n)
                rates.append(n / wall)
                if stream == "false":
                    floors.append(float(measure([f"{args.floor}", mock.url, n, 64])[3]) / 1e6)
        how = "plain" if stream == "false" else "streamed in pieces of 64 bytes"
        row(f"CPU per request, {n} requests, {kilobytes} KB replies {how}, 64 in flight, fetch to stored", wanted,
            spread(found, 1e6) + " us")
        row("the same, start and final table included", "", spread(whole, 1e6) + " us")
        if floors:
            row("a bare libcurl loop on the same server, in turn", "", spread(floors, 1e6) + " us")
            row("ratio of the medians, fetch to stored", "", f"{statistics.median(found) / statistics.median(floors):.1f} x")
        row("requests per second, same runs", "", spread(rates))


def saturation(args, work, repeats, size):
    n = 51200 // size
    write_task(work, n, 100)
    for kilobytes, stream, wanted in ((2, "false", ">= 95 %"), (20, "true", "")):
        found = []
        with Mock(args.build, "--body-bytes", kilobytes * 1024, "--delay-ms", 100) as mock:
            for _ in range(min(repeats, 3)):
                wall, _, _, _ = run_assay(args.build, work, mock.url, "--max-connections", 256, "--model-args", f"stream={stream}")
                found.append(n / wall / (256 / 0.1))
        how = "plain" if stream == "false" else "streamed in pieces of 64 bytes"
        row(f"saturation at 256 connections and 100 ms, {n} requests, {kilobytes} KB {how} (start, slow start and end included)",
            wanted, spread(found, 100) + " %")


def memory(args, work, size):
    for n in (50000 // size, 500000 // size):
        write_task(work, n, 4096)
        resident = []
        with Mock(args.build, "--body-bytes", 256) as mock:
            wall, _, peak, _ = run_assay(args.build, work, mock.url, "--max-connections", 64, watch=resident)
        row(f"memory while it asks, {n} prompts of 4 KB (the middle of the readings)", "<= 150 MB, flat",
            f"{statistics.median(resident) if resident else 0:.0f} MB (in {wall:.0f} s)")
        row(f"peak memory, the final table over {n} problems included", "<= 150 MB", f"{peak:.0f} MB")


def start_and_finish(args, work, repeats, size):
    write_task(work, 50, 100)
    found = []
    with Mock(args.build, "--body-bytes", 256) as mock:
        for _ in range(repeats):
            found.append(run_assay(args.build, work, mock.url, "--max-connections", 64)[0])
    row("a whole run of 50 requests, program start to exit (bounds start to first request)", "<= 100 ms",
        spread(found, 1000) + " ms")
    n = 32000 // size
    write_task(work, n // 8, 100, samples=8)
    with Mock(args.build, "--body-bytes", 2048) as mock:
        run_assay(args.build, work, mock.url, "--max-connections", 64)
    shown, regraded = [], []
    for _ in range(repeats):
        base = [f"{args.build}/bin/assay"]
        shown.append(measure(base + ["show", "last", "--db", f"{work}/runs.db", "--json"])[0])
        regraded.append(measure(base + ["grade", "last", "--db", f"{work}/runs.db"])[0])
    row(f"stored samples to printed score, {n} samples", "<= 1 s", spread(shown) + " s")
    row(f"assay grade over {n} stored samples, one core", "<= 10 s", spread(regraded) + " s")


def compare_lm_eval(args, work, size):
    """The same questions from the same server; both store every sample."""
    n = 5000 // size
    write_task(work, n, 100)
    with open(f"{work}/lm_bench.yaml", "w") as out:
        out.write(f"""task: lm_bench
dataset_path: json
dataset_kwargs:
  data_files: {work}/bench.jsonl
test_split: train
output_type: generate_until
doc_to_text: "{{{{question}}}}"
doc_to_target: "{{{{answer}}}}"
generation_kwargs:
  until: []
metric_list:
  - metric: exact_match
    aggregation: mean
    higher_is_better: true
filter_list:
  - name: boxed
    filter:
      - function: regex
        regex_pattern: "boxed\\\\{{(-?[0-9]+)\\\\}}"
      - function: take_first
""")
    environment = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "HF_HOME": f"{work}/hf", "OPENAI_API_KEY": "none"}
    with Mock(args.build, "--body-bytes", 2048) as mock:
        def lm_eval(limit):
            model_args = f"model=mock,base_url={mock.url}/chat/completions,num_concurrent=64,max_retries=3"
            return measure([args.lm_eval, "-m", "lm_eval", "run", "--model", "local-chat-completions", "--model_args",
                            model_args, "--tasks", "lm_bench", "--include_path", work, "--apply_chat_template",
                            "--log_samples", "--output_path", f"{work}/lm_out", "--limit", limit], environment)
        # Its start (imports, dataset build) is measured with two questions and taken off, which favours it.
        start = lm_eval(2)
        full = lm_eval(n)
        whole = run_assay(args.build, work, mock.url, "--max-connections", 64)
    theirs = (full[1] - start[1]) / n
    row(f"lm-evaluation-harness, CPU per request beyond its start, {n} requests, 2 KB", "",
        f"{theirs * 1e6:.0f} us (start alone {start[0]:.1f} s)")
    row("ratio to assay's CPU per request (assay's start included)", "", f"{theirs / (whole[1] / n):.1f} x")
    row(f"wall, whole program, {n} requests", "",
        f"lm-eval {full[0]:.1f} s, assay {whole[0]:.2f} s: {full[0] / whole[0]:.0f} x")
    row("peak memory", "", f"lm-eval {full[2]:.0f} MB, assay {whole[2]:.0f} MB")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default=f"{ROOT}/build/release")
    parser.add_argument("--floor", default=f"{ROOT}/build/bench/bin/curl_floor", help="the program curl_floor, of the bench preset")
    parser.add_argument("--lm-eval", default="", help="a Python that has lm_eval[api]")
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that it works")
    args = parser.parse_args()
    repeats, size = (1, 10) if args.quick else (5, 1)
    work = tempfile.mkdtemp(prefix="assay_bench_")
    print(f"load before the start: {os.getloadavg()}; {os.cpu_count()} cores; {time.strftime('%Y-%m-%d %H:%M')}\n")
    print("| what | wanted | median (lowest..highest) |\n|---|---|---|")
    try:
        cost_per_request(args, work, repeats, size)
        saturation(args, work, repeats, size)
        start_and_finish(args, work, repeats, size)
        if args.lm_eval:
            compare_lm_eval(args, work, size)
        memory(args, work, size)
    finally:
        shutil.rmtree(work)


if __name__ == "__main__":
    main()
