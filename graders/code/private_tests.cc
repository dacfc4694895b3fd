// base64 (RFC 4648), zlib through harness/compress, and a pickle machine of twelve opcodes.
#include "graders/code/private_tests.h"

#include <cstring>
#include <optional>
#include <variant>
#include <vector>

#include "harness/compress.h"
#include "harness/status.h"
#include "harness/text.h"

namespace assay::code {
namespace {

constexpr size_t kMostUnpacked = size_t{512} << 20;

// ---- the pickle machine -----------------------------------------------------------------------

struct Mark {};
using Members = std::vector<std::pair<std::string, std::string>>;
using Item = std::variant<Mark, std::string, Members>;

class Machine {
 public:
  explicit Machine(std::string_view bytes) : bytes_(bytes) {}

  absl::StatusOr<std::string> Run() {
    while (true) {
      const size_t at = at_;
      ASSIGN_OR_RETURN(const uint64_t opcode, Number(1));
      if (opcode == '.') return Result();
      RETURN_IF_ERROR(Step(static_cast<unsigned char>(opcode), at));
    }
  }

 private:
  absl::Status Step(unsigned char opcode, size_t at) {
    switch (opcode) {
      case 0x80: {  // PROTO
        ASSIGN_OR_RETURN(const uint64_t protocol, Number(1));
        if (protocol >= 2 && protocol <= 5) return absl::OkStatus();
        return InvalidArgument("pickle: protocol %d, wanted 2 to 5", protocol);
      }
      case 0x95:  // FRAME
        return Number(8).status();
      case 0x8c:  // SHORT_BINUNICODE
        return PushText(1);
      case 'X':  // BINUNICODE
        return PushText(4);
      case 0x8d:  // BINUNICODE8
        return PushText(8);
      case 0x94:  // MEMOIZE
        return absl::OkStatus();
      case 'q':  // BINPUT
        return Number(1).status();
      case 'r':  // LONG_BINPUT
        return Number(4).status();
      case '}':  // EMPTY_DICT
        stack_.emplace_back(Members());
        return absl::OkStatus();
      case '(':  // MARK
        stack_.emplace_back(Mark());
        return absl::OkStatus();
      case 's':  // SETITEM
        if (stack_.size() < 3) return Malformed("SETITEM", at);
        return SetItems(stack_.size() - 2);
      case 'u': {  // SETITEMS
        size_t mark = stack_.size();
        while (mark > 0 && !std::holds_alternative<Mark>(stack_[mark - 1])) --mark;
        if (mark < 2) return Malformed("SETITEMS", at);
        stack_.erase(stack_.begin() + static_cast<std::ptrdiff_t>(mark) - 1);
        return SetItems(mark - 1);
      }
      default:
        return InvalidArgument("pickle: opcode 0x%02x at byte %d is not one of a text's", opcode,
                               at);
    }
  }

  absl::Status Malformed(const char* opcode, size_t at) const {
    return InvalidArgument("pickle: %s at byte %d has nothing to work on", opcode, at);
  }

  // Moves pairs from `first` on into the dictionary below them.
  absl::Status SetItems(size_t first) {
    auto* members = first == 0 ? nullptr : std::get_if<Members>(&stack_[first - 1]);
    if (members == nullptr || (stack_.size() - first) % 2 != 0) return Malformed("SETITEM(S)", at_);
    for (size_t i = first; i < stack_.size(); i += 2) {
      auto* key = std::get_if<std::string>(&stack_[i]);
      auto* value = std::get_if<std::string>(&stack_[i + 1]);
      if (key == nullptr || value == nullptr) return Malformed("SETITEM(S)", at_);
      members->emplace_back(std::move(*key), std::move(*value));
    }
    stack_.resize(first);
    return absl::OkStatus();
  }

  absl::Status PushText(size_t width) {
    ASSIGN_OR_RETURN(const uint64_t size, Number(width));
    if (size > bytes_.size() - at_)
      return InvalidArgument("pickle: a text of %d bytes, %d are left", size, bytes_.size() - at_);
    stack_.emplace_back(std::string(bytes_.substr(at_, size)));
    at_ += size;
    return absl::OkStatus();
  }

  absl::StatusOr<uint64_t> Number(size_t width) {
    if (bytes_.size() - at_ < width) return InvalidArgument("pickle: ends at byte %d", at_);
    uint64_t value = 0;
    for (size_t i = 0; i < width; ++i)
      value |= uint64_t{static_cast<unsigned char>(bytes_[at_ + i])} << (8 * i);
    at_ += width;
    return value;
  }

  absl::StatusOr<std::string> Result() {
    if (stack_.size() != 1 || std::holds_alternative<Mark>(stack_[0]))
      return InvalidArgument("pickle: holds %d values, wanted one", stack_.size());
    if (auto* text = std::get_if<std::string>(&stack_[0])) return std::move(*text);
    Json object = Json::MakeObject();
    for (const auto& [key, value] : std::get<Members>(stack_[0])) object.Set(key, value);
    return object.Dump();
  }

  const std::string_view bytes_;
  size_t at_ = 0;
  std::vector<Item> stack_;
};

int Base64Digit(char c) {
  static constexpr std::string_view digits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const size_t at = digits.find(c);
  return at == std::string_view::npos ? -1 : static_cast<int>(at);
}

absl::StatusOr<Json> Unpack(std::string_view text) {
  ASSIGN_OR_RETURN(const std::string packed, DecodeBase64(text));
  ASSIGN_OR_RETURN(const std::string pickle, InflateZlib(packed, kMostUnpacked));
  ASSIGN_OR_RETURN(const std::string json, UnpickleText(pickle));
  return ParseJson(json);
}

}  // namespace

absl::StatusOr<std::string> DecodeBase64(std::string_view text) {
  std::string bytes;
  bytes.reserve(text.size() / 4 * 3);
  uint32_t bits = 0;
  int have = 0;
  size_t digits = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\n' || c == '\r') continue;
    if (c == '=') break;
    const int digit = Base64Digit(c);
    if (digit < 0) return InvalidArgument("base64: byte %d is no digit", i);
    bits = bits << 6 | static_cast<uint32_t>(digit);
    have += 6;
    ++digits;
    if (have < 8) continue;
    have -= 8;
    bytes += static_cast<char>(bits >> have & 0xFF);
  }
  if (digits % 4 == 1) return InvalidArgument("base64: ends in mid-digit");
  return bytes;
}

absl::StatusOr<std::string> UnpickleText(std::string_view bytes) { return Machine(bytes).Run(); }

absl::StatusOr<Json> ReadPrivateTests(std::string_view text, std::string_view where) {
  const std::string_view trimmed = Trim(text);
  const bool plain = trimmed.starts_with("[") || trimmed.starts_with("{");
  absl::StatusOr<Json> tests = plain ? ParseJson(trimmed) : Unpack(trimmed);
  const std::string place = absl::StrFormat("%s: field 'private_test_cases'", where);
  if (!tests.ok()) return Annotate(tests.status(), place);
  if (tests->is_array()) return tests;
  return InvalidArgument("%s: expected a list, found %s", place, std::string(KindName(*tests)));
}

}  // namespace assay::code
