// Which names a template wants from outside: a misspelt one renders as nothing, and nobody would
// see it.
#include <algorithm>
#include <iterator>
#include <set>

#include "harness/template_syntax.h"

namespace assay::jinja {
namespace {

class NameWalk {
 public:
  void Visit(const Body& body) {
    for (const Statement* statement : body) Visit(*statement);
  }

  std::vector<std::string> Wanted() const {
    std::vector<std::string> wanted;
    std::set_difference(read_.begin(), read_.end(), bound_.begin(), bound_.end(),
                        std::back_inserter(wanted));
    return wanted;
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

  // `x is defined`, `x | default(y)`: the template knows that x may be absent.
  static bool AllowsAbsence(const Expression& node) {
    if (node.spec == nullptr) return false;
    if (node.kind == Expression::Kind::kTest) {
      return node.spec->name == "defined" || node.spec->name == "undefined";
    }
    return node.kind == Expression::Kind::kFilter &&
           (node.spec->name == "default" || node.spec->name == "d");
  }

  void Visit(const Expression* node) {
    if (node == nullptr) return;
    const bool own = node->symbol >= 0 && node->symbol <= kKwargsSymbol;  // loop, caller...
    if (node->kind == Expression::Kind::kName && !own && FindFunction(node->name) == nullptr) {
      read_.emplace(node->name);
    }
    if (AllowsAbsence(*node)) {
      const Expression* subject = node->children[0];
      if (subject != nullptr && subject->kind == Expression::Kind::kName) Bind(*subject);
    }
    for (const Expression* child : node->children) Visit(child);
    for (const Expression* argument : node->arguments.positional) Visit(argument);
    for (const auto& [name, argument] : node->arguments.named) Visit(argument);
    Visit(node->arguments.star);
    Visit(node->arguments.star_star);
  }

  std::set<std::string> read_, bound_;
};

}  // namespace

std::vector<std::string> NamesRead(const Program& program) {
  NameWalk walk;
  walk.Visit(program.body);
  return walk.Wanted();
}

}  // namespace assay::jinja
