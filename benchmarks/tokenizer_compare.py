"""Compares our tokenizer with Hugging Face's `tokenizers`: the same ids on a lot of text, and the ratio of their speeds.

usage: tokenizer_compare.py --encode BUILD/bin/tokenizer_encode [--megabytes 100] [--vocabulary qwen|gpt2|llama3-style] FOLDER...

Development only: needs the Python package `tokenizers`. Documents are the files below the FOLDERs that are UTF-8 text, in
an order shuffled by a fixed seed, until there are so many megabytes; to every tenth a line of blanks, marks, scripts and
control tokens is added. Vocabularies: ../shared/data/tokenizer (llama3-style: Qwen's ranks with Llama 3's pattern and
ignore_merges, as Llama 3's own file is not to be had). One thread each; one run of each, alternating by document batch.
Exit status 1 where any id differs.
"""
import argparse
import base64
import json
import os
import random
import struct
import subprocess
import sys
import tempfile
import time

import tokenizers

QWEN2 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
LLAMA3 = QWEN2.replace(r"\p{N}|", r"\p{N}{1,3}|")
SPICE = ["a  b\t\n \r\n  c", "e\u0301\u0323 Å \u1100\u1161\u11a8", "<|im_start|>user<|im_end|>", "日本語。русский текст ½ ２０ ٣٤", "🙂🙃👩‍👩‍👧",
         "I'LL we'Re 'ſ 'S K's", "\u00a0\u3000 \u2028x", "\x00\x01\x7f", "((((()))))!!??\n\n\n", "  \u00a0 12345 67 8 9"]


def letters():
    keep = [*range(33, 127), *range(161, 173), *range(174, 256)]
    table, extra = {b: chr(b) for b in keep}, 0
    for b in range(256):
        if b not in table:
            table[b] = chr(256 + extra)
            extra += 1
    return table


def qwen_json(path, style):
    """tokenizer.json from ranks: a token's merge is the pair that lower ranks leave of it."""
    ranks = {base64.b64decode(line.split()[0]): int(line.split()[1]) for line in open(path, "rb") if line.strip()}
    table = letters()
    written = lambda token: "".join(table[b] for b in token)
    merges = []
    for token, rank in sorted(ranks.items(), key=lambda item: item[1]):
        parts = [bytes([b]) for b in token]
        while True:
            best = min(((ranks.get(a + b, rank), i) for i, (a, b) in enumerate(zip(parts, parts[1:]))), default=(rank, 0))
            if best[0] >= rank:
                break
            parts[best[1]:best[1] + 2] = [parts[best[1]] + parts[best[1] + 1]]
        if len(parts) == 2:
            merges.append([written(parts[0]), written(parts[1])])
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False}
    added = [{"id": len(ranks) + i, "content": text, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
              "special": True} for i, text in enumerate(["<|endoftext|>", "<|im_start|>", "<|im_end|>"])]
    llama = style == "llama3-style"
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": added, "normalizer": None if llama else {"type": "NFC"},
            "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
                {"type": "Split", "pattern": {"Regex": LLAMA3 if llama else QWEN2}, "behavior": "Isolated", "invert": False}, byte_level]},
            "post_processor": byte_level, "decoder": byte_level,
            "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None, "end_of_word_suffix": None,
                      "fuse_unk": False, "byte_fallback": False, "ignore_merges": llama,
                      "vocab": {written(token): rank for token, rank in ranks.items()}, "merges": merges}}


def documents(folders, limit):
    paths = [os.path.join(root, name) for folder in folders for root, _, names in os.walk(folder) for name in names]
    paths.sort()
    random.Random(4).shuffle(paths)
    total, out = 0, []
    for path in paths:
        if total >= limit:
            break
        try:
            if os.path.islink(path) or os.path.getsize(path) > 4_000_000:
                continue
            text = open(path, "rb").read().decode()
        except (OSError, UnicodeDecodeError):
            continue
        if len(out) % 10 == 0:
            text += "\n" + SPICE[len(out) // 10 % len(SPICE)] + "  \n"
        out.append(text)
        total += len(text.encode())
    return out, total


def ours(encode, tokenizer, texts):
    with tempfile.TemporaryDirectory() as folder:
        with open(f"{folder}/documents", "wb") as out:
            for text in texts:
                data = text.encode()
                out.write(struct.pack("<Q", len(data)) + data)
        seconds = float(subprocess.run([encode, tokenizer, f"{folder}/documents", f"{folder}/ids"], check=True, capture_output=True, text=True).stdout)
        data, at, lists = open(f"{folder}/ids", "rb").read(), 0, []
        while at < len(data):
            count = struct.unpack_from("<i", data, at)[0]
            lists.append(list(struct.unpack_from(f"<{count}i", data, at + 4)))
            at += 4 + 4 * count
    return lists, seconds


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--encode", required=True)
    parser.add_argument("--megabytes", type=float, default=100)
    parser.add_argument("--vocabulary", choices=["qwen", "gpt2", "llama3-style"], default="qwen")
    parser.add_argument("--shared", default="../shared/data/tokenizer")
    parser.add_argument("folders", nargs="+")
    args = parser.parse_args()
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    texts, total = documents(args.folders, args.megabytes * 1e6)
    print(f"{len(texts)} documents, {total / 1e6:.1f} MB", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/tokenizer.json"
        made = json.load(open(f"{args.shared}/gpt2_tokenizer.json")) if args.vocabulary == "gpt2" else qwen_json(f"{args.shared}/qwen.tiktoken", args.vocabulary)
        json.dump(made, open(path, "w"))
        theirs = tokenizers.Tokenizer.from_file(path)
        our_seconds = their_seconds = tokens = 0
        wrong = []
        for begin in range(0, len(texts), 500):
            batch = texts[begin:begin + 500]
            lists, seconds = ours(args.encode, path, batch)
            our_seconds += seconds
            for text, ids in zip(batch, lists, strict=True):
                start = time.perf_counter()
                encoding = theirs.encode_batch_fast([text], add_special_tokens=False)[0]  # without offsets, as we
                their_seconds += time.perf_counter() - start
                tokens += len(ids)
                if encoding.ids != ids:
                    wrong.append((text, encoding.ids, ids))
    print(f"{tokens} tokens; {len(wrong)} documents differ")
    for text, expected, found in wrong[:5]:
        at = next((i for i, pair in enumerate(zip(expected, found)) if pair[0] != pair[1]), min(len(expected), len(found)))
        before = theirs.decode(expected[:at], skip_special_tokens=False)
        print(f"  behind {before[-40:]!r}: theirs {expected[at:at + 5]}, ours {found[at:at + 5]}; text {text[len(before):len(before) + 20]!r}")
    print(f"ours {total / our_seconds / 1e6:.2f} MB/s, theirs {total / their_seconds / 1e6:.2f} MB/s, ratio {their_seconds / our_seconds:.2f}")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
