// The GPU itself: the only file that asks CUDA's runtime and cuBLASLt.
//
// The runtime is linked statically and finds the driver when it is first asked, and cuBLASLt is
// loaded when a device is opened: a program built with CUDA starts on machines that have neither.
#include "inference/engine/cuda/device.h"

#include "inference/engine/cuda/open.h"

#ifdef ASSAY_CUDA

#include <cublasLt.h>
#include <cuda_runtime.h>
#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>
#include <map>
#include <utility>
#include <vector>

namespace assay::cuda {
namespace {

constexpr size_t kWorkspaceBytes = size_t{64} << 20;
constexpr int kLeastCapability = 80;

// cuBLASLt's functions, by their own types.
struct Products {
  decltype(&cublasLtCreate) Create;
  decltype(&cublasLtDestroy) Destroy;
  decltype(&cublasLtGetVersion) GetVersion;
  decltype(&cublasLtMatmul) Matmul;
  decltype(&cublasLtMatmulAlgoGetHeuristic) AlgoGetHeuristic;
  decltype(&cublasLtMatmulAlgoConfigGetAttribute) AlgoConfigGetAttribute;
  decltype(&cublasLtMatmulDescCreate) DescCreate;
  decltype(&cublasLtMatmulDescSetAttribute) DescSetAttribute;
  decltype(&cublasLtMatmulDescDestroy) DescDestroy;
  decltype(&cublasLtMatrixLayoutCreate) LayoutCreate;
  decltype(&cublasLtMatrixLayoutDestroy) LayoutDestroy;
  decltype(&cublasLtMatmulPreferenceCreate) PreferenceCreate;
  decltype(&cublasLtMatmulPreferenceSetAttribute) PreferenceSetAttribute;
  decltype(&cublasLtMatmulPreferenceDestroy) PreferenceDestroy;
};

template <typename Function>
bool Find(void* library, const char* name, Function* function, std::string* error) {
  *function = reinterpret_cast<Function>(dlsym(library, name));
  if (*function != nullptr) return true;
  *error =
      std::string("cuBLASLt has no function ") + name + ": another version than this program's";
  return false;
}

// Once a program: it stays loaded.
const Products* LoadProducts(std::string* error) {
  static Products products;
  static bool loaded = false;
  if (loaded) return &products;
  const std::string name = "libcublasLt.so." + std::to_string(CUBLAS_VER_MAJOR);
  std::vector<std::string> places = {name};
  for (const char* variable : {"CUDA_HOME", "CUDA_PATH"}) {
    const char* home = std::getenv(variable);
    if (home != nullptr) places.push_back(std::string(home) + "/lib64/" + name);
  }
  places.push_back("/usr/local/cuda/lib64/" + name);
  void* library = nullptr;
  for (const std::string& place : places) {
    library = dlopen(place.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library != nullptr) break;
  }
  if (library == nullptr) {
    *error = name +
             " is not there: neither in the loader's path (LD_LIBRARY_PATH), nor in "
             "$CUDA_HOME/lib64, nor in /usr/local/cuda/lib64";
    return nullptr;
  }
  loaded = Find(library, "cublasLtCreate", &products.Create, error) &&
           Find(library, "cublasLtDestroy", &products.Destroy, error) &&
           Find(library, "cublasLtGetVersion", &products.GetVersion, error) &&
           Find(library, "cublasLtMatmul", &products.Matmul, error) &&
           Find(library, "cublasLtMatmulAlgoGetHeuristic", &products.AlgoGetHeuristic, error) &&
           Find(library, "cublasLtMatmulAlgoConfigGetAttribute", &products.AlgoConfigGetAttribute,
                error) &&
           Find(library, "cublasLtMatmulDescCreate", &products.DescCreate, error) &&
           Find(library, "cublasLtMatmulDescSetAttribute", &products.DescSetAttribute, error) &&
           Find(library, "cublasLtMatmulDescDestroy", &products.DescDestroy, error) &&
           Find(library, "cublasLtMatrixLayoutCreate", &products.LayoutCreate, error) &&
           Find(library, "cublasLtMatrixLayoutDestroy", &products.LayoutDestroy, error) &&
           Find(library, "cublasLtMatmulPreferenceCreate", &products.PreferenceCreate, error) &&
           Find(library, "cublasLtMatmulPreferenceSetAttribute", &products.PreferenceSetAttribute,
                error) &&
           Find(library, "cublasLtMatmulPreferenceDestroy", &products.PreferenceDestroy, error);
  return loaded ? &products : nullptr;
}

// One shape's product, as it will always be computed.
struct Plan {
  cublasLtMatmulDesc_t description = nullptr;
  cublasLtMatrixLayout_t weights = nullptr, x = nullptr, y = nullptr;
  cublasLtMatmulAlgo_t way = {};
};

std::string VersionText(int version) {
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

class CudaDevice final : public Device {
 public:
  ~CudaDevice() override;
  bool Open(std::string* error);

  const DeviceFacts& facts() const override { return facts_; }
  const Kernels& kernels() const override { return error_.empty() ? DeviceKernels() : kNothing; }
  Stream stream() const override { return stream_; }
  int decode_blocks(int head_dim) const override {
    return facts_.multiprocessors * DecodeBlocksPerUnit(head_dim);
  }
  const std::string& error() const override { return error_; }

  void* Allocate(size_t bytes) override;
  void Free(void* memory) override { cudaFree(memory); }
  void* AllocatePinned(size_t bytes) override;
  void FreePinned(void* memory) override { cudaFreeHost(memory); }
  void ToDevice(void* to, const void* from, size_t bytes) override {
    Move(to, from, bytes, cudaMemcpyHostToDevice, "a copy to the GPU");
  }
  void ToHost(void* to, const void* from, size_t bytes) override {
    Move(to, from, bytes, cudaMemcpyDeviceToHost, "a copy from the GPU");
  }
  void Copy(void* to, const void* from, size_t bytes) override {
    Move(to, from, bytes, cudaMemcpyDeviceToDevice, "a copy on the GPU");
  }
  void Fill(void* to, int byte, size_t bytes) override {
    if (error_.empty()) Check(cudaMemsetAsync(to, byte, bytes, stream_), "filling memory");
  }
  void Mark(int mark) override;
  void WaitFor(int mark) override {
    if (error_.empty()) Check(cudaEventSynchronize(marks_[mark]), "waiting for a step");
  }
  void Wait() override {
    if (error_.empty()) Check(cudaStreamSynchronize(stream_), "waiting for the GPU");
  }
  void Prepare(const ProductShape& shape) override;
  void Multiply(const ProductShape& shape, const Half* weights, const Half* x, void* y) override;
  std::string ChosenWays() const override;
  void Replay(const void* owner, int rows, const std::function<void()>& work) override;
  void Forget(const void* owner) override;

 private:
  // After an error: launches that do nothing.
  static const Kernels kNothing;

  bool Check(cudaError_t status, const char* what) {
    if (status == cudaSuccess) return true;
    if (error_.empty()) {
      error_ = std::string("CUDA error ") + cudaGetErrorName(status) + " at " + what + ": " +
               cudaGetErrorString(status);
    }
    return false;
  }
  bool CheckProducts(cublasStatus_t status, const char* what) {
    if (status == CUBLAS_STATUS_SUCCESS) return true;
    if (error_.empty()) {
      error_ = std::string("cuBLASLt status ") + std::to_string(status) + " at " + what;
    }
    return false;
  }
  void Move(void* to, const void* from, size_t bytes, cudaMemcpyKind kind, const char* what) {
    if (bytes == 0 || !error_.empty()) return;
    Check(cudaMemcpyAsync(to, from, bytes, kind, stream_), what);
  }
  bool Choose(const ProductShape& shape, Plan* plan);

  DeviceFacts facts_;
  std::string error_;
  cudaStream_t stream_ = nullptr;
  cudaEvent_t marks_[kMarks] = {};
  const Products* products_ = nullptr;
  cublasLtHandle_t handle_ = nullptr;
  void* workspace_ = nullptr;
  std::map<ProductShape, Plan> plans_;
  // By owner and rows: null until the work has run once, then the recorded graph.
  std::map<std::pair<const void*, int>, cudaGraphExec_t> graphs_;
};

const Kernels CudaDevice::kNothing = {[](const EmbedArgs&, Stream) {},
                                      [](const AddNormArgs&, Stream) {},
                                      [](const RopeArgs&, Stream) {},
                                      [](const WorkArgs&, Stream) {},
                                      [](const DecodeAttentionArgs&, Stream) {},
                                      [](const PrefillAttentionArgs&, Stream) {},
                                      [](const SwigluArgs&, Stream) {},
                                      [](const GatherArgs&, Stream) {},
                                      [](const SampleArgs&, Stream) {}};

bool CudaDevice::Open(std::string* error) {
  int driver = 0, count = 0;
  cudaDriverGetVersion(&driver);
  facts_.driver_version = driver;
  facts_.runtime_version = CUDART_VERSION;
  if (driver == 0) {
    *error = "no NVIDIA driver is installed on this machine (libcuda.so.1 is not there)";
    return false;
  }
  const cudaError_t counted = cudaGetDeviceCount(&count);
  if (counted == cudaErrorInsufficientDriver) {
    *error = "the NVIDIA driver runs CUDA up to " + VersionText(driver) +
             ", and this program was built with CUDA " + VersionText(CUDART_VERSION) +
             ": a newer driver is needed, or a build with an older CUDA";
    return false;
  }
  if (counted == cudaErrorNoDevice || (counted == cudaSuccess && count == 0)) {
    const char* visible = std::getenv("CUDA_VISIBLE_DEVICES");
    *error =
        std::string("the driver is there and sees no GPU") +
        (visible != nullptr ? " (CUDA_VISIBLE_DEVICES is '" + std::string(visible) + "')" : "");
    return false;
  }
  cudaDeviceProp properties = {};
  if (!Check(counted, "counting GPUs") || !Check(cudaSetDevice(0), "choosing the first GPU") ||
      !Check(cudaGetDeviceProperties(&properties, 0), "asking the GPU")) {
    *error = error_;
    return false;
  }
  facts_.name = properties.name;
  facts_.capability = properties.major * 10 + properties.minor;
  facts_.multiprocessors = properties.multiProcessorCount;
  if (facts_.capability < kLeastCapability) {
    *error = facts_.name + " has compute capability " + std::to_string(properties.major) + "." +
             std::to_string(properties.minor) + ", and 8.0 (A100) is the least that is supported";
    return false;
  }
  products_ = LoadProducts(error);
  if (products_ == nullptr) return false;
  facts_.products = "cuBLASLt " + std::to_string(products_->GetVersion());
  Check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "making a stream");
  for (cudaEvent_t& mark : marks_) {
    Check(cudaEventCreateWithFlags(&mark, cudaEventDisableTiming), "making an event");
  }
  CheckProducts(products_->Create(&handle_), "opening it");
  size_t free_bytes = 0, total_bytes = 0;
  Check(cudaMemGetInfo(&free_bytes, &total_bytes), "asking for free memory");
  facts_.free_bytes = free_bytes;
  facts_.total_bytes = total_bytes;
  if (error_.empty() && DecodeBlocksPerUnit(128) < 1) {
    error_ = "its kernels do not run on " + facts_.name + " (sm_" +
             std::to_string(facts_.capability) + ")";
  }
  *error = error_;
  return error_.empty();
}

CudaDevice::~CudaDevice() {
  for (const auto& [step, graph] : graphs_) {
    if (graph != nullptr) cudaGraphExecDestroy(graph);
  }
  for (const auto& [shape, plan] : plans_) {
    if (plan.description != nullptr) products_->DescDestroy(plan.description);
    for (const cublasLtMatrixLayout_t layout : {plan.weights, plan.x, plan.y}) {
      if (layout != nullptr) products_->LayoutDestroy(layout);
    }
  }
  if (workspace_ != nullptr) cudaFree(workspace_);
  if (handle_ != nullptr) products_->Destroy(handle_);
  for (const cudaEvent_t mark : marks_) {
    if (mark != nullptr) cudaEventDestroy(mark);
  }
  if (stream_ != nullptr) cudaStreamDestroy(stream_);
}

void* CudaDevice::Allocate(size_t bytes) {
  if (!error_.empty()) return nullptr;
  void* memory = nullptr;
  const cudaError_t status = cudaMalloc(&memory, bytes);
  if (status == cudaErrorMemoryAllocation) {
    cudaGetLastError();  // it is no error that stays
    return nullptr;
  }
  return Check(status, "taking memory") ? memory : nullptr;
}

void* CudaDevice::AllocatePinned(size_t bytes) {
  if (!error_.empty()) return nullptr;
  void* memory = nullptr;
  const cudaError_t status = cudaMallocHost(&memory, bytes);
  if (status == cudaErrorMemoryAllocation) {
    cudaGetLastError();
    return nullptr;
  }
  return Check(status, "taking pinned memory") ? memory : nullptr;
}

void CudaDevice::Mark(int mark) {
  if (!error_.empty()) return;
  // Launches that failed at once are known here; those that fail later, when they are waited for.
  Check(cudaGetLastError(), "starting a kernel");
  Check(cudaEventRecord(marks_[mark], stream_), "marking a step");
}

// The library's first proposal. A split of the inner dimension is allowed where its parts are kept
// in float32 and added in their order: the number of parts belongs to the proposal, so that an
// element is the same sum in every place and every time. (Without splits, what is left for long
// inner dimensions and few rows runs on a small part of the GPU: GPU.md.)
bool CudaDevice::Choose(const ProductShape& shape, Plan* plan) {
  if (workspace_ == nullptr) workspace_ = Allocate(kWorkspaceBytes);
  if (workspace_ == nullptr) {
    if (error_.empty()) error_ = "out of memory on the GPU: no room for 64 MiB of cuBLASLt's";
    return false;
  }
  const cudaDataType_t y_type = shape.half_out ? CUDA_R_16BF : CUDA_R_32F;
  const cublasOperation_t transposed = CUBLAS_OP_T;
  const auto in = static_cast<uint64_t>(shape.in), out = static_cast<uint64_t>(shape.out);
  const auto rows = static_cast<uint64_t>(shape.rows);
  // Column by column: weights [in][out] transposed, x [in][rows], y [out][rows].
  bool ok =
      CheckProducts(products_->DescCreate(&plan->description, CUBLAS_COMPUTE_32F, CUDA_R_32F),
                    "describing a product") &&
      CheckProducts(products_->DescSetAttribute(plan->description, CUBLASLT_MATMUL_DESC_TRANSA,
                                                &transposed, sizeof(transposed)),
                    "describing a product") &&
      CheckProducts(products_->LayoutCreate(&plan->weights, CUDA_R_16BF, in, out, shape.in),
                    "describing weights") &&
      CheckProducts(products_->LayoutCreate(&plan->x, CUDA_R_16BF, in, rows, shape.in),
                    "describing rows") &&
      CheckProducts(products_->LayoutCreate(&plan->y, y_type, out, rows, shape.out),
                    "describing results");
  cublasLtMatmulPreference_t preference = nullptr;
  const uint32_t in_order = CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE;  // or no split
  const uint64_t workspace = kWorkspaceBytes;
  ok = ok && CheckProducts(products_->PreferenceCreate(&preference), "a preference") &&
       CheckProducts(
           products_->PreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK,
                                             &in_order, sizeof(in_order)),
           "a preference") &&
       CheckProducts(
           products_->PreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
                                             &workspace, sizeof(workspace)),
           "a preference");
  constexpr int kProposals = 16;
  cublasLtMatmulHeuristicResult_t proposals[kProposals];
  int found = 0;
  ok = ok && CheckProducts(products_->AlgoGetHeuristic(handle_, plan->description, plan->weights,
                                                       plan->x, plan->y, plan->y, preference,
                                                       kProposals, proposals, &found),
                           "looking for a way to compute a product");
  if (preference != nullptr) products_->PreferenceDestroy(preference);
  for (int i = 0; ok && i < found; ++i) {
    int32_t splits = 0;
    uint32_t reduction = 0;
    size_t written = 0;
    const cublasLtMatmulAlgo_t* algo = &proposals[i].algo;
    if (proposals[i].state != CUBLAS_STATUS_SUCCESS ||
        products_->AlgoConfigGetAttribute(algo, CUBLASLT_ALGO_CONFIG_SPLITK_NUM, &splits,
                                          sizeof(splits), &written) != CUBLAS_STATUS_SUCCESS ||
        products_->AlgoConfigGetAttribute(algo, CUBLASLT_ALGO_CONFIG_REDUCTION_SCHEME, &reduction,
                                          sizeof(reduction), &written) != CUBLAS_STATUS_SUCCESS) {
      continue;
    }
    if (splits > 1 && reduction != CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE) continue;
    plan->way = proposals[i].algo;
    return true;
  }
  if (error_.empty()) {
    char text[200];
    std::snprintf(text, sizeof(text),
                  "cuBLASLt proposes no way with sums in a fixed order for the product of %d rows, "
                  "%d to %d",
                  shape.rows, shape.in, shape.out);
    error_ = text;
  }
  return false;
}

