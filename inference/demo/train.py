"""Trains the demo checkpoint: a Qwen2-architecture model that thinks, answers and errs, small enough to commit.

usage: train.py --out DIR [--steps 1300 | --minutes N] [--threads 2]

Writes DIR/early and DIR/final as Hugging Face directories (config.json, model.safetensors in bf16, tokenizer.json,
tokenizer_config.json, generation_config.json) and DIR/log.txt. PyTorch on the CPU (Debian's python3-torch will do).
The learning rate follows the steps, or with --minutes the clock, so that the schedule ends on time on a busy machine.
"""
import argparse
import json
import math
import os
import random
import re
import struct
import time

import torch
import torch.nn.functional as F

import problems

HIDDEN, LAYERS, HEADS, KV_HEADS, HEAD, FFN, VOCABULARY, EPSILON, THETA = 128, 6, 4, 2, 32, 384, 512, 1e-6, 10000.0
SPECIAL = ["<|bos|>", "<|eos|>", "<|User|>", "<|Assistant|>"]
ADDED = ["<think>", "</think>"]
# Qwen2's pre-tokenizer, in Hugging Face's notation (for tokenizer.json) and in Python's for ASCII text.
PATTERN = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
ASCII_PATTERN = re.compile(r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\nA-Za-z0-9]?[A-Za-z]+|[0-9]| ?[^\sA-Za-z0-9]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
CHAT_TEMPLATE = ("{{ bos_token }}{% for message in messages %}{% if message['role'] == 'user' %}{{ '<|User|>' + message['content'] }}"
                 "{% elif message['role'] == 'assistant' %}{{ '<|Assistant|>' + message['content'].split('</think>')[-1] + '<|eos|>' }}"
                 "{% endif %}{% endfor %}{% if add_generation_prompt %}{{ '<|Assistant|><think>\\n' }}{% endif %}")


def byte_letters():
    """GPT-2's printable stand-ins for the 256 bytes."""
    keep = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters, extra = {b: chr(b) for b in keep}, 0
    for b in range(256):
        if b not in letters:
            letters[b] = chr(256 + extra)
            extra += 1
    return letters


class Tokenizer:
    """Byte-level BPE with the pre-tokenizer above, trained on generated documents."""

    def __init__(self, texts):
        letters = byte_letters()
        counts = {}
        for text in texts:
            for piece in ASCII_PATTERN.findall(text):
                word = tuple(letters[b] for b in piece.encode())
                counts[word] = counts.get(word, 0) + 1
        self.vocabulary = {letters[b]: i for i, b in enumerate(sorted(letters))}
        self.merges = []
        while len(self.vocabulary) < VOCABULARY - len(SPECIAL) - len(ADDED):
            pairs = {}
            for word, count in counts.items():
                for pair in zip(word, word[1:]):
                    pairs[pair] = pairs.get(pair, 0) + count
            best = max(pairs, key=lambda pair: (pairs[pair], pair))
            if pairs[best] < 20:
                break
            self.merges.append(best)
            self.vocabulary[best[0] + best[1]] = len(self.vocabulary)
            counts = {self.merge(word, best): count for word, count in counts.items()}
        self.special = {text: len(self.vocabulary) + i for i, text in enumerate(SPECIAL + ADDED)}
        self.ranks = {pair: i for i, pair in enumerate(self.merges)}
        self.letters, self.cache = letters, {}

    @staticmethod
    def merge(word, pair):
        out, i = [], 0
        while i < len(word):
            if i + 1 < len(word) and (word[i], word[i + 1]) == pair:
                out.append(word[i] + word[i + 1])
                i += 2
            else:
                out.append(word[i])
                i += 1
        return tuple(out)

    def piece(self, piece):
        if piece not in self.cache:
            word = tuple(self.letters[b] for b in piece.encode())
            while len(word) > 1:
                best = min(zip(word, word[1:]), key=lambda pair: self.ranks.get(pair, 1 << 30))
                if best not in self.ranks:
                    break
                word = self.merge(word, best)
            self.cache[piece] = [self.vocabulary[token] for token in word]
        return self.cache[piece]

    def encode(self, text):
        ids = []
        for part in re.split("(" + "|".join(re.escape(s) for s in self.special) + ")", text):
            if part in self.special:
                ids.append(self.special[part])
            else:
                for piece in ASCII_PATTERN.findall(part):
                    ids += self.piece(piece)
        return ids

    def decode(self, ids):
        bytes_of = {letter: b for b, letter in self.letters.items()}
        names = {i: token for token, i in self.vocabulary.items()}
        specials = {i: text for text, i in self.special.items()}
        out = b""
        for i in ids:
            out += specials[i].encode() if i in specials else bytes(bytes_of[c] for c in names[i])
        return out.decode(errors="replace")

    def to_json(self):
        added = [{"id": i, "content": text, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
                  "special": text in SPECIAL} for text, i in self.special.items()]
        return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": added, "normalizer": {"type": "NFC"},
                "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
                    {"type": "Split", "pattern": {"Regex": PATTERN}, "behavior": "Isolated", "invert": False},
                    {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False}]},
                "post_processor": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False},
                "decoder": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False},
                "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": "",
                          "end_of_word_suffix": "", "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
                          "vocab": self.vocabulary, "merges": [" ".join(pair) for pair in self.merges]}}


