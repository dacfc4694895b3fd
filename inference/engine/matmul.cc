// oneDNN's matmul primitives, one for each shape and number of rows, made when first used; or our
// own panels.
#include "inference/engine/matmul.h"

#include <sys/mman.h>
#include <oneapi/dnnl/dnnl.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <map>
#include <mutex>
#include <random>
#include <tuple>

#include "absl/strings/str_format.h"
#include "harness/status.h"
#include "inference/engine/weights.h"

// Debian's oneDNN divides work by OpenMP. We divide it ourselves, so each of our threads tells
// OpenMP to stay alone; the function is libgomp's, and its header is not everywhere.
extern "C" void omp_set_num_threads(int);

namespace assay {
namespace {

using dnnl::memory;

memory::data_type TypeOf(NumberFormat format) {
  return format == NumberFormat::kBf16 ? memory::data_type::bf16 : memory::data_type::f32;
}
memory::data_type TypeOf(Dtype dtype) {
  return dtype == Dtype::kBf16 ? memory::data_type::bf16 : memory::data_type::f32;
}

const dnnl::engine& CpuEngine() {
  static const auto* engine = new dnnl::engine(dnnl::engine::kind::cpu, 0);
  return *engine;
}

// Chunks of about this many bytes of weights: small enough to be shared evenly, large enough that
// a call's own cost (about a microsecond by the library) does not count.
constexpr int kChunkBytes = 128 << 10;
constexpr int kColumnBlock = 64;
// Rows at least this long are multiplied as they lie in the file: adding up vectors at the end
// costs little then, and copying a large model would cost more than reading its file.
constexpr int kLongRow = 512;

constexpr std::array<int, 12> kSmallRows = {1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64};

std::string IsaName() {
  switch (dnnl::get_effective_cpu_isa()) {
    case dnnl::cpu_isa::sse41:
      return "sse41";
    case dnnl::cpu_isa::avx:
      return "avx";
    case dnnl::cpu_isa::avx2:
      return "avx2";
    case dnnl::cpu_isa::avx512_core:
      return "avx512_core";
    case dnnl::cpu_isa::avx512_core_vnni:
      return "avx512_core_vnni";
    case dnnl::cpu_isa::avx512_core_bf16:
      return "avx512_core_bf16";
    default:
      return absl::StrFormat("isa %d", static_cast<int>(dnnl::get_effective_cpu_isa()));
  }
}

}  // namespace

// One chunk's shape; its primitives by number of rows. Shared by all matrices of that shape.
struct PackedMatrix::Shape {
  struct Product {
    dnnl::matmul::primitive_desc description;
    dnnl::matmul primitive;
  };

  int in = 0, columns = 0, stride = 0;  // stride: floats from one row of y to the next
  NumberFormat format = NumberFormat::kBf16;
  memory::desc packed;  // the weights' layout
  mutable std::mutex mutex;
  mutable std::map<int, Product> products;  // guarded by mutex; entries stay where they are

  Product Make(int rows, const memory::desc& weights) const {
    dnnl::primitive_attr attributes;
    attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    const memory::desc x({rows, in}, TypeOf(format), memory::dims{in, 1});
    const memory::desc y({rows, columns}, memory::data_type::f32, memory::dims{stride, 1});
    Product product;
    product.description =
        dnnl::matmul::primitive_desc(dnnl::matmul::desc(x, weights, y), attributes, CpuEngine());
    product.primitive = dnnl::matmul(product.description);
    return product;
  }
  const Product& For(int rows) const {
    std::lock_guard lock(mutex);
    auto found = products.find(rows);
    if (found == products.end()) found = products.emplace(rows, Make(rows, packed)).first;
    return found->second;
  }

