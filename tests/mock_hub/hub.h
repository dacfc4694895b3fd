// A mock of Hugging Face's hub: files behind redirects, gates, ranges and ETags, the rows API, and
// faults to order.
//
// Two listeners: the hub itself, and the store that it redirects large files to, so that a token
// that goes too far is seen.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"

namespace assay::mock_hub {

struct HubFile {
  std::string bytes;
  std::string disk_path;  // sent from there instead, where set
  std::string etag = "\"v1\"";
  std::string content_type = "application/octet-stream";
  bool redirected = false;    // to the store, as files in large file storage are
  bool gated = false;         // wants the token
  bool ranges = true;         // Range is followed
  bool says_length = true;    // else chunked
  std::string location;       // the hub redirects there instead, where set
  std::string linked_sha256;  // X-Linked-Etag; empty: of the bytes
};

enum class Fault {
  kNone,
  kStatus,         // `status` instead of the reply
  kCut,            // the connection closes after `after` bytes of the body
  kStall,          // nothing more comes after `after` bytes
  kSilence,        // not even a head
  kWebPage,        // status 200 and a login page, of type text/html
  kDisguisedPage,  // the same as application/octet-stream
  kFlip,           // one bit of the body is another
  kWrongRange,     // 206, from another place
  kChange,         // the file is another one from now on: `bytes` under a new ETag
  kNoRows,         // of the rows API: a reply without rows
  kCutCell,        // a row with a truncated cell
  kMoved,          // the revision and the number of rows change
};
struct Order {
  Fault fault = Fault::kNone;
  int64_t after = 0;
  int status = 0;
  double retry_after = -1;
  std::string bytes;
};

struct SplitRows {
  std::vector<std::string> rows;  // JSON objects
  bool gated = false;
  std::string revision;
};

struct SeenRequest {
  bool at_store = false;
  std::string path;  // with the query
  std::string head;
};

class MockHub {
 public:
  static absl::StatusOr<std::unique_ptr<MockHub>> Start();
  ~MockHub();
  MockHub(const MockHub&) = delete;
  MockHub& operator=(const MockHub&) = delete;

  std::string endpoint() const;  // "http://127.0.0.1:PORT"; the rows API is there too

  // All thread-safe.
  void PutFile(const std::string& id, const std::string& path, HubFile file);
  void PutRows(const std::string& id, const std::string& config, const std::string& split,
               SplitRows rows);
  void SetToken(std::string token);        // that opens gated files
  void SetRevision(std::string commit);    // of every repository; "main" means it
  void SetPace(int64_t bytes_per_second);  // 0: as fast as can be
  // Each is taken by one request for a file's bytes or for rows (a redirect takes none).
  void AddOrder(Order order);
  size_t orders_left() const;
  std::vector<SeenRequest> seen() const;

 private:
  struct Listener {
    int socket = -1;
    int port = 0;
    bool is_store = false;
    std::thread thread;
  };
  struct Exchange;
  struct Served {
    std::thread thread;
    int socket = -1;
  };

  MockHub() = default;
  absl::Status Listen(Listener* listener, bool is_store);
  void Accept(Listener* listener);
  void Serve(int socket, bool is_store);
  bool Answer(Exchange& exchange);
  bool AnswerFile(Exchange& exchange);
  bool AnswerRows(Exchange& exchange);
  bool SendFile(Exchange& exchange, const std::string& key, const HubFile& file);
  bool SendBody(Exchange& exchange, const HubFile& file, int64_t begin, int64_t size,
                const Order& order);
  bool SendPaced(int socket, std::string_view bytes);
  Order NextOrder();
  bool MayRead(const Exchange& exchange, bool gated) const;

  Listener hub_, store_;
  mutable std::mutex mutex_;                            // guards all that follows
  std::map<std::string, HubFile, std::less<>> files_;   // "ID/PATH"
  std::map<std::string, SplitRows, std::less<>> rows_;  // "ID CONFIG SPLIT"
  std::string token_ = "hf_secret_token";
  std::string revision_ = std::string(40, '1');
  int64_t pace_ = 0;
  std::deque<Order> orders_;
  std::vector<SeenRequest> seen_;
  std::vector<Served> served_;
  bool stopping_ = false;
};

}  // namespace assay::mock_hub
