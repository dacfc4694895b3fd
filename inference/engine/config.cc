// Three kinds of fields: those that shape the model, those that must have one value for us to
// follow, and those that change nothing when a model is asked.
#include "inference/engine/config.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "harness/status.h"
#include "harness/text.h"

namespace assay {
namespace {

// Fields of one JSON object, read with errors that name them; remembers which were asked for.
class Fields {
 public:
  Fields(const Json& object, std::string_view name) : object_(object), name_(name) {}

  const Json* Find(std::string_view field) {
    read_.insert(std::string(field));
    const Json* value = object_.Find(field);
    return value == nullptr || value->is_null() ? nullptr : value;
  }
  absl::Status Wrong(std::string_view field, std::string_view wanted) const {
    const Json* value = object_.Find(field);
    const std::string found = value == nullptr ? "nothing" : Printable(Shorten(value->Dump(), 60));
    return InvalidArgument("%s: field '%s': expected %s, found %s", name_, field, wanted, found);
  }
  absl::StatusOr<int> Integer(std::string_view field, int lowest, int highest,
                              std::optional<int> absent = std::nullopt) {
    const Json* value = Find(field);
    if (value == nullptr && absent) return *absent;
    if (value == nullptr || !value->is_integer() || value->AsInteger() < lowest ||
        value->AsInteger() > highest) {
      return Wrong(field, absl::StrFormat("an integer from %d to %d", lowest, highest));
    }
    return static_cast<int>(value->AsInteger());
  }
  // Finite and greater than 0.
  absl::StatusOr<double> Positive(std::string_view field,
                                  std::optional<double> absent = std::nullopt) {
    const Json* value = Find(field);
    if (value == nullptr && absent) return *absent;
    if (value == nullptr || !value->is_number() || !std::isfinite(value->AsNumber()) ||
        value->AsNumber() <= 0) {
      return Wrong(field, "a number greater than 0");
    }
    return value->AsNumber();
  }
  absl::StatusOr<bool> Bool(std::string_view field, bool absent) {
    const Json* value = Find(field);
    if (value == nullptr) return absent;
    if (!value->is_bool()) return Wrong(field, "true or false");
    return value->AsBool();
  }
  // The text of a field, or `absent`.
  absl::StatusOr<std::string> Text(std::string_view field, std::string_view absent) {
    const Json* value = Find(field);
    if (value == nullptr) return std::string(absent);
    if (!value->is_string()) return Wrong(field, "a string");
    return value->AsString();
  }
  std::vector<std::string> Unread() const {
    std::vector<std::string> unread;
    for (const Json::Member& member : object_.AsMembers()) {
      if (!read_.contains(member.first)) unread.push_back(member.first);
    }
    return unread;
  }
  const std::string& name() const { return name_; }

