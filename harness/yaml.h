// YAML as a tree of plain values that know the line they stand on; strict, and the only reader of
// it.
//
// Read is the YAML 1.2 core schema: only true/false are booleans (`no` is text), quoted scalars are
// text. Not read: anchors, aliases, tags, merge keys, several documents, keys that are no text.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "harness/json.h"

namespace assay {

struct YamlMember;

struct YamlNode {
  Json value;  // of a scalar: null, boolean, integer, number (its text kept) or string
  std::vector<YamlNode> items;      // of a list
  std::vector<YamlMember> members;  // of a map, in the file's order
  std::vector<int> member_lines;    // where each member's key stands
  enum class Kind { kScalar, kList, kMap } kind = Kind::kScalar;
  int line = 1;

  bool is_map() const { return kind == Kind::kMap; }
  bool is_list() const { return kind == Kind::kList; }
  bool is_scalar() const { return kind == Kind::kScalar; }
  // The member of that name, or nullptr (also where this is no map).
  const YamlNode* Find(std::string_view name) const;
};

struct YamlMember {
  std::string name;
  YamlNode node;
};

// The one document in `text`. An error says "FILE:LINE: what was found, what was wanted"; `file` is
// only for it. An empty document is a null scalar.
absl::StatusOr<YamlNode> ParseYaml(std::string_view text, std::string_view file);

// The same without lines.
Json YamlToJson(const YamlNode& node);

// "a list", "a map", "the text 'x'", "the number 3", "nothing": for error messages.
std::string Describe(const YamlNode& node);

// The scalar as a YAML double-quoted string, for files that we write.
std::string YamlQuote(std::string_view text);

}  // namespace assay
