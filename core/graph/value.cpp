#include "core/graph/value.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/base/random.h"
#include "core/graph/number_format.h"

namespace tilewright {
namespace {

Shape shape_of(const std::vector<Value>& parts) {
  std::vector<Shape> shapes;
  shapes.reserve(parts.size());
  for (const Value& part : parts) shapes.push_back(part.shape());
  return tuple_shape(std::move(shapes));
}

}  // namespace

Value::Value(const Shape& shape)
    : shape_(array_shape(shape.type, shape.dims)),
      size_(element_count(shape)),
      elements_(std::make_shared_for_overwrite<Element[]>(static_cast<size_t>(size_))) {
  TW_CHECK(is_array(shape.type), "only arrays have elements");
}

Value::Value(const Shape& shape, std::span<const double> numbers) : Value(shape) {
  TW_CHECK(is_float(shape.type) && numbers.size() == static_cast<size_t>(size_),
           "an array of floats has one number for each element");
  std::ranges::transform(numbers, elements_.get(),
                         [](double number) { return element_of(number); });
}

Value::Value(const Shape& shape, std::span<const int64_t> numbers) : Value(shape) {
  TW_CHECK(!is_float(shape.type) && !is_complex(shape.type) &&
               numbers.size() == static_cast<size_t>(size_),
           "an array of integers has one number for each element");
  std::ranges::transform(numbers, elements_.get(),
                         [&](int64_t number) { return element_of(wrap_to(shape.type, number)); });
}

Value::Value(std::vector<Value> parts) : shape_(shape_of(parts)), parts_(std::move(parts)) {}

Value Value::token() {
  return {};
}

std::span<Element> Value::writable() {
  if (elements_.use_count() > 1) {
    auto own = std::make_shared_for_overwrite<Element[]>(static_cast<size_t>(size_));
    std::ranges::copy(elements(), own.get());
    elements_ = std::move(own);
  }
  return {elements_.get(), static_cast<size_t>(size_)};
}

std::vector<double> Value::numbers() const {
  TW_CHECK(is_float(shape_.type), "only float types hold floats");
  std::vector<double> numbers(static_cast<size_t>(size_));
  std::ranges::transform(elements(), numbers.begin(), float_of);
  return numbers;
}

std::vector<int64_t> Value::integers() const {
  TW_CHECK(!is_float(shape_.type), "float types hold no integers");
  std::vector<int64_t> numbers(static_cast<size_t>(size_));
  std::ranges::transform(elements(), numbers.begin(), integer_of);
  return numbers;
}

Value Value::reshaped(const Shape& shape) const {
  TW_CHECK(element_count(shape) == size_, "a reshape keeps the number of elements");
  Value result = *this;
  result.shape_ = array_shape(shape.type, shape.dims);
  return result;
}

Value make_input(const Shape& shape, uint64_t seed, uint64_t stream, const InputRange& range) {
  const uint64_t own_seed = mix_bits(seed, stream);
  if (shape.is_tuple()) {
    std::vector<Value> parts;
    for (size_t i = 0; i < shape.parts.size(); ++i) {
      parts.push_back(make_input(shape.parts[i], own_seed, i, range));
    }
    return Value(std::move(parts));
  }
  if (!is_array(shape.type)) return Value::token();
  Value value(shape);
  const std::span<Element> elements = value.writable();
  Random random(own_seed);
  if (is_float(shape.type)) {
    for (Element& element : elements) {
      const double number = range.low + (range.high - range.low) * random.uniform();
      element = element_of(round_to(shape.type, number));
    }
    return value;
  }
  const uint64_t bound =
      std::max<uint64_t>(1, std::min(static_cast<uint64_t>(std::max<int64_t>(range.bound, 1)),
                                     static_cast<uint64_t>(largest_integer(shape.type))));
  for (Element& element : elements) element = random.below(bound);
  return value;
}

}  // namespace tilewright
