// The program: a table of sub-commands. The only file that includes CLI11.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "harness/build_info.h"
#include "harness/registry.h"
#include "harness/status.h"
#include "harness/text.h"

namespace assay {
namespace {

constexpr int kWrongUse = 2;

// --- values: from text to a target, with an error that says what was wanted ---

absl::Status Parse(const std::string& text, std::string* target) {
  *target = text;
  return absl::OkStatus();
}

template <typename Integer>
absl::Status ParseInteger(const std::string& text, Integer* target) {
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, *target);
  if (error == std::errc() && stop == end && !text.empty()) return absl::OkStatus();
  if (error == std::errc::result_out_of_range) {
    return InvalidArgument("expected a whole number from %d to %d, found %s",
                           std::numeric_limits<Integer>::min(), std::numeric_limits<Integer>::max(),
                           text);
  }
  const bool no_sign = std::numeric_limits<Integer>::min() == 0;
  return InvalidArgument("expected a whole number%s, found '%s'", no_sign ? ", 0 or more" : "",
                         Printable(text));
}

absl::Status Parse(const std::string& text, int* target) { return ParseInteger(text, target); }
absl::Status Parse(const std::string& text, int64_t* target) { return ParseInteger(text, target); }
absl::Status Parse(const std::string& text, uint64_t* target) { return ParseInteger(text, target); }

absl::Status Parse(const std::string& text, double* target) {
  const std::optional<double> value = ParseDouble(text);
  if (!value || !std::isfinite(*value)) {
    return InvalidArgument("expected a number, found '%s'", Printable(text));
  }
  *target = *value;
  return absl::OkStatus();
}

template <typename T>
absl::Status Parse(const std::string& text, std::optional<T>* target) {
  T value{};
  RETURN_IF_ERROR(Parse(text, &value));
  *target = std::move(value);
  return absl::OkStatus();
}

// The word for a value in --help, and the default shown beside it ("" where there is none).
std::string TypeName(const std::string*) { return "TEXT"; }
std::string TypeName(const double*) { return "NUMBER"; }
template <typename Integer>
std::string TypeName(const Integer*) {
  return "INTEGER";
}
template <typename T>
std::string TypeName(const std::optional<T>*) {
  return TypeName(static_cast<const T*>(nullptr));
}
std::string TypeName(const std::vector<std::string>*) { return "TEXT ..."; }

std::string Shown(const std::string& value) { return value; }
std::string Shown(double value) { return absl::StrFormat("%g", value); }
template <typename Integer>
std::string Shown(Integer value) {
  return std::to_string(value);
}
template <typename T>
std::string Shown(const std::optional<T>& value) {
  return value ? Shown(*value) : "";
}
std::string Shown(const std::vector<std::string>& value) { return Join(value, ","); }

// --- flags: ours bound to CLI11's ---

// What the whole command line shares while it is declared and parsed.
struct Binding {
  std::function<int()> chosen;
  std::string error;  // the first wrong value, in our words
};

class CliCommandLine final : public CommandLine {
 public:
  CliCommandLine(CLI::App* app, Binding* binding) : app_(app), binding_(binding) {}

  void Flag(const std::string& names, bool* target, const std::string& help) override {
    app_->add_flag(names, *target, help);
  }
  void Option(const std::string& names, std::string* target, const std::string& help) override {
    Add(names, target, help);
  }
  void Option(const std::string& names, int* target, const std::string& help) override {
    Add(names, target, help);
  }
  void Option(const std::string& names, int64_t* target, const std::string& help) override {
    Add(names, target, help);
  }
  void Option(const std::string& names, uint64_t* target, const std::string& help) override {
    Add(names, target, help);
  }
  void Option(const std::string& names, double* target, const std::string& help) override {
    Add(names, target, help);
  }
  void Option(const std::string& names, std::optional<std::string>* target,
              const std::string& help) override {
    Add(names, target, help);
  }
  void Option(const std::string& names, std::optional<int>* target,
              const std::string& help) override {
    Add(names, target, help);
  }
  void Option(const std::string& names, std::optional<double>* target,
              const std::string& help) override {
    Add(names, target, help);
  }
  void Option(const std::string& names, std::vector<std::string>* target,
              const std::string& help) override {
    AddList(names, target, help)->delimiter(',')->default_str(Shown(*target));
  }
  void Positional(const std::string& name, std::string* target, const std::string& help,
                  bool required) override {
    Add(name, target, help)->required(required);
  }
  // No comma lists here: a positional is often a path.
  void Positional(const std::string& name, std::vector<std::string>* target,
                  const std::string& help, bool required) override {
    AddList(name, target, help)->required(required);
  }
  CommandLine& Sub(const std::string& name, const std::string& about) override {
    app_->require_subcommand(1);
    CLI::App* child = app_->add_subcommand(name, about);
    return *children_.emplace_back(std::make_unique<CliCommandLine>(child, binding_));
  }
  void Action(std::function<int()> action) override {
    app_->callback([this, action = std::move(action)] { binding_->chosen = action; });
  }

