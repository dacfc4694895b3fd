// An estimate of a statistic that is no mean (a rating), from its bootstrap replicates.
#pragma once

#include <string>
#include <vector>

#include "harness/statistics.h"

namespace assay {

// The percentile interval of the replicates and their standard deviation. CHECKs that there are at
// least two. `method` says how they were drawn.
Estimate EstimateFromReplicates(double value, std::vector<double> replicates, int64_t problems,
                                int64_t samples, std::string method, double level = 0.95);

}  // namespace assay
