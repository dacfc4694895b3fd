// What a task file may say: a table of keys for each map, so that a wrong key, type or name is told
// with its line and the nearest valid one.
#include <algorithm>
#include <functional>
#include <limits>

#include "harness/extract.h"
#include "harness/grader.h"
#include "harness/metric.h"
#include "harness/registry.h"
#include "harness/status.h"
#include "harness/task_spec.h"
#include "harness/text.h"
#include "re2/re2.h"

namespace assay {
namespace {

// A check of one value; `what` names it in messages ("dataset.file").
struct Place {
  std::string file;
  absl::Status Error(int line, std::string_view message) const {
    return InvalidArgument("%s:%d: %s", file, line, message);
  }
  absl::Status Wanted(const YamlNode& node, std::string_view what, std::string_view wanted) const {
    return Error(node.line,
                 absl::StrFormat("%s: expected %s, found %s", what, wanted, Describe(node)));
  }
};
using Check =
    std::function<absl::Status(const YamlNode& node, const std::string& what, const Place& place)>;

struct Key {
  std::string name;
  Check check;
  bool required = false;
};

absl::Status CheckKeys(const YamlNode& node, const std::string& what, const std::vector<Key>& keys,
                       const Place& place) {
  if (!node.is_map()) return place.Wanted(node, what, "a map");
  std::vector<std::string> names;
  for (const Key& key : keys) names.push_back(key.name);
  for (size_t i = 0; i < node.members.size(); ++i) {
    const auto& [name, value] = node.members[i];
    const auto known = std::find(names.begin(), names.end(), name);
    if (known == names.end()) {
      return place.Error(
          node.member_lines[i],
          absl::StrFormat("%s: unknown key '%s'%s (known: %s)", what, Shorten(name, 60),
                          DidYouMean(name, names), Join(names, ", ")));
    }
    const std::string path = what == "task" ? name : what + "." + name;
    RETURN_IF_ERROR(keys[static_cast<size_t>(known - names.begin())].check(value, path, place));
  }
  for (const Key& key : keys) {
    if (key.required && node.Find(key.name) == nullptr) {
      return place.Error(node.line, absl::StrFormat("%s: the key '%s' is missing", what, key.name));
    }
  }
  return absl::OkStatus();
}

Check Map(std::vector<Key> keys) {
  return
      [keys = std::move(keys)](const YamlNode& node, const std::string& what, const Place& place) {
        return CheckKeys(node, what, keys, place);
      };
}

absl::Status Text(const YamlNode& node, const std::string& what, const Place& place) {
  if (node.is_scalar() && node.value.is_string()) return absl::OkStatus();
  return place.Wanted(node, what, "text");
}
absl::Status SomeText(const YamlNode& node, const std::string& what, const Place& place) {
  RETURN_IF_ERROR(Text(node, what, place));
  return Trim(node.value.AsString()).empty() ? place.Wanted(node, what, "text that is not empty")
                                             : absl::OkStatus();
}
absl::Status TextOrNumber(const YamlNode& node, const std::string& what, const Place& place) {
  if (node.is_scalar() && node.value.is_number()) return absl::OkStatus();
  return SomeText(node, what, place);
}
absl::Status Scalar(const YamlNode& node, const std::string& what, const Place& place) {
  if (node.is_scalar() && !node.value.is_null()) return absl::OkStatus();
  return place.Wanted(node, what, "text, a number, true or false");
}
absl::Status Boolean(const YamlNode& node, const std::string& what, const Place& place) {
  if (node.is_scalar() && node.value.is_bool()) return absl::OkStatus();
  return place.Wanted(node, what, "true or false");
}
absl::Status Anything(const YamlNode&, const std::string&, const Place&) {
  return absl::OkStatus();
}
absl::Status AnyMap(const YamlNode& node, const std::string& what, const Place& place) {
  return node.is_map() ? absl::OkStatus() : place.Wanted(node, what, "a map");
}

Check Whole(int64_t least, int64_t most = std::numeric_limits<int>::max()) {
  return [=](const YamlNode& node, const std::string& what, const Place& place) {
    if (node.is_scalar() && node.value.is_integer() && node.value.AsInteger() >= least &&
        node.value.AsInteger() <= most) {
      return absl::OkStatus();
    }
    return place.Wanted(node, what, absl::StrFormat("a whole number from %d on", least));
  };
}

Check List(Check item, size_t least) {
  return [=](const YamlNode& node, const std::string& what, const Place& place) {
    if (!node.is_list()) return place.Wanted(node, what, "a list");
    if (node.items.size() < least) {
      return place.Error(node.line, absl::StrFormat("%s: expected at least %d, found %d", what,
                                                    least, node.items.size()));
    }
    for (size_t i = 0; i < node.items.size(); ++i) {
      RETURN_IF_ERROR(item(node.items[i], absl::StrFormat("%s[%d]", what, i), place));
    }
    return absl::OkStatus();
  };
}

Check MapOf(Check value) {
  return [=](const YamlNode& node, const std::string& what, const Place& place) {
    if (!node.is_map()) return place.Wanted(node, what, "a map");
    for (const auto& [name, member] : node.members) {
      RETURN_IF_ERROR(value(member, what + "." + name, place));
    }
    return absl::OkStatus();
  };
}

// The check that fits the node's kind; a missing one says what is `wanted`.
Check ByKind(Check scalar, Check list, Check map, std::string wanted) {
  return [=](const YamlNode& node, const std::string& what, const Place& place) {
    const Check& check = node.is_map() ? map : node.is_list() ? list : scalar;
    return check ? check(node, what, place) : place.Wanted(node, what, wanted);
  };
}

absl::Status TemplateText(const YamlNode& node, const std::string& what, const Place& place) {
  RETURN_IF_ERROR(SomeText(node, what, place));
  const absl::StatusOr<Template> parsed = Template::Parse(node.value.AsString(), what);
  if (!parsed.ok()) return place.Error(node.line, std::string(parsed.status().message()));
  return absl::OkStatus();
}

absl::Status HexDigest(const YamlNode& node, const std::string& what, const Place& place) {
  const std::string text = node.is_scalar() ? node.value.ToText() : "";
  const bool hex = text.find_first_not_of("0123456789abcdef") == std::string::npos;
  if (text.size() == 64 && hex) return absl::OkStatus();
  return place.Wanted(node, what, "64 digits of lower-case hexadecimal");
}

absl::Status TaskName(const YamlNode& node, const std::string& what, const Place& place) {
  RETURN_IF_ERROR(SomeText(node, what, place));
  const std::string& name = node.value.AsString();
  const bool plain = std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '_' || c == '-' || c == '.';
  });
  if (plain && name.size() <= 100) return absl::OkStatus();
  return place.Wanted(node, what, "letters, digits, '_', '-' or '.', at most 100");
}

