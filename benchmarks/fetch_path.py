#!/usr/bin/env python3
"""Compares `assay datasets fetch` with curl on the same local server and the same file, taking turns.

usage: fetch_path.py BIN_DIR [MEGABYTES] [TURNS]

Prints medians of wall time: curl into a file; the download alone, as assay does it (received, written,
hashed, synced), told by its own progress; and the whole command, which also reads every row.
"""
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time


def make_rows(path, megabytes):
    """Rows like LiveCodeBench's: some text, and tests of a few hundred kilobytes in base64."""
    with open(path, "w") as out:
        number = 0
        while out.tell() < megabytes * 1_000_000:
            tests = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo" * (2000 + 3000 * (number % 5))
            text = "Given n numbers, print \\ their \"sum\".\n" * 20
            out.write(json.dumps({"question_id": str(number), "question_content": text,
                                  "private_test_cases": tests}) + "\n")
            number += 1
    return number


def main():
    bin_dir = pathlib.Path(sys.argv[1]).resolve()
    megabytes = int(sys.argv[2]) if len(sys.argv) > 2 else 300
    turns = int(sys.argv[3]) if len(sys.argv) > 3 else 5
    with tempfile.TemporaryDirectory() as work:
        work = pathlib.Path(work)
        big = work / "big.jsonl"
        rows = make_rows(big, megabytes)
        size = big.stat().st_size
        server = subprocess.Popen([bin_dir / "assay-mock-hub", big], stdout=subprocess.PIPE, text=True)
        endpoint = server.stdout.readline().strip()
        (work / "catalogue").mkdir()
        (work / "catalogue" / "catalogue.yaml").write_text(
            f"sets:\n  - {{name: big, file: big.jsonl, rows: {rows}, origin: mock, licence: none,\n"
            "     fetch: resolve, hub_id: mock/files, files: [big.jsonl]}\n")
        env = dict(os.environ, HF_ENDPOINT=endpoint, HOME=str(work), HF_TOKEN="",
                   ASSAY_DATA=f"{work}/data:{work}/catalogue")
        times = {"curl": [], "fetch": [], "download": []}
        for _ in range(turns):
            begun = time.monotonic()
            subprocess.run(["curl", "-sS", "--noproxy", "*", "-o", work / "curl.out",
                            f"{endpoint}/datasets/mock/files/resolve/main/big.jsonl"], check=True)
            times["curl"].append(time.monotonic() - begun)
            os.unlink(work / "curl.out")
            begun = time.monotonic()
            out = subprocess.run([bin_dir / "assay", "datasets", "fetch", "big", "--json"], env=env,
                                 check=True, capture_output=True, text=True)
            times["fetch"].append(time.monotonic() - begun)
            times["download"].append(json.loads(out.stdout)[0]["download_seconds"])
            subprocess.run(["rm", "-rf", work / "data"], check=True)
        server.terminate()
        load = os.getloadavg()[0]
        print(f"{size / 1e6:.0f} MB, {rows} rows, {turns} turns, load {load:.1f}")
        for name, values in times.items():
            middle = statistics.median(values)
            print(f"{name:9} {middle:.3f} s ({min(values):.3f}..{max(values):.3f}), "
                  f"{size / 1e6 / middle:.0f} MB/s")
        ratio = statistics.median(c / d for c, d in zip(times["curl"], times["download"]))
        print(f"download reaches {100 * ratio:.0f} % of curl (median of the turns' ratios)")
        ratio = statistics.median(c / d for c, d in zip(times["curl"], times["fetch"]))
        print(f"the whole command reaches {100 * ratio:.0f} %")


main()
