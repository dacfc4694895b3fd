// The two formats that the CPU runner multiplies in.
#pragma once

namespace assay {

enum class NumberFormat { kBf16, kF32 };

inline int BytesOf(NumberFormat format) { return format == NumberFormat::kBf16 ? 2 : 4; }

}  // namespace assay
