// Pictures of a page for the documents: page_shot PAGE OUT.png WIDTH HEIGHT light|dark [#VIEW
// [SCROLL_TO]].
#include <cstdio>

#include "harness/status.h"
#include "harness/text.h"
#include "tests/browser/browser.h"

namespace assay {
namespace {

absl::Status Shoot(const std::vector<std::string>& words) {
  using testing_support::Browser;
  const auto width = ParseInt(words[2]), height = ParseInt(words[3]);
  if (!width || !height) return InvalidArgument("expected a width and a height");
  if (Browser::Program().empty()) return FailedPrecondition("chromium is not installed");
  ASSIGN_OR_RETURN(const std::unique_ptr<Browser> browser, Browser::Start());
  RETURN_IF_ERROR(browser->Resize(static_cast<int>(*width), static_cast<int>(*height)));
  RETURN_IF_ERROR(browser->Prefer(words[4]));
  const absl::Status opened = browser->Open(words[0], words.size() > 5 ? words[5] : "");
  for (const std::string& complaint : browser->complaints()) {
    std::fprintf(stderr, "page_shot: %s\n", complaint.c_str());
  }
  RETURN_IF_ERROR(opened);
  if (words.size() > 6) {
    std::string quoted;
    AppendJsonString(words[6], &quoted);
    RETURN_IF_ERROR(
        browser->Evaluate("document.querySelector(" + quoted + ").scrollIntoView()").status());
  }
  // Formulas and charts are drawn when they come into view.
  RETURN_IF_ERROR(
      browser->Evaluate("document.fonts.ready.then(() => new Promise(r => setTimeout(r, 700)))")
          .status());
  return browser->Screenshot(words[1]);
}

}  // namespace
}  // namespace assay

int main(int count, char** words) {
  if (count < 6 || count > 8) {
    std::fprintf(stderr,
                 "usage: page_shot PAGE OUT.png WIDTH HEIGHT light|dark [#VIEW [ELEMENT]]\n");
    return 2;
  }
  const absl::Status status = assay::Shoot({words + 1, words + count});
  if (status.ok()) return 0;
  std::fprintf(stderr, "page_shot: %s\n", std::string(status.message()).c_str());
  return 1;
}
