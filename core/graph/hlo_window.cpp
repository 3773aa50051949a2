#include "core/graph/hlo_window.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "core/base/text.h"
#include "core/graph/hlo_values.h"

namespace tilewright {
namespace {

constexpr int64_t kMost = kMaxElements - 1;

/// One of the three parts of dim_labels, "b01f": at each place of the dimensions what it is.
ConvolutionLabels labels_of(const HloCursor& at, std::string_view text, char batch, char feature) {
  ConvolutionLabels labels = {.batch = -1, .feature = -1};
  std::array<int64_t, 10> spatial;
  spatial.fill(-1);
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool digit = c >= '0' && c <= '9';
    if (!digit && c != batch && c != feature) {
      at.fail(fmt::format("'{}' labels no dimension of '{}'", printable(std::string(1, c)),
                          printable(text, 40)));
    }
    int64_t& place = c == batch     ? labels.batch
                     : c == feature ? labels.feature
                                    : spatial[static_cast<size_t>(c - '0')];
    if (place >= 0)
      at.fail(fmt::format("'{}' labels two dimensions of '{}'", c, printable(text, 40)));
    place = static_cast<int64_t>(i);
  }
  const auto count = static_cast<int64_t>(text.size()) - 2;
  for (int64_t i = 0; i < count; ++i)
    labels.spatial.push_back(spatial[static_cast<size_t>(std::min<int64_t>(i, 9))]);
  const bool complete =
      std::find(labels.spatial.begin(), labels.spatial.end(), -1) == labels.spatial.end();
  if (labels.batch < 0 || labels.feature < 0 || count > 10 || !complete) {
    at.fail(fmt::format("'{}' does not label '{}', '{}' and the spatial dimensions from 0",
                        printable(text, 40), batch, feature));
  }
  return labels;
}

/// Fills one field of all dimensions of a window from "3x3"; the first field sets their number.
template <class Set>
void read_window_field(HloCursor& cursor, Window& window, std::string_view name, const Set& set) {
  const bool first = window.dims.empty();
  size_t dimension = 0;
  do {
    if (first && dimension < static_cast<size_t>(kMaxRank)) window.dims.emplace_back();
    if (dimension == window.dims.size()) {
      cursor.fail(fmt::format("{} of the window has more than {} dimensions", name, dimension));
    }
    set(window.dims[dimension++]);
  } while (cursor.accept('x'));
  if (dimension != window.dims.size()) {
    cursor.fail(fmt::format("{} of the window has {} dimensions, others have {}", name, dimension,
                            window.dims.size()));
  }
}

void read_window_statement(HloCursor& cursor, Window& window) {
  const std::string_view name = cursor.name("a field of the window");
  cursor.expect('=', "'=' behind a field of the window");
  const auto number = [&](int64_t min) { return cursor.integer(name, min, kMost); };
  const auto fill = [&](const auto& set) { read_window_field(cursor, window, name, set); };
  if (name == "size") {
    fill([&](WindowDimension& dim) { dim.size = number(1); });
  } else if (name == "stride") {
    fill([&](WindowDimension& dim) { dim.stride = number(1); });
  } else if (name == "pad") {
    fill([&](WindowDimension& dim) {
      dim.pad_low = number(-kMost);
      cursor.expect('_', "'_' between low and high padding");
      dim.pad_high = number(-kMost);
    });
  } else if (name == "lhs_dilate") {
    fill([&](WindowDimension& dim) { dim.base_dilation = number(1); });
  } else if (name == "rhs_dilate") {
    fill([&](WindowDimension& dim) { dim.window_dilation = number(1); });
  } else if (name == "rhs_reversal") {
    fill([&](WindowDimension& dim) { dim.reversed = number(0) != 0; });
  } else {
    cursor.fail(
        fmt::format("a window has no field '{}'; size, stride, pad, lhs_dilate, rhs_dilate "
                    "and rhs_reversal are known",
                    printable(name, 40)));
  }
}

}  // namespace

Window read_window(HloCursor& cursor) {
  Window window;
  std::set<std::string_view> seen;
  cursor.expect('{', "'{' before a window");
  while (cursor.peek() != '}') {
    HloCursor peeked = cursor;
    if (!seen.insert(peeked.name("a field of the window")).second) {
      cursor.fail("the window states a field twice");
    }
    read_window_statement(cursor, window);
    cursor.accept(',');
  }
  cursor.expect('}', "'}' behind a window");
  return window;
}

void read_dim_labels(const HloCursor& cursor, Convolution& convolution) {
  HloCursor at = cursor;
  at.peek();
  const std::string_view text = trim(at.rest());
  const size_t bar = text.find('_');
  const size_t arrow = text.find("->");
  if (bar == std::string_view::npos || arrow == std::string_view::npos || arrow < bar) {
    cursor.fail(
        fmt::format("expected labels such as b01f_01io->b01f, found '{}'", printable(text, 40)));
  }
  convolution.input = labels_of(cursor, text.substr(0, bar), 'b', 'f');
  convolution.kernel = labels_of(cursor, text.substr(bar + 1, arrow - bar - 1), 'o', 'i');
  convolution.output = labels_of(cursor, text.substr(arrow + 2), 'b', 'f');
}

}  // namespace tilewright