Check Source() {
  const Check map = [](const YamlNode& node, const std::string& what, const Place& place) {
    RETURN_IF_ERROR(CheckKeys(node, what,
                              {{"field", SomeText},
                               {"template", TemplateText},
                               {"value", Scalar},
                               {"after", Text},
                               {"before", Text},
                               {"map", MapOf(Scalar)}},
                              place));
    int given = 0;
    for (const char* name : {"field", "template", "value"}) given += node.Find(name) ? 1 : 0;
    if (given == 1) return absl::OkStatus();
    return place.Error(
        node.line, absl::StrFormat("%s: expected one of field, template, value; found %d of them",
                                   what, given));
  };
  return ByKind(SomeText, nullptr, map, "a field's name, or a map with field, template or value");
}

absl::Status ShuffleWord(const YamlNode& node, const std::string& what, const Place& place) {
  if (node.is_scalar() &&
      (node.value.is_bool() || node.value == Json("safe") || node.value == Json("simple_evals"))) {
    return absl::OkStatus();
  }
  return place.Wanted(node, what, "true, false, safe or simple_evals");
}

absl::Status ContinuationWord(const YamlNode& node, const std::string& what, const Place& place) {
  if (node.value == Json("choices") || node.value == Json("letters")) return absl::OkStatus();
  return place.Wanted(node, what, "choices or letters");
}

