// The only file that speaks zstd and zlib.
#include "harness/compress.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "harness/status.h"

namespace assay {
namespace {

constexpr size_t kInputBytes = 128 * 1024;
constexpr std::string_view kGzipMagic("\x1f\x8b", 2);
constexpr std::string_view kZstdMagic("\x28\xb5\x2f\xfd", 4);

bool EndsWith(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

// A zstd file may begin with a skippable frame: magic 0x184D2A50 .. 0x184D2A5F, little-endian.
bool IsSkippableFrame(std::string_view head) {
  return head.size() >= 4 && (static_cast<unsigned char>(head[0]) & 0xF0) == 0x50 &&
         head.substr(1, 3) == std::string_view("\x2a\x4d\x18", 3);
}

absl::Status SystemError(const std::string& path, std::string_view act) {
  const int error = errno;
  const std::string message = absl::StrFormat("%s: cannot %s: %s", path, act, std::strerror(error));
  if (error == ENOENT) return absl::NotFoundError(message);
  if (error == EACCES || error == EPERM) return absl::PermissionDeniedError(message);
  return absl::UnavailableError(message);
}

// The file as it lies on disk.
class PlainFile : public ByteSource {
 public:
  PlainFile(std::string path, int descriptor) : path_(std::move(path)), descriptor_(descriptor) {}
  ~PlainFile() override { close(descriptor_); }
  PlainFile(const PlainFile&) = delete;
  PlainFile& operator=(const PlainFile&) = delete;

  static absl::StatusOr<std::unique_ptr<PlainFile>> Open(const std::string& path) {
    const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) return SystemError(path, "open");
    auto file = std::make_unique<PlainFile>(path, descriptor);
    struct stat info;
    if (fstat(descriptor, &info) != 0) return SystemError(path, "open");
    if (S_ISDIR(info.st_mode)) return InvalidArgument("%s: a directory, wanted a file", path);
    return file;
  }

  absl::StatusOr<size_t> Read(char* buffer, size_t capacity) override {
    while (true) {
      const ssize_t count = read(descriptor_, buffer, capacity);
      if (count >= 0) return static_cast<size_t>(count);
      if (errno != EINTR) return SystemError(path_, "read");
    }
  }

  const std::string& path() const { return path_; }

 private:
  std::string path_;
  int descriptor_;
};

// What the compressed sources share: a buffer of input, and the first error, which stays.
class InputBuffer {
 public:
  InputBuffer(std::unique_ptr<PlainFile> file, std::string head)
      : file_(std::move(file)), bytes_(std::move(head)) {
    end_ = bytes_.size();
    bytes_.resize(std::max(kInputBytes, end_));
  }

  // Makes sure that there is input; false at the end of the file.
  absl::StatusOr<bool> Fill() {
    if (begin_ < end_) return true;
    ASSIGN_OR_RETURN(end_, file_->Read(bytes_.data(), bytes_.size()));
    begin_ = 0;
    return end_ > 0;
  }

  const char* data() const { return bytes_.data() + begin_; }
  size_t size() const { return end_ - begin_; }
  void Skip(size_t count) { begin_ += count; }
  const std::string& path() const { return file_->path(); }

 private:
  std::unique_ptr<PlainFile> file_;
  std::string bytes_;
  size_t begin_ = 0;
  size_t end_ = 0;
};

class HeadThenFile : public ByteSource {
 public:
  HeadThenFile(std::unique_ptr<PlainFile> file, std::string head)
      : file_(std::move(file)), head_(std::move(head)) {}

  absl::StatusOr<size_t> Read(char* buffer, size_t capacity) override {
    if (given_ == head_.size()) return file_->Read(buffer, capacity);
    const size_t count = std::min(capacity, head_.size() - given_);
    std::memcpy(buffer, head_.data() + given_, count);
    given_ += count;
    return count;
  }

 private:
  std::unique_ptr<PlainFile> file_;
  std::string head_;
  size_t given_ = 0;
};

class GzipSource : public ByteSource {
 public:
  explicit GzipSource(InputBuffer input) : input_(std::move(input)) {
    constexpr int kGzipOnly = 16 + MAX_WBITS;
    CHECK(inflateInit2(&stream_, kGzipOnly) == Z_OK);
  }
  ~GzipSource() override { inflateEnd(&stream_); }
  GzipSource(const GzipSource&) = delete;
  GzipSource& operator=(const GzipSource&) = delete;

  absl::StatusOr<size_t> Read(char* buffer, size_t capacity) override {
    while (true) {
      ASSIGN_OR_RETURN(const bool more, input_.Fill());
      if (!more) return AtEnd();
      ASSIGN_OR_RETURN(const size_t made, Inflate(buffer, capacity));
      if (made > 0) return made;
    }
  }

 private:
  absl::StatusOr<size_t> AtEnd() const {
    if (between_members_) return size_t{0};
    return absl::DataLossError(
        absl::StrFormat("%s: the gzip stream is cut off: the file ends inside it", input_.path()));
  }

