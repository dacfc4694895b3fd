// Intervals: ordering their ends, merging, complements, and solving inequalities that are linear or
// quadratic, or linear in an absolute value.
#include "graders/algebra/real_set.h"

#include <algorithm>
#include <utility>

#include "graders/algebra/exact.h"

namespace assay::algebra {
namespace {

using Pieces = std::vector<Piece>;

bool IsInfinite(const Expr& e, int* sign) {
  if (e->kind == Kind::kConstant && e->text == "inf") {
    *sign = 1;
    return true;
  }
  if (e->kind == Kind::kNeg && IsInfinite(e->args[0], sign)) {
    *sign = -*sign;
    return true;
  }
  return false;
}

// Everything that orders ends needs the deadline; so it lives here.
class Builder {
 public:
  explicit Builder(const Deadline& deadline) : deadline_(deadline) {}

  std::optional<RealSet> Read(const Expr& e) {
    switch (e->kind) {
      case Kind::kInterval:
        return Interval(e->args[0], e->args[1], e->text[0] == '[', e->text[1] == ']');
      case Kind::kTuple:
        if (e->text != "()" || e->args.size() != 2) return std::nullopt;
        return Interval(e->args[0], e->args[1], false, false);
      case Kind::kNamedSet:
        return Named(e->text);
      case Kind::kSet:
        return Points(e->args);
      case Kind::kUnion:
      case Kind::kOr:
        return Combined(e->args, true);
      case Kind::kIntersection:
      case Kind::kAnd:
        return Combined(e->args, false);
      case Kind::kDifference:
        return Difference(e);
      case Kind::kSetBuilder:
        return SetBuilder(e);
      case Kind::kRelation:
        return Relation(e);
      case Kind::kList:
      case Kind::kSystem:
        return Listed(e->args);
      default:
        return std::nullopt;
    }
  }

  std::optional<RealSet> Common(const RealSet& a, const RealSet& b, bool without_b) {
    auto pieces = Intersection(a.pieces, without_b ? Complement(b.pieces) : b.pieces);
    if (!pieces) return std::nullopt;
    return RealSet{std::move(*pieces), a.variable.empty() ? b.variable : a.variable, true};
  }

  std::optional<Pieces> Normal(Pieces pieces) {
    if (pieces.size() > 64) return std::nullopt;
    if (pieces.size() < 2) return pieces;
    if (!Sort(&pieces)) return std::nullopt;
    Pieces merged = {pieces[0]};
    for (size_t i = 1; i < pieces.size(); ++i) {
      const std::optional<bool> touches = Touches(merged.back(), pieces[i]);
      if (!touches) return std::nullopt;
      if (!*touches) {
        merged.push_back(pieces[i]);
      } else if (!Extend(&merged.back(), pieces[i])) {
        return std::nullopt;
      }
    }
    return merged;
  }

 private:
  // --- order ---

  std::optional<int> CompareEnds(const Expr& a, const Expr& b) { return Order(a, b, deadline_); }

  // By the low end; closed before open. False: an order is not known.
  bool Sort(Pieces* pieces) {
    // Insertion sort: an order that may be unknown must not reach std::sort.
    for (size_t i = 1; i < pieces->size(); ++i) {
      for (size_t j = i; j > 0; --j) {
        const std::optional<bool> before = LowBefore((*pieces)[j], (*pieces)[j - 1]);
        if (!before) return false;
        if (!*before) break;
        std::swap((*pieces)[j], (*pieces)[j - 1]);
      }
    }
    return true;
  }

  std::optional<bool> LowBefore(const Piece& a, const Piece& b) {
    if (!b.low) return false;
    if (!a.low) return true;
    const auto order = CompareEnds(a.low, b.low);
    if (!order) return std::nullopt;
    if (*order != 0) return *order < 0;
    return a.low_closed && !b.low_closed;
  }

  // Whether `b`, which begins no earlier, meets `a` or begins right at its end.
  std::optional<bool> Touches(const Piece& a, const Piece& b) {
    if (!a.high || !b.low) return true;
    const auto order = CompareEnds(b.low, a.high);
    if (!order) return std::nullopt;
    if (*order != 0) return *order < 0;
    return a.high_closed || b.low_closed;
  }

