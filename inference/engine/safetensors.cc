// Every field of a header is checked before anything points at the bytes it describes.
#include "inference/engine/safetensors.h"

#include <algorithm>
#include <cstring>
#include <set>

#include "harness/status.h"
#include "harness/text.h"

namespace assay {
namespace {

constexpr uint64_t kMaxHeaderBytes = 100'000'000;
constexpr size_t kMaxRank = 8;  // the models that we know have two

struct Entry {
  Tensor tensor;
  uint64_t begin = 0;
  uint64_t end = 0;
};

absl::StatusOr<Dtype> ReadDtype(const Json& fields, std::string_view where) {
  const Json* value = fields.Find("dtype");
  if (value == nullptr || !value->is_string()) {
    return InvalidArgument("%s: field 'dtype': expected a string, found %s", where,
                           value == nullptr ? "nothing" : KindName(*value));
  }
  for (const Dtype dtype : {Dtype::kBf16, Dtype::kF16, Dtype::kF32}) {
    if (value->AsString() == DtypeName(dtype)) return dtype;
  }
  return InvalidArgument("%s: field 'dtype': '%s' is not supported (BF16, F16, F32)", where,
                         Printable(Shorten(value->AsString(), 40)));
}

// An array of integers that are not negative.
absl::StatusOr<std::vector<int64_t>> ReadSizes(const Json& fields, std::string_view field,
                                               std::string_view where) {
  const Json* value = fields.Find(field);
  if (value == nullptr || !value->is_array()) {
    return InvalidArgument("%s: field '%s': expected an array, found %s", where, field,
                           value == nullptr ? "nothing" : KindName(*value));
  }
  std::vector<int64_t> sizes;
  for (const Json& size : value->AsArray()) {
    if (!size.is_integer() || size.AsInteger() < 0) {
      return InvalidArgument("%s: field '%s': expected integers from 0 to 2^63 - 1, found %s",
                             where, field, Printable(Shorten(size.ToText(), 40)));
    }
    sizes.push_back(size.AsInteger());
  }
  return sizes;
}

// Bytes that a tensor of this shape takes, or nothing where that overflows.
std::optional<uint64_t> ByteSize(const Tensor& tensor) {
  uint64_t bytes = static_cast<uint64_t>(DtypeBytes(tensor.dtype));
  for (const int64_t size : tensor.shape) {
    if (__builtin_mul_overflow(bytes, static_cast<uint64_t>(size), &bytes)) return std::nullopt;
  }
  return bytes;
}

absl::Status KnownFieldsOnly(const Json& fields, std::string_view where) {
  for (const Json::Member& member : fields.AsMembers()) {
    if (member.first != "dtype" && member.first != "shape" && member.first != "data_offsets") {
      return InvalidArgument("%s: unknown field '%s' (dtype, shape, data_offsets)", where,
                             Printable(Shorten(member.first, 40)));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Entry> ReadEntry(const Json::Member& member, std::string_view file) {
  const std::string where =
      absl::StrFormat("%s: tensor '%s'", file, Printable(Shorten(member.first, 100)));
  const Json& fields = member.second;
  if (!fields.is_object()) {
    return InvalidArgument("%s: expected an object, found %s", where, KindName(fields));
  }
  RETURN_IF_ERROR(KnownFieldsOnly(fields, where));
  Entry entry;
  entry.tensor.name = member.first;
  ASSIGN_OR_RETURN(entry.tensor.dtype, ReadDtype(fields, where));
  ASSIGN_OR_RETURN(entry.tensor.shape, ReadSizes(fields, "shape", where));
  if (entry.tensor.shape.size() > kMaxRank) {
    return InvalidArgument("%s: field 'shape': %d dimensions, more than %d", where,
                           entry.tensor.shape.size(), kMaxRank);
  }
  ASSIGN_OR_RETURN(const std::vector<int64_t> offsets, ReadSizes(fields, "data_offsets", where));
  if (offsets.size() != 2 || offsets[0] > offsets[1]) {
    return InvalidArgument("%s: field 'data_offsets': expected [begin, end] with begin <= end",
                           where);
  }
  entry.begin = static_cast<uint64_t>(offsets[0]);
  entry.end = static_cast<uint64_t>(offsets[1]);
  const std::optional<uint64_t> wanted = ByteSize(entry.tensor);
  if (!wanted) return InvalidArgument("%s: field 'shape': more elements than 2^64 bytes", where);
  if (*wanted != entry.end - entry.begin) {
    return InvalidArgument("%s: %d bytes between its data_offsets, but its shape and type take %d",
                           where, entry.end - entry.begin, *wanted);
  }
  return entry;
}

absl::Status CheckMetadata(const Json& metadata, std::string_view file) {
  if (!metadata.is_object()) {
    return InvalidArgument("%s: '__metadata__': expected an object, found %s", file,
                           KindName(metadata));
  }
  for (const Json::Member& member : metadata.AsMembers()) {
    if (!member.second.is_string()) {
      return InvalidArgument("%s: '__metadata__' field '%s': expected a string, found %s", file,
                             Printable(Shorten(member.first, 40)), KindName(member.second));
    }
  }
  return absl::OkStatus();
}

// In order of offset they must tile the data: no hole where bytes could hide, no overlap.
absl::Status CheckTiling(std::vector<Entry>* entries, uint64_t data_bytes, std::string_view file) {
  std::sort(entries->begin(), entries->end(), [](const Entry& a, const Entry& b) {
    return std::tie(a.begin, a.end, a.tensor.name) < std::tie(b.begin, b.end, b.tensor.name);
  });
  uint64_t at = 0;
  for (const Entry& entry : *entries) {
    if (entry.begin != at) {
      return InvalidArgument("%s: tensor '%s' begins at byte %d of the data, expected %d: %s", file,
                             Printable(Shorten(entry.tensor.name, 100)), entry.begin, at,
                             entry.begin < at ? "it overlaps the one before" : "there is a hole");
    }
    if (entry.end > data_bytes) {
      return InvalidArgument(
          "%s: tensor '%s' ends at byte %d of the data, which has %d: truncated?", file,
          Printable(Shorten(entry.tensor.name, 100)), entry.end, data_bytes);
    }
    at = entry.end;
  }
  if (at != data_bytes) {
    return InvalidArgument("%s: its tensors end at byte %d of the data, which has %d", file, at,
                           data_bytes);
  }
  return absl::OkStatus();
}

// The JSON of the header; *data_bytes is what follows it.
absl::StatusOr<Json> ReadHeader(std::string_view file, std::string_view name,
                                uint64_t* header_bytes) {
  if (file.size() < 8) {
    return InvalidArgument("%s: %d bytes: too short for a safetensors file", name, file.size());
  }
  uint64_t length = 0;
  for (int i = 7; i >= 0; --i) length = length << 8 | static_cast<unsigned char>(file[i]);
  if (length < 2 || length > kMaxHeaderBytes) {
    return InvalidArgument("%s: header of %d bytes: expected 2 to %d", name, length,
                           kMaxHeaderBytes);
  }
  if (length > file.size() - 8) {
    return InvalidArgument("%s: header of %d bytes in a file of %d: truncated?", name, length,
                           file.size());
  }
  const std::string_view text = file.substr(8, length);
  if (text[0] != '{') return InvalidArgument("%s: the header does not begin with '{'", name);
  absl::StatusOr<Json> header = ParseJson(text, {.max_depth = 8, .allow_repeated_names = false});
  if (!header.ok()) {
    return Annotate(header.status(), absl::StrFormat("%s: header", name));
  }
  if (!header->is_object()) return InvalidArgument("%s: the header is no object", name);
  *header_bytes = length;
  return header;
}

}  // namespace

absl::StatusOr<std::vector<Tensor>> ReadSafetensors(std::string_view file, std::string_view name) {
  uint64_t header_bytes = 0;
  ASSIGN_OR_RETURN(const Json header, ReadHeader(file, name, &header_bytes));
  const std::string_view data = file.substr(8 + header_bytes);
  std::vector<Entry> entries;
  for (const Json::Member& member : header.AsMembers()) {
    if (member.first == "__metadata__") {
      RETURN_IF_ERROR(CheckMetadata(member.second, name));
      continue;
    }
    ASSIGN_OR_RETURN(Entry entry, ReadEntry(member, name));
    entries.push_back(std::move(entry));
  }
  RETURN_IF_ERROR(CheckTiling(&entries, data.size(), name));
  // Beyond this point every offset lies within the file.
  std::vector<Tensor> tensors;
  tensors.reserve(entries.size());
  for (Entry& entry : entries) {
    entry.tensor.bytes = data.substr(entry.begin, entry.end - entry.begin);
    tensors.push_back(std::move(entry.tensor));
  }
  std::sort(tensors.begin(), tensors.end(),
            [](const Tensor& a, const Tensor& b) { return a.name < b.name; });
  return tensors;
}

namespace {

// A shard's name could lead out of the directory.
bool IsPlainName(std::string_view file) {
  return !file.empty() && file != "." && file != ".." && !Contains(file, "/") &&
         !Contains(file, "\\") && !Contains(file, std::string_view("\0", 1)) &&
         file.ends_with(".safetensors");
}

}  // namespace

absl::StatusOr<ShardIndex> ReadShardIndex(std::string_view text, std::string_view name) {
  absl::StatusOr<Json> parsed = ParseJson(text, {.max_depth = 8, .allow_repeated_names = false});
  if (!parsed.ok()) return Annotate(parsed.status(), name);
  const Json* map = parsed->Find("weight_map");
  if (map == nullptr || !map->is_object() || map->size() == 0) {
    return InvalidArgument("%s: field 'weight_map': expected an object of tensors, found %s", name,
                           map == nullptr ? "nothing" : KindName(*map));
  }
  ShardIndex index;
  std::set<std::string> shards;
  for (const Json::Member& member : map->AsMembers()) {
    if (!member.second.is_string() || !IsPlainName(member.second.AsString())) {
      return InvalidArgument(
          "%s: field 'weight_map': tensor '%s': expected the plain name of a .safetensors file, "
          "found %s",
          name, Printable(Shorten(member.first, 100)),
          Printable(Shorten(member.second.ToText(), 100)));
    }
    index.files.emplace_back(member.first, member.second.AsString());
    shards.insert(member.second.AsString());
  }
  std::sort(index.files.begin(), index.files.end());
  index.shards.assign(shards.begin(), shards.end());
  return index;
}

}  // namespace assay