void CudaDevice::Prepare(const ProductShape& shape) {
  if (!error_.empty() || plans_.contains(shape)) return;
  Plan& plan = plans_[shape];
  Choose(shape, &plan);
}

void CudaDevice::Multiply(const ProductShape& shape, const Half* weights, const Half* x, void* y) {
  Prepare(shape);
  if (!error_.empty()) return;
  const Plan& plan = plans_[shape];
  const float one = 1, zero = 0;
  CheckProducts(
      products_->Matmul(handle_, plan.description, &one, weights, plan.weights, x, plan.x, &zero, y,
                        plan.y, y, plan.y, &plan.way, workspace_, kWorkspaceBytes, stream_),
      "a product");
}

std::string CudaDevice::ChosenWays() const {
  std::string text;
  for (const auto& [shape, plan] : plans_) {
    char line[120];
    std::snprintf(line, sizeof(line), "%d %d %d %d:", shape.rows, shape.in, shape.out,
                  shape.half_out ? 1 : 0);
    text += line;
    for (const uint64_t word : plan.way.data) {
      std::snprintf(line, sizeof(line), " %llx", static_cast<unsigned long long>(word));
      text += line;
    }
    text += '\n';
  }
  return text;
}

// The first time it runs as it is asked for, so that everything is loaded; the second time it is
// recorded.
void CudaDevice::Replay(const void* owner, int rows, const std::function<void()>& work) {
  if (!error_.empty()) return;
  const auto [entry, is_new] = graphs_.try_emplace({owner, rows}, nullptr);
  if (is_new) {
    work();
    return;
  }
  if (entry->second == nullptr) {
    cudaGraph_t graph = nullptr;
    if (!Check(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeThreadLocal),
               "recording a step")) {
      return;
    }
    work();
    Check(cudaStreamEndCapture(stream_, &graph), "recording a step");
    if (error_.empty()) {
      Check(cudaGraphInstantiate(&entry->second, graph, 0), "making a graph of a step");
    }
    if (graph != nullptr) cudaGraphDestroy(graph);
    if (!error_.empty()) return;
  }
  Check(cudaGraphLaunch(entry->second, stream_), "starting a step");
}

void CudaDevice::Forget(const void* owner) {
  std::erase_if(graphs_, [&](const auto& entry) {
    if (entry.first.first != owner) return false;
    if (entry.second != nullptr) cudaGraphExecDestroy(entry.second);
    return true;
  });
}

}  // namespace

bool BuiltWithCuda() { return true; }

std::unique_ptr<Device> OpenDevice(std::string* error) {
  auto device = std::make_unique<CudaDevice>();
  if (!device->Open(error)) return nullptr;
  return device;
}

}  // namespace assay::cuda

#endif