  bool Extend(Piece* a, const Piece& b) {
    if (!a->high) return true;
    if (!b.high) {
      a->high = nullptr;
      a->high_closed = false;
      return true;
    }
    const auto order = CompareEnds(a->high, b.high);
    if (!order) return false;
    if (*order < 0) {
      a->high = b.high;
      a->high_closed = b.high_closed;
    } else if (*order == 0) {
      a->high_closed = a->high_closed || b.high_closed;
    }
    return true;
  }

  // --- algebra of sets ---

  static Pieces Complement(const Pieces& normal) {
    Pieces result;
    Expr low;
    bool low_closed = false;
    bool open_below = true;  // the part before the next piece is not empty
    for (const Piece& piece : normal) {
      if (piece.low)
        result.push_back({open_below ? nullptr : low, piece.low, low_closed, !piece.low_closed});
      if (!piece.high) return result;
      low = piece.high;
      low_closed = !piece.high_closed;
      open_below = false;
    }
    result.push_back({open_below ? nullptr : low, nullptr, low_closed, false});
    return result;
  }

  std::optional<Pieces> Intersection(const Pieces& a, const Pieces& b) {
    Pieces outside = Complement(a);
    for (Piece& piece : Complement(b)) outside.push_back(std::move(piece));
    const auto normal = Normal(std::move(outside));
    if (!normal) return std::nullopt;
    return Complement(*normal);
  }

  // --- reading ---

  std::optional<RealSet> Interval(const Expr& low, const Expr& high, bool low_closed,
                                  bool high_closed) {
    const auto usable = [](const Expr& e) {
      return IsValue(*e) || e->kind == Kind::kPercent || e->kind == Kind::kDegree;
    };
    if (!usable(low) || !usable(high)) return std::nullopt;
    Piece piece{low, high, low_closed, high_closed};
    int sign = 0;
    // A closed bracket at infinity is a slip that means nothing else.
    if (IsInfinite(low, &sign)) {
      if (sign > 0) return std::nullopt;
      piece.low = nullptr;
      piece.low_closed = false;
    }
    if (IsInfinite(high, &sign)) {
      if (sign < 0) return std::nullopt;
      piece.high = nullptr;
      piece.high_closed = false;
    }
    if (piece.low && piece.high && IsConstant(low) && IsConstant(high)) {
      const auto order = CompareEnds(low, high);
      if (order && *order > 0) return std::nullopt;  // "(8,-2)" is a point, no interval
      if (order && *order == 0 && !(low_closed && high_closed)) return RealSet{};
    }
    return RealSet{{piece}, "", true};
  }

  static std::optional<RealSet> Named(const std::string& name) {
    if (name == "empty") return RealSet{};
    if (name == "R") return RealSet{{Piece{}}, "", true};
    const bool positive = name == "R^+" || name == "R^{+}";
    if (positive) return RealSet{{Piece{MakeInteger(0), nullptr, false, false}}, "", true};
    return std::nullopt;
  }

  std::optional<RealSet> Points(const std::vector<Expr>& values) {
    RealSet set;
    for (const Expr& value : values) {
      if (!IsValue(*value)) return std::nullopt;
      set.pieces.push_back({value, value, true, true});
    }
    auto normal = Normal(std::move(set.pieces));
    if (!normal) return std::nullopt;
    set.pieces = std::move(*normal);
    return set;
  }

  std::optional<RealSet> Combined(const std::vector<Expr>& parts, bool is_union) {
    std::optional<RealSet> total;
    for (const Expr& part : parts) {
      std::optional<RealSet> next = Read(part);
      if (!next) return std::nullopt;
      if (!total) {
        total = std::move(next);
        continue;
      }
      if (!SameVariable(*total, *next)) return std::nullopt;
      if (total->variable.empty()) total->variable = next->variable;
      total->solved = total->solved && next->solved;
      std::optional<Pieces> pieces;
      if (is_union) {
        total->pieces.insert(total->pieces.end(), next->pieces.begin(), next->pieces.end());
        pieces = Normal(std::move(total->pieces));
      } else {
        pieces = Intersection(total->pieces, next->pieces);
      }
      if (!pieces) return std::nullopt;
      total->pieces = std::move(*pieces);
    }
    return total;
  }

