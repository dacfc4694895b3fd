"""Compares the embedded engine with llama.cpp on the same machine: decoding a model of the 0.5B shape, one and many in flight.

usage: llama_cpp_compare.py --engine BUILD/bin/engine_bench --llama LLAMA_BUILD/bin [--rounds 3] [--threads 2] [--model FILE.gguf]
                            [--prefix "chrt -f 1"]

Development only: needs the Python package `gguf` (and numpy) where the model is not there yet, and llama.cpp's programs
`llama-bench` and `llama-batched-bench`, built for this machine (GGML_NATIVE). Both run the shape of Qwen2.5-0.5B with random
bf16 weights, and take turns; what is printed are medians, and each round's figures. llama.cpp draws no token in these
programs (its figures are for the model alone); ours does, from 151,936 ids with top-p 0.95.
"""
import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile

HIDDEN, LAYERS, HEADS, KV_HEADS, FFN, VOCABULARY, POSITIONS = 896, 24, 14, 2, 4864, 151936, 4096


def write_model(path):
    import gguf
    import numpy

    random = numpy.random.default_rng(1)
    bf16 = gguf.GGMLQuantizationType.BF16
    writer = gguf.GGUFWriter(path, "qwen2")
    writer.add_name("random weights of Qwen2.5-0.5B's shape")
    writer.add_context_length(POSITIONS)
    writer.add_embedding_length(HIDDEN)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(FFN)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_rope_freq_base(1e6)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_BF16)
    # A vocabulary of the right size whose tokens mean nothing: the benchmarks draw ids at random.
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    tokens = [chr(33 + i) if i < 94 else f"t{i}" for i in range(VOCABULARY)]
    writer.add_token_list(tokens)
    writer.add_token_types([gguf.TokenType.NORMAL] * VOCABULARY)
    writer.add_token_merges(["t 1"])
    writer.add_eos_token_id(VOCABULARY - 1)
    writer.add_bos_token_id(VOCABULARY - 2)

    def matrix(name, rows, columns, deviation):
        values = random.standard_normal((rows, columns), dtype=numpy.float32) * deviation
        words = (values.view(numpy.uint32) >> 16).astype(numpy.uint16)
        writer.add_tensor(name, words.view(numpy.uint8), raw_shape=(rows, columns * 2), raw_dtype=bf16)

    def vector(name, size, value):
        writer.add_tensor(name, numpy.full(size, value, dtype=numpy.float32))

    matrix("token_embd.weight", VOCABULARY, HIDDEN, 2.5 / HIDDEN**0.5)
    vector("output_norm.weight", HIDDEN, 1)
    width = HIDDEN // HEADS * KV_HEADS
    for layer in range(LAYERS):
        block = f"blk.{layer}."
        for name, rows, columns in [("attn_q", HIDDEN, HIDDEN), ("attn_k", width, HIDDEN), ("attn_v", width, HIDDEN),
                                    ("attn_output", HIDDEN, HIDDEN), ("ffn_gate", FFN, HIDDEN), ("ffn_up", FFN, HIDDEN),
                                    ("ffn_down", HIDDEN, FFN)]:
            matrix(f"{block}{name}.weight", rows, columns, columns**-0.5)
        for name, size in [("attn_q", HIDDEN), ("attn_k", width), ("attn_v", width)]:
            vector(f"{block}{name}.bias", size, 0)
        vector(block + "attn_norm.weight", HIDDEN, 1)
        vector(block + "ffn_norm.weight", HIDDEN, 1)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def run(prefix, words):
    end = subprocess.run(prefix + words, capture_output=True, text=True)
    if end.returncode != 0:
        sys.exit(f"{' '.join(words)}: status {end.returncode}\n{end.stdout[-2000:]}\n{end.stderr[-2000:]}")
    return end.stdout


def ours(options, flight):
    out = run(options.prefix, [options.engine, "half", "--flight", str(flight), "--threads", str(options.threads), "--dir", options.dir])
    found = re.search(rf"0\.5B shape, {flight} in flight\s+([\d.]+) tokens/s", out)
    return float(found.group(1)) if found else sys.exit(f"engine_bench said nothing of {flight} in flight:\n{out}")


def theirs(options, flight, flash):
    # As many tokens behind a prompt of 64 as engine_bench draws.
    drawn = str(24 + 40 // flight)
    words = [f"{options.llama}/llama-batched-bench", "-m", options.model, "-t", str(options.threads), "-tb", str(options.threads), "-c",
             "4096", "-b", "512", "-ub", "512", "-npp", "64", "-ntg", drawn, "-npl", str(flight), "-fa", flash, "--output-format", "jsonl"]
    for _ in range(5):  # it may end before its log has written the line
        lines = [json.loads(line) for line in run(options.prefix, words).splitlines() if line.startswith("{")]
        if lines:
            return lines[-1]["speed_tg"]
    sys.exit("llama-batched-bench ended five times without a figure")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--engine", required=True)
    parser.add_argument("--llama", required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--flights", default="1,32")
    parser.add_argument("--model")
    parser.add_argument("--prefix", type=str.split, default=[])
    options = parser.parse_args()
    options.dir = os.path.join(tempfile.gettempdir(), "assay_llama_cpp_compare")
    os.makedirs(options.dir, exist_ok=True)
    options.model = options.model or os.path.join(options.dir, "half.gguf")
    if not os.path.exists(options.model):
        write_model(options.model)
    for flight in map(int, options.flights.split(",")):
        sides = {"ours": lambda: ours(options, flight), "llama.cpp": lambda: theirs(options, flight, "off"),
                 "llama.cpp, flash attention": lambda: theirs(options, flight, "on")}
        found = {name: [] for name in sides}
        for _ in range(options.rounds):
            for name, measure in sides.items():
                found[name].append(measure())
        medians = {name: statistics.median(values) for name, values in found.items()}
        for name, values in found.items():
            print(f"{flight} in flight, {name}: median {medians[name]:.1f} tokens/s of {' '.join(f'{v:.1f}' for v in values)}")
        best = max(value for name, value in medians.items() if name != "ours")
        print(f"{flight} in flight: {medians['ours'] / best:.2f} x of llama.cpp's better one", flush=True)


main()
