// The program: a table of sub-commands. The only file that includes CLI11.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "harness/registry.h"
#include "harness/text.h"

namespace assay {
namespace {

// Binds our flags to CLI11's.
class CliCommandLine final : public CommandLine {
 public:
  CliCommandLine(CLI::App* app, std::function<int()>* chosen) : app_(app), chosen_(chosen) {}

  void Flag(const std::string& names, bool* target, const std::string& help) override {
    app_->add_flag(names, *target, help);
  }
  void Option(const std::string& names, std::string* target, const std::string& help) override {
    app_->add_option(names, *target, help);
  }
  void Option(const std::string& names, int* target, const std::string& help) override {
    app_->add_option(names, *target, help);
  }
  void Option(const std::string& names, double* target, const std::string& help) override {
    app_->add_option(names, *target, help);
  }
  void Option(const std::string& names, std::vector<std::string>* target,
              const std::string& help) override {
    app_->add_option(names, *target, help);
  }
  void Positional(const std::string& name, std::string* target, const std::string& help,
                  bool required) override {
    app_->add_option(name, *target, help)->required(required);
  }
  void Positional(const std::string& name, std::vector<std::string>* target,
                  const std::string& help, bool required) override {
    app_->add_option(name, *target, help)->required(required);
  }
  CommandLine& Sub(const std::string& name, const std::string& about) override {
    CLI::App* child = app_->add_subcommand(name, about);
    app_->require_subcommand(1);
    children_.push_back(std::make_unique<CliCommandLine>(child, chosen_));
    return *children_.back();
  }
  void Action(std::function<int()> action) override {
    app_->callback([this, action = std::move(action)] { *chosen_ = action; });
  }

 private:
  CLI::App* app_;
  std::function<int()>* chosen_;
  std::vector<std::unique_ptr<CliCommandLine>> children_;
};

int Main(int argc, char** argv) {
  CLI::App app("assay: evaluate reasoning models", "assay");
  app.require_subcommand(1);
  std::function<int()> chosen;
  std::deque<CliCommandLine> lines;
  std::vector<Command> commands = CommandEntries();
  std::stable_sort(commands.begin(), commands.end(),
                   [](const Command& a, const Command& b) { return a.order < b.order; });
  for (const Command& command : commands) {
    command.declare(lines.emplace_back(app.add_subcommand(command.name, command.about), &chosen));
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  return chosen ? chosen() : 2;
}

}  // namespace
}  // namespace assay

int main(int argc, char** argv) { return assay::Main(argc, argv); }
