// The partial file and its note (of which address, which ETag, how long) are all that is needed to
// go on, in this process or the next.
//
// Only bytes of one version are ever joined: a Range is asked for with If-Range and a strong ETag,
// and a reply of 206 must be of that ETag and begin where we are. Otherwise it begins anew.
#include "fetch/download.h"

#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>

#include "fetch/files.h"
#include "fetch/following_hash.h"
#include "harness/compress.h"
#include "harness/json.h"
#include "harness/status.h"
#include "harness/text.h"

namespace assay::fetch {
namespace {

constexpr int kMaxBeginnings = 4;
constexpr int64_t kRoomToSpare = 16 << 20;
constexpr size_t kWriteBytes = 128 << 10;  // libcurl hands out 16 KiB; a kill costs as much

// What `path`.json says.
struct PartNote {
  std::string url;
  std::string etag;
  int64_t total = -1;
  std::string revision;
  std::string linked_sha256;  // the hub's own, for files in its large file storage
  bool whole = false;
};

std::string NotePath(const std::string& path) { return path + ".json"; }

absl::Status SaveNote(const std::string& path, const PartNote& note) {
  const Json json = Json::MakeObject({{"url", note.url},
                                      {"etag", note.etag},
                                      {"total", note.total},
                                      {"revision", note.revision},
                                      {"linked_sha256", note.linked_sha256},
                                      {"whole", note.whole}});
  return WriteWhole(NotePath(path), json.Dump() + "\n");
}

// Nothing where there is none, or it is of something else.
std::optional<PartNote> LoadNote(const std::string& path, const std::string& url) {
  const absl::StatusOr<std::unique_ptr<ByteSource>> source =
      OpenByteSource(NotePath(path), 1 << 20);
  if (!source.ok()) return std::nullopt;
  const absl::StatusOr<std::string> text = ReadAll(**source);
  const absl::StatusOr<Json> json = text.ok() ? ParseJson(*text) : text.status();
  if (!json.ok() || json->FindString("url") != url) return std::nullopt;
  PartNote note;
  note.url = url;
  note.etag = json->FindString("etag").value_or("");
  note.total = json->FindInteger("total").value_or(-1);
  note.revision = json->FindString("revision").value_or("");
  note.linked_sha256 = json->FindString("linked_sha256").value_or("");
  note.whole = json->FindBool("whole").value_or(false);
  return note;
}

bool IsStrong(std::string_view etag) { return etag.size() > 2 && etag.front() == '"'; }

bool IsHex(std::string_view text, size_t digits) {
  return text.size() == digits && text.find_first_not_of("0123456789abcdef") == text.npos;
}

std::string HeaderOf(const http::Outcome& outcome, const char* name) {
  const auto found = outcome.headers.find(name);
  return found == outcome.headers.end() ? "" : found->second;
}

// "bytes 100-199/200": where it begins, and the whole length (-1: not said).
struct ContentRange {
  int64_t begin = -1;
  int64_t total = -1;
};
ContentRange ParseContentRange(std::string_view text) {
  ContentRange range;
  if (!text.starts_with("bytes ")) return range;
  text.remove_prefix(6);
  const size_t dash = text.find('-'), slash = text.find('/');
  if (dash == text.npos || slash == text.npos || dash > slash) return range;
  range.begin = ParseInt(text.substr(0, dash)).value_or(-1);
  range.total = ParseInt(text.substr(slash + 1)).value_or(-1);
  return range;
}

class Downloader {
 public:
  Downloader(Transfer& transfer, const std::string& url, const std::string& path,
             const std::string& what)
      : transfer_(transfer), url_(url), path_(path), what_(what) {}

  absl::StatusOr<Downloaded> Run() {
    RETURN_IF_ERROR(TakeUp());
    // The last run may have ended between the last byte and its note.
    while (size_ == 0 || size_ != note_.total) RETURN_IF_ERROR(GetRest());
    if (!note_.whole) RETURN_IF_ERROR(Finish());
    Downloaded downloaded;
    downloaded.bytes = size_;
    ASSIGN_OR_RETURN(downloaded.sha256, hash_->Finish());
    downloaded.revision = note_.revision;
    return CheckLinked(std::move(downloaded));
  }

