"""Makes the tiny random checkpoints of tests/data/tiny_* and what Hugging Face's libraries say of them.

usage: make_engine_goldens.py [--out tests/data]

Development only: needs torch, transformers and tokenizers (any recent ones; the files name those used). Weights are random
and ours. Each directory is a checkpoint as Hugging Face writes it, and beside it lie the oracles:

  golden.json
    made_by           versions, and how: float32, eager attention
    prompts           20 lists of token ids, 1 to 60 long
    greedy            20 lists of the 200 ids that follow each by argmax; end-of-sequence ids do not stop it
    smallest_margin   between the best and the second logit over all those steps: far above float32 rounding
    logit_range       highest minus lowest logit over golden.safetensors
    encodings         [{text, ids, ids_without_special}]: tokenizers' ids with added tokens found in the text, and without
                      (each added token in the text then being encoded as ordinary text)
    chats             [{messages, text, ids}]: transformers' apply_chat_template with add_generation_prompt
  golden.safetensors  float32
    prompt_logits     [20, vocabulary]: after the last token of each prompt
    last_logits       [20, vocabulary]: after each prompt and its 200 greedy tokens
    sequence_logits   [16, vocabulary]: at the first 16 positions of prompts[19]

tests/data/rope_goldens.json holds transformers' rotary frequencies: [{config, inverse, attention_factor}].

The three: tiny_llama (config of before transformers 5, llama3 rope, ignore_merges, untied, bfloat16, two shards),
tiny_qwen3 (config as transformers 5 writes it, qk-norm, head_dim != hidden / heads, all attention biases, tied, float32),
tiny_qwen2 (biases on q, k and v, tied, float16, chat_template.jinja).
"""
import argparse
import json
import os
import shutil

import tokenizers
import torch
import transformers
from safetensors.torch import save_file

QWEN2 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
LLAMA3 = QWEN2.replace(r"\p{N}|", r"\p{N}{1,3}|")
TEXT = ["The sum of two numbers is the number that the other two make.", "What is the value of x when 2x + 3 = 17?",
        "Then the answer is \\boxed{7}, and the other one is not.", "def solve(x):\n    return x * x + 1\n",
        "We're told that there are 120 apples; they're divided among 8.", "Ünïcode und Zahlen: ½ 12345 ２０\n\n\tend"]
LLAMA_TEMPLATE = """{{- bos_token }}{% for message in messages %}{{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' + message['content'] | trim + '<|eot_id|>' }}{% endfor %}{% if add_generation_prompt %}{{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}"""
QWEN_TEMPLATE = """{% for message in messages %}{{ '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"""
QWEN2_TEMPLATE = """{%- if messages[0]['role'] != 'system' %}
    {{- '<|im_start|>system\\nYou are small.<|im_end|>\\n' }}
{%- endif %}
{%- for message in messages %}
    {%- if message.role == 'assistant' %}
        {{- '<|im_start|>assistant\\n' + message.content.split('</think>')[-1].lstrip('\\n') + '<|im_end|>\\n' }}
    {%- else %}
        {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
{%- endif %}
"""


