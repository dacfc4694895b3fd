// Typed values as a solution's function returns them, compared outside the sandbox.
//
// The driver (sandbox/python/driver.py) writes null, booleans, integers, strings and lists as JSON
// and everything else as {"tag": ...}. Pure functions; thread-safe.
#pragma once

#include <string>

#include "graders/code/compare.h"
#include "harness/json.h"

namespace assay::code {

// As Python's == says it (6.0 == 6, True == 1), but a tuple and a list of equal members are equal,
// since an expected value in JSON cannot say which. With a kFloats checker, a number that is not
// an integer on both sides is within tolerance. `expected` is plain JSON (an object is a
// dictionary), or tagged.
bool SameValue(const Json& found, const Json& expected, const Checker& checker);

// For people: [1, (2, 3.5), {'a': None}].
std::string ShowValue(const Json& value);

}  // namespace assay::code