  // "x > 3, x <= 4" holds together where that leaves anything, else it lists cases; intervals
  // divided by commas are a union.
  std::optional<RealSet> Listed(const std::vector<Expr>& parts) {
    const auto is_relation = [](const Expr& e) { return e->kind == Kind::kRelation; };
    const auto is_interval = [](const Expr& e) {
      return e->kind == Kind::kInterval || e->kind == Kind::kTuple;
    };
    if (std::all_of(parts.begin(), parts.end(), is_interval)) return Combined(parts, true);
    if (!std::all_of(parts.begin(), parts.end(), is_relation)) return std::nullopt;
    std::optional<RealSet> together = Combined(parts, false);
    if (!together || !together->pieces.empty()) return together;
    return Combined(parts, true);
  }

  static bool SameVariable(const RealSet& a, const RealSet& b) {
    return a.variable.empty() || b.variable.empty() || a.variable == b.variable;
  }

  std::optional<RealSet> Difference(const Expr& e) {
    std::optional<RealSet> whole = Read(e->args[0]);
    std::optional<RealSet> part = Read(e->args[1]);
    if (!whole || !part) return std::nullopt;
    auto pieces = Intersection(whole->pieces, Complement(part->pieces));
    if (!pieces) return std::nullopt;
    whole->pieces = std::move(*pieces);
    return whole;
  }

  std::optional<RealSet> SetBuilder(const Expr& e) {
    Expr element = e->args[0];
    std::optional<RealSet> ambient;
    // {x ∈ R | ...}
    if (element->kind == Kind::kRelation && element->text == std::string(1, kElementOf)) {
      ambient = Read(element->args[1]);
      if (!ambient) return std::nullopt;
      element = element->args[0];
    }
    if (element->kind != Kind::kSymbol) return std::nullopt;
    std::optional<RealSet> set = Read(e->args[1]);
    if (!set || (!set->variable.empty() && set->variable != element->text)) return std::nullopt;
    if (ambient) {
      auto pieces = Intersection(set->pieces, ambient->pieces);
      if (!pieces) return std::nullopt;
      set->pieces = std::move(*pieces);
    }
    set->variable.clear();
    return set;
  }

  // --- relations ---

  static char Flipped(char op) {
    switch (op) {
      case kLess:
        return kGreater;
      case kGreater:
        return kLess;
      case kLessEqual:
        return kGreaterEqual;
      case kGreaterEqual:
        return kLessEqual;
      default:
        return op;
    }
  }

  // "a < x <= b": an interval, whose ends need not be ordered. Nothing for other relations.
  std::optional<RealSet> Between(const Expr& e) {
    if (e->text.size() != 2 || e->args[1]->kind != Kind::kSymbol) return std::nullopt;
    const auto rises = [](char op) { return op == kLess || op == kLessEqual; };
    const auto falls = [](char op) { return op == kGreater || op == kGreaterEqual; };
    const bool up = rises(e->text[0]) && rises(e->text[1]);
    if (!up && !(falls(e->text[0]) && falls(e->text[1]))) return std::nullopt;
    const std::string& name = e->args[1]->text;
    if (Mentions(e->args[0], name) || Mentions(e->args[2], name)) return std::nullopt;
    const auto closed = [](char op) { return op == kLessEqual || op == kGreaterEqual; };
    auto set = up ? Interval(e->args[0], e->args[2], closed(e->text[0]), closed(e->text[1]))
                  : Interval(e->args[2], e->args[0], closed(e->text[1]), closed(e->text[0]));
    if (set) set->variable = name;
    return set;
  }

  std::optional<RealSet> Relation(const Expr& e) {
    if (auto interval = Between(e)) return interval;
    // Negative: no inequality is without one unknown.
    std::optional<RealSet> total;
    for (size_t i = 0; i < e->text.size(); ++i) {
      std::optional<RealSet> link = Link(e->args[i], e->text[i], e->args[i + 1]);
      if (!link) return std::nullopt;
      if (!total) {
        total = std::move(link);
        continue;
      }
      if (total->variable != link->variable) return std::nullopt;
      auto pieces = Intersection(total->pieces, link->pieces);
      if (!pieces) return std::nullopt;
      total->pieces = std::move(*pieces);
      total->solved = total->solved && link->solved;
    }
    return total;
  }

