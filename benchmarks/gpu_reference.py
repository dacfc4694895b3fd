#!/usr/bin/env python3
"""Writes models of true width with 4 layers and random weights, and transformers' float32 logits of them, for gpu_check.

usage: gpu_reference.py DIR            files DIR/NAME.ref
       gpu_reference.py --generate     times transformers' generate on a 7B shape: 64 prompts of 2,048 tokens, 128 new ones
       gpu_reference.py --tiny DIR     small models on the CPU, to try the format without a GPU
"""
import sys
import time


def shapes(tiny):
    width = dict(
        qwen2=dict(hidden_size=3584, num_attention_heads=28, num_key_value_heads=4, intermediate_size=18944),
        qwen3=dict(hidden_size=4096, num_attention_heads=32, num_key_value_heads=8, intermediate_size=12288, head_dim=128),
        llama=dict(hidden_size=4096, num_attention_heads=32, num_key_value_heads=8, intermediate_size=14336),
    )
    if tiny:
        width = dict(
            qwen2=dict(hidden_size=128, num_attention_heads=4, num_key_value_heads=2, intermediate_size=192),
            qwen3=dict(hidden_size=96, num_attention_heads=4, num_key_value_heads=1, intermediate_size=160, head_dim=64),
            llama=dict(hidden_size=128, num_attention_heads=4, num_key_value_heads=4, intermediate_size=192),
        )
    return width


def make(name, fields, layers, vocabulary, torch, **more):
    import transformers
    family = {"qwen2": "Qwen2", "qwen3": "Qwen3", "llama": "Llama"}[name]
    config = getattr(transformers, family + "Config")(
        vocab_size=vocabulary, num_hidden_layers=layers, tie_word_embeddings=False, rms_norm_eps=1e-6,
        max_position_embeddings=4096, **fields, **more)
    config._attn_implementation = "eager"
    return config, getattr(transformers, family + "ForCausalLM")


def theta_of(config):
    parameters = getattr(config, "rope_parameters", None)
    if parameters:
        return float(parameters["rope_theta"])
    return float(config.rope_theta)


def randomise(model, torch):
    # Norms near one, small biases, matrices that keep lengths; all exact in bf16, which is what we hold.
    generator = torch.Generator(device="cpu").manual_seed(5)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if name.endswith("norm.weight"):
                noise = 1 + 0.05 * noise
            elif name.endswith("bias"):
                noise = 0.2 * noise
            elif "embed_tokens" not in name:
                noise = noise * ((2.5 if "lm_head" in name else 1.0) / parameter.shape[-1] ** 0.5)
            parameter.copy_(noise.to(torch.bfloat16).to(parameter.dtype))


def write(name, fields, directory, tiny):
    import torch
    device = "cpu" if tiny else "cuda"
    vocabulary, count = (300, 90) if tiny else (32000, 160)
    config, family = make(name, fields, 2 if tiny else 4, vocabulary, torch)
    model = family(config).float().eval()
    randomise(model, torch)
    model = model.to(device)
    ids = [(i * 7919 + 13) % vocabulary for i in range(count)]
    with torch.no_grad():
        logits = model(torch.tensor([ids], device=device)).logits[0].float().cpu().contiguous()
    state = {key: value.cpu() for key, value in model.state_dict().items()}
    heads, kv_heads = config.num_attention_heads, config.num_key_value_heads
    head_dim = getattr(config, "head_dim", None) or config.hidden_size // heads
    has_bias = "model.layers.0.self_attn.q_proj.bias" in state
    has_norm = "model.layers.0.self_attn.q_norm.weight" in state
    with open(f"{directory}/{name}.ref", "wb") as file:
        words = ["assay-reference", 1, name, config.hidden_size, config.num_hidden_layers, heads, kv_heads, head_dim,
                 config.intermediate_size, vocabulary, int(has_bias), int(has_norm), config.rms_norm_eps, theta_of(config), count]
        file.write((" ".join(map(str, words)) + "\n").encode())

        def halves(*keys):
            for key in keys:
                file.write(state[key].to(torch.bfloat16).view(torch.int16).contiguous().numpy().tobytes())

        def floats(*keys):
            for key in keys:
                file.write(state[key].float().contiguous().numpy().tobytes())

        file.write(torch.tensor(ids, dtype=torch.int32).numpy().tobytes())
        halves("model.embed_tokens.weight", "lm_head.weight")
        floats("model.norm.weight")
        for i in range(config.num_hidden_layers):
            p = f"model.layers.{i}."
            a = p + "self_attn."
            halves(a + "q_proj.weight", a + "k_proj.weight", a + "v_proj.weight", a + "o_proj.weight",
                   p + "mlp.gate_proj.weight", p + "mlp.up_proj.weight", p + "mlp.down_proj.weight")
            floats(p + "input_layernorm.weight", p + "post_attention_layernorm.weight")
            if has_bias:
                floats(a + "q_proj.bias", a + "k_proj.bias", a + "v_proj.bias")
            if has_norm:
                floats(a + "q_norm.weight", a + "k_norm.weight")
        file.write(logits.numpy().tobytes())
    print(f"{directory}/{name}.ref", flush=True)


def generate():
    import torch
    import transformers
    config, family = make("qwen2", shapes(False)["qwen2"], 28, 152064, torch)
    config._attn_implementation = "sdpa"
    torch.set_default_dtype(torch.bfloat16)
    with torch.device("cuda"):
        model = family(config).eval()
    rows, prompt, new = 64, 2048, 128
    ids = torch.randint(0, 150000, (rows, prompt), device="cuda")
    seconds = []
    for length in (8, new):  # the first one warms up, and is taken off with the prefill
        torch.cuda.synchronize()
        begin = time.time()
        with torch.no_grad():
            model.generate(ids, max_new_tokens=length, min_new_tokens=length, do_sample=True, temperature=0.6, top_p=0.95,
                           top_k=0, cache_implementation="static", pad_token_id=0, disable_compile=True)
        torch.cuda.synchronize()
        seconds.append(time.time() - begin)
    begin = time.time()
    with torch.no_grad():
        model.generate(ids, max_new_tokens=8, min_new_tokens=8, do_sample=True, temperature=0.6, top_p=0.95, top_k=0,
                       cache_implementation="static", pad_token_id=0, disable_compile=True)
    torch.cuda.synchronize()
    short = time.time() - begin
    rate = rows * (new - 8) / (seconds[1] - short)
    print(f"transformers {transformers.__version__} generate, static cache, sdpa, 7B, 64 rows from 2048 on: {rate:.1f} tokens/s "
          f"while decoding; {rows * new / seconds[1]:.1f} with the prefill", flush=True)


if __name__ == "__main__":
    if sys.argv[1:] == ["--generate"]:
        generate()
    elif len(sys.argv) == 2 or (len(sys.argv) == 3 and sys.argv[1] == "--tiny"):
        small = len(sys.argv) == 3
        for family_name, family_fields in shapes(small).items():
            write(family_name, family_fields, sys.argv[-1], small)
    else:
        sys.exit(__doc__)
