// The Jinja2 subset that real chat templates use, with Hugging Face's environment settings; one
// engine for prompts and chat templates.
//
// Settings: trim_blocks, lstrip_blocks, loop controls, keep_trailing_newline off, undefined
// attributes are undefined but undefined in arithmetic is an error. Templates are untrusted: steps,
// output and depth are limited; no I/O, no clock (strftime_now formats the time given in
// TemplateLimits).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "harness/json.h"

namespace assay {

struct TemplateLimits {
  int64_t max_steps = 1'000'000;  // statements and expressions evaluated, items and bytes walked
  size_t max_output_bytes = 64 << 20;
  size_t max_memory_bytes = 256 << 20;  // for everything that the template builds on its way
  int max_depth = 800;                  // of evaluation: expressions, blocks and macro calls
  // False: an undefined value or a null that is written, or made text by a filter, is an error. For
  // prompts over rows, where a misspelt field would leave a hole that nobody sees and a null the
  // word None; chat templates rely on both. An `if` without `else` may still write nothing.
  bool write_holes = true;
  int64_t now_unix_seconds = 0;  // what strftime_now formats (UTC); recorded by the caller
};

// A parsed template. Immutable and cheap to copy; Render is thread-safe.
class Template {
 public:
  // The error says "NAME:LINE: what was found, what was wanted".
  static absl::StatusOr<Template> Parse(std::string_view source, std::string_view name);
  // `context` is an object: the variables. An error names the template and the line;
  // raise_exception is such an error. `blank`, where asked for, gets the names of the values that
  // were written and hold no text but blanks ("question", "row.question"), in order.
  absl::StatusOr<std::string> Render(const Json& context, const TemplateLimits& limits = {},
                                     std::vector<std::string>* blank = nullptr) const;

  // The names that it reads from its context, sorted. Left out: what it binds itself (set, for,
  // macro, with), the functions of the language, and what it knows may be absent (`x is defined`,
  // `x | default(...)`).
  std::vector<std::string> NamesRead() const;
  // The members that it reads of one of these names (`row['x']`, `row.x`), sorted. Left out: calls
  // (`row.get('x')`), and what it knows may be absent (those above, `'x' in row`).
  std::vector<std::string> MembersRead(std::string_view name) const;

 private:
  struct Program;
  explicit Template(std::shared_ptr<const Program> program) : program_(std::move(program)) {}
  std::shared_ptr<const Program>
      program_;  // shared: copies of a template are the same immutable program
};

}  // namespace assay
