// IFEval's 25 instruction types (Zhou et al. 2023, arXiv 2311.07911), each with the original
// checker's meaning, quirks included.
//
// A check is bound once to its arguments and then asked of texts. Thread-safe once bound. Time is
// linear in the text: no pattern backtracks.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "harness/json.h"

namespace assay::instructions {

using Check = std::function<bool(std::u32string_view text)>;

const std::vector<std::string>& InstructionNames();  // "keywords:existence", ...

// `arguments`: the row's kwargs of this instruction (an object; nulls count as not given). An error
// names the argument that is missing or wrong, or the nearest instruction.
absl::StatusOr<Check> BindCheck(const std::string& name, const Json& arguments);

// A blank text follows nothing. `strict` is the text as it is; `loose` is any of eight: the first
// line, the last line, both, or none left out, each with its asterisks or without.
bool FollowsStrict(const Check& check, std::u32string_view text);
bool FollowsLoose(const Check& check, std::u32string_view text);
std::vector<std::u32string> LooseVariants(std::u32string_view text);

}  // namespace assay::instructions
