// What a report says: the same words for `assay report` and `assay view`.
#include "commands/shared/report_flags.h"

namespace assay {

void DeclareReportFlags(CommandLine& line, std::string* baseline, ReportOptions* report) {
  line.Option("--baseline", baseline,
              "The run that the others are compared with (default: the first)");
  line.Option("--tasks,-t", &report->tasks, "Only these tasks");
  line.Option("--x", &report->x,
              "A trend over the runs: the word before the number in their names or models "
              "('step'), or the numbers");
  line.Option("--published-as", &report->published_as,
              "The model whose published figures to show beside the runs' (default: their own)");
  line.Flag("--consensus", &report->consensus,
            "cons@k also for large runs whose tasks do not ask for it");
  line.Flag("--allow-partial", &report->allow_partial,
            "A labelled number, with bounds, over missing samples");
}

}  // namespace assay