def tokenizer_json(kind, size):
    """A byte-level BPE of `size` ids; the last ones are added tokens."""
    if kind == "llama":
        special = ["<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"]
        added = []
    else:
        special, added = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"], ["<think>", "</think>"]
    whole = ["Ġnumber", "Ġanswer", "123"] if kind == "llama" else []  # reached by ignore_merges alone
    trained = tokenizers.Tokenizer(tokenizers.models.BPE())
    trained.pre_tokenizer = tokenizers.pre_tokenizers.Sequence([
        tokenizers.pre_tokenizers.Split(tokenizers.Regex(LLAMA3 if kind == "llama" else QWEN2), "isolated"),
        tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    trainer = tokenizers.trainers.BpeTrainer(vocab_size=size - len(special) - len(added) - len(whole), show_progress=False,
                                             initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet())
    trained.train_from_iterator(TEXT * 3, trainer)
    made = json.loads(trained.to_str())
    model = made["model"]
    for word in whole:
        assert word not in model["vocab"]
        model["vocab"][word] = len(model["vocab"])
    if kind == "qwen2":  # files of before tokenizers 0.20 write merges as strings
        model["merges"] = [" ".join(pair) for pair in model["merges"]]
    model["ignore_merges"] = kind == "llama"
    base = len(model["vocab"])
    made["added_tokens"] = [
        {"id": base + i, "content": text, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
         "special": text in special} for i, text in enumerate(special + added)]
    made["normalizer"] = None if kind == "llama" else {"type": "NFC"}
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False}
    made["decoder"] = byte_level
    made["post_processor"] = byte_level
    if kind == "llama":
        bos = special[0]
        made["post_processor"] = {"type": "Sequence", "processors": [
            byte_level | {"use_regex": True},
            {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": bos, "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
             "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
             "special_tokens": {bos: {"id": bos, "ids": [base], "tokens": [bos]}}}]}
    return made, {text: base + i for i, text in enumerate(special + added)}


def configs(kind, ids):
    shape = {"num_hidden_layers": 2, "hidden_act": "silu", "rms_norm_eps": 1e-6, "use_cache": True, "initializer_range": 0.02}
    if kind == "llama":
        return shape | {
            "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 64, "num_attention_heads": 2,
            "num_key_value_heads": 1, "intermediate_size": 96, "vocab_size": 288, "max_position_embeddings": 512,
            "rms_norm_eps": 1e-5, "rope_theta": 500000.0, "attention_bias": False, "mlp_bias": False, "tie_word_embeddings": False,
            "rope_scaling": {"factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                             "original_max_position_embeddings": 64, "rope_type": "llama3"},
            "torch_dtype": "bfloat16", "pretraining_tp": 1, "bos_token_id": ids["<|begin_of_text|>"],
            "eos_token_id": [ids["<|end_of_text|>"], ids["<|eot_id|>"]]}
    if kind == "qwen3":
        return shape | {
            "architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "hidden_size": 32, "num_attention_heads": 4,
            "num_key_value_heads": 2, "head_dim": 32, "intermediate_size": 64, "vocab_size": 288, "max_position_embeddings": 1024,
            "rope_parameters": {"rope_type": "default", "rope_theta": 1000000.0}, "attention_bias": True,
            "tie_word_embeddings": True, "dtype": "float32", "use_sliding_window": False, "sliding_window": None,
            "layer_types": ["full_attention"] * 2, "max_window_layers": 2, "bos_token_id": None, "eos_token_id": ids["<|im_end|>"]}
    return shape | {
        "architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "hidden_size": 64, "num_attention_heads": 2,
        "num_key_value_heads": 1, "intermediate_size": 96, "vocab_size": 288, "max_position_embeddings": 1024, "rope_theta": 10000.0,
        "tie_word_embeddings": True, "torch_dtype": "float16", "use_sliding_window": False, "sliding_window": 1024,
        "max_window_layers": 2, "bos_token_id": ids["<|endoftext|>"], "eos_token_id": ids["<|endoftext|>"]}


def write_json(path, value, indent=1):
    with open(path, "w") as out:
        json.dump(value, out, indent=indent, ensure_ascii=False, separators=None if indent else (",", ":"))
        out.write("\n")


def write_checkpoint(directory, kind, seed):
    os.makedirs(directory)
    # The embedding has rows that no token uses, as real ones have.
    tokenizer, ids = tokenizer_json(kind, 280)
    config = configs(kind, ids)
    write_json(f"{directory}/config.json", config)
    write_json(f"{directory}/tokenizer.json", tokenizer, None)
    eos = {"llama": "<|eot_id|>", "qwen2": "<|im_end|>", "qwen3": "<|im_end|>"}[kind]
    tokenizer_config = {"add_bos_token": False, "bos_token": None, "eos_token": eos, "pad_token": eos,
                        "clean_up_tokenization_spaces": False, "model_max_length": 1024,
                        "tokenizer_class": "PreTrainedTokenizerFast"}
    if kind == "llama":
        del tokenizer_config["add_bos_token"]
        tokenizer_config |= {"bos_token": "<|begin_of_text|>", "chat_template": LLAMA_TEMPLATE}
    elif kind == "qwen3":
        tokenizer_config["chat_template"] = QWEN_TEMPLATE
    else:
        tokenizer_config["eos_token"] = {"content": eos, "special": True, "normalized": False, "lstrip": False, "rstrip": False,
                                         "single_word": False, "__type": "AddedToken"}
        with open(f"{directory}/chat_template.jinja", "w") as out:
            out.write(QWEN2_TEMPLATE)
    write_json(f"{directory}/tokenizer_config.json", tokenizer_config)
    write_json(f"{directory}/generation_config.json", {
        "do_sample": True, "temperature": 0.6, "top_p": 0.95, "repetition_penalty": 1.05,
        "eos_token_id": [ids[eos], ids.get("<|endoftext|>", ids[eos])]})

    # The same object that will be asked, so that names and shapes are transformers' own.
    model = transformers.AutoModelForCausalLM.from_config(transformers.AutoConfig.from_pretrained(directory), dtype=torch.float32)
    generator = torch.Generator().manual_seed(seed)
    dtype = {"llama": torch.bfloat16, "qwen2": torch.float16, "qwen3": torch.float32}[kind]
    tensors = {}
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        if name.endswith("norm.weight"):
            value = 1 + 0.2 * noise
        elif parameter.dim() == 1:
            value = (0.3 if kind == "llama" else 0.1) * noise
        elif "embed_tokens" in name or "lm_head" in name:
            value = noise * (0.5 if kind == "llama" else 0.1)  # tied: small, or each token repeats itself
        else:
            value = noise * (1.2 if kind == "llama" else 2.5) / parameter.shape[1] ** 0.5
        tensors[name] = value.to(dtype).contiguous()
    if kind != "llama":
        return save_file(tensors, f"{directory}/model.safetensors", metadata={"format": "pt"})
    names = sorted(tensors)
    parts = [names[:len(names) // 2], names[len(names) // 2:]]
    weight_map = {}
    for i, part in enumerate(parts):
        file = f"model-0000{i + 1}-of-00002.safetensors"
        save_file({name: tensors[name] for name in part}, f"{directory}/{file}", metadata={"format": "pt"})
        weight_map |= {name: file for name in part}
    total = sum(t.numel() * t.element_size() for t in tensors.values())
    write_json(f"{directory}/model.safetensors.index.json", {"metadata": {"total_size": total}, "weight_map": weight_map})


@torch.no_grad()
def ask(directory, seed):
    model = transformers.AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32, attn_implementation="eager").eval()
    generator = torch.Generator().manual_seed(seed + 1)
    tokens = 280
    prompts, prompt_logits, last_logits, greedy, smallest = [], [], [], [], 1e9
    for i in range(20):
        # Of six prompts of one length the one whose greedy path is least in doubt: rounding must not decide.
        candidates = torch.randint(0, tokens, (6, 1 + 3 * i), generator=generator)
        out = model(candidates, use_cache=True)
        first, margins, ids = out.logits[:, -1], torch.full((6,), 1e9), []
        logits = first
        for _ in range(200):
            top = logits[:, :tokens].topk(2)  # ids without a token are never sampled
            margins = torch.minimum(margins, top.values[:, 0] - top.values[:, 1])
            ids.append(top.indices[:, :1])
            out = model(ids[-1], past_key_values=out.past_key_values, use_cache=True)
            logits = out.logits[:, -1]
        best = int(margins.argmax())
        smallest = min(smallest, margins[best].item())
        prompts.append(candidates[best].tolist())
        greedy.append(torch.cat(ids, 1)[best].tolist())
        prompt_logits.append(first[best])
        last_logits.append(model(torch.tensor([prompts[-1] + greedy[-1]])).logits[0, -1])
        assert (last_logits[-1] - logits[best]).abs().max() < 1e-3
    sequence = model(torch.tensor([prompts[19][:16]])).logits[0]
    tensors = {"prompt_logits": torch.stack(prompt_logits), "last_logits": torch.stack(last_logits), "sequence_logits": sequence}
    return prompts, greedy, smallest, {name: t.float().contiguous() for name, t in tensors.items()}


TEXTS = ["", " ", "Hello world", "The number  and the answer\n\n are 123 4567.", "don't WE'LL  'S", "cafe\u0301 Å \u1100\u1161\u11a8",
         "tabs\t\tand \u00a0\u3000 blanks   ", "日本語 русский 🙂🙃 e\u0301\u0323", "x = {'a': [1, 2]}\r\n\r\n  return x\n",
         "<think>a</think>", "a <|im_end|> b<|eot_id|>c <|im_start|>", "<|im_<|im_end|>end|>", "\x00\x01\x7f", "ſ 'ſ K's ½ ２０ ٣٤"]


def encodings(directory):
    tokenizer = tokenizers.Tokenizer.from_file(f"{directory}/tokenizer.json")
    plain = json.loads(tokenizer.to_str())
    plain["added_tokens"] = []
    plain["post_processor"] = None
    plain = tokenizers.Tokenizer.from_str(json.dumps(plain))
    return [{"text": text, "ids": tokenizer.encode(text, add_special_tokens=False).ids,
             "ids_without_special": plain.encode(text, add_special_tokens=False).ids} for text in TEXTS]


def chats(directory):
    tokenizer = transformers.AutoTokenizer.from_pretrained(directory)
    out = []
    for messages in ([{"role": "user", "content": "What is 2 + 3?"}],
                     [{"role": "system", "content": "Be brief."}, {"role": "user", "content": " Two\n\n blanks \n"}],
                     [{"role": "user", "content": "1 + 1?"}, {"role": "assistant", "content": "<think>\n1+1\n</think>\n\n2"},
                      {"role": "user", "content": "\n2 + 2?"}]):
        text = tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
        ids = tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=True, return_dict=True)["input_ids"]
        out.append({"messages": messages, "text": text, "ids": ids})
    return out


def rope_goldens():
    cases = []
    base = {"model_type": "llama", "hidden_size": 256, "num_attention_heads": 2, "num_key_value_heads": 2, "num_hidden_layers": 1,
            "intermediate_size": 64, "vocab_size": 300, "max_position_embeddings": 131072, "rms_norm_eps": 1e-5}
    for head, theta, scaling in (
            (128, 500000.0, {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                             "original_max_position_embeddings": 8192}),
            (64, 500000.0, {"rope_type": "llama3", "factor": 32.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                            "original_max_position_embeddings": 8192}),
            (128, 1000000.0, {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768}),
            (64, 10000.0, {"rope_type": "yarn", "factor": 2.5, "original_max_position_embeddings": 4096, "beta_fast": 16.0,
                           "beta_slow": 2.0, "attention_factor": 1.25}),
            (96, 10000.0, {"rope_type": "linear", "factor": 2.0}), (128, 10000.0, {"rope_type": "default"})):
        config = base | {"head_dim": head, "rope_parameters": scaling | {"rope_theta": theta}}
        model = transformers.LlamaConfig(**{k: v for k, v in config.items() if k != "model_type"})
        rotary = transformers.models.llama.modeling_llama.LlamaRotaryEmbedding(model)
        cases.append({"config": config, "inverse": [float(f) for f in rotary.inv_freq], "attention_factor": float(rotary.attention_scaling)})
    return cases


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", default="tests/data")
    args = parser.parse_args()
    torch.set_num_threads(1)
    made_by = f"transformers {transformers.__version__}, torch {torch.__version__.split('+')[0]}, tokenizers {tokenizers.__version__}; float32, eager attention"
    for kind in ("qwen3", "qwen2", "llama"):
        directory = f"{args.out}/tiny_{kind}"
        seed = 7
        shutil.rmtree(directory, ignore_errors=True)
        write_checkpoint(directory, kind, seed)
        prompts, greedy, margin, tensors = ask(directory, seed)
        distinct = sum(len(set(ids)) for ids in greedy) / len(greedy)
        print(f"tiny_{kind}: smallest margin {margin:.5f}, {distinct:.0f} distinct tokens of 200", flush=True)
        everything = torch.cat(list(tensors.values()))
        save_file(tensors, f"{directory}/golden.safetensors")
        write_json(f"{directory}/golden.json", {
            "made_by": made_by, "seed": seed, "prompts": prompts, "greedy": greedy, "smallest_margin": margin,
            "logit_range": (everything.max() - everything.min()).item(), "encodings": encodings(directory), "chats": chats(directory)}, None)
    write_json(f"{args.out}/rope_goldens.json", rope_goldens(), None)


if __name__ == "__main__":
    main()
