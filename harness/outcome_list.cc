// Problems are written one behind the other into a chunk; a full chunk becomes a zstd frame.
//
// A problem: its id, cluster and tags, then its samples; numbers as varints, scores as doubles.
#include "harness/outcome_list.h"

#include <cstring>
#include <limits>

#include "harness/status.h"

namespace assay {
namespace {

constexpr size_t kChunkBytes = 128 << 10;  // before it is compressed
constexpr int kLevel = 1;

void PutNumber(uint64_t value, std::string* out) {
  for (; value >= 0x80; value >>= 7) out->push_back(static_cast<char>(value | 0x80));
  out->push_back(static_cast<char>(value));
}

// Small numbers of either sign take one byte.
void PutSigned(int64_t value, std::string* out) {
  PutNumber((static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63), out);
}

void PutText(std::string_view text, std::string* out) {
  PutNumber(text.size(), out);
  out->append(text);
}

void PutDouble(double value, std::string* out) {
  char bytes[sizeof(value)];
  std::memcpy(bytes, &value, sizeof(value));
  out->append(bytes, sizeof(bytes));
}

// What it reads was written above: anything else is a bug.
class Reader {
 public:
  explicit Reader(std::string_view* rest) : rest_(rest) {}

  uint64_t Number() {
    uint64_t value = 0;
    for (int shift = 0;; shift += 7) {
      const auto byte = static_cast<unsigned char>(Take(1)[0]);
      value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  }
  int64_t Signed() {
    const uint64_t value = Number();
    return static_cast<int64_t>(value >> 1) ^ -static_cast<int64_t>(value & 1);
  }
  std::string_view Text() { return Take(Number()); }
  double Double() {
    double value = 0;
    std::memcpy(&value, Take(sizeof(value)).data(), sizeof(value));
    return value;
  }

 private:
  std::string_view Take(size_t bytes) {
    CHECK(bytes <= rest_->size());
    const std::string_view taken = rest_->substr(0, bytes);
    rest_->remove_prefix(bytes);
    return taken;
  }

  std::string_view* rest_;
};

void PutSample(const SampleOutcome& sample, std::string* out) {
  PutSigned(sample.index, out);
  PutNumber(static_cast<uint64_t>(sample.outcome), out);
  PutDouble(sample.score, out);
  PutSigned(sample.answer_class, out);
  PutSigned(sample.reasoning_tokens, out);
  PutSigned(sample.answer_tokens, out);
  PutNumber(sample.measures.size(), out);
  for (const auto& [name, value] : sample.measures) {
    PutText(name, out);
    PutDouble(value, out);
  }
}

void ReadSample(Reader& reader, SampleOutcome* sample) {
  sample->index = static_cast<int>(reader.Signed());
  sample->outcome = static_cast<Outcome>(reader.Number());
  sample->score = reader.Double();
  sample->answer_class = static_cast<int>(reader.Signed());
  sample->reasoning_tokens = reader.Signed();
  sample->answer_tokens = reader.Signed();
  sample->measures.resize(reader.Number());
  for (auto& [name, value] : sample->measures) {
    name = reader.Text();
    value = reader.Double();
  }
}

void PutProblem(const ProblemOutcomes& problem, std::string* out) {
  PutText(problem.id, out);
  PutText(problem.cluster, out);
  PutNumber(problem.tags.size(), out);
  for (const std::string& tag : problem.tags) PutText(tag, out);
  PutNumber(problem.samples.size(), out);
  for (const SampleOutcome& sample : problem.samples) PutSample(sample, out);
}

void ReadProblem(Reader reader, ProblemOutcomes* problem) {
  problem->id = reader.Text();
  problem->cluster = reader.Text();
  problem->tags.resize(reader.Number());
  for (std::string& tag : problem->tags) tag = reader.Text();
  problem->samples.resize(reader.Number());
  for (SampleOutcome& sample : problem->samples) ReadSample(reader, &sample);
}

}  // namespace

std::optional<double> SampleOutcome::Measure(std::string_view name) const {
  for (const auto& [known, value] : measures) {
    if (known == name) return value;
  }
  return std::nullopt;
}

OutcomeList::Iterator& OutcomeList::Iterator::operator++() {
  if (rest_.empty() && next_chunk_ < list_->sealed_.size()) {
    const absl::Status whole = decompressor_.Decompress(
        list_->sealed_[next_chunk_], std::numeric_limits<size_t>::max(), &chunk_);
    CHECK(whole.ok());
    rest_ = chunk_;
    ++next_chunk_;
  } else if (rest_.empty() && next_chunk_ == list_->sealed_.size()) {
    rest_ = list_->open_;
    ++next_chunk_;
  }
  at_end_ = rest_.empty();
  if (!at_end_) ReadProblem(Reader(&rest_), &current_);
  return *this;
}

OutcomeList::OutcomeList(std::initializer_list<ProblemOutcomes> problems) {
  for (const ProblemOutcomes& problem : problems) push_back(problem);
}

OutcomeList::OutcomeList(const std::vector<ProblemOutcomes>& problems) {
  for (const ProblemOutcomes& problem : problems) push_back(problem);
}

void OutcomeList::push_back(const ProblemOutcomes& problem) {
  PutProblem(problem, &open_);
  ++size_;
  if (open_.size() >= kChunkBytes) Seal();
}

void OutcomeList::Seal() {
  std::string frame;
  Compressor().Compress(open_, kLevel, &frame);
  sealed_.emplace_back(frame);  // a copy: without the room that compressing asked for
  open_.clear();
}

std::vector<ProblemOutcomes> OutcomeList::Unpacked() const {
  std::vector<ProblemOutcomes> problems;
  problems.reserve(size_);
  for (const ProblemOutcomes& problem : *this) problems.push_back(problem);
  return problems;
}

size_t OutcomeList::bytes() const {
  size_t bytes = open_.capacity();
  for (const std::string& frame : sealed_) bytes += frame.capacity();
  return bytes;
}

}  // namespace assay