 private:
  template <typename T>
  CLI::Option* Add(const std::string& names, T* target, const std::string& help) {
    const auto set = [this, names, target](const CLI::results_t& values) {
      return Accept(names, Parse(values.back(), target), values);
    };
    CLI::Option* option = app_->add_option(names, set, help)->type_name(TypeName(target));
    const std::string shown = Shown(*target);
    if (!shown.empty() && shown != "0") option->default_str(shown);
    return option;
  }
  CLI::Option* AddList(const std::string& names, std::vector<std::string>* target,
                       const std::string& help) {
    const auto set = [this, names, target](const CLI::results_t& values) {
      *target = values;
      return Accept(names, absl::OkStatus(), values);
    };
    return app_->add_option(names, set, help)
        ->type_name(TypeName(target))
        ->expected(1, CLI::detail::expected_max_vector_size)
        ->allow_extra_args();
  }
  // False makes CLI11 stop; the reason waits in binding_->error.
  bool Accept(const std::string& names, const absl::Status& parsed, const CLI::results_t& values) {
    const std::string name(Split(names, ',')[0]);
    std::string error(parsed.message());
    for (const std::string& value : values) {
      const bool is_flag = value.starts_with("--") && app_->get_option_no_throw(value) != nullptr;
      if (is_flag) error = absl::StrFormat("expected a value, found the flag %s", value);
    }
    if (error.empty()) return true;
    binding_->error = absl::StrFormat("%s: %s", name, error);
    return false;
  }

  CLI::App* app_;
  Binding* binding_;
  std::vector<std::unique_ptr<CliCommandLine>> children_;
};

// --- the command line as typed ---

// --num_fewshot=a_b means --num-fewshot=a_b; nothing after "--" is a flag. `help X` means X --help.
std::vector<std::string> Normalised(int argc, char** argv) {
  std::vector<std::string> words(argv + 1, argv + argc);
  if (!words.empty() && words[0] == "help") {
    words.erase(words.begin());
    words.push_back("--help");
  }
  for (std::string& word : words) {
    if (word == "--") break;
    if (!word.starts_with("--")) continue;
    const size_t end = std::min(word.find('='), word.size());
    std::replace(word.begin(), word.begin() + static_cast<std::ptrdiff_t>(end), '_', '-');
  }
  return words;
}

// The sub-command that was being read, and its name with its parents': "assay tasks list".
CLI::App* Deepest(CLI::App* app, std::string* name) {
  *name = app->get_name();
  while (!app->get_subcommands().empty()) {
    app = app->get_subcommands().back();
    *name += " " + app->get_name();
  }
  return app;
}

std::vector<std::string> FlagNames(CLI::App* app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app->get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    for (const std::string& name : option->get_snames()) names.push_back("-" + name);
  }
  return names;
}

std::vector<std::string> CommandNames(CLI::App* app) {
  std::vector<std::string> names;
  for (const CLI::App* child : app->get_subcommands([](CLI::App*) { return true; })) {
    names.push_back(child->get_name());
  }
  return names;
}

// What was wrong, in our words where we know better than CLI11: what is unknown comes before what
// is missing.
std::string Explain(CLI::App* app, const CLI::ParseError& error, const std::string& value_error) {
  if (!value_error.empty()) return value_error;
  const std::vector<std::string> commands = CommandNames(app);
  const std::vector<std::string> unknown = app->remaining();
  for (const std::string& word : unknown) {
    if (!word.starts_with("-") || word == "-") continue;
    const std::string name = word.substr(0, word.find('='));
    return absl::StrFormat("unknown flag '%s'%s", Printable(name),
                           DidYouMean(name, FlagNames(app)));
  }
  if (!unknown.empty() && commands.empty()) {
    return absl::StrFormat("unexpected argument '%s'", Printable(unknown[0]));
  }
  if (!unknown.empty()) {
    return absl::StrFormat("unknown command '%s'%s", Printable(unknown[0]),
                           DidYouMean(unknown[0], commands));
  }
  if (error.get_exit_code() == static_cast<int>(CLI::ExitCodes::RequiredError) &&
      !commands.empty()) {
    return "expected a command: " + Join(commands, ", ");
  }
  return error.what();
}

int ReportWrongUse(CLI::App* root, const CLI::ParseError& error, const std::string& value_error) {
  std::string name;
  CLI::App* app = Deepest(root, &name);
  std::fprintf(stderr, "%s: %s\nTry: %s --help\n", name.c_str(),
               Explain(app, error, value_error).c_str(), name.c_str());
  return kWrongUse;
}

std::string VersionText() {
  const std::string code = CodeVersion();
  return "assay " + AssayVersion() + (code.empty() ? "" : " (" + code + ")");
}

int Main(int argc, char** argv) {
  CLI::App app("assay: evaluate reasoning models", "assay");
  app.require_subcommand(1);
  app.set_version_flag("--version", VersionText, "Print the version and exit");
  app.set_help_flag("--help,-h", "Print this help and exit");
  app.get_formatter()->column_width(34);
  Binding binding;
  std::vector<std::unique_ptr<CliCommandLine>> lines;
  std::vector<Command> commands = CommandEntries();
  std::stable_sort(commands.begin(), commands.end(),
                   [](const Command& a, const Command& b) { return a.order < b.order; });
  for (const Command& command : commands) {
    CLI::App* child = app.add_subcommand(command.name, command.about);
    command.declare(*lines.emplace_back(std::make_unique<CliCommandLine>(child, &binding)));
  }
  std::vector<std::string> words = Normalised(argc, argv);
  std::reverse(words.begin(), words.end());  // CLI11 takes them from the back
  try {
    app.parse(words);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success)) return app.exit(error);
    return ReportWrongUse(&app, error, binding.error);
  }
  return binding.chosen ? binding.chosen() : kWrongUse;
}

}  // namespace
}  // namespace assay

int main(int argc, char** argv) { return assay::Main(argc, argv); }