  absl::StatusOr<size_t> Inflate(char* buffer, size_t capacity) {
    if (between_members_) CHECK(inflateReset(&stream_) == Z_OK);
    between_members_ = false;
    const size_t room = std::min<size_t>(capacity, 1u << 30);
    // zlib's interface is not const-correct: it does not write to next_in.
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(input_.data()));
    stream_.avail_in = static_cast<uInt>(input_.size());
    stream_.next_out = reinterpret_cast<Bytef*>(buffer);
    stream_.avail_out = static_cast<uInt>(room);
    const int result = inflate(&stream_, Z_NO_FLUSH);
    input_.Skip(input_.size() - stream_.avail_in);
    if (result == Z_STREAM_END) {
      between_members_ = true;
      ended_once_ = true;
    } else if (result != Z_OK && result != Z_BUF_ERROR) {
      return absl::DataLossError(
          absl::StrFormat("%s: not a sound gzip stream: %s%s", input_.path(),
                          stream_.msg != nullptr ? stream_.msg : "data error",
                          ended_once_ ? " (bytes after the end of a gzip member)" : ""));
    }
    return room - stream_.avail_out;
  }

  InputBuffer input_;
  z_stream stream_ = {};
  bool between_members_ = false;
  bool ended_once_ = false;
};

class ZstdSource : public ByteSource {
 public:
  explicit ZstdSource(InputBuffer input) : input_(std::move(input)), stream_(ZSTD_createDCtx()) {
    CHECK(stream_ != nullptr);
  }
  ~ZstdSource() override { ZSTD_freeDCtx(stream_); }
  ZstdSource(const ZstdSource&) = delete;
  ZstdSource& operator=(const ZstdSource&) = delete;

  absl::StatusOr<size_t> Read(char* buffer, size_t capacity) override {
    while (true) {
      ASSIGN_OR_RETURN(const bool more, input_.Fill());
      // Output may still wait inside the decoder when the input is used up.
      if (!more && between_frames_) return size_t{0};
      ZSTD_outBuffer out = {buffer, capacity, 0};
      ZSTD_inBuffer in = {input_.data(), input_.size(), 0};
      const size_t hint = ZSTD_decompressStream(stream_, &out, &in);
      input_.Skip(in.pos);
      if (ZSTD_isError(hint)) {
        return absl::DataLossError(absl::StrFormat("%s: not a sound zstd stream: %s", input_.path(),
                                                   ZSTD_getErrorName(hint)));
      }
      between_frames_ = hint == 0;
      if (out.pos > 0) return out.pos;
      if (!more) {
        return absl::DataLossError(absl::StrFormat(
            "%s: the zstd stream is cut off: the file ends inside it", input_.path()));
      }
    }
  }

 private:
  InputBuffer input_;
  ZSTD_DCtx* stream_;
  bool between_frames_ = true;
};

// Counts what comes out and keeps the first error.
class LimitedSource : public ByteSource {
 public:
  LimitedSource(std::unique_ptr<ByteSource> source, std::string path, uint64_t max_bytes)
      : source_(std::move(source)), path_(std::move(path)), max_bytes_(max_bytes) {}

  absl::StatusOr<size_t> Read(char* buffer, size_t capacity) override {
    RETURN_IF_ERROR(error_);
    if (capacity == 0) return size_t{0};
    absl::StatusOr<size_t> count = source_->Read(buffer, capacity);
    if (count.ok()) given_ += *count;
    if (!count.ok()) {
      error_ = count.status();
    } else if (given_ > max_bytes_) {
      error_ =
          ResourceExhausted("%s: holds more than %d bytes when decompressed", path_, max_bytes_);
    }
    RETURN_IF_ERROR(error_);
    return count;
  }

 private:
  std::unique_ptr<ByteSource> source_;
  std::string path_;
  uint64_t max_bytes_;
  uint64_t given_ = 0;
  absl::Status error_;
};

absl::StatusOr<std::string> ReadHead(PlainFile& file) {
  std::string head(4, '\0');
  size_t size = 0;
  while (size < head.size()) {
    ASSIGN_OR_RETURN(const size_t count, file.Read(head.data() + size, head.size() - size));
    if (count == 0) break;
    size += count;
  }
  head.resize(size);
  return head;
}

absl::StatusOr<std::unique_ptr<ByteSource>> ByContent(std::unique_ptr<PlainFile> file,
                                                      std::string head) {
  const std::string path = file->path();
  if (head.substr(0, 2) == kGzipMagic) {
    return std::make_unique<GzipSource>(InputBuffer(std::move(file), std::move(head)));
  }
  if (head == kZstdMagic || IsSkippableFrame(head)) {
    return std::make_unique<ZstdSource>(InputBuffer(std::move(file), std::move(head)));
  }
  for (const std::string_view end : {".gz", ".zst"}) {
    if (!EndsWith(path, end)) continue;
    return absl::DataLossError(absl::StrFormat(
        "%s: the name ends in %s, but its first bytes are not those of such a file", path, end));
  }
  return std::make_unique<HeadThenFile>(std::move(file), std::move(head));
}

}  // namespace

