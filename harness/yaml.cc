// The only file that includes yaml-cpp: its events build our tree, so that nothing is expanded,
// guessed or lost (an alias would be), and every node has its line.
#include "harness/yaml.h"

#include <yaml-cpp/anchor.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <sstream>

#include "absl/container/flat_hash_set.h"
#include "harness/status.h"
#include "harness/text.h"

namespace assay {
namespace {

constexpr size_t kMaxBytes = 16 << 20;
constexpr size_t kMaxDepth = 64;

bool AllDigits(std::string_view text) {
  if (text.empty()) return false;
  for (const char c : text) {
    if (c < '0' || c > '9') return false;
  }
  return true;
}

// A number of the core schema: [-+]? ( digits | digits? . digits? ) ( [eE] [-+]? digits )?
bool IsReal(std::string_view text) {
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) text.remove_prefix(1);
  const size_t exponent = text.find_first_of("eE");
  if (exponent != std::string_view::npos) {
    std::string_view power = text.substr(exponent + 1);
    if (!power.empty() && (power[0] == '-' || power[0] == '+')) power.remove_prefix(1);
    if (!AllDigits(power)) return false;
    text = text.substr(0, exponent);
  }
  const size_t dot = text.find('.');
  if (dot == std::string_view::npos) return AllDigits(text);
  const std::string_view whole = text.substr(0, dot), part = text.substr(dot + 1);
  return !(whole.empty() && part.empty()) && (whole.empty() || AllDigits(whole)) &&
         (part.empty() || AllDigits(part));
}

// Digits, or digits with a point and a last zero: as JSON writes a number.
bool KeepsItsText(std::string_view digits) {
  if (AllDigits(digits)) return true;
  const size_t dot = digits.find('.');
  if (dot == std::string_view::npos || !digits.ends_with('0')) return false;
  const std::string_view whole = digits.substr(0, dot);
  return AllDigits(whole) && (whole.size() == 1 || whole[0] != '0') &&
         AllDigits(digits.substr(dot + 1));
}

Json PlainScalar(const std::string& text) {
  if (text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL") {
    return Json();
  }
  if (text == "true" || text == "True" || text == "TRUE") return Json(true);
  if (text == "false" || text == "False" || text == "FALSE") return Json(false);
  // A leading zero is kept as text: 007 is a label, not seven.
  const std::string_view digits = std::string_view(text).substr(text[0] == '-' ? 1 : 0);
  if (AllDigits(digits) && digits.size() > 1 && digits[0] == '0') return Json(text);
  if (const std::optional<int64_t> integer = ParseInt(text)) return Json(*integer);
  if (IsReal(text)) {
    const std::string_view unsigned_text =
        std::string_view(text).substr(text[0] == '+' ? 1 : 0);  // "+.5" is written "+.5" by people
    if (const std::optional<double> real = ParseDouble(unsigned_text)) {
      // A whole number beyond 64 bits keeps its digits, and a version 1.10 its last one.
      return KeepsItsText(digits) ? Json::MakeNumber(*real, text) : Json(*real);
    }
  }
  return Json(text);
}

class TreeBuilder final : public YAML::EventHandler {
 public:
  explicit TreeBuilder(std::string_view file) : file_(file) {}

  absl::Status status;
  YamlNode Take() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    if (!Allowed(mark, "", anchor)) return;
    YamlNode node;
    node.line = mark.line + 1;
    Put(std::move(node));
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    Fail(mark, "aliases (*name) are not read here: write the value out");
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    if (!Allowed(mark, tag, anchor)) return;
    YamlNode node;
    node.line = mark.line + 1;
    const bool quoted = tag == "!";
    node.value = quoted ? Json(value) : PlainScalar(value);
    if (AtKey()) return TakeKey(mark, quoted || node.value.is_string(), value);
    Put(std::move(node));
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    Open(mark, tag, anchor, YamlNode::Kind::kList);
  }
  void OnSequenceEnd() override { Close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    Open(mark, tag, anchor, YamlNode::Kind::kMap);
  }
  void OnMapEnd() override { Close(); }

 private:
  struct Frame {
    YamlNode node;
    std::string key;
    int key_line = 0;
    bool has_key = false;
    absl::flat_hash_set<std::string> keys;
  };

