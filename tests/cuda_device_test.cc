// The kernels on this machine's GPU, and what their compiler said of them; skipped with the reason
// where there is none.
#include <algorithm>

#include "absl/strings/str_format.h"
#include "harness/text.h"
#include "inference/engine/cuda/open.h"
#include "tests/cuda_parity.h"
#include "tests/testing.h"

namespace assay {
namespace {

TEST(CudaDevice, KernelsAgreeWithPlainLoops) {
  std::string why;
  const std::unique_ptr<cuda::Device> device = cuda::OpenDevice(&why);
  if (device == nullptr) GTEST_SKIP() << "skipped: " << why;
  for (const ParityFinding& finding : CheckAllKernels(device.get(), {.seed = 1, .large = true})) {
    EXPECT_TRUE(finding.ok) << finding.check << ": " << finding.detail;
  }
}

// --- registers ---

struct KernelUse {
  std::string name, architecture;
  int stack = -1, spill_stores = -1, spill_loads = -1, registers = -1;
};

int NumberBefore(std::string_view line, std::string_view words) {
  const size_t at = line.find(words);
  if (at == std::string_view::npos) return -1;
  size_t begin = at;
  while (begin > 0 && (std::isdigit(line[begin - 1]) != 0 || line[begin - 1] == ' ')) --begin;
  return std::atoi(std::string(Trim(line.substr(begin, at - begin))).c_str());
}

// What `ptxas -v` says, kernel by kernel.
std::vector<KernelUse> ReadPtxas(std::string_view text) {
  std::vector<KernelUse> uses;
  for (const std::string_view line : SplitLines(text)) {
    if (Contains(line, "Compiling entry function")) {
      const std::vector<std::string_view> quoted = Split(line, '\'');
      uses.emplace_back();
      if (quoted.size() > 3) {
        uses.back().name = std::string(quoted[1]);
        uses.back().architecture = std::string(quoted[3]);
      }
    }
    if (uses.empty()) continue;
    KernelUse& use = uses.back();
    if (Contains(line, "bytes stack frame")) {
      use.stack = NumberBefore(line, " bytes stack frame");
      use.spill_stores = NumberBefore(line, " bytes spill stores");
      use.spill_loads = NumberBefore(line, " bytes spill loads");
    }
    if (Contains(line, "Used ")) use.registers = NumberBefore(line, " registers");
  }
  return uses;
}

TEST(CudaBuild, WhatPtxasSaysIsRead) {
  const std::vector<KernelUse> uses = ReadPtxas(
      "ptxas info    : 0 bytes gmem\n"
      "ptxas info    : Compiling entry function '_Z1aN' for 'sm_90'\n"
      "ptxas info    : Function properties for _Z1aN\n"
      "    8 bytes stack frame, 4 bytes spill stores, 12 bytes spill loads\n"
      "ptxas info    : Used 157 registers, used 1 barriers, 8 bytes cumulative stack size\n");
  ASSERT_EQ(uses.size(), 1u);
  EXPECT_EQ(uses[0].name, "_Z1aN");
  EXPECT_EQ(uses[0].architecture, "sm_90");
  EXPECT_EQ(uses[0].stack, 8);
  EXPECT_EQ(uses[0].spill_stores, 4);
  EXPECT_EQ(uses[0].spill_loads, 12);
  EXPECT_EQ(uses[0].registers, 157);
}

TEST(CudaBuild, NoKernelSpills) {
  if (!cuda::BuiltWithCuda()) GTEST_SKIP() << "skipped: this build has no CUDA";
  std::set<std::string> files;
  size_t kernels = 0;
  for (const char* name : {"attention_decode", "attention_prefill", "rows", "sample"}) {
    const std::string path = testing_support::BinaryPath(std::string("cuda/") + name + ".ptxas");
    for (const KernelUse& use : ReadPtxas(testing_support::ReadWholeFile(path))) {
      ++kernels;
      EXPECT_EQ(use.spill_stores, 0) << name << ", " << use.architecture << ": " << use.name;
      EXPECT_EQ(use.spill_loads, 0) << name << ", " << use.architecture << ": " << use.name;
      EXPECT_EQ(use.stack, 0) << name << ", " << use.architecture << ": " << use.name;
      EXPECT_GT(use.registers, 0) << name;
    }
  }
  // 4 head sizes of two kernels, 2 more of attention, 5 of rows, 1 of sampling, for 2
  // architectures.
  EXPECT_GE(kernels, 16u);
}

}  // namespace
}  // namespace assay