 private:
  // Goes on with what is there.
  absl::Status TakeUp() {
    std::optional<PartNote> note = LoadNote(path_, url_);
    int64_t kept = FileSize(path_);
    const bool whole = note && note->whole && kept == note->total;
    const bool useful = note && kept > 0 && IsStrong(note->etag) && kept <= note->total;
    if (!whole && !useful) {
      note = PartNote{.url = url_};
      kept = 0;
    }
    note_ = *note;
    note_.whole = whole;
    ASSIGN_OR_RETURN(writer_, FileWriter::Open(path_, kept));
    size_ = kept;
    hash_ = std::make_unique<FollowingHash>(path_);
    hash_->Advance(size_);
    if (kept > 0 && !whole) {
      transfer_.watcher().note(absl::StrFormat("%s: going on at byte %s of %s", what_,
                                               WithThousands(kept), WithThousands(note_.total)));
    }
    return absl::OkStatus();
  }

  absl::Status GetRest() {
    mixed_ = false;
    const absl::StatusOr<http::Outcome> outcome = transfer_.Get(
        url_, [this] { return NextHop(); }, [this] { return Gained(); },
        [this](const http::Outcome& hop) { SeeHop(hop); });
    if (failed_.ok()) failed_ = Flush();
    // Our own failure (a full disk) explains why the reply was let go.
    RETURN_IF_ERROR(failed_);
    if (mixed_) {  // nothing of it was kept: the next request asks for the whole
      note_.etag.clear();
      return absl::OkStatus();
    }
    RETURN_IF_ERROR(outcome.status());
    if (size_ == 0) return Unavailable("%s: an empty reply came", ShownUrl(url_));
    if (note_.total < 0) note_.total = size_;  // the server did not say how long it is
    if (size_ != note_.total) {
      return Unavailable("%s: %s bytes came, %s were announced", ShownUrl(url_),
                         WithThousands(size_), WithThousands(note_.total));
    }
    return absl::OkStatus();
  }

  Hop NextHop() {
    size_before_ = size_;
    Hop hop;
    hop.wanted_headers = {"ETag", "Content-Range", "X-Repo-Commit", "X-Linked-Etag"};
    if (size_ > 0 && IsStrong(note_.etag)) {
      hop.headers.push_back(absl::StrFormat("Range: bytes=%d-", size_));
      hop.headers.push_back("If-Range: " + note_.etag);
    }
    hop.on_head = [this](const http::Outcome& head) { return TakesBody(head); };
    hop.on_bytes = [this](std::string_view bytes) { return TakeBytes(bytes); };
    return hop;
  }

  bool Gained() const { return size_ > size_before_; }

  void SeeHop(const http::Outcome& hop) {
    const std::string commit = HeaderOf(hop, "X-Repo-Commit");
    if (IsHex(commit, 40)) note_.revision = commit;
    std::string linked = HeaderOf(hop, "X-Linked-Etag");
    if (linked.size() > 2 && linked.front() == '"') linked = linked.substr(1, linked.size() - 2);
    if (IsHex(linked, 64)) note_.linked_sha256 = linked;
    // The range is not there: the file became shorter.
    if (hop.status == 416) mixed_ = true;
  }

