// Small things that every file of the daemon needs: system calls without a wrapper, errors, files.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace assay::sandboxd {

// "what: strerror(errno)"
std::string Errno(std::string_view what);

int64_t NowUs();  // CLOCK_MONOTONIC

bool WriteFile(const std::string& path, std::string_view text);  // false leaves errno
bool WriteAll(int fd, std::string_view bytes);
// The whole of a small file of /proc, relative to `directory`; "" where it cannot be read.
std::string ReadSmall(int directory, const char* path);

int PidfdOpen(int pid);
void PidfdKill(int pidfd);
// fork, or clone with these namespace flags; `pidfd` may be null. Both sides return, as from fork.
// `cgroup`: the directory of the one that the child begins in; -1: as its parent.
int Clone(uint64_t flags, int* pidfd, int cgroup = -1);

}  // namespace assay::sandboxd
