// Compression: what goes in comes out, and damaged or hostile bytes are errors, never texts.
#include "harness/compress.h"

#include <cstdlib>
#include <random>

#include "tests/testing.h"

namespace assay {
namespace {

using testing::HasSubstr;
using testing_support::TemporaryDirectory;
using testing_support::WriteWholeFile;

// `printf 'one\ntwo\n' | gzip -n9`: made by another program than the one under test.
const std::string kGzip(
    "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xcb\xcf\x4b\xe5\x2a\x29\xcf\xe7\x02\x00\xe6\x0b\xba"
    "\x12\x08\x00\x00\x00",
    28);
// `printf 'one\ntwo\n' | zstd --no-check`: a raw block, no size in the header.
const std::string kZstd("\x28\xb5\x2f\xfd\x00\x58\x41\x00\x00one\ntwo\n", 17);

std::string Noise(size_t size, unsigned seed) {
  std::mt19937 random(seed);
  std::string text(size, ' ');
  for (char& c : text) c = static_cast<char>("abcdefgh \n{}\\"[random() % 13]);
  return text;
}

std::string Compressed(const std::string& text, int level = 3) {
  Compressor compressor;
  std::string frame;
  compressor.Compress(text, level, &frame);
  return frame;
}

absl::StatusOr<std::string> ReadFile(const std::string& path, uint64_t max_bytes = UINT64_MAX) {
  absl::StatusOr<std::unique_ptr<ByteSource>> source = OpenByteSource(path, max_bytes);
  if (!source.ok()) return source.status();
  return ReadAll(**source);
}

TEST(Compress, EveryTextAtEveryLevelComesBack) {
  Compressor compressor;
  Decompressor decompressor;
  std::string frame, text;
  for (const size_t size : {0, 1, 2, 100, 2048, 65536, 1000000}) {
    for (const int level : {-5, 1, 3, 9}) {
      const std::string original = Noise(size, static_cast<unsigned>(size));
      compressor.Compress(original, level, &frame);
      ASSERT_OK(decompressor.Decompress(frame, size, &text));
      EXPECT_EQ(text, original) << size << " bytes at level " << level;
    }
  }
}

TEST(Compress, DamagedFramesAreErrors) {
  const std::string frame = Compressed(Noise(5000, 1));
  Decompressor decompressor;
  std::string text;
  EXPECT_EQ(decompressor.Decompress("", 10000, &text).code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(decompressor.Decompress("hello, world", 10000, &text).code(),
            absl::StatusCode::kDataLoss);
  for (size_t size = 0; size < frame.size(); ++size) {
    EXPECT_FALSE(decompressor.Decompress(frame.substr(0, size), 10000, &text).ok()) << size;
  }
  EXPECT_OK(decompressor.Decompress(frame, 10000, &text));
}

TEST(Compress, ABitThatTurnedIsAnError) {
  Compressor compressor;
  Decompressor decompressor;
  std::string text, frame, out;
  for (int i = 0; i < 300; ++i) text += "line " + std::to_string(i * 7919 % 1000) + "\n";
  compressor.Compress(text, 3, &frame);
  ASSERT_OK(decompressor.Decompress(frame, text.size(), &out));
  for (size_t i = 0; i < frame.size(); ++i) {
    for (const int bit : {0, 5}) {
      std::string turned = frame;
      turned[i] = static_cast<char>(turned[i] ^ (1 << bit));
      const bool told = !decompressor.Decompress(turned, text.size(), &out).ok();
      // A bit of the header that means nothing may turn; the text may not.
      EXPECT_TRUE(told || out == text) << i;
    }
  }
}

TEST(Compress, FrameThatClaimsTooMuchAllocatesNothing) {
  const std::string frame = Compressed(std::string(100000000, 'a'), 1);
  ASSERT_LT(frame.size(), 100000u);
  Decompressor decompressor;
  std::string text;
  EXPECT_EQ(decompressor.Decompress(frame, 99999999, &text).code(),
            absl::StatusCode::kResourceExhausted);
  EXPECT_LT(text.capacity(), 1000u);
}

TEST(ByteSource, ReadsPlainGzipAndZstd) {
  TemporaryDirectory directory;
  const struct {
    const char* name;
    std::string bytes;
    std::string text;
  } cases[] = {
      {"a.jsonl", "one\ntwo\n", "one\ntwo\n"},
      {"empty.jsonl", "", ""},
      {"tiny", "x", "x"},
      {"a.gz", kGzip, "one\ntwo\n"},
      {"a.zst", kZstd, "one\ntwo\n"},
      {"named_plainly.jsonl", kGzip, "one\ntwo\n"},
      {"two_members.gz", kGzip + kGzip, "one\ntwo\none\ntwo\n"},
      {"two_frames.zst", kZstd + kZstd, "one\ntwo\none\ntwo\n"},
      {"skippable.zst", std::string("\x50\x2a\x4d\x18\x03\x00\x00\x00xyz", 11) + kZstd,
       "one\ntwo\n"},
  };
  for (const auto& c : cases) {
    WriteWholeFile(directory.Path(c.name), c.bytes);
    ASSERT_OK_AND_ASSIGN(const std::string text, ReadFile(directory.Path(c.name)));
    EXPECT_EQ(text, c.text) << c.name;
  }
}

TEST(ByteSource, LargeFilesPassInSmallReads) {
  TemporaryDirectory directory;
  const std::string original = Noise(3000000, 7);
  WriteWholeFile(directory.Path("a.zst"), Compressed(original));
  WriteWholeFile(directory.Path("b"), original);
  ASSERT_EQ(
      std::system(("gzip -c " + directory.Path("b") + " > " + directory.Path("b.gz")).c_str()), 0);
  for (const char* name : {"a.zst", "b", "b.gz"}) {
    ASSERT_OK_AND_ASSIGN(auto source, OpenByteSource(directory.Path(name)));
    std::string text;
    std::string buffer(4099, ' ');
    while (true) {
      ASSERT_OK_AND_ASSIGN(const size_t count, source->Read(buffer.data(), buffer.size()));
      if (count == 0) break;
      text.append(buffer, 0, count);
    }
    EXPECT_EQ(text, original) << name;
  }
}

TEST(ByteSource, EveryCutOffStreamIsAnError) {
  TemporaryDirectory directory;
  for (const auto& [name, bytes] : {std::pair("a.gz", kGzip), std::pair("a.zst", kZstd)}) {
    for (size_t size = 0; size < bytes.size(); ++size) {
      WriteWholeFile(directory.Path(name), bytes.substr(0, size));
      const absl::StatusOr<std::string> text = ReadFile(directory.Path(name));
      ASSERT_FALSE(text.ok()) << name << " cut to " << size;
      EXPECT_THAT(std::string(text.status().message()), HasSubstr(name));
    }
  }
}

TEST(ByteSource, ErrorsNameTheFileAndStay) {
  TemporaryDirectory directory;
  const std::string path = directory.Path("bad.gz");
  std::string bytes = kGzip;
  bytes[20] = '\x55';
  WriteWholeFile(path, bytes);
  ASSERT_OK_AND_ASSIGN(auto source, OpenByteSource(path));
  absl::Status error;
  char buffer[64];
  for (int i = 0; i < 5 && error.ok(); ++i) error = source->Read(buffer, sizeof(buffer)).status();
  EXPECT_EQ(error.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(error.message()), HasSubstr("bad.gz"));
  EXPECT_EQ(source->Read(buffer, sizeof(buffer)).status(), error);
}

TEST(ByteSource, TrailingRubbishIsAnError) {
  TemporaryDirectory directory;
  WriteWholeFile(directory.Path("a.gz"), kGzip + "rubbish");
  EXPECT_FALSE(ReadFile(directory.Path("a.gz")).ok());
  WriteWholeFile(directory.Path("a.zst"), kZstd + "rubbish");
  EXPECT_FALSE(ReadFile(directory.Path("a.zst")).ok());
}

TEST(ByteSource, NameAndContentMustAgree) {
  TemporaryDirectory directory;
  WriteWholeFile(directory.Path("a.jsonl.gz"), "{}\n");
  const absl::StatusOr<std::string> text = ReadFile(directory.Path("a.jsonl.gz"));
  EXPECT_THAT(std::string(text.status().message()), HasSubstr("a.jsonl.gz: the name ends in .gz"));
}

TEST(ByteSource, BombsStopAtTheLimit) {
  TemporaryDirectory directory;
  WriteWholeFile(directory.Path("bomb.zst"), Compressed(std::string(200000000, '0'), 1));
  EXPECT_EQ(ReadFile(directory.Path("bomb.zst"), 1000000).status().code(),
            absl::StatusCode::kResourceExhausted);
}

TEST(ByteSource, WhatIsNoFileIsAnError) {
  TemporaryDirectory directory;
  EXPECT_EQ(OpenByteSource(directory.Path("absent")).status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(OpenByteSource(directory.Path()).status().message()),
              HasSubstr("a directory"));
}

TEST(Zlib, WhatIsDeflatedInflates) {
  for (const int level : {1, 6, 9}) {
    for (const std::string& text :
         {std::string(), std::string("a"), std::string(100000, 'x'), std::string("\0\xff\n", 3)}) {
      const std::string stream = DeflateZlib(text, level);
      ASSERT_OK_AND_ASSIGN(const std::string back, InflateZlib(stream, 200000));
      EXPECT_EQ(back, text);
    }
  }
  EXPECT_LT(DeflateZlib(std::string(100000, 'x'), 6).size(), 1000u);
}

}  // namespace
}  // namespace assay
