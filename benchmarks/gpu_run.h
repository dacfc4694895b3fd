// The GPU's numbers of the issue, printed: kernels and steps as shares of the machine's ceilings,
// and the whole engine end to end.
#pragma once

namespace assay {

// Exit status. `only_run`: the part that needs the engine, end to end.
int BenchGpu(bool only_run);

}  // namespace assay
