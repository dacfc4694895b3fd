// One function per part of the file; what is not byte-level BPE as our models use it is refused.
#include "inference/engine/tokenizer_json.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <unordered_map>

#include "harness/status.h"
#include "harness/text.h"
#include "inference/engine/nfc.h"

namespace assay {
namespace {

constexpr int kMaxTokens = 1 << 20;

std::string Shown(const Json* value) {
  return value == nullptr ? "nothing" : Printable(Shorten(value->Dump(), 80));
}
std::string Shown(std::string_view text) { return Printable(Shorten(text, 80)); }

bool IsAbsent(const Json* value) { return value == nullptr || value->is_null(); }

// "type" of a part, "" where it has none.
std::string TypeOf(const Json& part) { return part.FindString("type").value_or(""); }

// --- vocabulary ---

// Code point -> byte, as in GPT-2's encoder: printable Latin-1 stands for itself, the others for
// the letters from U+0100 on.
const std::array<int, 512>& ByteOfLetter() {
  static const auto* table = [] {
    auto* bytes = new std::array<int, 512>;
    bytes->fill(-1);
    int extra = 256;
    for (int b = 0; b < 256; ++b) {
      const bool printable = (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174;
      (*bytes)[printable ? b : extra++] = b;
    }
    return bytes;
  }();
  return *table;
}

struct Vocabulary {
  std::vector<std::string> tokens;
  std::vector<bool> is_set;
  std::unordered_map<std::string_view, int> ids;  // as written, letters; views into the JSON
};

absl::StatusOr<Vocabulary> ReadVocabulary(const Json& model, std::string_view name) {
  const Json* vocab = model.Find("vocab");
  if (vocab == nullptr || !vocab->is_object() || vocab->size() == 0) {
    return InvalidArgument("%s: field 'model.vocab': expected an object of ids, found %s", name,
                           vocab == nullptr ? "nothing" : KindName(*vocab));
  }
  Vocabulary out;
  out.ids.reserve(vocab->size());
  for (const Json::Member& member : vocab->AsMembers()) {
    if (!member.second.is_integer() || member.second.AsInteger() < 0 ||
        member.second.AsInteger() >= kMaxTokens) {
      return InvalidArgument(
          "%s: field 'model.vocab': token '%s': expected an id below %d, found %s", name,
          Shown(member.first), kMaxTokens, Shown(&member.second));
    }
    const auto id = static_cast<size_t>(member.second.AsInteger());
    if (id >= out.tokens.size()) {
      out.tokens.resize(id + 1);
      out.is_set.resize(id + 1);
    }
    if (out.is_set[id]) {
      return InvalidArgument(
          "%s: field 'model.vocab': token '%s': id %d is another token's as well", name,
          Shown(member.first), id);
    }
    out.is_set[id] = true;
    // What is written in no byte's letters is an added token that stands here too.
    out.tokens[id] = BytesOfLetters(member.first).value_or(member.first);
    out.ids.emplace(member.first, static_cast<int>(id));
  }
  return out;
}

absl::Status ReadByteIds(const Vocabulary& vocabulary, std::string_view name,
                         std::array<int, 256>* byte_ids) {
  const std::array<int, 512>& bytes = ByteOfLetter();
  for (size_t letter = 0; letter < bytes.size(); ++letter) {
    if (bytes[letter] < 0) continue;
    std::string text;
    AppendUtf8(static_cast<char32_t>(letter), &text);
    const auto found = vocabulary.ids.find(text);
    if (found == vocabulary.ids.end()) {
      return InvalidArgument("%s: field 'model.vocab': no token for byte 0x%02X ('%s')", name,
                             bytes[letter], text);
    }
    (*byte_ids)[static_cast<size_t>(bytes[letter])] = found->second;
  }
  return absl::OkStatus();
}

// --- merges ---

// "a b", or ["a", "b"] since tokenizers 0.20.
std::optional<std::pair<std::string_view, std::string_view>> ReadPair(const Json& merge) {
  if (merge.is_string()) {
    const std::string_view text = merge.AsString();
    const size_t space = text.find(' ');
    if (space == std::string_view::npos || text.find(' ', space + 1) != std::string_view::npos) {
      return std::nullopt;
    }
    return std::pair(text.substr(0, space), text.substr(space + 1));
  }
  if (!merge.is_array() || merge.size() != 2) return std::nullopt;
  const Json::Array& pair = merge.AsArray();
  if (!pair[0].is_string() || !pair[1].is_string()) return std::nullopt;
  return std::pair<std::string_view, std::string_view>(pair[0].AsString(), pair[1].AsString());
}

absl::StatusOr<std::vector<Merge>> ReadMerges(const Json& model, const Vocabulary& vocabulary,
                                              std::string_view name) {
  const Json* list = model.Find("merges");
  if (list == nullptr || !list->is_array()) {
    return InvalidArgument("%s: field 'model.merges': expected an array, found %s", name,
                           list == nullptr ? "nothing" : KindName(*list));
  }
  std::vector<Merge> merges;
  merges.reserve(list->size());
  std::string joined;
  for (const Json& entry : list->AsArray()) {
    const auto where = [&] {
      return absl::StrFormat("%s: field 'model.merges', entry %d (%s)", name, merges.size(),
                             Shown(&entry));
    };
    const auto pair = ReadPair(entry);
    if (!pair) return InvalidArgument("%s: expected two tokens", where());
    joined.assign(pair->first);
    joined += pair->second;
    Merge merge;
    for (const auto& [token, id] : {std::pair<std::string_view, int*>(pair->first, &merge.left),
                                    {pair->second, &merge.right},
                                    {joined, &merge.merged}}) {
      const auto found = vocabulary.ids.find(token);
      if (found == vocabulary.ids.end()) {
        return InvalidArgument("%s: '%s' is not in model.vocab", where(), Shown(token));
      }
      *id = found->second;
    }
    merges.push_back(merge);
  }
  return merges;
}

// --- model ---

absl::Status CheckModel(const Json* model, std::string_view name) {
  if (IsAbsent(model)) return InvalidArgument("%s: field 'model': expected an object", name);
  // Files of before 2020 carry no type; they are recognised by their merges.
  const Json* type = model->Find("type");
  if (type != nullptr && *type == Json("BPE")) type = nullptr;
  if (type != nullptr) {
    return InvalidArgument("%s: field 'model.type': %s is not supported (BPE)", name, Shown(type));
  }
  for (const std::string_view field :
       {"dropout", "byte_fallback", "continuing_subword_prefix", "end_of_word_suffix"}) {
    const Json* value = model->Find(field);
    const bool neutral = IsAbsent(value) || *value == Json("") || *value == Json(false) ||
                         (value->is_number() && value->AsNumber() == 0);
    if (!neutral) {
      return InvalidArgument("%s: field 'model.%s': %s is not supported", name, field,
                             Shown(value));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> ReadIgnoreMerges(const Json& model, std::string_view name) {
  const Json* value = model.Find("ignore_merges");
  if (IsAbsent(value)) return false;
  if (value->is_bool()) return value->AsBool();
  return InvalidArgument("%s: field 'model.ignore_merges': expected true or false, found %s", name,
                         Shown(value));
}

// --- added tokens ---

absl::StatusOr<bool> ReadFlag(const Json& token, std::string_view flag, bool absent,
                              std::string_view where) {
  const Json* value = token.Find(flag);
  if (value == nullptr) return absent;
  if (!value->is_bool()) {
    return InvalidArgument("%s: field '%s': expected true or false, found %s", where, flag,
                           Shown(value));
  }
  return value->AsBool();
}

absl::StatusOr<AddedToken> ReadAddedToken(const Json& token, std::optional<int64_t> id,
                                          std::string_view where) {
  AddedToken out;
  const Json* content = token.Find("content");
  if (content == nullptr || !content->is_string() || content->AsString().empty()) {
    return InvalidArgument("%s: field 'content': expected a text, found %s", where, Shown(content));
  }
  out.content = content->AsString();
  if (!id || *id < 0 || *id >= kMaxTokens) {
    return InvalidArgument("%s: '%s': expected an id below %d, found %s", where, Shown(out.content),
                           kMaxTokens, Shown(token.Find("id")));
  }
  out.id = static_cast<int>(*id);
  ASSIGN_OR_RETURN(out.special, ReadFlag(token, "special", false, where));
  ASSIGN_OR_RETURN(out.normalized, ReadFlag(token, "normalized", !out.special, where));
  ASSIGN_OR_RETURN(out.lstrip, ReadFlag(token, "lstrip", false, where));
  ASSIGN_OR_RETURN(out.rstrip, ReadFlag(token, "rstrip", false, where));
  ASSIGN_OR_RETURN(out.single_word, ReadFlag(token, "single_word", false, where));
  return out;
}

// Where transformers finds tokens in tokenizer_config.json that tokenizer.json lacks, it adds them.
absl::Status ReadAddedTokensDecoder(const Json& config, std::vector<AddedToken>* added) {
  const Json* decoder = config.Find("added_tokens_decoder");
  if (IsAbsent(decoder)) return absl::OkStatus();
  const std::string where = "tokenizer_config.json: field 'added_tokens_decoder'";
  if (!decoder->is_object()) {
    return InvalidArgument("%s: expected an object, found %s", where, KindName(*decoder));
  }
  for (const Json::Member& member : decoder->AsMembers()) {
    ASSIGN_OR_RETURN(AddedToken token,
                     ReadAddedToken(member.second, ParseInt(member.first), where));
    const auto same = [&](const AddedToken& other) { return other.content == token.content; };
    if (std::none_of(added->begin(), added->end(), same)) added->push_back(std::move(token));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<AddedToken>> ReadAddedTokens(const Json& root, const Json& config,
                                                        std::string_view name) {
  std::vector<AddedToken> added;
  const std::string where = absl::StrFormat("%s: field 'added_tokens'", name);
  const Json* list = root.Find("added_tokens");
  if (!IsAbsent(list) && !list->is_array()) {
    return InvalidArgument("%s: expected an array, found %s", where, KindName(*list));
  }
  if (!IsAbsent(list)) {
    for (const Json& token : list->AsArray()) {
      ASSIGN_OR_RETURN(AddedToken read, ReadAddedToken(token, token.FindInteger("id"), where));
      added.push_back(std::move(read));
    }
  }
  RETURN_IF_ERROR(ReadAddedTokensDecoder(config, &added));
  return added;
}

// Gives each added token its place among the ids.
absl::Status PlaceAddedTokens(const std::vector<AddedToken>& added, std::string_view name,
                              Vocabulary* vocabulary) {
  std::map<std::string_view, int> seen;
  for (const AddedToken& token : added) {
    const auto id = static_cast<size_t>(token.id);
    const auto wrong = [&](std::string_view what) {
      return InvalidArgument("%s: field 'added_tokens': '%s' with id %d: %s", name,
                             Shown(token.content), id, what);
    };
    if (!seen.emplace(token.content, token.id).second) return wrong("stands there twice");
    const auto in_vocabulary = vocabulary->ids.find(token.content);
    const bool same_id =
        in_vocabulary != vocabulary->ids.end() && in_vocabulary->second == token.id;
    if (in_vocabulary != vocabulary->ids.end() && !same_id) {
      return wrong(absl::StrFormat("model.vocab gives it id %d", in_vocabulary->second));
    }
    if (id >= vocabulary->tokens.size()) {
      vocabulary->tokens.resize(id + 1);
      vocabulary->is_set.resize(id + 1);
    }
    if (vocabulary->is_set[id] && !same_id) return wrong("another token has that id");
    vocabulary->is_set[id] = true;
    vocabulary->tokens[id] = token.content;
  }
  return absl::OkStatus();
}

absl::Status CheckNoHoles(const Vocabulary& vocabulary, std::string_view name) {
  for (size_t id = 0; id < vocabulary.is_set.size(); ++id) {
    if (vocabulary.is_set[id]) continue;
    return InvalidArgument(
        "%s: field 'model.vocab': no token has id %d, though there are ids up to %d", name, id,
        vocabulary.is_set.size() - 1);
  }
  return absl::OkStatus();
}

// --- normalizer, pre-tokenizer, decoder ---

// Calls `visit` with the part, or with each part of a Sequence of them.
absl::Status ForEachPart(const Json& part, std::string_view list,
                         const std::function<absl::Status(const Json&)>& visit) {
  if (TypeOf(part) != "Sequence") return visit(part);
  const Json* parts = part.Find(list);
  if (parts == nullptr || !parts->is_array()) return visit(part);
  for (const Json& inner : parts->AsArray()) RETURN_IF_ERROR(ForEachPart(inner, list, visit));
  return absl::OkStatus();
}

absl::StatusOr<bool> ReadNormalizer(const Json& root, std::string_view name) {
  const Json* normalizer = root.Find("normalizer");
  if (IsAbsent(normalizer)) return false;
  bool nfc = false;
  RETURN_IF_ERROR(ForEachPart(*normalizer, "normalizers", [&](const Json& part) {
    nfc = true;
    if (TypeOf(part) == "NFC") return absl::OkStatus();
    return InvalidArgument("%s: field 'normalizer': %s is not supported (NFC)", name, Shown(&part));
  }));
  return nfc;
}

absl::StatusOr<PreTokenizer> ReadSplit(const Json& part, std::string_view name) {
  const Json* pattern = part.Find("pattern");
  const std::optional<std::string> regex =
      pattern == nullptr ? std::nullopt : pattern->FindString("Regex");
  if (!regex) {
    return InvalidArgument("%s: field 'pre_tokenizer': a Split by %s is not supported (Regex)",
                           name, Shown(pattern));
  }
  const std::optional<PreTokenizer> kind = PreTokenizerFromPattern(*regex);
  if (!kind) {
    return InvalidArgument(
        "%s: field 'pre_tokenizer': the regular expression '%s' is not one of those known "
        "(Qwen2's, "
        "Llama 3's, GPT-2's)",
        name, Printable(Shorten(*regex, 200)));
  }
  // The patterns match every character, so both ways of writing it keep the matches.
  const std::string behavior = part.FindString("behavior").value_or("");
  const bool invert = part.FindBool("invert").value_or(false);
  if ((behavior == "Isolated" && !invert) || (behavior == "Removed" && invert)) return *kind;
  return InvalidArgument(
      "%s: field 'pre_tokenizer': Split with behavior '%s' and invert %s is not "
      "supported (Isolated, false)",
      name, Shown(behavior), invert ? "true" : "false");
}

absl::StatusOr<PreTokenizer> ReadPreTokenizer(const Json& root, std::string_view name) {
  const Json* pre_tokenizer = root.Find("pre_tokenizer");
  if (IsAbsent(pre_tokenizer)) {
    return InvalidArgument("%s: field 'pre_tokenizer': expected one, found nothing", name);
  }
  std::optional<PreTokenizer> kind;
  bool maps_bytes = false;
  RETURN_IF_ERROR(ForEachPart(*pre_tokenizer, "pretokenizers", [&](const Json& part) {
    if (maps_bytes || (TypeOf(part) == "Split" && kind)) {
      return InvalidArgument(
          "%s: field 'pre_tokenizer': %s after what came before is not supported", name,
          Shown(&part));
    }
    if (TypeOf(part) == "Split") {
      absl::StatusOr<PreTokenizer> split = ReadSplit(part, name);
      if (!split.ok()) return split.status();
      kind = *split;
      return absl::OkStatus();
    }
    if (TypeOf(part) != "ByteLevel") {
      return InvalidArgument("%s: field 'pre_tokenizer': %s is not supported (Split, ByteLevel)",
                             name, Shown(&part));
    }
    if (part.FindBool("add_prefix_space").value_or(true)) {
      return InvalidArgument(
          "%s: field 'pre_tokenizer': ByteLevel with add_prefix_space is not supported", name);
    }
    maps_bytes = true;
    if (!part.FindBool("use_regex").value_or(true)) return absl::OkStatus();
    if (kind) {
      return InvalidArgument(
          "%s: field 'pre_tokenizer': ByteLevel with use_regex behind a Split is not supported",
          name);
    }
    kind = PreTokenizer::kGpt2;
    return absl::OkStatus();
  }));
  if (!kind || !maps_bytes) {
    return InvalidArgument("%s: field 'pre_tokenizer': expected a Split and ByteLevel, found %s",
                           name, Shown(pre_tokenizer));
  }
  return *kind;
}

absl::Status CheckDecoder(const Json& root, std::string_view name) {
  const Json* decoder = root.Find("decoder");
  if (IsAbsent(decoder)) {
    return InvalidArgument("%s: field 'decoder': expected ByteLevel, found nothing", name);
  }
  return ForEachPart(*decoder, "decoders", [&](const Json& part) {
    if (TypeOf(part) == "ByteLevel") return absl::OkStatus();
    return InvalidArgument("%s: field 'decoder': %s is not supported (ByteLevel)", name,
                           Shown(&part));
  });
}

// --- post-processor ---

// "single" of a TemplateProcessing: special tokens before and behind the sequence A.
absl::Status ReadTemplateProcessing(const Json& part, std::string_view name,
                                    TokenizerDefinition* out) {
  const std::string where = absl::StrFormat("%s: field 'post_processor'", name);
  const Json* single = part.Find("single");
  const Json* special = part.Find("special_tokens");
  if (single == nullptr || !single->is_array()) {
    return InvalidArgument("%s: field 'single': expected an array, found %s", where, Shown(single));
  }
  bool behind = false;
  for (const Json& piece : single->AsArray()) {
    if (piece.Find("Sequence") != nullptr) {
      if (behind) return InvalidArgument("%s: field 'single': two sequences", where);
      behind = true;
      continue;
    }
    const Json* named = piece.Find("SpecialToken");
    const std::string token = named == nullptr ? "" : named->FindString("id").value_or("");
    const Json* entry = special == nullptr ? nullptr : special->Find(token);
    const Json* ids = entry == nullptr ? nullptr : entry->Find("ids");
    if (ids == nullptr || !ids->is_array()) {
      return InvalidArgument("%s: field 'single': %s names no token of 'special_tokens'", where,
                             Shown(&piece));
    }
    for (const Json& id : ids->AsArray()) {
      if (!id.is_integer() || id.AsInteger() < 0 ||
          id.AsInteger() >= static_cast<int64_t>(out->tokens.size())) {
        return InvalidArgument("%s: field 'special_tokens': '%s': expected ids below %d, found %s",
                               where, Shown(token), out->tokens.size(), Shown(&id));
      }
      (behind ? out->suffix : out->prefix).push_back(static_cast<int>(id.AsInteger()));
    }
  }
  if (!behind) return InvalidArgument("%s: field 'single': no sequence", where);
  return absl::OkStatus();
}

absl::Status ReadPostProcessor(const Json& root, std::string_view name, TokenizerDefinition* out) {
  const Json* processor = root.Find("post_processor");
  if (IsAbsent(processor)) return absl::OkStatus();
  return ForEachPart(*processor, "processors", [&](const Json& part) {
    if (TypeOf(part) == "ByteLevel") return absl::OkStatus();  // changes offsets only
    if (TypeOf(part) == "TemplateProcessing") return ReadTemplateProcessing(part, name, out);
    return InvalidArgument(
        "%s: field 'post_processor': %s is not supported (ByteLevel, TemplateProcessing)", name,
        Shown(&part));
  });
}

}  // namespace

std::optional<std::string> BytesOfLetters(std::string_view letters) {
  const std::array<int, 512>& table = ByteOfLetter();
  std::string bytes;
  bytes.reserve(letters.size());
  for (size_t i = 0; i < letters.size(); ++i) {
    auto letter = static_cast<unsigned char>(letters[i]);
    size_t code_point = letter;
    if (letter >= 0x80) {  // two bytes of UTF-8 reach U+07FF
      if (letter >= 0xE0 || i + 1 >= letters.size()) return std::nullopt;
      code_point = (letter & 0x1Fu) << 6 | (static_cast<unsigned char>(letters[++i]) & 0x3Fu);
    }
    if (code_point >= table.size() || table[code_point] < 0) return std::nullopt;
    bytes.push_back(static_cast<char>(table[code_point]));
  }
  return bytes;
}

// truncation and padding are not read: transformers resets both before it encodes.
absl::StatusOr<TokenizerDefinition> ReadTokenizerJson(std::string_view text, std::string_view name,
                                                      const Json& config) {
  absl::StatusOr<Json> parsed = ParseJson(text, {.max_depth = 32, .allow_repeated_names = false});
  if (!parsed.ok()) return Annotate(parsed.status(), name);
  const Json* model = parsed->Find("model");
  TokenizerDefinition out;
  RETURN_IF_ERROR(CheckModel(model, name));
  ASSIGN_OR_RETURN(out.nfc, ReadNormalizer(*parsed, name));
  ASSIGN_OR_RETURN(out.pre_tokenizer, ReadPreTokenizer(*parsed, name));
  RETURN_IF_ERROR(CheckDecoder(*parsed, name));
  ASSIGN_OR_RETURN(out.ignore_merges, ReadIgnoreMerges(*model, name));
  ASSIGN_OR_RETURN(Vocabulary vocabulary, ReadVocabulary(*model, name));
  RETURN_IF_ERROR(ReadByteIds(vocabulary, name, &out.byte_ids));
  ASSIGN_OR_RETURN(out.merges, ReadMerges(*model, vocabulary, name));
  ASSIGN_OR_RETURN(out.added, ReadAddedTokens(*parsed, config, name));
  RETURN_IF_ERROR(PlaceAddedTokens(out.added, name, &vocabulary));
  RETURN_IF_ERROR(CheckNoHoles(vocabulary, name));
  out.tokens = std::move(vocabulary.tokens);
  RETURN_IF_ERROR(ReadPostProcessor(*parsed, name, &out));
  for (AddedToken& token : out.added) {
    if (token.normalized && out.nfc) token.content = ToNfc(token.content);
  }
  return out;
}

}  // namespace assay