Check ChoicesCheck() {
  const Check fields = List(SomeText, 2);
  const Check map = [fields](const YamlNode& node, const std::string& what, const Place& place) {
    RETURN_IF_ERROR(CheckKeys(node, what,
                              {{"field", SomeText},
                               {"fields", fields},
                               {"drop", List(Text, 1)},
                               {"shuffle", ShuffleWord}},
                              place));
    const bool one = node.Find("field") != nullptr, many = node.Find("fields") != nullptr;
    if (one != many) return absl::OkStatus();
    return place.Error(node.line, what + ": expected either field or fields");
  };
  return ByKind(SomeText, fields, map, "a field's name, a list of fields, or a map");
}

absl::Status FieldsCheck(const YamlNode& node, const std::string& what, const Place& place) {
  RETURN_IF_ERROR(CheckKeys(node, what,
                            {{"id", Source()},
                             {"reference", Source()},
                             {"reference_index", Source()},
                             {"reference_letter", Source()},
                             {"reference_choice", Source()},
                             {"choices", ChoicesCheck()},
                             {"tags", ByKind(nullptr, List(SomeText, 1), MapOf(Source()),
                                             "a list of fields, or a map from tag to field")},
                             {"cluster", Source()}},
                            place));
  std::vector<std::string> given;
  for (const char* form :
       {"reference", "reference_index", "reference_letter", "reference_choice"}) {
    if (node.Find(form) != nullptr) given.emplace_back(form);
  }
  if (given.size() != 1) {
    return place.Error(
        node.line,
        absl::StrFormat("%s: expected one of reference, reference_index, reference_letter, "
                        "reference_choice; found %s",
                        what, given.empty() ? "none" : Join(given, " and ")));
  }
  const bool choices = node.Find("choices") != nullptr;
  if (choices == (given[0] == "reference")) {
    return place.Error(node.line,
                       choices ? what +
                                     ": with choices, the right one is told by reference_index, "
                                     "reference_letter or reference_choice"
                               : absl::StrFormat("%s: %s needs choices", what, given[0]));
  }
  return absl::OkStatus();
}

absl::Status Role(const YamlNode& node, const std::string& what, const Place& place) {
  RETURN_IF_ERROR(SomeText(node, what, place));
  const std::vector<std::string> roles = {"system", "user", "assistant"};
  if (std::find(roles.begin(), roles.end(), node.value.AsString()) != roles.end()) {
    return absl::OkStatus();
  }
  return place.Error(
      node.line, absl::StrFormat("%s: unknown role '%s'%s (known: %s)", what, node.value.AsString(),
                                 DidYouMean(node.value.AsString(), roles), Join(roles, ", ")));
}

absl::Status PromptCheck(const YamlNode& node, const std::string& what, const Place& place) {
  const Check messages = List(Map({{"role", Role, true}, {"content", TemplateText, true}}), 1);
  RETURN_IF_ERROR(ByKind(TemplateText, messages, nullptr, "a template, or a list of messages")(
      node, what, place));
  if (!node.is_list()) return absl::OkStatus();
  const YamlNode& last = node.items.back();
  if (last.Find("role")->value.AsString() == "user") return absl::OkStatus();
  return place.Error(last.line, what +
                                    ": the last message must be the user's; a forced beginning of "
                                    "the reply is reply_prefix");
}

