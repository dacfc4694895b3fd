// Fibers with stacks of their own; the fragments' layouts after the PTX manual (mma.m16n8k16,
// ldmatrix, movmatrix), written by loops over rows and columns, not by the kernels' formulas.
#include "tests/emulation/emulator.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <memory>
#include <numeric>
#include <random>

#ifndef __x86_64__
#include <ucontext.h>
#endif
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#endif

namespace assay::emulation {
namespace {

#ifdef __x86_64__
// Saves what a call must keep, and goes on where `to` was saved.
extern "C" void AssaySwitchStack(void** from, void* to);
asm(R"(
.text
.globl AssaySwitchStack
.type AssaySwitchStack, @function
AssaySwitchStack:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size AssaySwitchStack, .-AssaySwitchStack
)");
struct Context {
  void* stack_pointer = nullptr;
};
void SwitchTo(Context* from, Context* to) {
  AssaySwitchStack(&from->stack_pointer, to->stack_pointer);
}
void MakeContext(Context* context, char* stack, size_t bytes, void (*entry)()) {
  auto* top = reinterpret_cast<void**>(stack + bytes);
  *--top = nullptr;  // the entry's caller: it never returns
  *--top = reinterpret_cast<void*>(entry);
  for (int i = 0; i < 6; ++i) *--top = nullptr;
  context->stack_pointer = top;
}
#else
struct Context {
  ucontext_t context;
};
void SwitchTo(Context* from, Context* to) { swapcontext(&from->context, &to->context); }
void MakeContext(Context* context, char* stack, size_t bytes, void (*entry)()) {
  getcontext(&context->context);
  context->context.uc_stack.ss_sp = stack;
  context->context.uc_stack.ss_size = bytes;
  context->context.uc_link = nullptr;
  makecontext(&context->context, entry, 0);
}
#endif

constexpr size_t kStackBytes = 256 << 10;
constexpr int kMostThreads = 1024;

struct AsyncCopy {
  void* to;
  const void* from;
  bool valid;
};

enum class State { kReady, kAtBarrier, kInWarp, kDone };

struct Fiber {
  Context context;
  State state = State::kReady;
  std::vector<AsyncCopy> open;
  std::deque<std::vector<AsyncCopy>> groups;
};

struct Meeting {
  char in[32][kLaneBytes];
  char out[32][kLaneBytes];
};
struct Warp {
  int arrived = 0;
  uint64_t number = 0;  // of the meeting
  const char* instruction = nullptr;
  int parameter = 0;
  Meeting meetings[2];  // a lane may enter the next one while others still read
};

struct Machine {
  Order order = Order::kForward;
  std::mt19937_64 random{1};
  int64_t launches = 0;
  char* stacks = nullptr;
  Context host;
  std::vector<Fiber> fibers;
  std::vector<Warp> warps;
  std::vector<int> turns;   // the fibers in the order of their turns
  std::vector<int> places;  // of each fiber in it
  int current = 0;
  int done = 0, at_barrier = 0;
  Index thread, block, grid;
  std::unique_ptr<char[]> shared_memory;
  char* shared = nullptr;
  size_t shared_bytes = 0;
  const std::function<void()>* body = nullptr;
};

Machine& Get() {
  static auto* machine = new Machine;
  return *machine;
}

[[noreturn]] void Fail(const char* what) {
  const Machine& machine = Get();
  std::fprintf(stderr, "emulator: block (%d, %d), thread %d: %s\n", machine.block.x,
               machine.block.y, machine.current, what);
  std::abort();
}

void GoTo(int next, int self) {
  Machine& machine = Get();
  if (next == self) return;
  machine.current = next;
  machine.thread.x = next;
  SwitchTo(&machine.fibers[self].context, &machine.fibers[next].context);
}

// Goes on with the next fiber that can; back to the host when all are done. But for the forward
// order, a warp runs as far as it can before another does.
void Yield() {
  Machine& machine = Get();
  const int self = machine.current;
  Fiber& mine = machine.fibers[self];
  const int count = static_cast<int>(machine.fibers.size());
  if (machine.done == count) {
    SwitchTo(&mine.context, &machine.host);
    return;
  }
  const int warp = self / 32 * 32;
  for (int i = 0; i < 32 && machine.order != Order::kForward; ++i) {
    const int next = warp + (self + 1 + i) % 32;
    if (next >= count || machine.fibers[next].state != State::kReady) continue;
    GoTo(next, self);
    return;
  }
  for (int step = 1; step <= count; ++step) {
    int place = machine.places[self] + step;
    if (place >= count) place -= count;
    const int next = machine.turns[place];
    if (machine.fibers[next].state != State::kReady) continue;
    GoTo(next, self);
    return;
  }
  Fail("every thread waits: not all reach a barrier, or not all lanes an instruction");
}

void Entry() {
  Machine& machine = Get();
  (*machine.body)();
  Fiber& fiber = machine.fibers[machine.current];
  if (!fiber.open.empty() || !fiber.groups.empty()) Fail("ends before its copies have arrived");
  fiber.state = State::kDone;
  ++machine.done;
  Yield();
  Fail("a thread went on after its end");
}

void RunBlock(int threads) {
  Machine& machine = Get();
  std::memset(machine.shared, 0xFF, machine.shared_bytes);
  machine.fibers.clear();
  machine.fibers.resize(threads);
  machine.warps.assign((threads + 31) / 32, {});
  machine.turns.resize(threads);
  std::iota(machine.turns.begin(), machine.turns.end(), 0);
  if (machine.order == Order::kBackward) std::reverse(machine.turns.begin(), machine.turns.end());
  if (machine.order == Order::kShuffled) {
    std::shuffle(machine.turns.begin(), machine.turns.end(), machine.random);
  }
  machine.places.resize(threads);
  for (int i = 0; i < threads; ++i) machine.places[machine.turns[i]] = i;
  for (int i = 0; i < threads; ++i) {
#ifdef __SANITIZE_ADDRESS__
    // The frames of the fiber that had this stack before were left, not returned from.
    ASAN_UNPOISON_MEMORY_REGION(machine.stacks + i * kStackBytes, kStackBytes);
#endif
    MakeContext(&machine.fibers[i].context, machine.stacks + i * kStackBytes, kStackBytes, Entry);
  }
  machine.done = machine.at_barrier = 0;
  machine.current = machine.turns[0];
  machine.thread.x = machine.current;
  SwitchTo(&machine.host, &machine.fibers[machine.current].context);
}

float Widened(uint32_t half) {
  const uint32_t bits = half << 16;
  float value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}
// The half of a pair that stands in the even or odd column.
uint32_t HalfOf(uint32_t pair, int column) { return column % 2 == 0 ? pair & 0xFFFF : pair >> 16; }

// Four matrices by their rows: lane i gets [row i / 4][columns i % 4 * 2 + {0, 1}], or
// that of the transpose.
void CombineMatrices(const char (*in)[kLaneBytes], char (*out)[kLaneBytes], int transposed) {
  cuda::Half matrices[4][8][8];
  for (int matrix = 0; matrix < 4; ++matrix) {
    for (int row = 0; row < 8; ++row) std::memcpy(matrices[matrix][row], in[matrix * 8 + row], 16);
  }
  for (int lane = 0; lane < 32; ++lane) {
    uint32_t words[4];
    for (int matrix = 0; matrix < 4; ++matrix) {
      const int row = lane / 4, column = lane % 4 * 2;
      const auto& m = matrices[matrix];
      const uint32_t low = transposed != 0 ? m[column][row] : m[row][column];
      const uint32_t high = transposed != 0 ? m[column + 1][row] : m[row][column + 1];
      words[matrix] = low | high << 16;
    }
    std::memcpy(out[lane], words, sizeof(words));
  }
}

void Load(const char* instruction, uint32_t (&matrices)[4], const cuda::Half* row, int transposed) {
  const Machine& machine = Get();
  const auto address = reinterpret_cast<uintptr_t>(row);
  const auto begin = reinterpret_cast<uintptr_t>(machine.shared);
  if (address % 16 != 0) Fail("a matrix's row is not aligned to 16 bytes");
  if (address < begin || address + 16 > begin + machine.shared_bytes) {
    Fail("a matrix's row does not lie in shared memory");
  }
  // Read as this lane arrives: what other lanes have not put there yet is missing, as it may be on
  // a GPU without a barrier between.
  Meet(instruction, row, 16, matrices, sizeof(matrices), CombineMatrices, transposed);
}

void Arrive(const AsyncCopy& copy) {
  if (copy.valid) {
    std::memcpy(copy.to, copy.from, 16);
  } else {
    std::memset(copy.to, 0, 16);
  }
}

struct Operands {
  uint32_t a[4];
  uint32_t b[2];
  float c[4];
};
static_assert(sizeof(Operands) <= kLaneBytes);

void CombineProduct(const char (*in)[kLaneBytes], char (*out)[kLaneBytes], int) {
  float a[16][16], b[16][8], c[16][8];
  for (int lane = 0; lane < 32; ++lane) {
    Operands operands;
    std::memcpy(&operands, in[lane], sizeof(operands));
    const int quad = lane / 4, pair = lane % 4 * 2;
    for (int i = 0; i < 2; ++i) {
      a[quad][pair + i] = Widened(HalfOf(operands.a[0], i));
      a[quad + 8][pair + i] = Widened(HalfOf(operands.a[1], i));
      a[quad][pair + 8 + i] = Widened(HalfOf(operands.a[2], i));
      a[quad + 8][pair + 8 + i] = Widened(HalfOf(operands.a[3], i));
      b[pair + i][quad] = Widened(HalfOf(operands.b[0], i));
      b[pair + 8 + i][quad] = Widened(HalfOf(operands.b[1], i));
      c[quad][pair + i] = operands.c[i];
      c[quad + 8][pair + i] = operands.c[2 + i];
    }
  }
  for (int row = 0; row < 16; ++row) {
    for (int k = 0; k < 16; ++k) {
      for (int column = 0; column < 8; ++column) c[row][column] += a[row][k] * b[k][column];
    }
  }
  for (int lane = 0; lane < 32; ++lane) {
    const int quad = lane / 4, pair = lane % 4 * 2;
    const float mine[4] = {c[quad][pair], c[quad][pair + 1], c[quad + 8][pair],
                           c[quad + 8][pair + 1]};
    std::memcpy(out[lane], mine, sizeof(mine));
  }
}

void CombineTranspose(const char (*in)[kLaneBytes], char (*out)[kLaneBytes], int) {
  uint32_t matrix[8][8];
  for (int lane = 0; lane < 32; ++lane) {
    uint32_t pair;
    std::memcpy(&pair, in[lane], sizeof(pair));
    for (int i = 0; i < 2; ++i) matrix[lane / 4][lane % 4 * 2 + i] = HalfOf(pair, i);
  }
  for (int lane = 0; lane < 32; ++lane) {
    const int row = lane / 4, column = lane % 4 * 2;
    const uint32_t pair = matrix[column][row] | matrix[column + 1][row] << 16;
    std::memcpy(out[lane], &pair, sizeof(pair));
  }
}

}  // namespace

void SetOrder(Order order, uint64_t seed) {
  Get().order = order;
  Get().random.seed(seed);
}
int64_t Launches() { return Get().launches; }
const Index& ThreadIndex() { return Get().thread; }
const Index& BlockIndex() { return Get().block; }
const Index& GridSize() { return Get().grid; }

void Launch(dim3 grid, int threads, size_t shared_bytes, const std::function<void()>& thread) {
  Machine& machine = Get();
  if (threads > kMostThreads || shared_bytes > 227 * 1024) Fail("a block larger than a GPU's");
  if (machine.stacks == nullptr) {
    void* stacks = mmap(nullptr, kStackBytes * kMostThreads, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (stacks == MAP_FAILED) Fail("no memory for stacks");
    machine.stacks = static_cast<char*>(stacks);
  }
  ++machine.launches;
  machine.body = &thread;
  machine.shared_bytes = shared_bytes;
  machine.shared_memory.reset(new char[shared_bytes + 128]);
  machine.shared = reinterpret_cast<char*>(
      (reinterpret_cast<uintptr_t>(machine.shared_memory.get()) + 127) / 128 * 128);
  machine.grid = {grid.x, grid.y, grid.z};
  std::vector<int> blocks(static_cast<size_t>(grid.x) * grid.y);
  std::iota(blocks.begin(), blocks.end(), 0);
  if (machine.order == Order::kBackward) std::reverse(blocks.begin(), blocks.end());
  if (machine.order == Order::kShuffled) {
    std::shuffle(blocks.begin(), blocks.end(), machine.random);
  }
  for (const int block : blocks) {
    machine.block = {block % grid.x, block / grid.x, 0};
    RunBlock(threads);
  }
}

void* SharedBytes(size_t count) {
  const Machine& machine = Get();
  if (count > machine.shared_bytes) Fail("more shared memory than the launch gave");
  return machine.shared;
}

void SyncBlock() {
  Machine& machine = Get();
  const int count = static_cast<int>(machine.fibers.size());
  if (++machine.at_barrier < count) {
    machine.fibers[machine.current].state = State::kAtBarrier;
    Yield();
    return;
  }
  machine.at_barrier = 0;
  for (Fiber& fiber : machine.fibers) {
    if (fiber.state == State::kAtBarrier) fiber.state = State::kReady;
  }
  Yield();  // so that the last to arrive need not be the first to go on
}

void Meet(const char* instruction, const void* in, size_t in_bytes, void* out, size_t out_bytes,
          void (*combine)(const char (*in)[kLaneBytes], char (*out)[kLaneBytes], int parameter),
          int parameter) {
  Machine& machine = Get();
  const int lane = machine.current % 32;
  Warp& warp = machine.warps[machine.current / 32];
  Meeting& meeting = warp.meetings[warp.number % 2];
  if (warp.arrived == 0) {
    warp.instruction = instruction;
    warp.parameter = parameter;
  }
  if (std::strcmp(warp.instruction, instruction) != 0 || warp.parameter != parameter) {
    Fail("the lanes of a warp meet in different instructions");
  }
  std::memcpy(meeting.in[lane], in, in_bytes);
  if (++warp.arrived < 32) {
    machine.fibers[machine.current].state = State::kInWarp;
    Yield();
  } else {
    combine(meeting.in, meeting.out, parameter);
    warp.arrived = 0;
    ++warp.number;
    const size_t first = static_cast<size_t>(machine.current / 32) * 32;
    const size_t end = std::min(first + 32, machine.fibers.size());
    for (size_t i = first; i < end; ++i) {
      if (machine.fibers[i].state == State::kInWarp) machine.fibers[i].state = State::kReady;
    }
  }
  std::memcpy(out, meeting.out[lane], out_bytes);
}

void SyncWarp() {
  char nothing = 0;
  Meet(
      "syncwarp", &nothing, 0, &nothing, 0,
      [](const char(*)[kLaneBytes], char(*)[kLaneBytes], int) {}, 0);
}

void CopyAsync(void* to, const void* from, bool valid) {
  if (reinterpret_cast<uintptr_t>(to) % 16 != 0 || reinterpret_cast<uintptr_t>(from) % 16 != 0) {
    Fail("an asynchronous copy is not aligned to 16 bytes");
  }
  Machine& machine = Get();
  const AsyncCopy copy = {to, from, valid};
  // It may arrive at any time: at once, with who still reads there.
  const bool at_once = machine.order == Order::kBackward ||
                       (machine.order == Order::kShuffled && machine.random() % 2 == 0);
  if (at_once) {
    Arrive(copy);
  } else {
    machine.fibers[machine.current].open.push_back(copy);
  }
}
void CopyCommit() {
  Fiber& fiber = Get().fibers[Get().current];
  fiber.groups.push_back(std::move(fiber.open));
  fiber.open.clear();
}
void CopyWaitFor(int pending) {
  Fiber& fiber = Get().fibers[Get().current];
  while (static_cast<int>(fiber.groups.size()) > pending) {
    for (const AsyncCopy& copy : fiber.groups.front()) Arrive(copy);
    fiber.groups.pop_front();
  }
}

void LoadMatrices(uint32_t (&matrices)[4], const cuda::Half* row) {
  Load("ldmatrix", matrices, row, 0);
}
void LoadMatricesTransposed(uint32_t (&matrices)[4], const cuda::Half* row) {
  Load("ldmatrix.trans", matrices, row, 1);
}
uint32_t TransposeMatrix(uint32_t matrix) {
  uint32_t transposed;
  Meet("movmatrix", &matrix, sizeof(matrix), &transposed, sizeof(transposed), CombineTranspose, 0);
  return transposed;
}
void Multiply(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  Operands operands;
  std::memcpy(operands.a, a, sizeof(a));
  std::memcpy(operands.b, b, sizeof(b));
  std::memcpy(operands.c, c, sizeof(c));
  Meet("mma", &operands, sizeof(operands), c, sizeof(c), CombineProduct, 0);
}

}  // namespace assay::emulation