  std::optional<RealSet> Link(const Expr& left, char op, const Expr& right) {
    if (op == kElementOf || op == kNotElementOf) {
      if (left->kind != Kind::kSymbol) return std::nullopt;
      std::optional<RealSet> set = Read(right);
      if (!set) return std::nullopt;
      set->variable = left->text;
      if (op == kNotElementOf) set->pieces = Complement(set->pieces);
      return set;
    }
    if (op != kLess && op != kGreater && op != kLessEqual && op != kGreaterEqual && op != kNotEqual)
      return std::nullopt;
    if (!IsValue(*left) || !IsValue(*right)) return std::nullopt;
    if (left->kind == Kind::kSymbol && !Mentions(right, left->text)) {
      auto set = Bound(op, right);
      if (set) set->variable = left->text;
      return set;
    }
    if (right->kind == Kind::kSymbol && !Mentions(left, right->text)) {
      auto set = Bound(Flipped(op), left);
      if (set) set->variable = right->text;
      return set;
    }
    return Solve(Subtract(left, right), op);
  }

  static bool Mentions(const Expr& e, const std::string& name) {
    return Any(e, [&](const Node& n) { return n.kind == Kind::kSymbol && n.text == name; });
  }

  // {x : x op bound}
  std::optional<RealSet> Bound(char op, const Expr& bound) {
    int sign = 0;
    if (IsInfinite(bound, &sign)) {
      const bool all = (op == kLess && sign > 0) || (op == kGreater && sign < 0);
      return all ? Named("R") : std::nullopt;
    }
    RealSet set;
    switch (op) {
      case kLess:
        set.pieces = {{nullptr, bound, false, false}};
        break;
      case kLessEqual:
        set.pieces = {{nullptr, bound, false, true}};
        break;
      case kGreater:
        set.pieces = {{bound, nullptr, false, false}};
        break;
      case kGreaterEqual:
        set.pieces = {{bound, nullptr, true, false}};
        break;
      case kNotEqual:
        set.pieces = {{nullptr, bound, false, false}, {bound, nullptr, false, false}};
        break;
      default:
        return std::nullopt;
    }
    return set;
  }

  // {x : f(x) op 0} for f in one unknown.
  std::optional<RealSet> Solve(const Expr& f, char op) {
    const std::vector<std::string> unknowns = UnknownsOf(f);
    if (unknowns.size() != 1 || unknowns[0].empty() || unknowns[0][0] == '\x01')
      return std::nullopt;
    const std::string& x = unknowns[0];
    std::optional<RealSet> set = SolveAbsolute(f, x, op);
    if (!set) set = SolvePolynomial(f, x, op);
    if (!set) return std::nullopt;
    set->variable = x;
    return set;
  }

  static Expr At(const Expr& f, const std::string& x, const Expr& value) {
    const Expr substituted = Substitute(f, x, value);
    const ExactResult exact = ExactValue(substituted);
    return exact.status == EvalStatus::kValue ? MakeNumber(exact.value) : substituted;
  }

  static Expr Over(const Expr& a, const Expr& b) {
    const Expr quotient = MakeNode(Kind::kDiv, {a, b});
    const ExactResult exact = ExactValue(quotient);
    return exact.status == EvalStatus::kValue ? MakeNumber(exact.value) : quotient;
  }
  static Expr Exactly(const Expr& e) {
    const ExactResult exact = ExactValue(e);
    return exact.status == EvalStatus::kValue ? MakeNumber(exact.value) : e;
  }

  struct Quadratic {
    Expr a;
    Expr b;
    Expr c;
  };

