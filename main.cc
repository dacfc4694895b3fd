// The program: a table of sub-commands. The only file that includes CLI11.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <iostream>
#include <limits>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <system_error>
#include <vector>

#include "harness/build_info.h"
#include "harness/compress.h"
#include "harness/process.h"
#include "harness/registry.h"
#include "harness/status.h"
#include "harness/text.h"
#include "harness/yaml.h"

namespace assay {

extern const char kRevision[];  // written by the build (cmake/revision.cmake)

namespace {

constexpr int kWrongUse = 2;

// CLI11 takes "[0,1]" for a list of two, where here it is an interval: such a word travels with a
// mark before it.
constexpr char kWholeWord = '\x01';
std::string Guarded(std::string word) { return word.starts_with('[') ? kWholeWord + word : word; }
std::string Unguarded(const std::string& word) {
  return word.starts_with(kWholeWord) ? word.substr(1) : word;
}

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

// The same from a --config file. A map is text for flags such as --gen-kwargs, which read JSON.
template <typename T>
absl::Status FromYaml(const YamlNode& node, T* target) {
  constexpr bool kIsText =
      std::is_same_v<T, std::string> || std::is_same_v<T, std::optional<std::string>>;
  if (kIsText && node.is_map()) return Parse(YamlToJson(node).Dump(), target);
  if (!node.is_scalar() || node.value.is_null()) {
    return InvalidArgument("expected one value, found %s", Describe(node));
  }
  return Parse(node.value.ToText(), target);
}

absl::Status FromYaml(const YamlNode& node, bool* target) {
  if (!node.is_scalar() || !node.value.is_bool()) {
    return InvalidArgument("expected true or false, found %s", Describe(node));
  }
  *target = node.value.AsBool();
  return absl::OkStatus();
}

absl::Status FromYaml(const YamlNode& node, std::vector<std::string>* target) {
  std::vector<std::string> values;
  if (node.is_scalar() && !node.value.is_null()) {
    const std::string text = node.value.ToText();
    for (const std::string_view part : Split(text, ',')) values.emplace_back(Trim(part));
  } else if (!node.is_list()) {
    return InvalidArgument("expected a list, found %s", Describe(node));
  }
  for (const YamlNode& item : node.items) {
    if (!item.is_scalar() || item.value.is_null()) {
      return InvalidArgument("expected a list of values, found %s in it", Describe(item));
    }
    values.push_back(item.value.ToText());
  }
  *target = std::move(values);
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
std::string TypeName(const std::vector<std::string>*) { return "TEXT"; }

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
  std::string error;        // the first wrong value, in our words
  std::string config_path;  // --config
  // What can be set from a --config file.
  std::map<const CLI::Option*, std::function<absl::Status(const YamlNode&)>> setters;
};

class CliCommandLine final : public CommandLine {
 public:
  CliCommandLine(CLI::App* app, Binding* binding) : app_(app), binding_(binding) {}