class Muon(torch.optim.Optimizer):
    """Momentum whose update is made orthogonal (Jordan 2024), scaled to AdamW's size (Liu et al. 2025): fewer tokens to the same loss."""

    def __init__(self, parameters, lr, momentum=0.95, weight_decay=0.05):
        super().__init__(parameters, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for parameter in group["params"]:
                state = self.state[parameter]
                mean = state.setdefault("mean", torch.zeros_like(parameter))
                mean.lerp_(parameter.grad, 1 - group["momentum"])
                update = orthogonal(parameter.grad.lerp(mean, group["momentum"]))
                parameter.mul_(1 - group["lr"] * group["weight_decay"])
                parameter.add_(update, alpha=-0.2 * max(parameter.shape) ** 0.5 * group["lr"])


def orthogonal(matrix, steps=5):
    """The nearest matrix with all singular values near 1, by the quintic Newton-Schulz iteration."""
    x = matrix.T if matrix.shape[0] > matrix.shape[1] else matrix
    x = x / (x.norm() + 1e-7)
    for _ in range(steps):
        square = x @ x.T
        x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
    return x.T if matrix.shape[0] > matrix.shape[1] else x


class Norm(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(HIDDEN))

    def forward(self, x):
        x = x.float()
        return self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + EPSILON))


