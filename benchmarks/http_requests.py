#!/usr/bin/env python3
"""Measures what a request costs the endpoint backend: real processes, the mock server on core 0, the client on core 1.

    benchmarks/http_requests.py [BIN_DIRECTORY] [RUNS]

BIN_DIRECTORY is build/bench/bin by default. Prints one row per workload: the median of RUNS (5) runs with the quartiles of
the CPU time, and the machine's load before and after.
"""
import json
import os
import statistics
import subprocess
import sys

WORKLOADS = [
    # name, server flags, requests, connections, prompt bytes, mode, target
    ("2 KB replies, 64 at once", ["--body-bytes", "2048"], 40000, 64, 500, "plain", "<= 35 us"),
    ("64 KB replies, 64 at once", ["--body-bytes", "65536"], 10000, 64, 500, "plain", "<= 150 us"),
    ("2 KB replies, 4 KB prompts", ["--body-bytes", "2048"], 40000, 64, 4096, "plain", ""),
    ("2 KB streamed by 64 bytes", ["--body-bytes", "2048", "--chunk-bytes", "64"], 20000, 64, 500, "stream", ""),
    ("2 KB, 256 at once, 100 ms", ["--body-bytes", "2048", "--delay-ms", "100"], 20000, 256, 500, "plain", ">= 2432/s"),
    ("2 KB, 1024 at once, 100 ms", ["--body-bytes", "2048", "--delay-ms", "100"], 60000, 1024, 500, "plain", ">= 9728/s"),
    ("2 KB, 5 % 429, 1 % resets", ["--body-bytes", "2048", "--rate-429", "0.05", "--rate-reset", "0.01"], 20000, 64, 500,
     "plain", "0 lost"),
]


def pinned(core, words):
    """The command with its core fixed, where there is more than one core."""
    return (["taskset", "-c", str(core)] if (os.cpu_count() or 1) > 1 else []) + words


def run_once(binaries, flags, requests, connections, prompt_bytes, mode):
    """One server, one client; the client's figures."""
    server = subprocess.Popen(pinned(0, [f"{binaries}/assay-mock-server", "--port", "0", *flags]), stdout=subprocess.PIPE, text=True)
    try:
        port = server.stdout.readline().strip()
        client = subprocess.run(
            pinned(1, [f"{binaries}/http_client", f"http://127.0.0.1:{port}/v1", str(requests), str(connections), str(prompt_bytes), mode]),
            stdout=subprocess.PIPE, text=True, check=False)
        figures = json.loads(client.stdout)
        figures["lost"] = requests - figures["good"]
        return figures
    finally:
        server.terminate()
        server.wait()


def main():
    """Runs every workload and prints the table."""
    binaries = sys.argv[1] if len(sys.argv) > 1 else "build/bench/bin"
    runs = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    print(f"load before: {os.getloadavg()[0]:.2f} on {os.cpu_count()} cores")
    print(f"| {'workload':28} | CPU us/request (quartiles) | requests/s | RSS MB | lost | target |")
    print("|---|---|---|---|---|---|")
    for name, flags, requests, connections, prompt_bytes, mode, target in WORKLOADS:
        all_figures = [run_once(binaries, flags, requests, connections, prompt_bytes, mode) for _ in range(runs)]
        cpu = sorted(figures["cpu_us_per_request"] for figures in all_figures)
        low, middle, high = statistics.quantiles(cpu, n=4) if runs > 1 else (cpu[0],) * 3
        rate = statistics.median(figures["requests_per_second"] for figures in all_figures)
        memory = max(figures["rss_mb"] for figures in all_figures)
        lost = sum(figures["lost"] for figures in all_figures)
        print(f"| {name:28} | {middle:.1f} ({low:.1f}-{high:.1f}) | {rate:,.0f} | {memory:.1f} | {lost} | {target} |", flush=True)
    print(f"load after: {os.getloadavg()[0]:.2f}")


if __name__ == "__main__":
    main()
