// Everything about the GPU that needs only CUDA and the standard library: kernels, whole models,
// ceilings, attention, steps. What scripts/gpu-check runs; exit status 1 where a check failed.
//
// usage: gpu_check [--open] [--small] [--checks] [--bench] [--only TEXT] [--reference FILE]...
//                  [--step MODEL LAYERS ROWS CONTEXT]
//   --open    only opens the GPU and says which it is
//   --small   a few small cases, for compute-sanitizer
//   --checks, --bench   only these; both where neither is named
//   --only    figures whose name holds TEXT
//   --step    nothing but decode steps of such a model (ROWS 0: a prefill), for a profiler
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "benchmarks/gpu_floor.h"
#include "inference/engine/cuda/open.h"
#include "tests/cuda_model_check.h"
#include "tests/cuda_parity.h"

namespace assay {
namespace {

int failed = 0, passed = 0;

void Tell(const std::vector<ParityFinding>& findings) {
  for (const ParityFinding& finding : findings) {
    std::printf("%s  %s%s%s\n", finding.ok ? "ok    " : "FAILED", finding.check.c_str(),
                finding.detail.empty() ? "" : ": ", finding.detail.c_str());
    ++(finding.ok ? passed : failed);
  }
  std::fflush(stdout);
}

void RunChecks(cuda::Device* device, bool small) {
  Tell(CheckAllKernels(device, {.seed = 1, .large = !small}));
  Tell(CheckExactness(device, SmallModel()));
  if (small) return;
  for (const char* name : {"1.5B", "7B", "8B"}) {
    ExactnessOptions options;
    options.name = std::string(name) + " of 4 layers";
    options.shape = ShapeNamed(name, 4).model;
    Tell(CheckExactness(device, options));
  }
  ExactnessOptions normed;
  normed.name = "8B of 4 layers with norms of queries and keys";
  normed.shape = ShapeNamed("8B", 4).model;
  normed.shape.qk_norm = true;
  Tell(CheckExactness(device, normed));
}

void RunBench(cuda::Device* device, const std::string& only) {
  const GpuCeilings ceilings = MeasureCeilings(device);
  const auto tell = [](const GpuFigure& figure) {
    std::printf("%s\n", FigureLine(figure).c_str());
    std::fflush(stdout);
  };
  tell({"copy on the device, read and written", ceilings.copy_bytes_per_second / 1e9, "GB/s"});
  tell({"bf16 product of 8192 x 8192 x 8192", ceilings.flops / 1e12, "TFLOP/s"});
  BenchAttention(device, ceilings, only, tell);
  BenchSteps(device, ceilings, only, tell);
}

}  // namespace
}  // namespace assay

int main(int argc, char** argv) {
  using assay::failed;
  bool small = false, checks = false, bench = false, open_only = false;
  std::vector<std::string> references, step;
  std::string only;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--small") {
      small = true;
    } else if (word == "--open") {
      open_only = true;
    } else if (word == "--checks") {
      checks = true;
    } else if (word == "--bench") {
      bench = true;
    } else if (word == "--only" && i + 1 < argc) {
      only = argv[++i];
    } else if (word == "--step" && i + 4 < argc) {
      for (int j = 0; j < 4; ++j) step.emplace_back(argv[++i]);
    } else if (word == "--reference" && i + 1 < argc) {
      references.emplace_back(argv[++i]);
    } else {
      std::fprintf(stderr,
                   "usage: gpu_check [--open] [--small] [--checks] [--bench] [--only TEXT] "
                   "[--reference FILE]... [--step MODEL LAYERS ROWS CONTEXT]\n");
      return 2;
    }
  }
  std::string error;
  const auto begin = std::chrono::steady_clock::now();
  const std::unique_ptr<assay::cuda::Device> device = assay::cuda::OpenDevice(&error);
  if (device == nullptr) {
    std::fprintf(stderr, "gpu_check: %s\n", error.c_str());
    return 1;
  }
  const assay::cuda::DeviceFacts& facts = device->facts();
  std::printf("%s, sm_%d, %d multiprocessors, %.1f GB of %.1f GB free, driver for CUDA %d, %s\n",
              facts.name.c_str(), facts.capability, facts.multiprocessors, facts.free_bytes / 1e9,
              facts.total_bytes / 1e9, facts.driver_version, facts.products.c_str());
  if (open_only) return 0;
  if (!step.empty()) {
    const std::string problem =
        assay::RunForProfiler(device.get(), step[0], std::atoi(step[1].c_str()),
                              std::atoi(step[2].c_str()), std::atoi(step[3].c_str()));
    if (!problem.empty()) std::fprintf(stderr, "gpu_check: %s\n", problem.c_str());
    return problem.empty() ? 0 : 1;
  }
  const bool both = !checks && !bench && references.empty();
  if (checks || both || small) assay::RunChecks(device.get(), small);
  for (const std::string& path : references) {
    assay::Tell(assay::CheckAgainstReference(device.get(), path));
  }
  if ((bench || both) && !small) assay::RunBench(device.get(), only);
  if (!device->error().empty()) {
    std::printf("FAILED  the device: %s\n", device->error().c_str());
    ++failed;
  }
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  std::printf("%d checks passed, %d failed, %.0f s\n", assay::passed, failed, seconds);
  return failed == 0 ? 0 : 1;
}
