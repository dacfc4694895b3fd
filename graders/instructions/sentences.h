// Sentences and words as NLTK cuts them, as far as IFEval counts them.
//
// Sentences: Punkt's rules (Kiss and Strunk 2006) with a list of abbreviations in place of its
// trained parameters. Words: the rules of NLTK's word_tokenize. Pure functions; thread-safe.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace assay::instructions {

// The sentences of `text`, in order; blank ones are left out.
std::vector<std::u32string_view> Sentences(std::u32string_view text);

// The words and marks of `text`, sentence by sentence.
std::vector<std::u32string> Tokens(std::u32string_view text);

// Maximal runs of letters, digits and underscores (Python's \w+).
size_t CountWords(std::u32string_view text);

}  // namespace assay::instructions
