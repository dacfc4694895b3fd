// Which names a template wants from outside, and which members of them: a misspelt one renders as
// nothing, and nobody would see it.
#include <algorithm>
#include <iterator>
#include <set>

#include "harness/template_syntax.h"

namespace assay::jinja {
namespace {

// `watched`: the name whose members are collected.
class NameWalk {
 public:
  explicit NameWalk(std::string_view watched = "") : watched_(watched) {}

  void Visit(const Body& body) {
    for (const Statement* statement : body) Visit(*statement);
  }

  std::vector<std::string> Wanted() const {
    std::vector<std::string> wanted;
    std::set_difference(read_.begin(), read_.end(), bound_.begin(), bound_.end(),
                        std::back_inserter(wanted));
    return wanted;
  }
  // None where the template binds the name itself: what it then holds, only the rendering knows.
  std::vector<std::string> Members() const {
    std::vector<std::string> members;
    if (bound_.contains(std::string(watched_))) return members;
    std::set_difference(members_read_.begin(), members_read_.end(), members_spared_.begin(),
                        members_spared_.end(), std::back_inserter(members));
    return members;
  }

 private:
  void Visit(const Statement& node) {
    Visit(node.expression);
    Visit(node.condition);
    BindTarget(node.target);
    for (const Statement::Target& target : node.targets) BindTarget(target);
    for (const Expression* value : node.values) Visit(value);
    for (const Statement::Branch& branch : node.branches) {
      Visit(branch.condition);
      Visit(branch.body);
    }
    if (node.kind == Statement::Kind::kMacro) bound_.emplace(node.name);
    for (const Parameter& parameter : node.parameters) {
      bound_.emplace(parameter.name);
      Visit(parameter.standard);
    }
    Visit(node.body);
    Visit(node.else_body);
  }

  void BindTarget(const Statement::Target& target) {
    if (target.names != nullptr) Bind(*target.names);
  }
  void Bind(const Expression& target) {
    if (target.kind == Expression::Kind::kName) bound_.emplace(target.name);
    for (const Expression* part : target.children) Bind(*part);
  }

  bool IsWatched(const Expression& node) const {
    return node.kind == Expression::Kind::kName && node.name == watched_;
  }
  // "x" of row.x, where `row` is the watched name.
  std::string_view WatchedMember(const Expression& node) const {
    const std::string_view name = MemberName(node);
    return !name.empty() && IsWatched(*node.children[0]) ? name : "";
  }

  void Spare(const Expression& subject) {
    if (subject.kind == Expression::Kind::kName) Bind(subject);
    const std::string_view member = WatchedMember(subject);
    if (!member.empty()) members_spared_.emplace(member);
  }

  // `'x' in row`
  void SpareAskedFor(const Expression& node) {
    if (node.kind != Expression::Kind::kCompare) return;
    for (size_t i = 0; i < node.comparators.size(); ++i) {
      const Expression& key = *node.children[i];
      const bool in =
          node.comparators[i] == Comparator::kIn || node.comparators[i] == Comparator::kNotIn;
      const bool by_name = key.kind == Expression::Kind::kConstant && key.constant.is_string();
      if (in && by_name && IsWatched(*node.children[i + 1])) {
        members_spared_.emplace(key.constant.view_text());
      }
    }
  }

  void Visit(const Expression* node) {
    if (node == nullptr) return;
    const bool own = node->symbol >= 0 && node->symbol <= kKwargsSymbol;  // loop, caller...
    if (node->kind == Expression::Kind::kName && !own && FindFunction(node->name) == nullptr) {
      read_.emplace(node->name);
    }
    const std::string_view member = WatchedMember(*node);
    if (!member.empty()) members_read_.emplace(member);
    if (AllowsAbsence(*node) && node->children[0] != nullptr) Spare(*node->children[0]);
    SpareAskedFor(*node);
    const bool method =
        node->kind == Expression::Kind::kCall && !WatchedMember(*node->children[0]).empty();
    for (const Expression* child : method ? node->children[0]->children : node->children) {
      Visit(child);
    }
    for (const Expression* argument : node->arguments.positional) Visit(argument);
    for (const auto& [name, argument] : node->arguments.named) Visit(argument);
    Visit(node->arguments.star);
    Visit(node->arguments.star_star);
  }

  std::string_view watched_;
  std::set<std::string> read_, bound_;
  std::set<std::string> members_read_, members_spared_;
};

}  // namespace

bool AllowsAbsence(const Expression& node) {
  if (node.spec == nullptr) return false;
  if (node.kind == Expression::Kind::kTest) {
    return node.spec->name == "defined" || node.spec->name == "undefined";
  }
  return node.kind == Expression::Kind::kFilter &&
         (node.spec->name == "default" || node.spec->name == "d");
}

std::string_view MemberName(const Expression& node) {
  if (node.kind == Expression::Kind::kAttribute) return node.name;
  if (node.kind != Expression::Kind::kItem) return "";
  const Expression& key = *node.children[1];
  const bool by_name = key.kind == Expression::Kind::kConstant && key.constant.is_string();
  return by_name ? key.constant.view_text() : "";
}

std::string PathText(const Expression& node) {
  switch (node.kind) {
    case Expression::Kind::kName:
      return std::string(node.name);
    case Expression::Kind::kFilter:
      return PathText(*node.children[0]);
    case Expression::Kind::kAttribute:
    case Expression::Kind::kItem: {
      const std::string from = PathText(*node.children[0]);
      std::string step(MemberName(node));
      if (step.empty() && node.children.size() > 1) {
        const Expression& key = *node.children[1];
        const bool by_number =
            key.kind == Expression::Kind::kConstant && key.constant.is_integral();
        if (by_number) step = std::to_string(key.constant.as_integer());
      }
      return from.empty() || step.empty() ? "" : from + "." + step;
    }
    default:
      return "";
  }
}

std::vector<std::string> NamesRead(const Program& program) {
  NameWalk walk;
  walk.Visit(program.body);
  return walk.Wanted();
}

std::vector<std::string> MembersRead(const Program& program, std::string_view name) {
  NameWalk walk(name);
  walk.Visit(program.body);
  return walk.Members();
}

}  // namespace assay::jinja