// What looks like a date must be one: as text, 2024-9-1 comes after 2024-10-01.
absl::Status RangeEnd(const YamlNode& node, const std::string& what, const Place& place) {
  RETURN_IF_ERROR(TextOrNumber(node, what, place));
  static const auto* like_a_date = new RE2(R"(\d{1,4}[-./]\d{1,2}[-./]\d{1,4}(\D.*)?)");
  const std::string text = node.value.ToText();
  if (!RE2::FullMatch(text, *like_a_date) || IsDate(text)) return absl::OkStatus();
  return place.Wanted(node, what, "a date as YYYY-MM-DD (2024-08-01)");
}

absl::Status FilterCheck(const YamlNode& node, const std::string& what, const Place& place) {
  const Check range = Map({{"from", RangeEnd}, {"until", RangeEnd}});
  return MapOf(ByKind(Scalar, List(Scalar, 1), range,
                      "a value, a list of values, or from and until"))(node, what, place);
}

std::vector<Key> DatasetKeys() {
  return {{"file", SomeText},         {"sha256", HexDigest},        {"hub_id", SomeText},
          {"revision", TextOrNumber}, {"config", TextOrNumber},     {"split", TextOrNumber},
          {"filter", FilterCheck},    {"parts", List(SomeText, 1)}, {"release", SomeText},
          {"date", SomeText}};
}

absl::Status DatasetCheck(const YamlNode& node, const std::string& what, const Place& place) {
  RETURN_IF_ERROR(CheckKeys(node, what, DatasetKeys(), place));
  const bool parts = node.Find("parts") != nullptr;
  if (!parts && node.Find("file") == nullptr)
    return place.Error(node.line, what + ": the key 'file' is missing");
  if (parts || node.Find("release") == nullptr) return absl::OkStatus();
  return place.Error(node.line, what + ": a 'release' is of 'parts', which are missing");
}

std::vector<Key> FewShotKeys() {
  std::vector<Key> keys = DatasetKeys();
  keys.push_back({"count", Whole(0, 1000), true});
  keys.push_back({"seed", Whole(0)});
  keys.push_back({"as_turns", Boolean});
  keys.push_back({"separator", Text});
  keys.push_back({"introduction", Text});
  keys.push_back({"template", TemplateText});
  keys.push_back({"reply", TemplateText});
  return keys;
}

absl::Status SamplingCheck(const YamlNode& node, const std::string& what, const Place& place) {
  if (!node.is_map()) return place.Wanted(node, what, "a map");
  Json so_far = Json::MakeObject();
  for (size_t i = 0; i < node.members.size(); ++i) {
    const auto& [name, value] = node.members[i];
    Json ignored;
    so_far.Set(name, YamlToJson(value));
    const std::string where = absl::StrFormat("%s:%d: %s", place.file, node.member_lines[i], what);
    RETURN_IF_ERROR(MergeSampling(so_far, where, TextNumbers::kRefuse, &ignored));
  }
  return absl::OkStatus();
}

absl::Status CheckOptions(const YamlNode* options, const std::string& what,
                          const std::vector<std::string>& known, const Place& place) {
  if (options == nullptr) return absl::OkStatus();
  std::vector<Key> keys;
  for (const std::string& name : known) keys.push_back({name, Anything});
  return CheckKeys(*options, what, keys, place);
}

// `NAME` or `{name: NAME, options: {...}}`; the name must be in its table, and its bind must take
// the options.
template <typename Find>
absl::Status PlugCheck(const YamlNode& node, const std::string& what, const Place& place,
                       Find find) {
  const Check map = Map({{"name", SomeText, true}, {"options", AnyMap}});
  RETURN_IF_ERROR(
      ByKind(SomeText, nullptr, map, "a name, or a map with name and options")(node, what, place));
  const YamlNode& name = node.is_map() ? *node.Find("name") : node;
  const auto found = find(name.value.AsString());
  if (!found.ok()) return place.Error(name.line, std::string(found.status().message()));
  const YamlNode* options = node.Find("options");
  RETURN_IF_ERROR(CheckOptions(options, what + ".options", (*found)->options, place));
  const auto bound = (*found)->bind(options == nullptr ? Json() : YamlToJson(*options));
  if (bound.ok()) return absl::OkStatus();
  return place.Error(options == nullptr ? name.line : options->line,
                     absl::StrFormat("%s: %s", what, std::string(bound.status().message())));
}