  // f as a x² + b x + c, where it is that.
  std::optional<Quadratic> Coefficients(const Expr& f, const std::string& x) {
    const Expr c = At(f, x, MakeInteger(0));
    const Expr one = At(f, x, MakeInteger(1));
    const Expr minus_one = At(f, x, MakeInteger(-1));
    const Expr two = MakeInteger(2);
    const Expr a = Exactly(Subtract(Over(MakeSum({one, minus_one}), two), c));
    const Expr b = Over(Subtract(one, minus_one), two);
    const Expr symbol = MakeSymbol(x);
    const Expr rebuilt = MakeSum(
        {MakeProduct({a, MakeNode(Kind::kPow, {symbol, two})}), MakeProduct({b, symbol}), c});
    const Decision same = CompareValues(f, rebuilt, deadline_);
    if (same.finding != Finding::kEqual) return std::nullopt;
    return Quadratic{a, b, c};
  }

  std::optional<RealSet> SolvePolynomial(const Expr& f, const std::string& x, char op) {
    const auto polynomial = Coefficients(f, x);
    if (!polynomial) return std::nullopt;
    const auto leading = SignOfConstant(polynomial->a, deadline_);
    if (!leading) return std::nullopt;
    std::optional<RealSet> set =
        *leading == 0 ? SolveLinear(*polynomial, op) : SolveQuadratic(*polynomial, *leading, op);
    if (set) set->solved = false;
    return set;
  }

  std::optional<RealSet> SolveLinear(const Quadratic& f, char op) {
    const auto slope = SignOfConstant(f.b, deadline_);
    if (!slope || *slope == 0) return std::nullopt;
    const Expr root = Exactly(Negate(Over(f.c, f.b)));
    return Bound(*slope > 0 ? op : Flipped(op), root);
  }

  std::optional<RealSet> SolveQuadratic(const Quadratic& f, int leading, char op) {
    const Expr discriminant =
        Exactly(Subtract(MakeProduct({f.b, f.b}), MakeProduct({MakeInteger(4), f.a, f.c})));
    const auto sign = SignOfConstant(discriminant, deadline_);
    if (!sign) return std::nullopt;
    const char effective = leading > 0 ? op : Flipped(op);  // against an upward parabola
    const bool outside = effective == kGreater || effective == kGreaterEqual;
    const bool closed = effective == kGreaterEqual || effective == kLessEqual;
    if (*sign < 0) return outside || op == kNotEqual ? Named("R") : Named("empty");
    const Expr root = MakeNode(Kind::kRoot, {discriminant, MakeInteger(2)});
    const Expr twice = Exactly(MakeProduct({MakeInteger(2), f.a}));
    Expr low = Over(Subtract(Negate(f.b), root), twice);
    Expr high = Over(MakeSum({Negate(f.b), root}), twice);
    if (leading < 0) std::swap(low, high);
    RealSet set;
    if (op == kNotEqual) {
      set.pieces = {
          {nullptr, low, false, false}, {low, high, false, false}, {high, nullptr, false, false}};
      if (*sign == 0) set.pieces = {{nullptr, low, false, false}, {low, nullptr, false, false}};
    } else if (outside) {
      set.pieces = {{nullptr, low, false, closed}, {high, nullptr, closed, false}};
      if (*sign == 0 && closed) return Named("R");
    } else if (*sign == 0) {
      if (closed) set.pieces = {{low, low, true, true}};
    } else {
      set.pieces = {{low, high, closed, closed}};
    }
    return set;
  }

  // f linear in |u| with u linear in x: |u| op' c.
  std::optional<RealSet> SolveAbsolute(const Expr& f, const std::string& x, char op) {
    Expr inner;
    const Expr replaced = ReplaceAbsolute(f, &inner);
    if (!inner || Mentions(replaced, x)) return std::nullopt;
    const auto outer = Coefficients(replaced, kModulus);
    const auto line = Coefficients(inner, x);
    if (!outer || !line) return std::nullopt;
    if (SignOfConstant(outer->a, deadline_) != std::optional<int>(0) ||
        SignOfConstant(line->a, deadline_) != std::optional<int>(0))
      return std::nullopt;
    std::optional<RealSet> sizes = SolveLinear(*outer, op);
    const auto slope = SignOfConstant(line->b, deadline_);
    if (!sizes || !slope || *slope == 0) return std::nullopt;
    const auto nonnegative =
        Intersection(sizes->pieces, {Piece{MakeInteger(0), nullptr, true, false}});
    if (!nonnegative) return std::nullopt;
    Pieces both;
    for (const Piece& piece : *nonnegative) {
      both.push_back(Unlined(piece, *line, *slope));
      const Piece mirrored{piece.high ? Negate(piece.high) : nullptr,
                           piece.low ? Negate(piece.low) : nullptr, piece.high_closed,
                           piece.low_closed};
      both.push_back(Unlined(mirrored, *line, *slope));
    }
    auto normal = Normal(std::move(both));
    if (!normal) return std::nullopt;
    // "1 <= |z| <= 3/2" is as solved as an inequality in |z| can be.
    return RealSet{std::move(*normal), "", inner->kind == Kind::kSymbol};
  }

