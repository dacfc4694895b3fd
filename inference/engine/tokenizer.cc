// Sections between added tokens, pieces within sections, merges within pieces; pieces that came
// before are copied from where their ids already stand.
#include "inference/engine/tokenizer.h"

#include <bit>
#include <cstring>
#include <filesystem>

#include "harness/status.h"
#include "harness/text.h"
#include "inference/engine/mapped_file.h"
#include "inference/engine/nfc.h"
#include "inference/engine/tokenizer_json.h"

namespace assay {
namespace {

constexpr size_t kMaxTokenizerBytes = 256 << 20;
constexpr size_t kMaxConfigBytes = 16 << 20;
constexpr std::string_view kConfigName = "tokenizer_config.json";

// Pieces of one call that were encoded already, and where their ids stand in its output. The newest
// piece wins a place.
class PieceCache {
 public:
  explicit PieceCache(size_t text_bytes)
      : slots_(std::bit_ceil(std::min<size_t>(text_bytes / 4, kMaxSlots - 1) + 1)) {}

  // Appends the ids of `piece` if it is known.
  bool Append(std::string_view piece, std::vector<int>* ids) {
    Slot& slot = slots_[Hash(piece) & (slots_.size() - 1)];
    if (slot.length != piece.size() ||
        std::memcmp(texts_.data() + slot.text, piece.data(), piece.size()) != 0) {
      return false;
    }
    const size_t end = ids->size();
    ids->resize(end + slot.count);
    std::copy_n(ids->begin() + static_cast<std::ptrdiff_t>(slot.ids), slot.count,
                ids->begin() + static_cast<std::ptrdiff_t>(end));
    return true;
  }
  // Remembers that the ids from `begin` on are those of `piece`.
  void Insert(std::string_view piece, size_t begin, const std::vector<int>& ids) {
    Slot& slot = slots_[Hash(piece) & (slots_.size() - 1)];
    slot = {texts_.size(), begin, static_cast<uint32_t>(piece.size()),
            static_cast<uint32_t>(ids.size() - begin)};
    texts_ += piece;
  }
  static bool Takes(std::string_view piece) { return piece.size() > 1 && piece.size() <= 64; }

 private:
  static constexpr size_t kMaxSlots = 1 << 16;
  struct Slot {
    size_t text = 0, ids = 0;
    uint32_t length = 0, count = 0;
  };
  static uint64_t Hash(std::string_view piece) {
    uint64_t hash = piece.size();
    for (size_t at = 0; at < piece.size(); at += 8) {
      uint64_t word = 0;
      std::memcpy(&word, piece.data() + at, std::min<size_t>(8, piece.size() - at));
      hash = (hash ^ word) * 0x9E3779B97F4A7C15ull;
      hash ^= hash >> 32;
    }
    return hash;
  }
  std::vector<Slot> slots_;
  std::string texts_;
};

// Where a token is named by its text or by an object with its "content".
std::optional<std::string> TokenText(const Json* value) {
  if (value == nullptr) return std::nullopt;
  if (value->is_string()) return value->AsString();
  return value->FindString("content");
}

}  // namespace

struct Tokenizer::State {
  TokenizerDefinition definition;  // its merges and byte ids have moved into `bpe`
  Bpe bpe;
  AddedTokenFinder raw{{}};         // looked for in the text as it comes
  AddedTokenFinder normalized{{}};  // looked for in normalized text
  AddedTokenFinder all{{}}, special_only{{}};
  std::vector<bool> is_special, is_added;  // by id
  Json special_tokens = Json::MakeObject();
  std::optional<int> bos, eos;
  std::vector<int> prefix, suffix;