absl::Status ExtractCheck(const YamlNode& node, const std::string& what, const Place& place) {
  return PlugCheck(node, what, place, FindExtractor);
}
absl::Status GraderCheck(const YamlNode& node, const std::string& what, const Place& place) {
  return PlugCheck(node, what, place, FindGrader);
}

absl::Status MetricCheck(const YamlNode& node, const std::string& what, const Place& place) {
  RETURN_IF_ERROR(SomeText(node, what, place));
  const std::string& name = node.value.AsString();
  const absl::Status known = FindMetric(name).status();
  const absl::Status parsed = ParseAsked(name).status();
  if (known.ok() && parsed.ok()) return absl::OkStatus();
  return place.Error(node.line, std::string((known.ok() ? parsed : known).message()));
}

absl::Status CardCheck(const YamlNode& node, const std::string& what, const Place& place) {
  return CheckKeys(node, what,
                   {{"source", SomeText},
                    {"licence", SomeText},
                    {"size", Whole(1)},
                    {"citation", SomeText},
                    {"prompt", SomeText},
                    {"notes", SomeText}},
                   place);
}

absl::Status Number(const YamlNode& node, const std::string& what, const Place& place) {
  if (node.is_scalar() && node.value.is_number()) return absl::OkStatus();
  return place.Wanted(node, what, "a number");
}

absl::Status UnitWord(const YamlNode& node, const std::string& what, const Place& place) {
  if (node.value == Json("percent") || node.value == Json("rating")) return absl::OkStatus();
  return place.Wanted(node, what, "percent or rating");
}

absl::Status ReferenceResultCheck(const YamlNode& node, const std::string& what,
                                  const Place& place) {
  RETURN_IF_ERROR(CheckKeys(node, what,
                            {{"model", SomeText, true},
                             {"metric", MetricCheck, true},
                             {"value", Number, true},
                             {"unit", UnitWord},
                             {"source", SomeText, true},
                             {"note", SomeText}},
                            place));
  const YamlNode* unit = node.Find("unit");
  const double value = node.Find("value")->value.AsNumber();
  const bool percent = unit == nullptr || unit->value == Json("percent");
  if (!percent || (value >= 0 && value <= 100)) return absl::OkStatus();
  return place.Wanted(*node.Find("value"), what + ".value", "0 to 100 (per cent)");
}

}  // namespace

absl::Status ValidateTask(const YamlNode& root, const std::string& file) {
  const Place place{file};
  if (!root.is_map()) return place.Wanted(root, "task", "a map (name: ..., dataset: ...)");
  return CheckKeys(root, "task",
                   {{"name", TaskName, true},
                    {"version", TextOrNumber, true},
                    {"about", SomeText},
                    {"card", CardCheck},
                    {"tags", List(SomeText, 0)},
                    {"reference_results", List(ReferenceResultCheck, 1)},
                    {"dataset", DatasetCheck, true},
                    {"fields", FieldsCheck, true},
                    {"system", SomeText},
                    {"prompt", PromptCheck, true},
                    {"fewshot", Map(FewShotKeys())},
                    {"reply_prefix", Text},
                    {"loglikelihood", Map({{"of", ContinuationWord}, {"delimiter", Text}})},
                    {"extract", ExtractCheck, true},
                    {"grader", GraderCheck, true},
                    {"samples", Whole(1, 1'000'000)},
                    {"sampling", SamplingCheck},
                    {"metrics", List(MetricCheck, 1)}},
                   place);
}

}  // namespace assay
