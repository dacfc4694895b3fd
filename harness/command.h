// The Command plug: a .cc in commands/ that is one sub-command of the program.
//
// commands/NAME.cc defines `Command NameCommand()`. main.cc binds the flags to CLI11; nobody else
// includes it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace assay {

// Declares flags; implemented by main.cc. Every target must live as long as the action (keep it in
// a shared struct). `names` is a comma list: "--tasks,-t". Dashes and underscores are alike on the
// command line. A target keeps what it held where the flag is not given; that is the default that
// --help shows. Numbers are checked whole: "12x", "1e999" and what does not fit are wrong use.
// Every command with an action also knows --help and --config FILE.
class CommandLine {
 public:
  virtual ~CommandLine() = default;
  virtual void Flag(const std::string& names, bool* target, const std::string& help) = 0;
  virtual void Option(const std::string& names, std::string* target, const std::string& help) = 0;
  virtual void Option(const std::string& names, int* target, const std::string& help) = 0;
  virtual void Option(const std::string& names, int64_t* target, const std::string& help) = 0;
  virtual void Option(const std::string& names, uint64_t* target, const std::string& help) = 0;
  virtual void Option(const std::string& names, double* target, const std::string& help) = 0;
  // Unset where the flag is not given.
  virtual void Option(const std::string& names, std::optional<std::string>* target,
                      const std::string& help) = 0;
  virtual void Option(const std::string& names, std::optional<int>* target,
                      const std::string& help) = 0;
  virtual void Option(const std::string& names, std::optional<uint64_t>* target,
                      const std::string& help) = 0;
  virtual void Option(const std::string& names, std::optional<double>* target,
                      const std::string& help) = 0;
  // Several values: "--tasks a,b", "--tasks a b", "--tasks a --tasks b".
  virtual void Option(const std::string& names, std::vector<std::string>* target,
                      const std::string& help) = 0;
  // `name` is shown in capitals; words that begin with '-' come after "--".
  virtual void Positional(const std::string& name, std::string* target, const std::string& help,
                          bool required) = 0;
  virtual void Positional(const std::string& name, std::vector<std::string>* target,
                          const std::string& help, bool required) = 0;
  // A command below this one ("tasks list"). The reference lives as long as the command line.
  virtual CommandLine& Sub(const std::string& name, const std::string& about) = 0;
  // What to do when this command was chosen; returns the exit status: 0 done, 1 failed, 2 wrong
  // use.
  virtual void Action(std::function<int()> action) = 0;
};

struct Command {
  std::string name;
  std::string about;  // one sentence
  int order = 100;    // place in `assay --help`
  std::function<void(CommandLine& line)> declare;
};

}  // namespace assay
