// The engine's only file that includes ICU.
#include "inference/engine/nfc.h"

#include <unicode/bytestream.h>
#include <unicode/normalizer2.h>
#include <unicode/uchar.h>
#include <unicode/uniset.h>
#include <unicode/utf8.h>

#include <algorithm>
#include <cstdint>

#include "harness/status.h"
#include "harness/text.h"

namespace assay {
namespace {

// Everything below U+0300 is its own composition, and so are two bytes of UTF-8 below 0xCC.
bool IsSurelyComposed(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0xCC; });
}

const icu::Normalizer2& Unicode9Nfc() {
  static const auto* filtered = [] {
    UErrorCode error = U_ZERO_ERROR;
    const icu::Normalizer2* nfc = icu::Normalizer2::getNFCInstance(error);
    auto* known = new icu::UnicodeSet(UNICODE_STRING_SIMPLE("[:age=9.0:]"), error);
    CHECK(U_SUCCESS(error));
    known->freeze();
    return new icu::FilteredNormalizer2(*nfc, *known);
  }();
  return *filtered;
}

void AppendNfc(std::string_view well_formed, std::string* out) {
  UErrorCode error = U_ZERO_ERROR;
  // ICU counts in 32 bits; a newline is a safe place to cut.
  constexpr size_t kMaxStretch = 1 << 30;
  while (!well_formed.empty()) {
    size_t length = well_formed.size();
    if (length > kMaxStretch) {
      const size_t newline = well_formed.rfind('\n', kMaxStretch - 1);
      length = newline == std::string_view::npos ? kMaxStretch : newline + 1;
      while ((well_formed[length] & 0xC0) == 0x80) --length;
    }
    icu::StringByteSink<std::string> sink(out);
    Unicode9Nfc().normalizeUTF8(0,
                                icu::StringPiece(well_formed.data(), static_cast<int32_t>(length)),
                                sink, nullptr, error);
    CHECK(U_SUCCESS(error));
    well_formed.remove_prefix(length);
  }
}

bool IsOfWord(UChar32 character) {
  if (character < 0) return false;
  constexpr uint32_t kCategories =
      U_GC_M_MASK | U_GC_ND_MASK | U_GC_PC_MASK;  // marks, digits, connectors
  return u_hasBinaryProperty(character, UCHAR_ALPHABETIC) ||
         u_hasBinaryProperty(character, UCHAR_JOIN_CONTROL) ||
         (U_GET_GC_MASK(character) & kCategories) != 0;
}

}  // namespace

bool BeginsInWord(std::string_view text) {
  const std::string_view some = text.substr(0, U8_MAX_LENGTH);
  if (some.empty()) return false;
  int32_t at = 0;
  UChar32 character = -1;
  U8_NEXT(some.data(), at, static_cast<int32_t>(some.size()), character);
  return IsOfWord(character);
}

bool EndsInWord(std::string_view text) {
  if (text.size() > U8_MAX_LENGTH) text.remove_prefix(text.size() - U8_MAX_LENGTH);
  if (text.empty()) return false;
  auto at = static_cast<int32_t>(text.size());
  UChar32 character = -1;
  U8_PREV(text.data(), 0, at, character);
  return IsOfWord(character);
}

std::string ToNfc(std::string_view text) {
  if (IsSurelyComposed(text)) return std::string(text);
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const size_t end = FirstInvalidUtf8(text).value_or(text.size());
    AppendNfc(text.substr(0, end), &out);
    text.remove_prefix(end);
    if (text.empty()) break;
    out.push_back(text[0]);
    text.remove_prefix(1);
  }
  return out;
}

}  // namespace assay
