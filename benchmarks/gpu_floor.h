// How fast the GPU's kernels and steps are, each as a share of what the same GPU does in the same
// process: copying memory and multiplying large matrices. Needs the standard library only.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "inference/engine/cuda/device.h"
#include "inference/engine/cuda/model.h"

namespace assay {

// What a GPU gives, measured on random data.
struct GpuCeilings {
  double copy_bytes_per_second = 0;  // bytes read and bytes written, together
  double flops = 0;                  // of bf16 products of 8192 x 8192 x 8192
};
GpuCeilings MeasureCeilings(cuda::Device* device);

struct NamedShape {
  std::string name;
  cuda::ModelShape model;
};
// By the names of the issue: "1.5B", "7B", "8B"; layers > 0 replaces their number.
NamedShape ShapeNamed(const std::string& name, int layers = 0);

// Seconds that a decode step of `rows` sequences of `context` positions cannot fall below: each
// product by bytes or by flops, the cache once, three passes over float32 logits.
double DecodeFloor(const cuda::ModelShape& model, int rows, int context,
                   const GpuCeilings& ceilings);
double PrefillFlops(const cuda::ModelShape& model, int tokens, int context);

// A model of this shape with random weights: standard deviation 1 / sqrt(inputs), and a head that
// gives logits a few nats wide, as text does. Null with `error` where it does not fit.
std::unique_ptr<cuda::Model> MakeRandomModel(cuda::Device* device, const cuda::ModelShape& model,
                                             const cuda::StepShape& step, std::string* error);
// Random keys and values in every page.
void FillPool(cuda::Model* model);

struct GpuFigure {
  std::string what;
  double value = 0;
  std::string unit;
  double share = 0;    // of the ceiling or floor; 0: there is none
  double goal = 0;     // of the share, or of the value where share is 0; 0: there is none
  std::string beside;  // how it came about
};
using OnFigure = std::function<void(const GpuFigure&)>;

// Numbers 1, 2 and 4 of the issue. What does not fit into the GPU's memory is told and left out.
// Only figures whose name holds `only`.
void BenchAttention(cuda::Device* device, const GpuCeilings& ceilings, const std::string& only,
                    const OnFigure& on_figure);
void BenchSteps(cuda::Device* device, const GpuCeilings& ceilings, const std::string& only,
                const OnFigure& on_figure);

// A few decode steps, or with rows = 0 one prefill of the context, of a model with random weights:
// something for a profiler to look at. An error, or nothing.
std::string RunForProfiler(cuda::Device* device, const std::string& name, int layers, int rows,
                           int context);

std::string FigureLine(const GpuFigure& figure);

}  // namespace assay
