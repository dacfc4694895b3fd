// Each table is made when it is first asked for, and kept.
#include "graders/algebra/lexer_tables.h"

namespace assay::algebra {

const Names& Layout() {
  static const Names names = {"quad",       "qquad",       "displaystyle",
                              "textstyle",  "scriptstyle", "limits",
                              "nolimits",   "rm",          "bf",
                              "it",         "nonumber",    "hline",
                              "hfill",      "noindent",    "centering",
                              "mathstrut",  "allowbreak",  "therefore",
                              "because",    "space",       "thinspace",
                              "enspace",    "notag",       "break",
                              "newline",    "hspace",      "vspace",
                              "smallskip",  "medskip",     "large",
                              "Large",      "small",       "tiny",
                              "normalsize", "ensuremath",  "mathbf",
                              "mathit",     "mathsf",      "mathtt",
                              "boldsymbol", "bm",          "pmb",
                              "mathnormal", "underline",   "boxed",
                              "fbox",       "framebox",    "mathord",
                              "mathrel",    "mathbin",     "mathop",
                              "emph",       "mathclose",   "mathopen",
                              "bold",       "cal",         "mathcal",
                              "mathscr",    "mathfrak",    "smash",
                              "strut",      "tt",          "sf"};
  return names;
}

const Names& Sizes() {
  static const Names names = {"left",   "right", "big",  "Big",    "bigg",  "Bigg",  "bigl",
                              "bigr",   "Bigl",  "Bigr", "biggl",  "biggr", "Biggl", "Biggr",
                              "middle", "bigm",  "Bigm", "lgroup", "rgroup"};
  return names;
}

const Names& TextMacros() {
  static const Names names = {"text",   "textbf",     "textit", "textrm", "textsf",
                              "texttt", "mbox",       "hbox",   "mathrm", "operatorname",
                              "textsc", "textnormal", "textup", "textmd", "textsl"};
  return names;
}

const Names& FunctionNames() {
  static const Names names = {
      "sin",    "cos",       "tan",    "cot",   "sec",  "csc",  "arcsin", "arccos", "arctan",
      "arccot", "arcsec",    "arccsc", "sinh",  "cosh", "tanh", "coth",   "sech",   "csch",
      "arsinh", "arcosh",    "artanh", "ln",    "log",  "lg",   "exp",    "max",    "min",
      "gcd",    "lcm",       "det",    "arg",   "Re",   "Im",   "sgn",    "cis",    "abs",
      "floor",  "ceil",      "sup",    "inf",   "tr",   "rank", "dim",    "ker",    "deg",
      "cbrt",   "factorial", "erf",    "Gamma", "zeta", "conj", "sign"};
  return names;
}

const Table& FunctionAliases() {
  static const Table table = {
      {"asin", "arcsin"},    {"acos", "arccos"},  {"atan", "arctan"},    {"acot", "arccot"},
      {"asec", "arcsec"},    {"acsc", "arccsc"},  {"tg", "tan"},         {"ctg", "cot"},
      {"cosec", "csc"},      {"arctg", "arctan"}, {"arcsinh", "arsinh"}, {"arccosh", "arcosh"},
      {"arctanh", "artanh"}, {"asinh", "arsinh"}, {"acosh", "arcosh"},   {"atanh", "artanh"},
      {"sh", "sinh"},        {"ch", "cosh"},      {"th", "tanh"},        {"ceiling", "ceil"},
      {"Abs", "abs"},        {"Max", "max"},      {"Min", "min"},        {"argmax", "argmax"},
      {"trace", "tr"},       {"hcf", "gcd"},      {"sign", "sgn"},       {"Log", "ln"}};
  return table;
}

const Table& SymbolMacros() {
  static const Table table = {{"alpha", "alpha"},     {"beta", "beta"},
                              {"gamma", "gamma"},     {"delta", "delta"},
                              {"epsilon", "epsilon"}, {"varepsilon", "epsilon"},
                              {"zeta", "zeta"},       {"eta", "eta"},
                              {"theta", "theta"},     {"vartheta", "theta"},
                              {"iota", "iota"},       {"kappa", "kappa"},
                              {"lambda", "lambda"},   {"mu", "mu"},
                              {"nu", "nu"},           {"xi", "xi"},
                              {"omicron", "omicron"}, {"pi", "pi"},
                              {"rho", "rho"},         {"varrho", "rho"},
                              {"sigma", "sigma"},     {"varsigma", "sigma"},
                              {"tau", "tau"},         {"upsilon", "upsilon"},
                              {"phi", "phi"},         {"varphi", "phi"},
                              {"chi", "chi"},         {"psi", "psi"},
                              {"omega", "omega"},     {"Gamma", "Gamma"},
                              {"Delta", "Delta"},     {"Theta", "Theta"},
                              {"Lambda", "Lambda"},   {"Xi", "Xi"},
                              {"Pi", "Pi"},           {"Sigma", "Sigma"},
                              {"Upsilon", "Upsilon"}, {"Phi", "Phi"},
                              {"Psi", "Psi"},         {"Omega", "Omega"},
                              {"ell", "ell"},         {"hbar", "hbar"},
                              {"imath", "i"},         {"jmath", "j"},
                              {"nabla", "nabla"},     {"partial", "partial"},
                              {"infty", "inf"},       {"mho", "mho"},
                              {"aleph", "aleph"},     {"Re", "Re"},
                              {"Im", "Im"},           {"top", "top"},
                              {"bot", "bot"},         {"diamond", "diamond"},
                              {"Box", "box"},         {"square", "box"},
                              {"clubsuit", "clubs"},  {"heartsuit", "hearts"},
                              {"bigstar", "star"},    {"wp", "wp"},
                              {"checkmark", "check"}, {"varpi", "varpi"},
                              {"digamma", "digamma"}, {"varOmega", "Omega"}};
  return table;
}

const Table& OperatorMacros() {
  static const Table table = {{"times", "*"},
                              {"cdot", "*"},
                              {"ast", "*"},
                              {"div", "/"},
                              {"bullet", "bullet"},
                              {"star", "bullet"},
                              {"odot", "bullet"},
                              {"otimes", "bullet"},
                              {"oplus", "bullet"},
                              {"pm", "+-"},
                              {"mp", "-+"},
                              {"le", "<="},
                              {"leq", "<="},
                              {"leqslant", "<="},
                              {"leqq", "<="},
                              {"ge", ">="},
                              {"geq", ">="},
                              {"geqslant", ">="},
                              {"geqq", ">="},
                              {"lt", "<"},
                              {"gt", ">"},
                              {"ne", "!="},
                              {"neq", "!="},
                              {"approx", "~"},
                              {"simeq", "~"},
                              {"approxeq", "~"},
                              {"doteq", "~"},
                              {"sim", "->"},
                              {"cong", "->"},
                              {"equiv", "congruent"},
                              {"in", "in"},
                              {"notin", "notin"},
                              {"ni", "->"},
                              {"subset", "subset"},
                              {"subseteq", "subset"},
                              {"supset", "->"},
                              {"supseteq", "->"},
                              {"cup", "cup"},
                              {"cap", "cap"},
                              {"setminus", "setminus"},
                              {"backslash", "setminus"},
                              {"smallsetminus", "setminus"},
                              {"land", "wedge"},
                              {"wedge", "wedge"},
                              {"lor", "vee"},
                              {"vee", "vee"},
                              {"mid", "mid"},
                              {"to", "->"},
                              {"rightarrow", "->"},
                              {"longrightarrow", "->"},
                              {"Rightarrow", "->"},
                              {"Leftrightarrow", "->"},
                              {"iff", "->"},
                              {"implies", "->"},
                              {"leftrightarrow", "->"},
                              {"mapsto", "->"},
                              {"propto", "->"},
                              {"perp", "->"},
                              {"parallel", "->"},
                              {"leftarrow", "->"},
                              {"Longrightarrow", "->"},
                              {"uparrow", "->"},
                              {"downarrow", "->"},
                              {"ll", "->"},
                              {"gg", "->"},
                              {"prec", "->"},
                              {"succ", "->"},
                              {"models", "->"},
                              {"longleftrightarrow", "->"},
                              {"colon", ":"},
                              {"prime", "'"},
                              {"circ", "circ"},
                              {"degree", "degree"},
                              {"dots", "..."},
                              {"ldots", "..."},
                              {"cdots", "..."},
                              {"vdots", "..."},
                              {"ddots", "..."},
                              {"dotsc", "..."},
                              {"dotsb", "..."},
                              {"hdots", "..."},
                              {"lfloor", "lfloor"},
                              {"rfloor", "rfloor"},
                              {"lceil", "lceil"},
                              {"rceil", "rceil"},
                              {"langle", "langle"},
                              {"rangle", "rangle"},
                              {"lbrace", "\\{"},
                              {"rbrace", "\\}"},
                              {"lbrack", "["},
                              {"rbrack", "]"},
                              {"lparen", "("},
                              {"rparen", ")"},
                              {"lvert", "|"},
                              {"rvert", "|"},
                              {"vert", "|"},
                              {"lVert", "norm"},
                              {"rVert", "norm"},
                              {"Vert", "norm"},
                              {"emptyset", "emptyset"},
                              {"varnothing", "emptyset"},
                              {"oslash", "emptyset"},
                              {"neg", "not"},
                              {"lnot", "not"},
                              {"forall", "forall"},
                              {"exists", "exists"},
                              {"bmod", "bmod"},
                              {"mod", "mod"},
                              {"pmod", "pmod"},
                              {"pod", "pmod"},
                              {"over", "over"},
                              {"choose", "choose"},
                              {"atop", "over"},
                              {"slash", "/"}};
  return table;
}

const Names& StructureMacros() {
  static const Names names = {
      "frac",      "dfrac",       "tfrac",         "cfrac",       "sfrac",
      "nicefrac",  "sqrt",        "binom",         "dbinom",      "tbinom",
      "sum",       "prod",        "int",           "iint",        "oint",
      "lim",       "vec",         "hat",           "bar",         "overline",
      "dot",       "ddot",        "tilde",         "widehat",     "overrightarrow",
      "widetilde", "check",       "acute",         "overset",     "underset",
      "stackrel",  "underbrace",  "overbrace",     "mathbb",      "Bbb",
      "angle",     "triangle",    "measuredangle", "textcircled", "cis",
      "root",      "xrightarrow", "overleftarrow", "overarc",     "wideparen",
      "substack",  "phantom",     "not",           "limsup",      "liminf",
      "iiint",     "circledR",    "circled"};
  return names;
}

const Names& GreekWords() {
  static const Names names = {"alpha",  "beta", "gamma", "delta", "epsilon", "theta",
                              "lambda", "mu",   "sigma", "omega", "phi",     "psi",
                              "rho",    "tau",  "Delta", "Omega", "Gamma",   "Sigma"};
  return names;
}

const std::array<std::string_view, 12>& LeadIns() {
  static const std::array<std::string_view, 12> list = {
      "the final answer is", "the answer is", "final answer", "answer", "solution is", "solution",
      "the value is",        "therefore",     "hence",        "thus",   "so",          "ans"};
  return list;
}

}  // namespace assay::algebra
