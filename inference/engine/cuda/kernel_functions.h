// The launches that the CUDA sources define, declared for the table (kernels.cu): once for the GPU
// and once, in a namespace of its own, for the emulator.
#pragma once

#include "inference/engine/cuda/kernels.h"
#include "inference/engine/cuda/lanes.h"

namespace KERNEL_NAMESPACE {

void LaunchEmbed(const cuda::EmbedArgs& args, cuda::Stream stream);
void LaunchAddNorm(const cuda::AddNormArgs& args, cuda::Stream stream);
void LaunchRope(const cuda::RopeArgs& args, cuda::Stream stream);
void LaunchPlanWork(const cuda::WorkArgs& args, cuda::Stream stream);
void LaunchDecodeAttention(const cuda::DecodeAttentionArgs& args, cuda::Stream stream);
void LaunchPrefillAttention(const cuda::PrefillAttentionArgs& args, cuda::Stream stream);
void LaunchSwiglu(const cuda::SwigluArgs& args, cuda::Stream stream);
void LaunchGather(const cuda::GatherArgs& args, cuda::Stream stream);
void LaunchSample(const cuda::SampleArgs& args, cuda::Stream stream);

inline constexpr cuda::Kernels kTable = {
    LaunchEmbed,    LaunchAddNorm,         LaunchRope,
    LaunchPlanWork, LaunchDecodeAttention, LaunchPrefillAttention,
    LaunchSwiglu,   LaunchGather,          LaunchSample};

}  // namespace KERNEL_NAMESPACE