  // Whether the body that begins is (the rest of) the file.
  bool TakesBody(const http::Outcome& head) {
    if (head.status == 206) return TakesRest(head);
    if (head.status != 200) return false;
    if (head.content_type.starts_with("text/html") && !what_.ends_with(".html")) {
      failed_ =
          Unavailable("%s: the server sent a web page (an error or login page?) in the place of %s",
                      ShownUrl(url_), what_);
      return true;  // and TakeBytes ends it
    }
    if (size_ > 0) {
      transfer_.watcher().note(what_ +
                               ": it is another file by now, or the server sends whole files "
                               "only: beginning anew");
    }
    if (++beginnings_ > kMaxBeginnings) {
      failed_ = Unavailable("%s: begun %d times, and it changed or broke each time", ShownUrl(url_),
                            kMaxBeginnings);
      return true;
    }
    failed_ = BeginAnew(head.length, HeaderOf(head, "ETag"));
    return true;
  }

  bool TakesRest(const http::Outcome& head) {
    const ContentRange range = ParseContentRange(HeaderOf(head, "Content-Range"));
    const std::string etag = HeaderOf(head, "ETag");
    mixed_ = range.begin != size_ || range.total != note_.total || etag != note_.etag;
    return true;  // and TakeBytes ends it where it is not what was asked for
  }

  absl::Status BeginAnew(int64_t length, std::string etag) {
    hash_.reset();  // before its bytes go
    size_ = 0;
    pending_.clear();
    RETURN_IF_ERROR(writer_.Truncate(0));
    hash_ = std::make_unique<FollowingHash>(path_);
    note_.etag = std::move(etag);
    note_.total = length;
    RETURN_IF_ERROR(CheckRoom(length));
    return SaveNote(path_, note_);
  }

  absl::Status CheckRoom(int64_t bytes) const {
    const std::string directory = std::filesystem::path(path_).parent_path().string();
    const int64_t free = FreeBytes(directory);
    if (free < 0 || bytes < 0 || bytes + kRoomToSpare <= free) return absl::OkStatus();
    return ResourceExhausted(
        "%s: the disk is too full: %s has %s bytes, and %s are free. Make room, or name another "
        "directory with --data-dir or $ASSAY_DATA",
        directory, what_, WithThousands(bytes), WithThousands(free));
  }

  bool TakeBytes(std::string_view bytes) {
    if (mixed_) return false;
    pending_ += bytes;
    size_ += static_cast<int64_t>(bytes.size());
    if (pending_.size() >= kWriteBytes && failed_.ok()) failed_ = Flush();
    if (!failed_.ok()) return false;
    transfer_.watcher().progress(what_, size_, note_.total, Unit::kBytes);
    return true;
  }

  absl::Status Flush() {
    RETURN_IF_ERROR(writer_.Write(pending_));
    pending_.clear();
    hash_->Advance(writer_.size());
    return absl::OkStatus();
  }

  absl::Status Finish() {
    RETURN_IF_ERROR(writer_.SyncAndClose());
    note_.whole = true;
    return SaveNote(path_, note_);
  }

  // The hub names the SHA-256 of what it keeps in its large file storage.
  absl::StatusOr<Downloaded> CheckLinked(Downloaded downloaded) const {
    if (note_.linked_sha256.empty() || note_.linked_sha256 == downloaded.sha256) return downloaded;
    std::remove(path_.c_str());
    std::remove(NotePath(path_).c_str());
    return absl::DataLossError(absl::StrFormat(
        "%s: what came is damaged: its sha256 is %s, the hub says %s; run the command again",
        ShownUrl(url_), downloaded.sha256, note_.linked_sha256));
  }

  Transfer& transfer_;
  const std::string url_;
  const std::string path_;
  const std::string what_;
  PartNote note_;
  FileWriter writer_;
  std::unique_ptr<FollowingHash> hash_;
  std::string pending_;      // came, and is not written yet
  int64_t size_ = 0;         // came; with what is pending
  int64_t size_before_ = 0;  // when the last try began
  int beginnings_ = 0;
  bool mixed_ = false;  // a reply that does not belong to what is here
  absl::Status failed_;
};

}  // namespace

absl::StatusOr<Downloaded> Download(Transfer& transfer, const std::string& url,
                                    const std::string& path, const std::string& what) {
  return Downloader(transfer, url, path, what).Run();
}

}  // namespace assay::fetch