struct Compressor::State {
  // With a checksum: a bit that turned in a store's file is told, not shown as text.
  State() {
    CHECK(context != nullptr);
    CHECK(!ZSTD_isError(ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1)));
  }
  ZSTD_CCtx* context = ZSTD_createCCtx();
  std::string room;  // as large as the worst case: frames themselves are cut to size
  ~State() { ZSTD_freeCCtx(context); }
};

Compressor::Compressor() : state_(std::make_unique<State>()) {}
Compressor::~Compressor() = default;
Compressor::Compressor(Compressor&&) noexcept = default;
Compressor& Compressor::operator=(Compressor&&) noexcept = default;

void Compressor::Compress(std::string_view text, int level, std::string* frame) {
  std::string& room = state_->room;
  const size_t bound = ZSTD_compressBound(text.size());
  if (room.size() < bound) room.resize(bound);
  CHECK(!ZSTD_isError(ZSTD_CCtx_setParameter(state_->context, ZSTD_c_compressionLevel, level)));
  const size_t size =
      ZSTD_compress2(state_->context, room.data(), room.size(), text.data(), text.size());
  CHECK(!ZSTD_isError(size));  // the bound holds for every input; only a lack of memory is left
  frame->assign(room, 0, size);
  constexpr size_t kKeptBytes = 4 << 20;
  if (room.size() > kKeptBytes) room = std::string();
}

struct Decompressor::State {
  ZSTD_DCtx* context = ZSTD_createDCtx();
  ~State() { ZSTD_freeDCtx(context); }
};

Decompressor::Decompressor() : state_(std::make_unique<State>()) {
  CHECK(state_->context != nullptr);
}
Decompressor::~Decompressor() = default;
Decompressor::Decompressor(Decompressor&&) noexcept = default;
Decompressor& Decompressor::operator=(Decompressor&&) noexcept = default;

absl::Status Decompressor::Decompress(std::string_view frame, size_t max_bytes, std::string* text) {
  const unsigned long long size = ZSTD_getFrameContentSize(frame.data(), frame.size());
  if (size == ZSTD_CONTENTSIZE_ERROR || size == ZSTD_CONTENTSIZE_UNKNOWN) {
    return absl::DataLossError("not a zstd frame with its size in it");
  }
  if (size > max_bytes) {
    return ResourceExhausted("a zstd frame says that it holds %d bytes; at most %d are read", size,
                             max_bytes);
  }
  text->resize(size);
  const size_t made =
      ZSTD_decompressDCtx(state_->context, text->data(), text->size(), frame.data(), frame.size());
  if (ZSTD_isError(made) || made != size) {
    return absl::DataLossError(absl::StrFormat(
        "a damaged zstd frame: %s", ZSTD_isError(made) ? ZSTD_getErrorName(made) : "wrong size"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<ByteSource>> OpenByteSource(const std::string& path,
                                                           uint64_t max_bytes) {
  ASSIGN_OR_RETURN(std::unique_ptr<PlainFile> file, PlainFile::Open(path));
  ASSIGN_OR_RETURN(std::string head, ReadHead(*file));
  ASSIGN_OR_RETURN(std::unique_ptr<ByteSource> source, ByContent(std::move(file), std::move(head)));
  return std::make_unique<LimitedSource>(std::move(source), path, max_bytes);
}

absl::StatusOr<std::string> ReadAll(ByteSource& source) {
  std::string text;
  std::vector<char> buffer(256 * 1024);
  while (true) {
    ASSIGN_OR_RETURN(const size_t count, source.Read(buffer.data(), buffer.size()));
    if (count == 0) return text;
    text.append(buffer.data(), count);
  }
}

std::string DeflateZlib(std::string_view bytes, int level) {
  uLongf size = compressBound(static_cast<uLong>(bytes.size()));
  std::string stream(size, '\0');
  const int state = compress2(reinterpret_cast<Bytef*>(stream.data()), &size,
                              reinterpret_cast<const Bytef*>(bytes.data()),
                              static_cast<uLong>(bytes.size()), level);
  CHECK(state == Z_OK);  // it fails only without memory or room
  stream.resize(size);
  return stream;
}

absl::StatusOr<std::string> InflateZlib(std::string_view bytes, size_t max_bytes) {
  z_stream stream = {};
  if (inflateInit(&stream) != Z_OK) return Internal("zlib: cannot begin");
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  std::string text;
  std::string buffer(kInputBytes, '\0');
  int state = Z_OK;
  while (state == Z_OK && text.size() <= max_bytes) {
    stream.next_out = reinterpret_cast<Bytef*>(buffer.data());
    stream.avail_out = static_cast<uInt>(buffer.size());
    state = inflate(&stream, Z_NO_FLUSH);
    text.append(buffer.data(), buffer.size() - stream.avail_out);
  }
  inflateEnd(&stream);
  if (text.size() > max_bytes) return ResourceExhausted("zlib: more than %d bytes", max_bytes);
  if (state != Z_STREAM_END) return absl::DataLossError("zlib: no whole stream");
  return text;
}

}  // namespace assay