  void Flag(const std::string& names, bool* target, const std::string& help) override {
    const CLI::Option* option = app_->add_flag(names, *target, help);
    binding_->setters[option] = [target](const YamlNode& node) { return FromYaml(node, target); };
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
  void Option(const std::string& names, std::optional<uint64_t>* target,
              const std::string& help) override {
    Add(names, target, help);
  }
  void Option(const std::string& names, std::optional<double>* target,
              const std::string& help) override {
    Add(names, target, help);
  }
  void Option(const std::string& names, std::vector<std::string>* target,
              const std::string& help) override {
    const CLI::Option* option =
        AddList(names, target, help)->delimiter(',')->default_str(Shown(*target));
    binding_->setters[option] = [target](const YamlNode& node) { return FromYaml(node, target); };
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
    app_->add_option("--config", binding_->config_path,
                     "YAML file of these flags (name: value); the command line wins")
        ->type_name("FILE");
  }

 private:
  template <typename T>
  CLI::Option* Add(const std::string& names, T* target, const std::string& help) {
    const auto set = [this, names, target](const CLI::results_t& values) {
      return Accept(names, Parse(Unguarded(values.back()), target), values);
    };
    CLI::Option* option = app_->add_option(names, set, help)->type_name(TypeName(target));
    const std::string shown = Shown(*target);
    if (!shown.empty() && shown != "0") option->default_str(shown);
    binding_->setters[option] = [target](const YamlNode& node) { return FromYaml(node, target); };
    return option;
  }
  CLI::Option* AddList(const std::string& names, std::vector<std::string>* target,
                       const std::string& help) {
    const auto set = [this, names, target](const CLI::results_t& values) {
      target->clear();
      for (const std::string& value : values) target->push_back(Unguarded(value));
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
  for (std::string& word : words) word = Guarded(std::move(word));
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

// --- the --config file ---

absl::Status ApplyMember(CLI::App* app, const Binding& binding, const std::string& key,
                         const YamlNode& node, std::set<const CLI::Option*>* seen) {
  const std::string flag = "--" + ReplaceAll(key, "_", "-");
  const CLI::Option* option = app->get_option_no_throw(flag);
  const auto setter = binding.setters.find(option);
  if (setter == binding.setters.end()) {
    std::vector<std::string> names;
    for (const auto& [known, unused] : binding.setters) {
      if (app->get_option_no_throw(known->get_name()) != known) continue;
      for (const std::string& name : known->get_lnames()) names.push_back(name);
    }
    return InvalidArgument("unknown key '%s'%s", Printable(key), DidYouMean(flag.substr(2), names));
  }
  if (!seen->insert(option).second) return InvalidArgument("'%s' is given twice", key);
  if (option->count() > 0) return absl::OkStatus();
  return Annotate(setter->second(node), "'" + key + "'");
}

absl::Status ApplyConfig(CLI::App* app, const Binding& binding) {
  const std::string& path = binding.config_path;
  if (path.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::unique_ptr<ByteSource> source, OpenByteSource(path));
  ASSIGN_OR_RETURN(const std::string text, ReadAll(*source));
  ASSIGN_OR_RETURN(const YamlNode root, ParseYaml(text, path));
  if (!root.is_map()) {
    return InvalidArgument("%s:%d: expected flags (name: value), found %s", path, root.line,
                           Describe(root));
  }
  std::set<const CLI::Option*> seen;
  for (size_t i = 0; i < root.members.size(); ++i) {
    const auto& [key, node] = root.members[i];
    RETURN_IF_ERROR(Annotate(ApplyMember(app, binding, key, node, &seen),
                             absl::StrFormat("%s:%d", path, root.member_lines[i])));
  }
  return absl::OkStatus();
}

// --- wrong use ---

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
    return absl::StrFormat("unexpected argument '%s'", Printable(Unguarded(unknown[0])));
  }
  if (!unknown.empty()) {
    return absl::StrFormat("unknown command '%s'%s", Printable(Unguarded(unknown[0])),
                           DidYouMean(unknown[0], commands));
  }
  if (error.get_exit_code() == static_cast<int>(CLI::ExitCodes::RequiredError) &&
      !commands.empty()) {
    return "expected a command: " + Join(commands, ", ");
  }
  return error.what();
}

int ReportWrongUse(CLI::App* root, const std::string& what) {
  std::string name;
  Deepest(root, &name);
  std::fprintf(stderr, "%s: %s\nTry: %s --help\n", name.c_str(), what.c_str(), name.c_str());
  return kWrongUse;
}

int ReportParseError(CLI::App* root, const CLI::ParseError& error, const Binding& binding) {
  std::string name;
  CLI::App* app = Deepest(root, &name);
  const bool asked = error.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success);
  // "assay docter --help" asks for the help of nothing.
  if (asked && app->remaining().empty()) return root->exit(error);
  return ReportWrongUse(root, Explain(app, error, binding.error));
}

std::string VersionText() {
  const std::string code = CodeVersion();
  return "assay " + AssayVersion() + (code.empty() ? "" : " (" + code + ")");
}

// Every command and flag there is, declared to CLI11.
void Declare(CLI::App* app, Binding* binding, std::vector<std::unique_ptr<CliCommandLine>>* lines) {
  app->require_subcommand(1);
  app->set_help_flag("--help,-h", "Print this help and exit");
  app->set_version_flag("--version", VersionText, "Print the version and exit");
  app->get_formatter()->column_width(34);
  std::vector<Command> commands = CommandEntries();
  std::stable_sort(commands.begin(), commands.end(),
                   [](const Command& a, const Command& b) { return a.order < b.order; });
  for (const Command& command : commands) {
    CLI::App* child = app->add_subcommand(command.name, command.about);
    command.declare(*lines->emplace_back(std::make_unique<CliCommandLine>(child, binding)));
  }
}

// What could not be written (a full disk, say) is a failure, whatever the command thought of it.
int AfterOutput(int status) {
  errno = 0;
  std::cout.flush();
  const bool written = std::fflush(stdout) == 0 && std::ferror(stdout) == 0 && std::cout.good();
  if (written) return status;
  const std::string why =
      errno != 0 ? absl::StrFormat(" (%s)", std::generic_category().message(errno)) : "";
  std::fprintf(stderr, "assay: standard output could not be written%s\n", why.c_str());
  return status == 0 ? 1 : status;
}

int Main(int argc, char** argv) {
  CLI::App app("assay: evaluate reasoning models", "assay");
  Binding binding;
  std::vector<std::unique_ptr<CliCommandLine>> lines;
  Declare(&app, &binding, &lines);
  std::vector<std::string> words = Normalised(argc, argv);
  std::reverse(words.begin(), words.end());  // CLI11 takes them from the back
  try {
    app.parse(words);
  } catch (const CLI::ParseError& error) {
    return ReportParseError(&app, error, binding);
  }
  std::string name;
  const absl::Status config = ApplyConfig(Deepest(&app, &name), binding);
  if (!config.ok()) return ReportWrongUse(&app, std::string(config.message()));
  return binding.chosen ? AfterOutput(binding.chosen()) : kWrongUse;
}

}  // namespace
}  // namespace assay

int main(int argc, char** argv) {
  // A file that may not grow (ulimit -f) is an error of the write, which says so; not a death.
  std::signal(SIGXFSZ, SIG_IGN);
  assay::SetCodeVersion(assay::kRevision);
  assay::SetWorkerProgram("/proc/self/exe");  // this program has the command `grade-worker`
  return assay::Main(argc, argv);
}