  void Fail(const YAML::Mark& mark, std::string_view what) {
    if (status.ok()) status = InvalidArgument("%s:%d: %s", file_, mark.line + 1, what);
  }
  bool Allowed(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
    if (!status.ok()) return false;
    if (anchor != 0) {
      Fail(mark, "anchors (&name) are not read here: write the value out");
    } else if (!tag.empty() && tag != "?" && tag != "!") {
      Fail(mark, absl::StrFormat("tags ('%s') are not read here", Shorten(tag, 40)));
    }
    return status.ok();
  }
  bool AtKey() const {
    return !open_.empty() && open_.back().node.is_map() && !open_.back().has_key;
  }
  void TakeKey(const YAML::Mark& mark, bool is_text, const std::string& value) {
    Frame& frame = open_.back();
    if (value == "<<") return Fail(mark, "merge keys (<<) are not read here: write the keys out");
    if (value.empty()) return Fail(mark, "expected a key, found nothing");
    // Numbers and true/false may be keys of free maps (a filter's); they are taken as text.
    static_cast<void>(is_text);
    if (!frame.keys.insert(value).second) {
      return Fail(mark, absl::StrFormat("the key '%s' stands here twice", Shorten(value, 60)));
    }
    frame.key = value;
    frame.key_line = mark.line + 1;
    frame.has_key = true;
  }
  void Open(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
            YamlNode::Kind kind) {
    if (!Allowed(mark, tag, anchor)) return;
    if (AtKey()) return Fail(mark, "expected a key, found a list or a map");
    if (open_.size() >= kMaxDepth) return Fail(mark, "nested too deep");
    Frame& frame = open_.emplace_back();
    frame.node.kind = kind;
    frame.node.line = mark.line + 1;
  }
  void Close() {
    if (!status.ok() || open_.empty()) return;
    YamlNode node = std::move(open_.back().node);
    open_.pop_back();
    Put(std::move(node));
  }
  void Put(YamlNode node) {
    if (!status.ok()) return;
    if (open_.empty()) {
      root_ = std::move(node);
      return;
    }
    Frame& frame = open_.back();
    if (frame.node.is_list()) {
      frame.node.items.push_back(std::move(node));
      return;
    }
    if (!frame.has_key) {  // a null key: "? : x"
      if (status.ok()) status = InvalidArgument("%s:%d: expected a key", file_, node.line);
      return;
    }
    frame.node.members.push_back({std::move(frame.key), std::move(node)});
    frame.node.member_lines.push_back(frame.key_line);
    frame.has_key = false;
  }

  std::string file_;
  std::vector<Frame> open_;
  YamlNode root_;
};

// Whether line `where` (from 1 on), or the one before it, is indented with a tab: which; or 0.
int TabbedLine(std::string_view text, int where) {
  int tabbed = 0;
  int number = 0;
  for (const std::string_view line : SplitLines(text)) {
    if (++number > where) break;
    if (number + 1 < where) continue;
    const std::string_view indent =
        line.substr(0, std::min(line.find_first_not_of(" \t"), line.size()));
    if (Contains(indent, "\t")) tabbed = number;
  }
  return tabbed;
}

}  // namespace

const YamlNode* YamlNode::Find(std::string_view name) const {
  for (const auto& [key, node] : members) {
    if (key == name) return &node;
  }
  return nullptr;
}

absl::StatusOr<YamlNode> ParseYaml(std::string_view text, std::string_view file) {
  if (text.size() > kMaxBytes) {
    return InvalidArgument("%s: %s bytes of YAML; at most %s are read", file,
                           WithThousands(static_cast<int64_t>(text.size())),
                           WithThousands(static_cast<int64_t>(kMaxBytes)));
  }
  if (const std::optional<size_t> bad = FirstInvalidUtf8(text)) {
    const std::string_view before = text.substr(0, *bad);
    return InvalidArgument("%s:%d: not valid UTF-8", file,
                           1 + std::count(before.begin(), before.end(), '\n'));
  }
  TreeBuilder builder(file);
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    if (!parser.HandleNextDocument(builder)) return YamlNode();
    RETURN_IF_ERROR(builder.status);
    YamlNode root = builder.Take();
    TreeBuilder second(file);
    if (parser.HandleNextDocument(second)) {
      return InvalidArgument("%s: expected one document, found several (---)", file);
    }
    return root;
  } catch (const YAML::Exception& error) {
    RETURN_IF_ERROR(builder.status);
    if (const int line = TabbedLine(text, error.mark.line + 1); line > 0) {
      return InvalidArgument(
          "%s:%d: a tab in the indentation: YAML is indented with blanks (spaces) only", file,
          line);
    }
    return InvalidArgument("%s:%d: not YAML: %s (column %d)", file, error.mark.line + 1, error.msg,
                           error.mark.column + 1);
  } catch (const std::exception& error) {
    return InvalidArgument("%s: not YAML: %s", file, error.what());
  }
}

Json YamlToJson(const YamlNode& node) {
  if (node.is_scalar()) return node.value;
  if (node.is_list()) {
    Json list = Json::MakeArray();
    for (const YamlNode& item : node.items) list.Append(YamlToJson(item));
    return list;
  }
  Json map = Json::MakeObject();
  for (const auto& [name, member] : node.members) {
    map.AsMembers().emplace_back(name, YamlToJson(member));
  }
  return map;
}

std::string Describe(const YamlNode& node) {
  if (node.is_list()) return "a list";
  if (node.is_map()) return "a map";
  if (node.value.is_null()) return "nothing";
  if (node.value.is_bool()) return node.value.AsBool() ? "true" : "false";
  const std::string text = Shorten(node.value.ToText(), 60);
  return node.value.is_number() ? "the number " + text : "the text '" + text + "'";
}

std::string YamlQuote(std::string_view text) { return Json(text).Dump(); }

}  // namespace assay
