// Which language a text is in, as IFEval's checker asks langdetect, but without its dice.
//
// Naive Bayes over n-grams of one to three letters, with langdetect's own profiles (languages.txt),
// cleaning and smoothing. langdetect draws n-grams at random and so can answer differently each
// time where a text is short; this counts every n-gram once and always answers the same.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace assay::instructions {

// langdetect's code ("en", "zh-cn"), or nothing where no n-gram of any language is in the text.
// The first 10,000 code points are read. Thread-safe.
std::optional<std::string> DetectLanguage(std::u32string_view text);

}  // namespace assay::instructions
