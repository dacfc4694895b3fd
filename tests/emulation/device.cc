// Device memory is ordinary memory that begins as NaNs. Copies to the host arrive only when the
// host waits, and copies to the device read their source only then: who reads or reuses pinned
// memory too early has wrong numbers.
#include "tests/emulation/device.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "tests/emulation/kernels.h"

namespace assay {
namespace {

using cuda::Half;
using cuda::ProductShape;

float Widen(Half half) {
  const uint32_t bits = static_cast<uint32_t>(half) << 16;
  float value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}
Half Round(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return static_cast<Half>((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
}

class EmulatedDevice;
// The device whose queue runs: launches of kernels are put into it.
EmulatedDevice* current_device = nullptr;

class EmulatedDevice final : public cuda::Device {
 public:
  explicit EmulatedDevice(const EmulatedDeviceOptions& options) : options_(options) {
    facts_.name = "emulated GPU";
    facts_.capability = 90;
    facts_.multiprocessors = 3;
    facts_.total_bytes = facts_.free_bytes = options.memory_bytes;
    facts_.products = "plain loops";
    // Kernels wait in the queue like everything else.
    kernels_.embed = Queued<cuda::EmbedArgs, &cuda::Kernels::embed>;
    kernels_.add_norm = Queued<cuda::AddNormArgs, &cuda::Kernels::add_norm>;
    kernels_.rope = Queued<cuda::RopeArgs, &cuda::Kernels::rope>;
    kernels_.plan_work = Queued<cuda::WorkArgs, &cuda::Kernels::plan_work>;
    kernels_.decode_attention = Queued<cuda::DecodeAttentionArgs, &cuda::Kernels::decode_attention>;
    kernels_.prefill_attention =
        Queued<cuda::PrefillAttentionArgs, &cuda::Kernels::prefill_attention>;
    kernels_.swiglu = Queued<cuda::SwigluArgs, &cuda::Kernels::swiglu>;
    kernels_.gather = Queued<cuda::GatherArgs, &cuda::Kernels::gather>;
    kernels_.sample = Queued<cuda::SampleArgs, &cuda::Kernels::sample>;
  }
  ~EmulatedDevice() override {
    if (!graphs_.empty()) {
      std::fprintf(stderr, "emulator: a model went and left its recorded steps behind\n");
      std::abort();
    }
    for (const auto& [memory, bytes] : taken_) std::free(memory);
  }

  const cuda::DeviceFacts& facts() const override { return facts_; }
  const cuda::Kernels& kernels() const override {
    current_device = const_cast<EmulatedDevice*>(this);
    return kernels_;
  }
  cuda::Stream stream() const override { return nullptr; }
  int decode_blocks(int) const override { return 5; }
  const std::string& error() const override { return error_; }

  void* Allocate(size_t bytes) override {
    if (used_ + bytes > options_.memory_bytes) return nullptr;
    used_ += bytes;
    return Get(bytes);
  }
  void Free(void* memory) override {
    used_ -= taken_[memory];
    Give(memory);
  }
  void* AllocatePinned(size_t bytes) override { return Get(bytes); }
  void FreePinned(void* memory) override { Give(memory); }

  void ToDevice(void* to, const void* from, size_t bytes) override { Copy(to, from, bytes); }
  void ToHost(void* to, const void* from, size_t bytes) override { Copy(to, from, bytes); }
  void Copy(void* to, const void* from, size_t bytes) override {
    Ask([=] { std::memcpy(to, from, bytes); });
  }
  void Fill(void* to, int byte, size_t bytes) override {
    Ask([=] { std::memset(to, byte, bytes); });
  }
  void Mark(int mark) override { marks_[mark] = asked_; }
  void WaitFor(int mark) override {
    while (done_ < marks_[mark]) DoOne();
  }
  void Wait() override {
    while (!queue_.empty()) DoOne();
  }

  void Prepare(const ProductShape& shape) override { prepared_.insert(shape); }
  void Multiply(const ProductShape& shape, const Half* weights, const Half* x, void* y) override {
    if (!prepared_.contains(shape)) error_ = "a product that was not prepared";
    Ask([=] {
      for (int row = 0; row < shape.rows; ++row) {
        for (int out = 0; out < shape.out; ++out) {
          float sum = 0;
          for (int i = 0; i < shape.in; ++i) {
            sum += Widen(x[static_cast<size_t>(row) * shape.in + i]) *
                   Widen(weights[static_cast<size_t>(out) * shape.in + i]);
          }
          const size_t at = static_cast<size_t>(row) * shape.out + out;
          if (shape.half_out) {
            static_cast<Half*>(y)[at] = Round(sum);
          } else {
            static_cast<float*>(y)[at] = sum;
          }
        }
      }
    });
  }
  std::string ChosenWays() const override { return "loops"; }
  void Replay(const void* owner, int rows, const std::function<void()>& work) override {
    // The queue's part is kept and repeated, as a graph is.
    const auto found = graphs_.find({owner, rows});
    if (found != graphs_.end()) {
      for (const auto& piece : found->second) Ask(piece);
      return;
    }
    recording_ = &graphs_[{owner, rows}];
    work();
    recording_ = nullptr;
  }
  void Forget(const void* owner) override {
    std::erase_if(graphs_, [&](const auto& entry) { return entry.first.first == owner; });
  }

 private:
  template <typename Args, void (*cuda::Kernels::*kKernel)(const Args&, cuda::Stream)>
  static void Queued(const Args& args, cuda::Stream stream) {
    current_device->Ask([=] { (EmulatedKernels().*kKernel)(args, stream); });
  }

  void Ask(std::function<void()> piece) {
    if (recording_ != nullptr) recording_->push_back(piece);
    if (options_.fails_after > 0 && asked_ >= options_.fails_after && error_.empty()) {
      error_ = "an illegal memory access was encountered";
    }
    if (!error_.empty()) return;
    queue_.push_back(std::move(piece));
    ++asked_;
  }
  void DoOne() {
    if (queue_.empty()) return;
    queue_.front()();
    queue_.pop_front();
    ++done_;
  }
  void* Get(size_t bytes) {
    void* memory = std::aligned_alloc(256, (bytes + 255) / 256 * 256);
    std::memset(memory, 0xFF, bytes);
    taken_[memory] = bytes;
    return memory;
  }
  void Give(void* memory) {
    taken_.erase(memory);
    std::free(memory);
  }

  EmulatedDeviceOptions options_;
  cuda::DeviceFacts facts_;
  cuda::Kernels kernels_ = {};
  std::string error_;
  size_t used_ = 0;
  std::map<void*, size_t> taken_;
  std::deque<std::function<void()>> queue_;
  int64_t asked_ = 0, done_ = 0;
  int64_t marks_[kMarks] = {};
  std::set<ProductShape> prepared_;
  std::map<std::pair<const void*, int>, std::vector<std::function<void()>>> graphs_;
  std::vector<std::function<void()>>* recording_ = nullptr;
};

}  // namespace

std::unique_ptr<cuda::Device> MakeEmulatedDevice(const EmulatedDeviceOptions& options) {
  return std::make_unique<EmulatedDevice>(options);
}

}  // namespace assay