  absl::Status ReadConfig(const Json& config);
  absl::StatusOr<std::optional<int>> NamedToken(const Json& config, std::string_view field) const;
  std::optional<int> Find(std::string_view content) const;
  void EncodeOrdinary(std::string_view text, PieceCache* cache, std::vector<int>* ids) const;
  void EncodeSection(std::string_view text, std::string_view separator, PieceCache* cache,
                     std::vector<int>* ids) const;
  std::vector<int> Encode(std::string_view text, std::string_view separator) const;
};

std::optional<int> Tokenizer::State::Find(std::string_view content) const {
  for (const AddedToken& token : definition.added) {
    if (token.content == content) return token.id;
  }
  return std::nullopt;
}

absl::StatusOr<std::optional<int>> Tokenizer::State::NamedToken(const Json& config,
                                                                std::string_view field) const {
  const std::optional<std::string> text = TokenText(config.Find(field));
  if (!text) return std::nullopt;
  if (const std::optional<int> id = Find(*text)) return id;
  return InvalidArgument(
      "tokenizer_config.json: field '%s': '%s' is none of tokenizer.json's "
      "added_tokens",
      field, Printable(Shorten(*text, 80)));
}

absl::Status Tokenizer::State::ReadConfig(const Json& config) {
  for (const std::string_view field : {"bos_token", "eos_token", "pad_token", "unk_token",
                                       "sep_token", "cls_token", "mask_token"}) {
    const Json* given = config.Find(field);
    if (const auto text = TokenText(given)) {
      special_tokens.Set(field, *text);
    } else if (given != nullptr && !given->is_null()) {
      return InvalidArgument(
          "tokenizer_config.json: field '%s': expected a text, or an object with 'content', found "
          "%s",
          field, Shorten(given->Dump(), 80));
    }
  }
  ASSIGN_OR_RETURN(bos, NamedToken(config, "bos_token"));
  ASSIGN_OR_RETURN(eos, NamedToken(config, "eos_token"));
  prefix = definition.prefix;
  suffix = definition.suffix;
  // transformers rebuilds the post-processor where this is set.
  const std::optional<bool> add_bos = config.FindBool("add_bos_token");
  if (add_bos && bos) {
    std::erase(prefix, *bos);
    if (*add_bos) prefix.insert(prefix.begin(), *bos);
  }
  return absl::OkStatus();
}

void Tokenizer::State::EncodeOrdinary(std::string_view text, PieceCache* cache,
                                      std::vector<int>* ids) const {
  const std::string composed = definition.nfc ? ToNfc(text) : std::string();
  if (definition.nfc) text = composed;
  while (!text.empty()) {
    const std::string_view piece = text.substr(0, PieceLength(definition.pre_tokenizer, text));
    text.remove_prefix(piece.size());
    if (!PieceCache::Takes(piece)) {
      bpe.Append(piece, ids);
    } else if (!cache->Append(piece, ids)) {
      const size_t begin = ids->size();
      bpe.Append(piece, ids);
      cache->Insert(piece, begin, *ids);
    }
  }
}

// A stretch without tokens that are found before the normalizer.
void Tokenizer::State::EncodeSection(std::string_view text, std::string_view separator,
                                     PieceCache* cache, std::vector<int>* ids) const {
  if (normalized.empty()) {
    if (separator.empty()) return EncodeOrdinary(text, cache, ids);
    return EncodeOrdinary(ReplaceAll(text, separator, ""), cache, ids);
  }
  const std::string composed = definition.nfc ? ToNfc(text) : std::string(text);
  for (const TextPart& part : normalized.Split(composed, separator)) {
    if (part.id >= 0) {
      ids->push_back(part.id);
    } else if (separator.empty()) {
      EncodeOrdinary(part.text, cache, ids);
    } else {
      EncodeOrdinary(ReplaceAll(part.text, separator, ""), cache, ids);
    }
  }
}

std::vector<int> Tokenizer::State::Encode(std::string_view text, std::string_view separator) const {
  std::vector<int> ids;
  PieceCache cache(text.size());
  for (const TextPart& part : raw.Split(text, separator)) {
    if (part.id >= 0) {
      ids.push_back(part.id);
    } else {
      EncodeSection(part.text, separator, &cache, &ids);
    }
  }
  return ids;
}

Tokenizer::Tokenizer(std::unique_ptr<const State> state) : state_(std::move(state)) {}
Tokenizer::~Tokenizer() = default;

absl::StatusOr<std::shared_ptr<const Tokenizer>> Tokenizer::Parse(std::string_view text,
                                                                  std::string_view name,
                                                                  const Json& config) {
  auto state = std::make_unique<State>();
  ASSIGN_OR_RETURN(state->definition, ReadTokenizerJson(text, name, config));
  TokenizerDefinition& definition = state->definition;
  std::vector<AddedToken> raw, normalized, special;
  state->is_special.resize(definition.tokens.size());
  state->is_added.resize(definition.tokens.size());
  for (const AddedToken& token : definition.added) {
    (token.normalized ? normalized : raw).push_back(token);
    if (token.special) special.push_back(token);
    state->is_special[static_cast<size_t>(token.id)] = token.special;
    state->is_added[static_cast<size_t>(token.id)] = true;
  }
  std::unordered_map<std::string_view, int> whole;
  if (definition.ignore_merges) {
    for (size_t id = 0; id < definition.tokens.size(); ++id) {
      if (!state->is_added[id]) whole.emplace(definition.tokens[id], static_cast<int>(id));
    }
  }
  state->bpe = Bpe({definition.byte_ids.begin(), definition.byte_ids.end()}, definition.merges,
                   std::move(whole));
  definition.merges = {};
  state->raw = AddedTokenFinder(std::move(raw));
  state->normalized = AddedTokenFinder(std::move(normalized));
  state->special_only = AddedTokenFinder(std::move(special));
  state->all = AddedTokenFinder(definition.added);
  RETURN_IF_ERROR(state->ReadConfig(config));
  return std::shared_ptr<const Tokenizer>(new Tokenizer(std::move(state)));
}

namespace {

// The object in a file; null where there is no such file.
absl::StatusOr<Json> ReadObject(const std::string& path) {
  if (!FileExists(path)) return Json();
  ASSIGN_OR_RETURN(const std::string text, ReadTextFile(path, kMaxConfigBytes));
  absl::StatusOr<Json> parsed = ParseJson(text);
  if (!parsed.ok()) return Annotate(parsed.status(), path);
  if (!parsed->is_object()) {
    return InvalidArgument("%s: expected an object, found %s", path, KindName(*parsed));
  }
  return parsed;
}

}  // namespace

absl::StatusOr<std::shared_ptr<const Tokenizer>> Tokenizer::Open(
    const std::string& file_or_directory) {
  std::filesystem::path file = file_or_directory;
  std::error_code error;
  if (std::filesystem::is_directory(file, error)) file /= "tokenizer.json";
  const std::filesystem::path directory = file.parent_path();
  ASSIGN_OR_RETURN(Json config, ReadObject((directory / kConfigName).string()));
  ASSIGN_OR_RETURN(const Json map, ReadObject((directory / "special_tokens_map.json").string()));
  if (map.is_object()) {
    for (const Json::Member& member : map.AsMembers()) {
      if (config.Find(member.first) == nullptr) config.Set(member.first, member.second);
    }
  }
  ASSIGN_OR_RETURN(const std::string text, ReadTextFile(file.string(), kMaxTokenizerBytes));
  absl::StatusOr<std::shared_ptr<const Tokenizer>> parsed = Parse(text, file.string(), config);
  // What Parse is given has no path.
  const std::string message(parsed.status().message());
  if (!message.starts_with(kConfigName)) return parsed;
  return absl::Status(parsed.status().code(), (directory / message).string());
}

std::vector<int> Tokenizer::Encode(std::string_view text, bool allow_special) const {
  if (allow_special) return state_->Encode(text, {});
  std::vector<int> ids;
  PieceCache cache(text.size());
  state_->EncodeOrdinary(text, &cache, &ids);
  return ids;
}

std::vector<int> Tokenizer::EncodeSeparated(std::string_view text,
                                            std::string_view separator) const {
  return state_->Encode(text, separator);
}

std::string Tokenizer::Separate(std::string_view text, std::string_view separator,
                                bool only_special) const {
  const AddedTokenFinder& finder = only_special ? state_->special_only : state_->all;
  std::string out;
  size_t handed_out = 0;
  for (size_t at = 0; at < text.size(); ++at) {
    const AddedToken* token = finder.LongestAt(text, at, {});
    if (token == nullptr) continue;
    // By the token's own bytes: the text may go on with bytes that are no UTF-8.
    size_t behind = at + 1;
    while (behind < at + token->content.size() && (text[behind] & 0xC0) == 0x80) ++behind;
    out += text.substr(handed_out, behind - handed_out);
    out += separator;
    handed_out = behind;
  }
  out += text.substr(handed_out);
  return out;
}

std::string Tokenizer::Decode(std::span<const int> ids, bool skip_special) const {
  std::string out;
  for (const int id : ids) {
    if (skip_special && IsSpecial(id)) continue;
    out += TokenBytes(id);
  }
  return out;
}

int Tokenizer::size() const { return static_cast<int>(state_->definition.tokens.size()); }

std::string_view Tokenizer::TokenBytes(int id) const {
  if (id < 0 || id >= size()) return {};
  return state_->definition.tokens[static_cast<size_t>(id)];
}

bool Tokenizer::IsSpecial(int id) const {
  return id >= 0 && id < size() && state_->is_special[static_cast<size_t>(id)];
}

bool Tokenizer::IsAdded(int id) const {
  return id >= 0 && id < size() && state_->is_added[static_cast<size_t>(id)];
}

std::optional<int> Tokenizer::TokenId(std::string_view added_token) const {
  return state_->Find(added_token);
}

std::optional<int> Tokenizer::bos() const { return state_->bos; }
std::optional<int> Tokenizer::eos() const { return state_->eos; }
const Json& Tokenizer::special_tokens() const { return state_->special_tokens; }
const std::vector<int>& Tokenizer::prefix_ids() const { return state_->prefix; }
const std::vector<int>& Tokenizer::suffix_ids() const { return state_->suffix; }
std::string_view Tokenizer::pre_tokenizer() const {
  return PreTokenizerName(state_->definition.pre_tokenizer);
}

// --- TokenStream ---

namespace {

// Where a character begins that the bytes so far may be the beginning of; text.size() where the
// last one is whole, or already ill-formed.
size_t PendingBegin(std::string_view text) {
  size_t begin = text.size();
  for (size_t back = 1; back <= 3 && back <= text.size(); ++back) {
    const auto byte = static_cast<unsigned char>(text[text.size() - back]);
    if ((byte & 0xC0) == 0x80) continue;
    const size_t needed = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC2 ? 2 : 1;
    if (needed > back && byte <= 0xF4) begin = text.size() - back;
    break;
  }
  return begin;
}

}  // namespace

std::string TokenStream::Append(int id) {
  if (skip_special_ && tokenizer_->IsSpecial(id)) return "";
  bytes_ += tokenizer_->TokenBytes(id);
  const std::string_view pending = std::string_view(bytes_).substr(emitted_);
  const size_t certain = PendingBegin(pending);
  std::string out = ToValidUtf8(pending.substr(0, certain));
  emitted_ += certain;
  return out;
}

std::string TokenStream::Finish() {
  std::string out = ToValidUtf8(std::string_view(bytes_).substr(emitted_));
  emitted_ = bytes_.size();
  return out;
}

}  // namespace assay