  static const Shape* Get(int in, int columns, int stride, NumberFormat format) {
    static std::mutex mutex;
    static auto* shapes = new std::map<std::tuple<int, int, int, NumberFormat>, Shape>;
    std::lock_guard lock(mutex);
    const auto [entry, is_new] = shapes->try_emplace({in, columns, stride, format});
    Shape& shape = entry->second;
    if (is_new) {
      shape.in = in;
      shape.columns = columns;
      shape.stride = stride;
      shape.format = format;
      const memory::desc any({in, columns}, TypeOf(format), memory::format_tag::any);
      shape.packed = shape.Make(64, any).description.weights_desc();
    }
    return &shape;
  }
};

bool HasFastBf16() {
  return static_cast<int>(dnnl::get_effective_cpu_isa()) >=
             static_cast<int>(dnnl::cpu_isa::avx512_core_bf16) &&
         IsaName() != "avx512_core_vnni";
}

namespace {

// A machine with more than AVX-512 BF16 (AMX) multiplies faster by the library.
const Bf16Products* OwnProducts() {
  return IsaName() == "avx512_core_bf16" ? BestBf16Products() : nullptr;
}

}  // namespace

std::string MatmulDescription(NumberFormat format) {
  if (format == NumberFormat::kBf16 && OwnProducts() != nullptr) {
    return "own products, avx512_bf16";
  }
  const dnnl_version_t* version = dnnl_version();
  return absl::StrFormat("oneDNN %d.%d.%d, %s", version->major, version->minor, version->patch,
                         IsaName());
}

int PaddedRows(int rows) {
  for (const int padded : kSmallRows) {
    if (rows <= padded) return padded;
  }
  return (rows + 63) / 64 * 64;
}

std::unique_ptr<PackedMatrix> PackedMatrix::Prepare(std::vector<const Tensor*> parts,
                                                    NumberFormat format) {
  omp_set_num_threads(1);
  std::unique_ptr<PackedMatrix> matrix(new PackedMatrix);
  matrix->format_ = format;
  matrix->in_ = static_cast<int>(parts[0]->shape[1]);
  for (const Tensor* part : parts) {
    CHECK(part->shape.size() == 2 && part->shape[1] == matrix->in_);
    matrix->out_ += static_cast<int>(part->shape[0]);
  }
  matrix->parts_ = std::move(parts);
  if (format == NumberFormat::kBf16 && matrix->in_ % 2 == 0) matrix->own_ = OwnProducts();
  const int fitting = kChunkBytes / (matrix->in_ * BytesOf(format)) / kColumnBlock * kColumnBlock;
  matrix->columns_ = std::max(kColumnBlock, fitting);
  if (matrix->own_ == nullptr) matrix->columns_ = std::min(matrix->out_, matrix->columns_);
  matrix->chunks_ = (matrix->out_ + matrix->columns_ - 1) / matrix->columns_;
  const int last = matrix->Columns(matrix->chunks_ - 1);
  size_t last_bytes = 0;
  matrix->in_place_ = matrix->own_ != nullptr && matrix->in_ >= kLongRow;
  for (const Tensor* part : matrix->parts_) matrix->in_place_ &= part->dtype == Dtype::kBf16;
  if (matrix->in_place_) {
    const size_t row_bytes = static_cast<size_t>(matrix->in_) * sizeof(uint16_t);
    matrix->chunk_bytes_ = row_bytes * matrix->columns_;
    last_bytes = row_bytes * last;
    matrix->moved_ = std::vector<std::atomic<const char*>>(matrix->chunks_);
  } else if (matrix->own_ != nullptr) {
    const auto bytes = [&](int columns) {
      return static_cast<size_t>((columns + kPanelColumns - 1) / kPanelColumns) * kPanelColumns *
             matrix->in_ * sizeof(uint16_t);
    };
    matrix->chunk_bytes_ = bytes(matrix->columns_);
    last_bytes = bytes(last);
  } else {
    matrix->shape_ = Shape::Get(matrix->in_, matrix->columns_, matrix->out_, format);
    matrix->last_shape_ = Shape::Get(matrix->in_, last, matrix->out_, format);
    matrix->chunk_bytes_ = matrix->shape_->packed.get_size();
    last_bytes = matrix->last_shape_->packed.get_size();
  }
  matrix->bytes_ = matrix->chunk_bytes_ * (matrix->chunks_ - 1) + last_bytes;
  if (matrix->in_place_) return matrix;
  matrix->TakeMemory();
  return matrix;
}

void PackedMatrix::TakeMemory() {
  void* memory = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(memory != MAP_FAILED);  // PlanMemory has seen to it that there is room
  madvise(memory, bytes_, MADV_HUGEPAGE);
  packed_ = static_cast<char*>(memory);
}

PackedMatrix::~PackedMatrix() {
  if (packed_ != nullptr) munmap(packed_, bytes_);
}

int PackedMatrix::Columns(int chunk) const {
  return chunk + 1 < chunks_ ? columns_ : out_ - columns_ * (chunks_ - 1);
}

template <typename Run>
void PackedMatrix::ForEachPart(int begin, int count, const Run& run) const {
  int first = 0;  // of the present part
  for (const Tensor* part : parts_) {
    const int rows = static_cast<int>(part->shape[0]);
    const int from = std::max(begin, first), end = std::min(begin + count, first + rows);
    if (from < end) run(*part, from - first, end - from, from - begin);
    first += rows;
  }
}

std::string_view PackedMatrix::RowsOf(const Tensor& part, int row, int rows) const {
  const size_t row_bytes = static_cast<size_t>(in_) * DtypeBytes(part.dtype);
  return part.bytes.substr(row_bytes * row, row_bytes * rows);
}

// What has been copied need not stay mapped: a matrix is in memory once.
void PackedMatrix::ForgetRows(int begin, int count) const {
  ForEachPart(begin, count, [&](const Tensor& part, int row, int rows, int) {
    ForgetPages(RowsOf(part, row, rows));
  });
}

void PackedMatrix::FillChunk(int chunk) {
  if (in_place_) return;
  const int begin = chunk * columns_, count = Columns(chunk);
  ForEachPart(begin, count, [&](const Tensor& part, int row, int rows, int) {
    FetchPages(RowsOf(part, row, rows));
  });
  char* to = packed_ + chunk_bytes_ * chunk;
  if (own_ != nullptr) {
    FillOwn(begin, count, to);
  } else {
    FillByLibrary(begin, count, chunk + 1 < chunks_ ? *shape_ : *last_shape_, to);
  }
  ForgetRows(begin, count);
}

void PackedMatrix::MoveChunk(int chunk) {
  CHECK(in_place_);
  if (packed_ == nullptr) TakeMemory();
  char* to = packed_ + chunk_bytes_ * chunk;
  const int begin = chunk * columns_, count = Columns(chunk);
  ForEachPart(begin, count, [&](const Tensor& part, int row, int rows, int at) {
    const std::string_view bytes = RowsOf(part, row, rows);
    std::memcpy(to + static_cast<size_t>(at) * in_ * sizeof(uint16_t), bytes.data(), bytes.size());
  });
  moved_[chunk].store(to, std::memory_order_release);
  ForgetRows(begin, count);
}

// Numbers that are not bf16 in the file are rounded to the nearest, ties to even.
void PackedMatrix::FillOwn(int begin, int count, char* to) const {
  std::vector<const char*> rows(count);
  thread_local std::vector<float> floats;
  thread_local std::vector<uint16_t> halves;
  halves.resize(static_cast<size_t>(count) * in_);
  floats.resize(in_);
  ForEachPart(begin, count, [&](const Tensor& part, int row, int part_rows, int at) {
    for (int i = 0; i < part_rows; ++i) {
      const int64_t element = int64_t{row + i} * in_;
      if (part.dtype == Dtype::kBf16) {
        rows[at + i] = part.bytes.data() + element * 2;
        continue;
      }
      ReadFloats(part, element, in_, floats.data());
      uint16_t* half = &halves[static_cast<size_t>(at + i) * in_];
      for (int k = 0; k < in_; ++k) {
        const auto bits = std::bit_cast<uint32_t>(floats[k]);
        half[k] = static_cast<uint16_t>((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
      }
      rows[at + i] = reinterpret_cast<const char*>(half);
    }
  });
  auto* panel = reinterpret_cast<uint16_t*>(to);
  for (int column = 0; column < count; column += kPanelColumns) {
    own_->pack(&rows[column], std::min(kPanelColumns, count - column), in_,
               panel + static_cast<size_t>(column) * in_);
  }
}

// A chunk may span parts: its rows of the parts are gathered, then laid out.
void PackedMatrix::FillByLibrary(int begin, int count, const Shape& shape, char* to) const {
  omp_set_num_threads(1);
  const Dtype dtype = parts_[0]->dtype;
  // This oneDNN reads no f16 on a CPU.
  bool as_floats = dtype == Dtype::kF16;
  for (const Tensor* part : parts_) as_floats |= part->dtype != dtype;
  const size_t row_bytes = static_cast<size_t>(in_) * (as_floats ? 4 : DtypeBytes(dtype));
  // Contiguous where it spans parts, and in a format that the library reads.
  thread_local std::vector<uint32_t> gathered;
  gathered.resize((row_bytes * count + 3) / 4);
  auto* copy = reinterpret_cast<char*>(gathered.data());
  const char* source = copy;
  ForEachPart(begin, count, [&](const Tensor& part, int row, int rows, int at) {
    if (as_floats) {
      ReadFloats(part, int64_t{row} * in_, int64_t{rows} * in_,
                 reinterpret_cast<float*>(copy + row_bytes * at));
    } else if (rows == count) {
      source = part.bytes.data() + row_bytes * row;
    } else {
      std::memcpy(copy + row_bytes * at, part.bytes.data() + row_bytes * row, row_bytes * rows);
    }
  });
  const memory::data_type type = as_floats ? memory::data_type::f32 : TypeOf(dtype);
  const memory::desc plain({in_, count}, type, memory::dims{1, in_});
  dnnl::stream stream(CpuEngine());
  memory input(plain, CpuEngine(), const_cast<char*>(source));
  memory output(shape.packed, CpuEngine(), to);
  dnnl::reorder(input, output).execute(stream, input, output);
  stream.wait();
}

// Memory handles are made once for each shape and number of rows; only their pointers change.
struct MatmulThread::State {
  struct Call {
    const PackedMatrix::Shape::Product* product = nullptr;
    memory x, weights, y, scratch;
    std::vector<char> scratch_bytes;
  };
  dnnl::stream stream{CpuEngine()};
  std::map<std::pair<const PackedMatrix::Shape*, int>, Call> calls;

  Call& For(const PackedMatrix::Shape* shape, int rows) {
    const auto [entry, is_new] = calls.try_emplace({shape, rows});
    Call& call = entry->second;
    if (!is_new) return call;
    call.product = &shape->For(rows);
    const dnnl::matmul::primitive_desc& description = call.product->description;
    call.x = memory(description.src_desc(), CpuEngine(), nullptr);
    call.weights = memory(description.weights_desc(), CpuEngine(), nullptr);
    call.y = memory(description.dst_desc(), CpuEngine(), nullptr);
    call.scratch_bytes.resize(description.scratchpad_desc().get_size() + 64);
    auto* aligned = reinterpret_cast<char*>(
        (reinterpret_cast<uintptr_t>(call.scratch_bytes.data()) + 63) / 64 * 64);
    call.scratch = memory(description.scratchpad_desc(), CpuEngine(), aligned);
    return call;
  }
};

MatmulThread::MatmulThread() : state_(std::make_unique<State>()) {}
MatmulThread::~MatmulThread() = default;

void MatmulThread::Multiply(const PackedMatrix& matrix, int chunk, const void* x, int rows,
                            float* y) {
  if (matrix.in_place_) {
    matrix.MultiplyInPlace(chunk, static_cast<const uint16_t*>(x), rows, y);
    return;
  }
  if (matrix.own_ != nullptr) {
    const auto* panels =
        reinterpret_cast<const uint16_t*>(matrix.packed_ + matrix.chunk_bytes_ * chunk);
    matrix.own_->multiply(
        panels, matrix.Columns(chunk), matrix.in_, static_cast<const uint16_t*>(x), rows,
        y + static_cast<size_t>(matrix.columns_) * chunk, static_cast<size_t>(matrix.out_));
    return;
  }
  omp_set_num_threads(1);
  const PackedMatrix::Shape* shape =
      chunk + 1 < matrix.chunks_ ? matrix.shape_ : matrix.last_shape_;
  State::Call& call = state_->For(shape, PaddedRows(rows));
  // The library's handles are not const; it writes to y alone.
  call.x.set_data_handle(const_cast<void*>(x));
  call.weights.set_data_handle(matrix.packed_ + matrix.chunk_bytes_ * chunk);
  call.y.set_data_handle(y + static_cast<size_t>(matrix.columns_) * chunk);
  const dnnl_exec_arg_t arguments[] = {{DNNL_ARG_SRC, call.x.get()},
                                       {DNNL_ARG_WEIGHTS, call.weights.get()},
                                       {DNNL_ARG_DST, call.y.get()},
                                       {DNNL_ARG_SCRATCHPAD, call.scratch.get()}};
  const dnnl_status_t status =
      dnnl_primitive_execute(call.product->primitive.get(), state_->stream.get(), 4, arguments);
  CHECK(status == dnnl_success);
}

void PackedMatrix::MultiplyInPlace(int chunk, const uint16_t* x, int rows, float* y) const {
  const int begin = chunk * columns_, count = Columns(chunk);
  const auto stride = static_cast<size_t>(out_);
  const char* moved = moved_[chunk].load(std::memory_order_acquire);
  if (moved != nullptr) {
    own_->multiply_in_place(moved, count, in_, x, rows, y + begin, stride);
    return;
  }
  ForEachPart(begin, count, [&](const Tensor& part, int row, int part_rows, int at) {
    own_->multiply_in_place(RowsOf(part, row, part_rows).data(), part_rows, in_, x, rows,
                            y + begin + at, stride);
  });
}

bool RowsAreIndependent(const PackedMatrix& matrix, int most) {
  if (matrix.own_ != nullptr) return true;  // by construction: products_bf16.h
  MatmulThread thread;
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  const int padded = PaddedRows(most);
  const bool is_bf16 = matrix.format() == NumberFormat::kBf16;
  std::vector<float> floats(static_cast<size_t>(padded) * matrix.in());
  for (float& x : floats) x = normal(random);
  std::vector<uint16_t> halves;
  for (const float x : floats) halves.push_back(std::bit_cast<uint32_t>(x) >> 16);
  const void* x = is_bf16 ? static_cast<const void*>(halves.data()) : floats.data();
  // Rows are as far apart as in use, and only the chunks' columns are ever written: memory that is
  // not touched is not taken.
  const auto room = [&] {
    return std::make_unique_for_overwrite<float[]>(static_cast<size_t>(padded) * matrix.out());
  };
  const std::unique_ptr<float[]> expected = room(), y = room();
  for (const int chunk : {0, matrix.chunks() - 1}) {
    thread.Multiply(matrix, chunk, x, most, expected.get());
    for (int rows = 1; rows < most; rows = PaddedRows(rows) + 1) {
      thread.Multiply(matrix, chunk, x, rows, y.get());
      const size_t begin = static_cast<size_t>(matrix.ColumnsBefore(chunk));
      const size_t count = matrix.ColumnsBefore(chunk + 1) - begin;
      for (int row = 0; row < rows; ++row) {
        const size_t at = static_cast<size_t>(row) * matrix.out() + begin;
        if (std::memcmp(&y[at], &expected[at], count * sizeof(float)) != 0) return false;
      }
    }
  }
  return true;
}

}  // namespace assay