class Layer(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.norm1, self.norm2 = Norm(), Norm()
        self.q = torch.nn.Linear(HIDDEN, HEADS * HEAD)
        self.k = torch.nn.Linear(HIDDEN, KV_HEADS * HEAD)
        self.v = torch.nn.Linear(HIDDEN, KV_HEADS * HEAD)
        self.o = torch.nn.Linear(HEADS * HEAD, HIDDEN, bias=False)
        self.gate = torch.nn.Linear(HIDDEN, FFN, bias=False)
        self.up = torch.nn.Linear(HIDDEN, FFN, bias=False)
        self.down = torch.nn.Linear(FFN, HIDDEN, bias=False)

    def forward(self, x, rope, mask, cache=None):
        batch, length, _ = x.shape
        h = self.norm1(x)
        q = rotate(self.q(h).view(batch, length, HEADS, HEAD).transpose(1, 2), rope)
        k = rotate(self.k(h).view(batch, length, KV_HEADS, HEAD).transpose(1, 2), rope)
        v = self.v(h).view(batch, length, KV_HEADS, HEAD).transpose(1, 2)
        if cache is not None:
            if cache:
                k, v = torch.cat([cache[0], k], 2), torch.cat([cache[1], v], 2)
            cache[:] = [k, v]
        k, v = k.repeat_interleave(HEADS // KV_HEADS, 1), v.repeat_interleave(HEADS // KV_HEADS, 1)
        scores = q @ k.transpose(2, 3) / math.sqrt(HEAD)
        if mask is not None:
            scores = scores + mask
        x = x + self.o((scores.float().softmax(-1).to(v.dtype) @ v).transpose(1, 2).reshape(batch, length, HEADS * HEAD))
        h = self.norm2(x)
        return x + self.down(F.silu(self.gate(h)) * self.up(h))


class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = torch.nn.Embedding(VOCABULARY, HIDDEN)
        self.layers = torch.nn.ModuleList(Layer() for _ in range(LAYERS))
        self.norm = Norm()
        for parameter in self.parameters():
            if parameter.dim() > 1:
                torch.nn.init.normal_(parameter, std=0.02 if parameter is self.embedding.weight else HIDDEN ** -0.5)
        for layer in self.layers:
            for linear in (layer.q, layer.k, layer.v):
                torch.nn.init.zeros_(linear.bias)
            for linear in (layer.o, layer.down):
                linear.weight.data.mul_((2 * LAYERS) ** -0.5)
        self.register_buffer("frequencies", THETA ** (-torch.arange(0, HEAD, 2).float() / HEAD), persistent=False)

    def rope(self, start, length):
        angles = torch.arange(start, start + length).float()[:, None] * self.frequencies
        angles = torch.cat([angles, angles], -1)
        return angles.cos(), angles.sin()

    def forward(self, ids, start=0, caches=None, pad=None):
        x = self.embedding(ids)
        length = ids.shape[1]
        mask = None
        if length > 1:
            mask = torch.full((length, start + length), float("-inf")).triu(1 + start)
        if pad is not None:
            mask = pad if mask is None else mask + pad
        for i, layer in enumerate(self.layers):
            x = layer(x, self.rope(start, length), mask, None if caches is None else caches[i])
        return self.norm(x)

    def logits(self, hidden):
        return hidden @ self.embedding.weight.T


def rotate(x, rope):
    cos, sin = rope
    half = torch.cat([-x[..., HEAD // 2:], x[..., :HEAD // 2]], -1)
    return x * cos + half * sin


def prompt_of(problem):
    return f"<|bos|><|User|>{problem['question']}<|Assistant|><think>\n"


def reply_of(problem):
    return f"{problem['think']}\n</think>\n\n{problem['answer']}<|eos|>"


def batches(tokenizer, seed, tokens_per_batch=6144):
    """Endless batches of documents of like length, rounded to 16, as (ids, targets); prompts carry no loss."""
    r = random.Random(seed)
    while True:
        documents = []
        while len(documents) < 2000:
            problem = problems.make(r)
            if problems.held_out(problem["question"]):
                continue
            prompt, reply = tokenizer.encode(prompt_of(problem)), tokenizer.encode(reply_of(problem))
            documents.append((prompt + reply, len(prompt)))
        documents.sort(key=lambda document: len(document[0]))
        groups, begin = [], 0
        while begin < len(documents):
            width, end = 0, begin
            while end < len(documents):
                wider = max(width, -(-(len(documents[end][0]) - 1) // 16) * 16)
                if wider * (end - begin + 1) > tokens_per_batch and end > begin:
                    break
                width, end = wider, end + 1
            groups.append((documents[begin:end], width))
            begin = end
        r.shuffle(groups)
        for group, width in groups:
            ids = torch.zeros(len(group), width, dtype=torch.long)
            targets = torch.full((len(group), width), -100)
            for i, (document, prompt) in enumerate(group):
                ids[i, :len(document) - 1] = torch.tensor(document[:-1])
                targets[i, prompt - 1:len(document) - 1] = torch.tensor(document[prompt:])
            yield ids, targets


@torch.no_grad()
def generate(model, tokenizer, question, samples, seed, temperature=0.6, top_p=0.95, limit=320):
    torch.manual_seed(seed)
    ids = torch.tensor([tokenizer.encode(prompt_of({"question": question}))] * samples)
    caches = [[] for _ in range(LAYERS)]
    hidden, start, out, alive = model(ids, 0, caches)[:, -1], ids.shape[1], [], torch.ones(samples, dtype=torch.bool)
    eos = tokenizer.special["<|eos|>"]
    for _ in range(limit):
        p = (model.logits(hidden.float()) / temperature).softmax(-1)
        ordered, order = p.sort(-1, descending=True)
        ordered[ordered.cumsum(-1) - ordered > top_p] = 0
        token = order.gather(1, torch.multinomial(ordered, 1))
        token[~alive] = eos
        out.append(token)
        alive &= token[:, 0] != eos
        if not alive.any():
            break
        hidden = model(token, start, caches)[:, -1]
        start += 1
    texts = []
    for row in torch.cat(out, 1).tolist():
        texts.append(tokenizer.decode(row[:row.index(eos)] if eos in row else row))
    return texts


def evaluate(model, tokenizer, per_family, samples, log):
    """pass@1 by family on held-out problems: what this script can check itself (text equality)."""
    r = random.Random(77)
    overall = []
    for family in problems.FAMILIES:
        right, asked = 0, 0
        while asked < per_family:
            problem = problems.make(r, family, asked % 5 + 1)
            if not problems.held_out(problem["question"]):
                continue
            asked += 1
            for text in generate(model, tokenizer, problem["question"], samples, asked):
                answer = text.split("</think>")[-1] if "</think>" in text else ""
                right += answer.strip() == problem["answer"].strip()
        overall.append(right / asked / samples)
        log(f"  {family}: {100 * overall[-1]:.1f} % of {asked} x {samples}")
    log(f"  mean over families: {100 * sum(overall) / len(overall):.1f} %")


def export(model, tokenizer, directory):
    os.makedirs(directory, exist_ok=True)
    tensors = {"model.embed_tokens.weight": model.embedding.weight, "model.norm.weight": model.norm.weight}
    for i, layer in enumerate(model.layers):
        prefix = f"model.layers.{i}."
        tensors[prefix + "input_layernorm.weight"] = layer.norm1.weight
        tensors[prefix + "post_attention_layernorm.weight"] = layer.norm2.weight
        for name in ("q", "k", "v"):
            tensors[f"{prefix}self_attn.{name}_proj.weight"] = getattr(layer, name).weight
            tensors[f"{prefix}self_attn.{name}_proj.bias"] = getattr(layer, name).bias
        tensors[prefix + "self_attn.o_proj.weight"] = layer.o.weight
        for name in ("gate", "up", "down"):
            tensors[f"{prefix}mlp.{name}_proj.weight"] = getattr(layer, name).weight
    header, blobs, offset = {"__metadata__": {"format": "pt"}}, [], 0
    for name in sorted(tensors):
        blob = tensors[name].detach().to(torch.bfloat16).contiguous().view(torch.int16).numpy().tobytes()
        header[name] = {"dtype": "BF16", "shape": list(tensors[name].shape), "data_offsets": [offset, offset + len(blob)]}
        blobs.append(blob)
        offset += len(blob)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(f"{directory}/model.safetensors", "wb") as out:
        out.write(struct.pack("<Q", len(text)) + text + b"".join(blobs))
    eos, bos = tokenizer.special["<|eos|>"], tokenizer.special["<|bos|>"]
    files = {
        "config.json": {
            "architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "hidden_size": HIDDEN, "num_hidden_layers": LAYERS,
            "num_attention_heads": HEADS, "num_key_value_heads": KV_HEADS, "intermediate_size": FFN, "vocab_size": VOCABULARY,
            "max_position_embeddings": 1024, "rms_norm_eps": EPSILON, "rope_theta": THETA, "hidden_act": "silu",
            "tie_word_embeddings": True, "use_sliding_window": False, "attention_dropout": 0.0, "torch_dtype": "bfloat16",
            "bos_token_id": bos, "eos_token_id": eos},
        "generation_config.json": {"bos_token_id": bos, "eos_token_id": eos, "do_sample": True, "temperature": 0.6, "top_p": 0.95},
        "tokenizer.json": tokenizer.to_json(),
        "tokenizer_config.json": {
            "add_bos_token": False, "add_eos_token": False, "bos_token": "<|bos|>", "eos_token": "<|eos|>", "pad_token": "<|eos|>",
            "clean_up_tokenization_spaces": False, "model_max_length": 1024, "tokenizer_class": "PreTrainedTokenizerFast",
            "chat_template": CHAT_TEMPLATE}}
    for name, content in files.items():
        with open(f"{directory}/{name}", "w") as out:
            json.dump(content, out, indent=1)
            out.write("\n")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", required=True)
    parser.add_argument("--steps", type=int, default=1300)
    parser.add_argument("--minutes", type=float, default=0, help="end by the clock instead")
    parser.add_argument("--early", type=float, default=0.6, help="where on the schedule the early checkpoint is taken")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rate", type=float, default=3e-3)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(1)
    os.makedirs(args.out, exist_ok=True)
    log_file = open(f"{args.out}/log.txt", "a")

    def log(line):
        print(line, flush=True)
        print(line, file=log_file, flush=True)

    r = random.Random(5)
    documents = []
    while len(documents) < 12000:
        problem = problems.make(r)
        documents.append(f"{problem['question']}{problem['think']}\n{problem['answer']}")
    tokenizer = Tokenizer(documents)
    model = Model()
    log(f"{sum(p.numel() for p in model.parameters())} parameters, {len(tokenizer.merges)} merges, {torch.__version__}")
    matrices = [p for p in model.layers.parameters() if p.dim() > 1]
    vectors = [p for p in model.parameters() if p.dim() <= 1]
    optimizers = [Muon(matrices, args.rate),
                  torch.optim.AdamW([{"params": [model.embedding.weight], "weight_decay": 0.05}, {"params": vectors, "weight_decay": 0.0}],
                                    lr=args.rate, betas=(0.9, 0.98))]
    begin, tokens, recent, early_done = time.monotonic(), 0, [], False
    for step, (ids, targets) in enumerate(batches(tokenizer, 11)):
        done = (time.monotonic() - begin) / (60 * args.minutes) if args.minutes else step / args.steps
        if done >= 1:
            break
        if done >= args.early and not early_done:
            early_done = True
            export(model, tokenizer, f"{args.out}/early")
            log(f"early checkpoint at step {step}, {tokens} tokens")
        decay = max(0.0, done - 0.1) / 0.9
        rate = args.rate * min(1.0, (step + 1) / 100) * (0.03 + 0.97 * 0.5 * (1 + math.cos(math.pi * decay)))
        for group in (group for optimizer in optimizers for group in optimizer.param_groups):
            group["lr"] = rate
        with torch.autocast("cpu", dtype=torch.bfloat16):
            hidden = model(ids)
        kept = targets != -100
        loss = F.cross_entropy(model.logits(hidden[kept].float()), targets[kept])
        model.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
        tokens += ids.numel()
        recent.append(loss.item())
        if step % 100 == 0:
            seconds = time.monotonic() - begin
            log(f"step {step} tokens {tokens} loss {sum(recent[-100:]) / len(recent[-100:]):.4f} rate {rate:.2e} "
                f"{tokens / max(seconds, 1):.0f} tokens/s {seconds / 60:.1f} min")
        if step % 1500 == 1499:
            model.eval()
            evaluate(model, tokenizer, 15, 2, log)
            model.train()
    export(model, tokenizer, f"{args.out}/final")
    log(f"final checkpoint at step {step}, {tokens} tokens, {(time.monotonic() - begin) / 60:.1f} min")
    evaluate(model, tokenizer, 50, 4, log)


if __name__ == "__main__":
    main()
