// Reading a valid definition; sampling by every name that people use for it.
#include "harness/task_spec.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>

#include "harness/backend.h"
#include "harness/status.h"
#include "harness/text.h"
#include "harness/token_logprobs.h"

namespace assay {
namespace {

absl::StatusOr<CheckedTemplate> ParseChecked(const std::string& source, const std::string& name) {
  ASSIGN_OR_RETURN(Template parsed, Template::Parse(source, name));
  std::vector<std::string> names = parsed.NamesRead();
  std::vector<std::string> row_fields = parsed.MembersRead("row");
  return CheckedTemplate{std::move(parsed), std::move(names), std::move(row_fields)};
}

absl::StatusOr<ValueSource> SourceFromJson(const Json& json, const std::string& name) {
  ValueSource source;
  if (json.is_string()) {
    source.field = json.AsString();
    return source;
  }
  source.field = json.FindString("field").value_or("");
  source.after = json.FindString("after").value_or("");
  source.before = json.FindString("before").value_or("");
  if (const Json* map = json.Find("map")) source.map = *map;
  if (const Json* value = json.Find("value")) source.value = *value;
  if (const std::optional<std::string> text = json.FindString("template")) {
    ASSIGN_OR_RETURN(source.made, ParseChecked(*text, name));
  }
  return source;
}

std::vector<std::string> Texts(const Json* list) {
  std::vector<std::string> texts;
  if (list == nullptr || !list->is_array()) return texts;
  for (const Json& item : list->AsArray()) texts.push_back(item.ToText());
  return texts;
}

ChoicesSource ChoicesFromJson(const Json& json) {
  ChoicesSource source;
  if (json.is_string()) source.list_field = json.AsString();
  if (json.is_array()) source.fields = Texts(&json);
  if (!json.is_object()) return source;
  source.list_field = json.FindString("field").value_or("");
  source.fields = Texts(json.Find("fields"));
  source.drop = Texts(json.Find("drop"));
  if (const std::optional<bool> shuffle = json.FindBool("shuffle")) {
    source.shuffle = *shuffle ? Shuffle::kAlways : Shuffle::kNever;
  } else if (json.FindString("shuffle").value_or("") == "simple_evals") {
    source.shuffle = Shuffle::kSimpleEvals;
  }
  return source;
}

absl::Status ReferenceFromJson(const Json& fields, const std::string& file, FieldMap* map) {
  static constexpr std::pair<const char*, ReferenceForm> kForms[] = {
      {"reference", ReferenceForm::kText},
      {"reference_index", ReferenceForm::kIndex},
      {"reference_letter", ReferenceForm::kLetter},
      {"reference_choice", ReferenceForm::kChoice}};
  for (const auto& [name, form] : kForms) {
    const Json* source = fields.Find(name);
    if (source == nullptr) continue;
    map->reference_form = form;
    ASSIGN_OR_RETURN(map->reference,
                     SourceFromJson(*source, absl::StrFormat("%s: fields.%s", file, name)));
  }
  return absl::OkStatus();
}

absl::StatusOr<FieldMap> FieldsFromJson(const Json& fields, const std::string& file) {
  FieldMap map;
  RETURN_IF_ERROR(ReferenceFromJson(fields, file, &map));
  if (const Json* id = fields.Find("id")) {
    ASSIGN_OR_RETURN(map.id, SourceFromJson(*id, file + ": fields.id"));
  }
  if (const Json* choices = fields.Find("choices")) map.choices = ChoicesFromJson(*choices);
  if (const Json* cluster = fields.Find("cluster")) {
    ASSIGN_OR_RETURN(map.cluster, SourceFromJson(*cluster, file + ": fields.cluster"));
  }
  const Json* tags = fields.Find("tags");
  for (const std::string& field : Texts(tags)) map.tags.push_back({field, ValueSource{field}});
  if (tags != nullptr && tags->is_object()) {
    for (const auto& [tag, json] : tags->AsMembers()) {
      ASSIGN_OR_RETURN(ValueSource source, SourceFromJson(json, file + ": fields.tags." + tag));
      map.tags.push_back({tag, std::move(source)});
    }
  }
  return map;
}

absl::StatusOr<std::vector<MessageTemplate>> PromptFromJson(const Json& prompt,
                                                            const std::string& file) {
  std::vector<MessageTemplate> messages;
  if (prompt.is_string()) {
    ASSIGN_OR_RETURN(CheckedTemplate text, ParseChecked(prompt.AsString(), file + ": prompt"));
    messages.push_back({"user", std::move(text)});
    return messages;
  }
  for (const Json& message : prompt.is_array() ? prompt.AsArray() : Json::Array()) {
    const std::string name = absl::StrFormat("%s: prompt[%d]", file, messages.size());
    ASSIGN_OR_RETURN(CheckedTemplate text,
                     ParseChecked(message.FindString("content").value_or(""), name));
    messages.push_back({message.FindString("role").value_or("user"), std::move(text)});
  }
  return messages;
}

absl::StatusOr<FewShot> FewShotFromJson(const Json& json, const std::string& file) {
  FewShot fewshot;
  fewshot.dataset = DatasetFromJson(json);
  fewshot.count = static_cast<int>(json.FindInteger("count").value_or(0));
  fewshot.seed = static_cast<uint64_t>(json.FindInteger("seed").value_or(1234));
  fewshot.as_turns = json.FindBool("as_turns").value_or(true);
  fewshot.separator = json.FindString("separator").value_or("\n\n");
  fewshot.introduction = json.FindString("introduction").value_or("");
  if (const std::optional<std::string> text = json.FindString("template")) {
    ASSIGN_OR_RETURN(fewshot.question, ParseChecked(*text, file + ": fewshot.template"));
  }
  ASSIGN_OR_RETURN(fewshot.reply, ParseChecked(json.FindString("reply").value_or("{{ reference }}"),
                                               file + ": fewshot.reply"));
  return fewshot;
}

// --- sampling ---

absl::Status Wrong(std::string_view where, std::string_view name, std::string_view wanted,
                   const Json& found) {
  return InvalidArgument("%s.%s: expected %s, found %s", where, name, wanted,
                         Shorten(found.Dump(), 60));
}

using Taker = std::function<absl::Status(std::string_view where, const std::string& name,
                                         const Json& value, Json* sampling)>;

// Numbers come as text from a command line.
Json NumberOf(const Json& value) {
  if (!value.is_string()) return value;
  if (const std::optional<int64_t> whole = ParseInt(value.AsString())) return Json(*whole);
  if (const std::optional<double> real = ParseDouble(value.AsString())) return Json(*real);
  return value;
}

Taker Number(const char* key, double least, double most, const char* wanted) {
  return [=](std::string_view where, const std::string& name, const Json& value, Json* sampling) {
    const Json number = NumberOf(value);
    if (!number.is_number() || !std::isfinite(number.AsNumber()) || number.AsNumber() < least ||
        number.AsNumber() > most) {
      return Wrong(where, name, wanted, value);
    }
    sampling->Set(key, Json(number.AsNumber()));
    return absl::OkStatus();
  };
}

Taker WholeNumber(const char* key, int64_t least, const char* wanted) {
  return [=](std::string_view where, const std::string& name, const Json& value, Json* sampling) {
    const Json number = NumberOf(value);
    if (!number.is_integer() || number.AsInteger() < least || number.AsInteger() > INT32_MAX) {
      return Wrong(where, name, wanted, value);
    }
    sampling->Set(key, number);
    return absl::OkStatus();
  };
}

absl::Status TakeStop(std::string_view where, const std::string& name, const Json& value,
                      Json* sampling) {
  Json list = value.is_array() ? value : Json(Json::Array{value});
  for (const Json& item : list.AsArray()) {
    if (!item.is_string() || item.AsString().empty()) {
      return Wrong(where, name, "text or a list of texts", value);
    }
  }
  sampling->Set("stop", std::move(list));
  return absl::OkStatus();
}

// lm-evaluation-harness's word for greedy decoding.
absl::Status TakeDoSample(std::string_view where, const std::string& name, const Json& value,
                          Json* sampling) {
  const bool yes = value == Json(true) || value == Json("true") || value == Json("True");
  const bool no = value == Json(false) || value == Json("false") || value == Json("False");
  if (!yes && !no) return Wrong(where, name, "true or false", value);
  if (no) sampling->Set("temperature", Json(0.0));
  return absl::OkStatus();
}

// OpenAI's two fields, `logprobs` (a boolean) and `top_logprobs` (a number); a number as `logprobs`
// says both, as in its older API.
absl::Status TakeTopLogprobs(std::string_view where, const std::string& name, const Json& value,
                             Json* sampling) {
  const Json number = NumberOf(value);
  if (!number.is_integer() || number.AsInteger() < 0 || number.AsInteger() > kMostTopLogprobs) {
    return Wrong(where, name,
                 absl::StrFormat("a number of alternatives from 0 to %d%s", kMostTopLogprobs,
                                 name == "logprobs" ? ", true or false" : ""),
                 value);
  }
  sampling->Set("top_logprobs", number);
  sampling->Set("logprobs", true);
  return absl::OkStatus();
}

absl::Status TakeLogprobs(std::string_view where, const std::string& name, const Json& value,
                          Json* sampling) {
  const bool yes = value == Json(true) || value == Json("true") || value == Json("True");
  const bool no = value == Json(false) || value == Json("false") || value == Json("False");
  if (!yes && !no) return TakeTopLogprobs(where, name, value, sampling);
  sampling->Set("logprobs", yes);
  return absl::OkStatus();
}

absl::Status TakeExtra(std::string_view where, const std::string& name, const Json& value,
                       Json* sampling) {
  if (!value.is_object()) return Wrong(where, name, "a map of request fields", value);
  for (const auto& [field, field_value] : value.AsMembers()) {
    if (std::find(kOwnRequestFields.begin(), kOwnRequestFields.end(), field) ==
        kOwnRequestFields.end()) {
      continue;
    }
    return InvalidArgument("%s.%s: the request field '%s' is set by assay and cannot be passed on",
                           where, name, field);
  }
  Json* extra = sampling->Find("extra");
  if (extra == nullptr) extra = &sampling->Set("extra", Json::MakeObject());
  for (const auto& [field, field_value] : value.AsMembers()) extra->Set(field, field_value);
  return absl::OkStatus();
}

// Request fields that servers know by these names: passed on as given.
absl::Status TakeRequestField(std::string_view, const std::string& name, const Json& value,
                              Json* sampling) {
  Json* extra = sampling->Find("extra");
  if (extra == nullptr) extra = &sampling->Set("extra", Json::MakeObject());
  extra->Set(name, NumberOf(value));
  return absl::OkStatus();
}

const std::map<std::string, Taker, std::less<>>& SamplingTakers() {
  static const auto* takers = [] {
    auto* map = new std::map<std::string, Taker, std::less<>>;
    (*map)["temperature"] = Number("temperature", 0, 100, "a number from 0 to 100");
    (*map)["top_p"] = Number("top_p", 1e-9, 1, "a number above 0, at most 1");
    (*map)["min_p"] = Number("min_p", 0, 1, "a number from 0 to 1");
    (*map)["top_k"] =
        WholeNumber("top_k", -1, "a whole number from -1 to 2147483647 (-1 or 0: off)");
    (*map)["repetition_penalty"] =
        Number("repetition_penalty", 1e-9, 100, "a number above 0, at most 100");
    for (const char* name : {"max_tokens", "max_gen_toks", "max_new_tokens",
                             "max_completion_tokens", "max_output_tokens"}) {
      (*map)[name] = WholeNumber("max_tokens", 1, "a whole number from 1 to 2147483647");
    }
    (*map)["stop"] = (*map)["until"] = (*map)["stop_sequences"] = TakeStop;
    (*map)["do_sample"] = TakeDoSample;
    (*map)["logprobs"] = TakeLogprobs;
    (*map)["top_logprobs"] = TakeTopLogprobs;
    (*map)["extra"] = (*map)["extra_body"] = TakeExtra;
    for (const char* name : {"presence_penalty", "frequency_penalty", "reasoning_effort",
                             "chat_template_kwargs", "logit_bias"}) {
      (*map)[name] = TakeRequestField;
    }
    return map;
  }();
  return *takers;
}

// What one map said so far: canonical key (or "extra.FIELD") -> the name that said it, and what.
using Said = std::map<std::string, std::pair<std::string, Json>, std::less<>>;

// Two names of one thing may stand side by side where they say the same.
absl::Status Say(std::string_view where, const std::string& name, const std::string& key,
                 const Json& value, Said* said) {
  const auto [before, fresh] = said->try_emplace(key, name, value);
  if (fresh || before->second.second == value) return absl::OkStatus();
  return InvalidArgument("%s: '%s' (%s) and '%s' (%s) both set %s: expected one of them", where,
                         before->second.first, Shorten(before->second.second.Dump(), 60), name,
                         Shorten(value.Dump(), 60), key);
}

// `one` is what a single name set.
absl::Status Take(std::string_view where, const std::string& name, const Json& one, Said* said,
                  Json* sampling) {
  for (const auto& [key, value] : one.AsMembers()) {
    if (key != "extra") {
      RETURN_IF_ERROR(Say(where, name, key, value, said));
      sampling->Set(key, value);
      continue;
    }
    Json* extra = sampling->Find("extra");
    if (extra == nullptr) extra = &sampling->Set("extra", Json::MakeObject());
    for (const auto& [field, field_value] : value.AsMembers()) {
      RETURN_IF_ERROR(Say(where, name, "extra." + field, field_value, said));
      extra->Set(field, field_value);
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status MergeSampling(const Json& given, std::string_view where, TextNumbers text_numbers,
                           Json* sampling) {
  if (given.is_null()) return absl::OkStatus();
  if (!given.is_object())
    return InvalidArgument("%s: expected a map, found %s", where, KindName(given));
  if (sampling->is_null()) *sampling = Json::MakeObject();
  std::vector<std::string> known;
  for (const auto& [name, taker] : SamplingTakers()) known.push_back(name);
  Said said;
  for (const auto& [name, value] : given.AsMembers()) {
    if (name == "seed") {
      return InvalidArgument("%s: the seed belongs to the run, not to the sampling: use --seed",
                             where);
    }
    const auto taker = SamplingTakers().find(name);
    if (taker == SamplingTakers().end()) {
      return InvalidArgument(
          "%s: unknown key '%s'%s (known: %s; any other request field goes under extra)", where,
          Shorten(name, 60), DidYouMean(name, known), Join(known, ", "));
    }
    Json one = Json::MakeObject();
    RETURN_IF_ERROR(taker->second(where, name, value, &one));
    if (text_numbers == TextNumbers::kRefuse && value.is_string() && one.size() > 0 &&
        one.AsMembers()[0].second.is_number()) {
      return Wrong(where, name, "a value without quotes", value);
    }
    RETURN_IF_ERROR(Take(where, name, one, &said, sampling));
  }
  return absl::OkStatus();
}

Sampling SamplingFromJson(const Json& json) {
  Sampling sampling;
  sampling.temperature = json.FindNumber("temperature");
  sampling.top_p = json.FindNumber("top_p");
  sampling.min_p = json.FindNumber("min_p");
  sampling.repetition_penalty = json.FindNumber("repetition_penalty");
  if (const auto top_k = json.FindInteger("top_k")) sampling.top_k = static_cast<int>(*top_k);
  if (const auto most = json.FindInteger("max_tokens")) {
    sampling.max_tokens = static_cast<int>(*most);
  }
  sampling.stop = Texts(json.Find("stop"));
  if (json.FindBool("logprobs").value_or(false)) {
    sampling.top_logprobs = static_cast<int>(json.FindInteger("top_logprobs").value_or(0));
  }
  if (const Json* extra = json.Find("extra")) sampling.extra = *extra;
  return sampling;
}

DatasetReference DatasetFromJson(const Json& json) {
  const auto text = [&](std::string_view name) {
    const Json* found = json.Find(name);
    return found == nullptr ? std::string() : found->ToText();
  };
  DatasetReference dataset{text("file"),    text("sha256"), text("hub_id"), text("revision"),
                           text("config"),  text("split"),  Json(),         {},
                           text("release"), text("date")};
  if (const Json* parts = json.Find("parts")) {
    for (const Json& part : parts->AsArray()) dataset.parts.push_back(part.AsString());
  }
  if (const Json* filter = json.Find("filter")) dataset.filter = *filter;
  return dataset;
}

absl::StatusOr<TaskSpec> BuildSpec(const Json& definition, const std::string& file) {
  TaskSpec spec;
  const Json* fields = definition.Find("fields");
  const Json* prompt = definition.Find("prompt");
  if (fields == nullptr || prompt == nullptr) {
    return InvalidArgument("%s: the definition has no fields or no prompt", file);
  }
  ASSIGN_OR_RETURN(spec.fields, FieldsFromJson(*fields, file));
  ASSIGN_OR_RETURN(spec.prompt, PromptFromJson(*prompt, file));
  spec.system = definition.FindString("system").value_or("");
  spec.reply_prefix = definition.FindString("reply_prefix").value_or("");
  if (const Json* scored = definition.Find("loglikelihood")) {
    spec.continuations = scored->FindString("of").value_or("choices") == "letters"
                             ? TaskSpec::Continuations::kLetters
                             : TaskSpec::Continuations::kChoices;
    spec.delimiter = scored->FindString("delimiter").value_or(" ");
  }
  if (const Json* fewshot = definition.Find("fewshot")) {
    ASSIGN_OR_RETURN(spec.fewshot, FewShotFromJson(*fewshot, file));
  }
  return spec;
}

}  // namespace assay
