// What somebody who watches a run is told: why it retries, and nothing that could steer a terminal.
#include "commands/shared/progress.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace assay {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(ProgressText, SaysWhyItRetriesOnceItDoes) {
  RunProgress progress;
  BackendCounters counters;
  EXPECT_THAT(ProgressText(progress, counters, 1), Not(HasSubstr("retries")));
  counters.retries = 3;
  counters.last_trouble.Set("localhost:8000: 503 Service Unavailable");
  EXPECT_THAT(ProgressText(progress, counters, 1),
              HasSubstr("retries 3 (last: localhost:8000: 503 Service Unavailable)"));
}

TEST(ProgressText, AServersWordsAreShortenedAndCannotSteerATerminal) {
  RunProgress progress;
  BackendCounters counters;
  counters.retries = 1;
  counters.last_trouble.Set("\x1b[2Jgone" + std::string(5000, 'x'));
  const std::string text = ProgressText(progress, counters, 1);
  EXPECT_THAT(text, Not(HasSubstr("\x1b")));
  EXPECT_THAT(text, HasSubstr("\\x1b[2Jgone"));
  EXPECT_LT(text.size(), 400u);
}

}  // namespace
}  // namespace assay