 private:
  const Json& object_;
  std::string name_;
  std::set<std::string, std::less<>> read_;
};

constexpr int kMaxVocabulary = 1 << 20;  // the sampler's integer masses must not overflow
const std::vector<std::string>& Architectures() {
  static const auto* names = new std::vector<std::string>{"qwen2", "qwen3", "llama"};
  return *names;
}

// --- what must have one value ---

// Set to anything but null, false, 0 or [] they mean arithmetic that we do not do.
constexpr std::string_view kRefusedWhenSet[] = {"quantization_config",
                                                "use_sliding_window",
                                                "mlp_bias",
                                                "use_mrope",
                                                "auto_map",
                                                "num_experts",
                                                "num_local_experts",
                                                "no_rope_layers",
                                                "attn_logit_softcapping",
                                                "logit_scale",
                                                "logits_scaling",
                                                "final_logit_softcapping",
                                                "embedding_multiplier",
                                                "residual_multiplier",
                                                "attention_multiplier",
                                                "rope_interleaved",
                                                "attn_output_gate",
                                                "kv_lora_rank",
                                                "adapters",
                                                "cross_attention_layers"};

bool IsNeutral(const Json& value) {
  if (value.is_bool()) return !value.AsBool();
  if (value.is_number()) return value.AsNumber() == 0;
  return (value.is_array() || value.is_object()) && value.size() == 0;
}

absl::Status RefuseWhatIsNotFollowed(Fields* fields) {
  for (const std::string_view field : kRefusedWhenSet) {
    const Json* value = fields->Find(field);
    if (value == nullptr || IsNeutral(*value)) continue;
    return InvalidArgument("%s: field '%s' is set (%s), which is not supported", fields->name(),
                           field, Printable(Shorten(value->Dump(), 60)));
  }
  ASSIGN_OR_RETURN(const std::string activation, fields->Text("hidden_act", "silu"));
  if (activation != "silu") return fields->Wrong("hidden_act", "\"silu\"");
  ASSIGN_OR_RETURN(const double rotated, fields->Positive("partial_rotary_factor", 1.0));
  if (rotated != 1) return fields->Wrong("partial_rotary_factor", "1");
  if (const Json* types = fields->Find("layer_types")) {
    if (!types->is_array()) return fields->Wrong("layer_types", "an array of \"full_attention\"");
    for (const Json& type : types->AsArray()) {
      if (type != Json("full_attention")) {
        return fields->Wrong("layer_types", "\"full_attention\" for every layer");
      }
    }
  }
  return absl::OkStatus();
}

// --- architecture ---

absl::StatusOr<std::string> ReadArchitecture(Fields* fields) {
  ASSIGN_OR_RETURN(const std::string type, fields->Text("model_type", ""));
  if (std::find(Architectures().begin(), Architectures().end(), type) == Architectures().end()) {
    return fields->Wrong("model_type", "\"qwen2\", \"qwen3\" or \"llama\"");
  }
  const std::string wanted = type == "llama"   ? "LlamaForCausalLM"
                             : type == "qwen2" ? "Qwen2ForCausalLM"
                                               : "Qwen3ForCausalLM";
  if (const Json* classes = fields->Find("architectures")) {
    // A classifier or reward model shares the type, but its head is no vocabulary.
    if (*classes != Json(Json::Array{Json(wanted)})) {
      return fields->Wrong("architectures", absl::StrFormat("[\"%s\"]", wanted));
    }
  }
  return type;
}

absl::StatusOr<Dtype> ReadDtype(Fields* fields) {
  // transformers 5 writes `dtype`, older ones `torch_dtype`.
  const std::string_view field = fields->Find("dtype") != nullptr ? "dtype" : "torch_dtype";
  ASSIGN_OR_RETURN(const std::string dtype, fields->Text(field, "bfloat16"));
  if (dtype == "bfloat16") return Dtype::kBf16;
  if (dtype == "float16") return Dtype::kF16;
  if (dtype == "float32") return Dtype::kF32;
  return fields->Wrong(field, "\"bfloat16\", \"float16\" or \"float32\"");
}

// --- shape ---

absl::Status ReadShape(Fields* fields, ModelConfig* config) {
  ASSIGN_OR_RETURN(config->hidden, fields->Integer("hidden_size", 1, 1 << 17));
  ASSIGN_OR_RETURN(config->layers, fields->Integer("num_hidden_layers", 1, 1000));
  ASSIGN_OR_RETURN(config->heads, fields->Integer("num_attention_heads", 1, 1 << 12));
  // Only Llama's class falls back to the number of heads.
  if (config->architecture == "llama" && fields->Find("num_key_value_heads") == nullptr) {
    config->kv_heads = config->heads;
  } else {
    ASSIGN_OR_RETURN(config->kv_heads, fields->Integer("num_key_value_heads", 1, 1 << 12));
  }
  if (config->heads % config->kv_heads != 0) {
    return fields->Wrong("num_key_value_heads",
                         absl::StrFormat("a divisor of num_attention_heads (%d)", config->heads));
  }
  ASSIGN_OR_RETURN(config->head_dim, fields->Integer("head_dim", 1, 1 << 12, 0));
  if (config->head_dim == 0) {
    if (config->hidden % config->heads != 0) {
      return fields->Wrong("num_attention_heads",
                           absl::StrFormat("a divisor of hidden_size (%d)", config->hidden));
    }
    config->head_dim = config->hidden / config->heads;
  }
  if (config->head_dim != 32 && config->head_dim != 64 && config->head_dim != 96 &&
      config->head_dim != 128) {
    return InvalidArgument("%s: field 'head_dim': heads of %d, expected 32, 64, 96 or 128",
                           fields->name(), config->head_dim);
  }
  ASSIGN_OR_RETURN(config->ffn, fields->Integer("intermediate_size", 1, 1 << 20));
  ASSIGN_OR_RETURN(config->vocabulary, fields->Integer("vocab_size", 1, kMaxVocabulary));
  ASSIGN_OR_RETURN(config->max_positions, fields->Integer("max_position_embeddings", 1, 1 << 24));
  ASSIGN_OR_RETURN(config->rms_epsilon, fields->Positive("rms_norm_eps"));
  if (config->rms_epsilon > 0.1) return fields->Wrong("rms_norm_eps", "a number up to 0.1");
  ASSIGN_OR_RETURN(config->tied_embeddings, fields->Bool("tie_word_embeddings", false));
  ASSIGN_OR_RETURN(const bool attention_bias, fields->Bool("attention_bias", false));
  config->qkv_bias = config->architecture == "qwen2" || attention_bias;
  config->o_bias = config->architecture != "qwen2" && attention_bias;
  config->qk_norm = config->architecture == "qwen3";
  return absl::OkStatus();
}

// --- rope ---

absl::StatusOr<Llama3Rope> ReadLlama3Rope(Fields* rope) {
  Llama3Rope out;
  ASSIGN_OR_RETURN(out.factor, rope->Positive("factor"));
  ASSIGN_OR_RETURN(out.low_frequency_factor, rope->Positive("low_freq_factor"));
  ASSIGN_OR_RETURN(out.high_frequency_factor, rope->Positive("high_freq_factor"));
  ASSIGN_OR_RETURN(out.original_max_positions, rope->Positive("original_max_position_embeddings"));
  if (out.high_frequency_factor <= out.low_frequency_factor) {
    return rope->Wrong("high_freq_factor", "a number greater than low_freq_factor");
  }
  return out;
}

absl::StatusOr<YarnRope> ReadYarnRope(Fields* rope, int max_positions) {
  YarnRope out;
  ASSIGN_OR_RETURN(out.factor, rope->Positive("factor"));
  ASSIGN_OR_RETURN(out.beta_fast, rope->Positive("beta_fast", 32.0));
  ASSIGN_OR_RETURN(out.beta_slow, rope->Positive("beta_slow", 1.0));
  ASSIGN_OR_RETURN(out.original_max_positions,
                   rope->Positive("original_max_position_embeddings", double{1.0 * max_positions}));
  const double absent = out.factor <= 1 ? 1 : 0.1 * std::log(out.factor) + 1;
  ASSIGN_OR_RETURN(out.attention_factor, rope->Positive("attention_factor", absent));
  ASSIGN_OR_RETURN(out.truncate, rope->Bool("truncate", true));
  return out;
}

absl::Status ReadRopeScaling(Fields* rope, ModelConfig* config) {
  // Older files say `type`.
  const std::string_view field = rope->Find("rope_type") != nullptr ? "rope_type" : "type";
  rope->Find("type");
  rope->Find("rope_theta");
  ASSIGN_OR_RETURN(const std::string type, rope->Text(field, "default"));
  ASSIGN_OR_RETURN(const double rotated, rope->Positive("partial_rotary_factor", 1.0));
  if (rotated != 1) return rope->Wrong("partial_rotary_factor", "1");
  if (type == "llama3") {
    ASSIGN_OR_RETURN(config->llama3_rope, ReadLlama3Rope(rope));
  } else if (type == "yarn") {
    ASSIGN_OR_RETURN(config->yarn_rope, ReadYarnRope(rope, config->max_positions));
  } else if (type == "linear") {
    ASSIGN_OR_RETURN(config->linear_rope_factor, rope->Positive("factor"));
  } else if (type != "default") {
    return rope->Wrong(field, "\"default\", \"linear\", \"llama3\" or \"yarn\"");
  }
  const std::vector<std::string> unread = rope->Unread();
  if (!unread.empty()) {
    return InvalidArgument("%s: field '%s' is not supported with rope type '%s'", rope->name(),
                           Printable(unread[0]), type);
  }
  return absl::OkStatus();
}

absl::Status ReadRope(Fields* fields, ModelConfig* config) {
  // transformers 5 keeps theta and the scaling together in `rope_parameters`.
  const std::string_view field =
      fields->Find("rope_parameters") != nullptr ? "rope_parameters" : "rope_scaling";
  const Json* scaling = fields->Find(field);
  if (scaling != nullptr && !scaling->is_object()) return fields->Wrong(field, "an object");
  if (scaling != nullptr && scaling->Find("rope_theta") != nullptr) {
    Fields rope(*scaling, absl::StrFormat("%s: field '%s'", fields->name(), field));
    ASSIGN_OR_RETURN(config->rope_theta, rope.Positive("rope_theta"));
    fields->Find("rope_theta");
  } else {
    ASSIGN_OR_RETURN(config->rope_theta, fields->Positive("rope_theta"));
  }
  if (config->rope_theta <= 1) return fields->Wrong("rope_theta", "a number greater than 1");
  if (scaling == nullptr) return absl::OkStatus();
  Fields rope(*scaling, absl::StrFormat("%s: field '%s'", fields->name(), field));
  return ReadRopeScaling(&rope, config);
}

// Fields that say nothing about the arithmetic of answering.
constexpr std::string_view kHarmless[] = {
    "_name_or_path",     "_attn_implementation", "attention_dropout",    "bos_token_id",
    "initializer_range", "max_window_layers",    "pad_token_id",         "pretraining_tp",
    "sliding_window",    "torch_dtype",          "transformers_version", "use_cache"};

}  // namespace

std::string_view DtypeName(Dtype dtype) {
  switch (dtype) {
    case Dtype::kBf16:
      return "BF16";
    case Dtype::kF16:
      return "F16";
    case Dtype::kF32:
      return "F32";
  }
  return "";
}

int DtypeBytes(Dtype dtype) { return dtype == Dtype::kF32 ? 4 : 2; }

absl::StatusOr<std::vector<int>> EosIds(const Json& object, std::string_view name) {
  const Json* value = object.Find("eos_token_id");
  if (value == nullptr || value->is_null()) return std::vector<int>();
  const Json::Array ids = value->is_array() ? value->AsArray() : Json::Array{*value};
  std::vector<int> eos;
  for (const Json& id : ids) {
    if (!id.is_integer() || id.AsInteger() < 0 || id.AsInteger() >= kMaxVocabulary) {
      return InvalidArgument(
          "%s: field 'eos_token_id': expected a token id or a list of them, "
          "found %s",
          name, Printable(Shorten(value->Dump(), 60)));
    }
    eos.push_back(static_cast<int>(id.AsInteger()));
  }
  return eos;
}

absl::StatusOr<ModelConfig> ParseModelConfig(std::string_view text, std::string_view name) {
  absl::StatusOr<Json> parsed = ParseJson(text, {.max_depth = 32, .allow_repeated_names = false});
  if (!parsed.ok()) return Annotate(parsed.status(), name);
  if (!parsed->is_object()) {
    return InvalidArgument("%s: expected an object, found %s", name, KindName(*parsed));
  }
  Fields fields(*parsed, name);
  ModelConfig config;
  ASSIGN_OR_RETURN(config.architecture, ReadArchitecture(&fields));
  RETURN_IF_ERROR(RefuseWhatIsNotFollowed(&fields));
  RETURN_IF_ERROR(ReadShape(&fields, &config));
  RETURN_IF_ERROR(ReadRope(&fields, &config));
  ASSIGN_OR_RETURN(config.dtype, ReadDtype(&fields));
  fields.Find("eos_token_id");
  ASSIGN_OR_RETURN(config.eos, EosIds(*parsed, name));
  for (const std::string_view field : kHarmless) fields.Find(field);
  config.unread_fields = fields.Unread();
  return config;
}

std::vector<TensorShape> ExpectedTensors(const ModelConfig& config) {
  const int64_t hidden = config.hidden, ffn = config.ffn, vocabulary = config.vocabulary;
  const int64_t q = int64_t{config.heads} * config.head_dim;
  const int64_t kv = int64_t{config.kv_heads} * config.head_dim;
  const std::string q_fields = "num_attention_heads * head_dim";
  const std::string kv_fields = "num_key_value_heads * head_dim";
  std::vector<TensorShape> tensors = {
      {"model.embed_tokens.weight", {vocabulary, hidden}, "vocab_size, hidden_size"},
      {"model.norm.weight", {hidden}, "hidden_size"}};
  if (!config.tied_embeddings) {
    tensors.push_back({"lm_head.weight", {vocabulary, hidden}, "vocab_size, hidden_size"});
  }
  for (int layer = 0; layer < config.layers; ++layer) {
    const auto add = [&](std::string_view tensor, std::vector<int64_t> shape, std::string why) {
      tensors.push_back(
          {absl::StrFormat("model.layers.%d.%s", layer, tensor), std::move(shape), std::move(why)});
    };
    add("input_layernorm.weight", {hidden}, "hidden_size");
    add("post_attention_layernorm.weight", {hidden}, "hidden_size");
    add("self_attn.q_proj.weight", {q, hidden}, q_fields + ", hidden_size");
    add("self_attn.k_proj.weight", {kv, hidden}, kv_fields + ", hidden_size");
    add("self_attn.v_proj.weight", {kv, hidden}, kv_fields + ", hidden_size");
    add("self_attn.o_proj.weight", {hidden, q}, "hidden_size, " + q_fields);
    if (config.qkv_bias) {
      add("self_attn.q_proj.bias", {q}, q_fields);
      add("self_attn.k_proj.bias", {kv}, kv_fields);
      add("self_attn.v_proj.bias", {kv}, kv_fields);
    }
    if (config.o_bias) add("self_attn.o_proj.bias", {hidden}, "hidden_size");
    if (config.qk_norm) {
      add("self_attn.q_norm.weight", {config.head_dim}, "head_dim");
      add("self_attn.k_norm.weight", {config.head_dim}, "head_dim");
    }
    add("mlp.gate_proj.weight", {ffn, hidden}, "intermediate_size, hidden_size");
    add("mlp.up_proj.weight", {ffn, hidden}, "intermediate_size, hidden_size");
    add("mlp.down_proj.weight", {hidden, ffn}, "hidden_size, intermediate_size");
  }
  return tensors;
}

namespace {

Json RopeToJson(const ModelConfig& config) {
  Json rope = Json::MakeObject({{"theta", config.rope_theta}});
  if (const auto& llama3 = config.llama3_rope) {
    rope.Set("type", "llama3");
    rope.Set("factor", llama3->factor);
    rope.Set("low_frequency_factor", llama3->low_frequency_factor);
    rope.Set("high_frequency_factor", llama3->high_frequency_factor);
    rope.Set("original_max_positions", llama3->original_max_positions);
  } else if (const auto& yarn = config.yarn_rope) {
    rope.Set("type", "yarn");
    rope.Set("factor", yarn->factor);
    rope.Set("beta_fast", yarn->beta_fast);
    rope.Set("beta_slow", yarn->beta_slow);
    rope.Set("original_max_positions", yarn->original_max_positions);
    rope.Set("attention_factor", yarn->attention_factor);
    rope.Set("truncate", yarn->truncate);
  } else if (config.linear_rope_factor) {
    rope.Set("type", "linear");
    rope.Set("factor", *config.linear_rope_factor);
  }
  return rope;
}

}  // namespace

Json ConfigToJson(const ModelConfig& config) {
  Json eos = Json::MakeArray(), unread = Json::MakeArray();
  for (const int id : config.eos) eos.Append(id);
  for (const std::string& field : config.unread_fields) unread.Append(field);
  return Json::MakeObject({{"architecture", config.architecture},
                           {"hidden", config.hidden},
                           {"layers", config.layers},
                           {"heads", config.heads},
                           {"kv_heads", config.kv_heads},
                           {"head_dim", config.head_dim},
                           {"ffn", config.ffn},
                           {"vocabulary", config.vocabulary},
                           {"max_positions", config.max_positions},
                           {"rms_epsilon", config.rms_epsilon},
                           {"rope", RopeToJson(config)},
                           {"tied_embeddings", config.tied_embeddings},
                           {"qkv_bias", config.qkv_bias},
                           {"o_bias", config.o_bias},
                           {"qk_norm", config.qk_norm},
                           {"dtype", std::string(DtypeName(config.dtype))},
                           {"eos", eos},
                           {"bos", config.bos ? Json(*config.bos) : Json()},
                           {"unread_fields", unread},
                           {"generation_config", config.generation_config}});
}

}  // namespace assay
