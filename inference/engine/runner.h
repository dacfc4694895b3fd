// The one interface below which devices differ: a model's forward pass over a pool of key-value
// pages.
//
// A step takes rows. A row is one token at one position of one sequence; its keys and values are
// written to the sequence's page for that position, then it attends to positions 0 .. its own. The
// output of a row hangs on the tokens of its own sequence alone: not on the other rows, their
// number or order, nor on which pages hold what. Runners reach this by fixed shapes or by
// operations whose rows are independent, and say which in their comment.
//
// Prefill and Decode are separate steps with shapes of their own: a prompt's tokens always go
// through Prefill, drawn ones always through Decode, so that an implementation may compute the two
// in different ways. The prompt's last token goes through Decode: each sample draws its first token
// there.
//
// Not thread-safe: one thread calls. A runner may use threads of its own within a call.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "inference/engine/sampler.h"

namespace assay {

struct RunnerShape {
  int decode_rows = 64;    // rows of a Decode step at most
  int prefill_rows = 256;  // rows of a Prefill step at most
  int page_tokens = 64;    // positions in a page
  int pages = 0;           // in the pool
  int max_positions = 0;   // of a sequence
  int vocabulary = 0;      // logits of a row
};

// What is to be drawn after a row.
struct DrawOrder {
  const SamplingPlan* plan = nullptr;
  DrawKey key;
  std::span<const int> prompt;  // ids so far, for the repetition penalty
  std::span<const int> reply;
};

struct TokenRow {
  int token = 0;
  int position = 0;
  std::span<const int> pages;       // of its sequence: position p lies in pages[p / page_tokens]
  const DrawOrder* draw = nullptr;  // null: nothing is drawn
  int target = -1;                  // >= 0: the log-probability of this id as the next token
  std::span<float> logits;          // not empty: the raw logits are copied here [vocabulary]
  // >= 0: the token is the one that this row of the decode step begun before draws, which the host
  // may not know yet; `token` then says nothing.
  int from_row = -1;
};

struct RowOutput {
  DrawnToken drawn;
  double target_logprob = 0;
  bool target_is_greatest = false;
};

// What a row's logits are wanted for, done on the host: draws, looks up, copies.
absl::Status ReadLogits(std::span<const float> logits, const TokenRow& row, Sampler* sampler,
                        RowOutput* output);

// A page's bytes, in memory that the runner chose and takes back.
using PageBytes = std::unique_ptr<char[], std::function<void(char*)>>;
// In ordinary memory.
PageBytes MakePageBytes(size_t count);

class ModelRunner {
 public:
  virtual ~ModelRunner() = default;
  virtual const RunnerShape& shape() const = 0;
  // For the reproduction key: everything about this runner that may change a bit of its output.
  virtual std::string description() const = 0;

  // rows.size() <= shape's; rows of one sequence stand together, by rising position. outputs.size()
  // == rows.size(). An error (a logit that is no number, a lost device) leaves outputs unspecified.
  virtual absl::Status Prefill(std::span<const TokenRow> rows, std::span<RowOutput> outputs) = 0;
  // Every row is of another sequence.
  virtual absl::Status Decode(std::span<const TokenRow> rows, std::span<RowOutput> outputs) = 0;

  // Decode in two halves, for a device that works while the host does: up to decode_depth() steps
  // are begun and not yet finished, and they finish in the order in which they were begun. What
  // rows point to must last until BeginDecode returns, `logits` until the step has finished. A row
  // whose order has a repetition penalty needs its whole reply: its sequence has no step under way.
  // All calls take effect in their order: a page that is copied, saved, loaded or prefilled after a
  // step was begun is as that step leaves it.
  virtual int decode_depth() const { return 1; }
  virtual absl::Status BeginDecode(std::span<const TokenRow> rows);
  virtual absl::Status FinishDecode(std::span<RowOutput> outputs);

  // Waits until nothing goes on in the background any more: what is measured next lasts.
  virtual void Settle() {}

  virtual void CopyPage(int from, int to) = 0;
  // What LoadPage brings back is what SavePage took. The bytes may arrive after SavePage returns:
  // they are for LoadPage alone, and may be dropped as soon as it returns. They do not outlive the
  // runner.
  virtual PageBytes SavePage(int page) = 0;
  virtual void LoadPage(int page, const PageBytes& bytes) = 0;

 private:
  std::deque<std::vector<RowOutput>> begun_;  // by BeginDecode, where it runs the step at once
};

}  // namespace assay
