// The self-test's inside: run as a hostile program would be, tries to get out.
#pragma once

namespace assay::sandboxd {

// `words` are a process of the harness's to signal and a file of the host's to read. Prints a line
// "held NAME" or "OPEN NAME what was found" for each probe.
int Probe(int count, char** words);
// Behave badly, for the limits: "spin", "sleep", "memory", "output".
int Misbehave(const char* how);

}  // namespace assay::sandboxd
