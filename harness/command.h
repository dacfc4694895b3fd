// The Command plug: a .cc in commands/ that is one sub-command of the program.
//
// commands/NAME.cc defines `Command NameCommand()`. main.cc binds the flags to CLI11; nobody else
// includes it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace assay {

// Declares flags; implemented by main.cc. Every target must live as long as the action (keep it in
// a shared struct). `names` is a comma list: "--tasks,-t". Dashes and underscores are alike on the
// command line.
class CommandLine {
 public:
  virtual ~CommandLine() = default;
  virtual void Flag(const std::string& names, bool* target, const std::string& help) = 0;
  virtual void Option(const std::string& names, std::string* target, const std::string& help) = 0;
  virtual void Option(const std::string& names, int* target, const std::string& help) = 0;
  virtual void Option(const std::string& names, double* target, const std::string& help) = 0;
  virtual void Option(const std::string& names, std::vector<std::string>* target,
                      const std::string& help) = 0;
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