  static constexpr const char* kModulus = "|.|";

  static Expr ReplaceAbsolute(const Expr& e, Expr* inner) {
    if (e->kind == Kind::kCall && e->text == "abs") {
      if (*inner && CanonicalText(*inner) != CanonicalText(e->args[0])) return e;
      *inner = e->args[0];
      return MakeSymbol(kModulus);
    }
    if (e->args.empty()) return e;
    auto copy = std::make_shared<Node>(*e);
    for (Expr& arg : copy->args) arg = ReplaceAbsolute(arg, inner);
    return copy;
  }

  // {x : b x + c in piece}
  static Piece Unlined(const Piece& piece, const Quadratic& line, int slope) {
    const auto back = [&](const Expr& end) -> Expr {
      return end ? Over(Subtract(end, line.c), line.b) : nullptr;
    };
    Piece result{back(piece.low), back(piece.high), piece.low_closed, piece.high_closed};
    if (slope < 0) {
      std::swap(result.low, result.high);
      std::swap(result.low_closed, result.high_closed);
    }
    return result;
  }

  const Deadline& deadline_;
};

Decision CompareEnd(const Expr& a, const Expr& b, bool a_closed, bool b_closed,
                    const Deadline& deadline) {
  if (!a && !b) return {Finding::kEqual, Tier::kSets, 0, ""};
  if (!a || !b || a_closed != b_closed) return {Finding::kDifferent, Tier::kSets, 0, ""};
  return CompareValues(a, b, deadline);
}

}  // namespace

std::optional<RealSet> ReadRealSet(const Expr& e, const Deadline& deadline) {
  return Builder(deadline).Read(e);
}

std::optional<RealSet> IntersectionOf(const RealSet& a, const RealSet& b,
                                      const Deadline& deadline) {
  return Builder(deadline).Common(a, b, false);
}
std::optional<RealSet> DifferenceOf(const RealSet& a, const RealSet& b, const Deadline& deadline) {
  return Builder(deadline).Common(a, b, true);
}

Decision CompareRealSets(const RealSet& a, const RealSet& b, const Deadline& deadline) {
  if (a.pieces.size() != b.pieces.size()) return {Finding::kDifferent, Tier::kSets, 0, ""};
  Decision total{Finding::kEqual, Tier::kSets, 0, ""};
  for (size_t i = 0; i < a.pieces.size(); ++i) {
    const Piece& left = a.pieces[i];
    const Piece& right = b.pieces[i];
    for (Decision end :
         {CompareEnd(left.low, right.low, left.low_closed, right.low_closed, deadline),
          CompareEnd(left.high, right.high, left.high_closed, right.high_closed, deadline)}) {
      if (end.finding == Finding::kDifferent)
        return {Finding::kDifferent, Tier::kSets, 0, end.note};
      if (end.finding == Finding::kEqual) continue;
      if (end.finding == Finding::kNumeric && total.finding != Finding::kUndecided) {
        total.digits =
            total.finding == Finding::kNumeric ? std::min(total.digits, end.digits) : end.digits;
        total.finding = Finding::kNumeric;
      } else {
        total = end;
      }
    }
  }
  return total;
}

std::string Readable(const RealSet& set) {
  if (set.pieces.empty()) return "empty";
  std::string text;
  for (const Piece& piece : set.pieces) {
    if (!text.empty()) text += " u ";
    text += piece.low_closed ? "[" : "(";
    text += piece.low ? Readable(piece.low) : "-inf";
    text += ", ";
    text += piece.high ? Readable(piece.high) : "inf";
    text += piece.high_closed ? "]" : ")";
  }
  return text;
}

}  // namespace assay::algebra
