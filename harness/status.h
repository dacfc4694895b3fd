// Errors that are ours: absl::Status with a message that says where, what was found, what was
// wanted.
//
// Three ways to go wrong, never mixed: ours is an absl::Status, the model's is a Verdict, a bug is
// a CHECK.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_format.h"

namespace assay {

// Prints "file:line: CHECK failed: what" to stderr and aborts. For bugs only, on in release builds
// too.
[[noreturn]] void CheckFailed(const char* file, int line, std::string_view what);

// `status` with "prefix: " before its message and the same code; an OK status stays as it is.
absl::Status Annotate(const absl::Status& status, std::string_view prefix);

template <typename... Args>
absl::Status InvalidArgument(const absl::FormatSpec<Args...>& format, const Args&... args) {
  return absl::InvalidArgumentError(absl::StrFormat(format, args...));
}
template <typename... Args>
absl::Status NotFound(const absl::FormatSpec<Args...>& format, const Args&... args) {
  return absl::NotFoundError(absl::StrFormat(format, args...));
}
template <typename... Args>
absl::Status FailedPrecondition(const absl::FormatSpec<Args...>& format, const Args&... args) {
  return absl::FailedPreconditionError(absl::StrFormat(format, args...));
}
template <typename... Args>
absl::Status Unavailable(const absl::FormatSpec<Args...>& format, const Args&... args) {
  return absl::UnavailableError(absl::StrFormat(format, args...));
}
template <typename... Args>
absl::Status Internal(const absl::FormatSpec<Args...>& format, const Args&... args) {
  return absl::InternalError(absl::StrFormat(format, args...));
}
template <typename... Args>
absl::Status ResourceExhausted(const absl::FormatSpec<Args...>& format, const Args&... args) {
  return absl::ResourceExhaustedError(absl::StrFormat(format, args...));
}

}  // namespace assay

#define ASSAY_CONCAT_INNER(a, b) a##b
#define ASSAY_CONCAT(a, b) ASSAY_CONCAT_INNER(a, b)

#define CHECK(condition)                                                    \
  do {                                                                      \
    if (!(condition)) ::assay::CheckFailed(__FILE__, __LINE__, #condition); \
  } while (false)

#define RETURN_IF_ERROR(expression)                                                        \
  do {                                                                                     \
    if (absl::Status assay_status = (expression); !assay_status.ok()) return assay_status; \
  } while (false)

#define ASSIGN_OR_RETURN(target, expression) \
  ASSIGN_OR_RETURN_IMPL(ASSAY_CONCAT(assay_status_or_, __LINE__), target, expression)
#define ASSIGN_OR_RETURN_IMPL(holder, target, expression) \
  auto holder = (expression);                             \
  if (!holder.ok()) return holder.status();               \
  target = *std::move(holder)
