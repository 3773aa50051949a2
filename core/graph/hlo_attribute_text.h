#pragma once

#include <string>

#include "core/graph/op_attributes.h"

namespace tilewright {

/// Appends what attributes state behind the parentheses of an op, ", name=value" each.
void append_attributes(std::string& text, const Attributes& attributes);

/// Appends the value of a constant of `shape` as it stands between its parentheses.
void append_literal(std::string& text, const Literal& literal, const Shape& shape);

/// Appends "{1,2}".
void append_integers(std::string& text, const std::vector<int64_t>& values);

}  // namespace tilewright
