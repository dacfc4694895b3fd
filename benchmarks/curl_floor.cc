// The floor of a request's cost: a bare libcurl multi loop that posts one body again and again and
// throws the replies away. Prints CPU microseconds per request; used by run_path.py.
#include <curl/curl.h>
#include <sys/resource.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

namespace {

double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

size_t Ignore(char*, size_t, size_t size, void*) { return size; }

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "curl_floor URL REQUESTS CONNECTIONS\n");
    return 2;
  }
  const std::string url = std::string(argv[1]) + "/chat/completions";
  const long requests = std::atol(argv[2]), connections = std::atol(argv[3]);
  const std::string body =
      R"({"model":"mock","messages":[{"role":"user","content":"Question 1: what is 6 times 7? )" +
      std::string(60, 'x') + R"("}],"temperature":0.6,"top_p":0.95,"seed":1})";
  curl_global_init(CURL_GLOBAL_ALL);
  CURLM* multi = curl_multi_init();
  curl_slist* headers = curl_slist_append(nullptr, "Content-Type: application/json");
  headers = curl_slist_append(headers, "Expect:");
  std::vector<CURL*> handles;
  for (long i = 0; i < connections; ++i) {
    CURL* easy = curl_easy_init();
    curl_easy_setopt(easy, CURLOPT_URL, url.c_str());
    curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body.c_str());
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &Ignore);
    handles.push_back(easy);
  }
  const double before = CpuSeconds();
  long started = 0, ended = 0, wrong = 0;
  for (CURL* easy : handles) {
    if (started++ < requests) curl_multi_add_handle(multi, easy);
  }
  while (ended < requests) {
    int running = 0, left = 0;
    curl_multi_perform(multi, &running);
    while (const CURLMsg* message = curl_multi_info_read(multi, &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      CURL* easy = message->easy_handle;
      long status = 0;
      curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
      if (message->data.result != CURLE_OK || status != 200) ++wrong;
      ++ended;
      curl_multi_remove_handle(multi, easy);
      if (started++ < requests) curl_multi_add_handle(multi, easy);
    }
    if (running > 0) curl_multi_poll(multi, nullptr, 0, 1000, nullptr);
  }
  std::printf("%.2f\n", (CpuSeconds() - before) / static_cast<double>(requests) * 1e6);
  for (CURL* easy : handles) curl_easy_cleanup(easy);
  curl_slist_free_all(headers);
  curl_multi_cleanup(multi);
  if (wrong > 0) std::fprintf(stderr, "%ld requests failed\n", wrong);
  return wrong > 0 ? 1 : 0;
}
