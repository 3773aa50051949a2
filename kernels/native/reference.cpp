#include "kernels/native/reference.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/text.h"

namespace tilewright {

namespace {

constexpr int64_t kMaxFileBytes = 256 << 20;
constexpr size_t kMaxCases = 100'000;

/// Elements of a list; their places are only made up for the one that is wrong.
const Json& list_of(const JsonReader& reader) {
  if (!reader.is_array()) reader.fail("expected a list");
  return reader.raw();
}

std::vector<int32_t> read_tokens(const JsonReader& reader, int64_t vocab) {
  std::vector<int32_t> tokens;
  for (const Json& value : list_of(reader)) {
    const JsonReader token(value, fmt::format("{}[{}]", reader.where(), tokens.size()));
    tokens.push_back(static_cast<int32_t>(token.integer(0, vocab - 1)));
  }
  if (tokens.empty()) reader.fail("is empty; at least one token is needed");
  return tokens;
}

float read_logit(const Json& value, const JsonReader& list, size_t index) {
  const double kLargest = static_cast<double>(std::numeric_limits<float>::max());
  const JsonReader reader(value, fmt::format("{}[{}]", list.where(), index));
  return static_cast<float>(reader.number(-kLargest, kLargest));
}

std::vector<float> read_logits(const JsonReader& reader) {
  std::vector<float> logits;
  for (const Json& value : list_of(reader)) {
    logits.push_back(read_logit(value, reader, logits.size()));
  }
  return logits;
}

/// A list with an entry for each of the first steps; none where the case has no such key.
std::vector<JsonReader> read_steps(const JsonReader& object, std::string_view key, size_t steps) {
  if (!object.has(key)) return {};
  const JsonReader reader = object.at(key);
  if (list_of(reader).size() > steps) {
    reader.fail(fmt::format("has {} entries for {} steps", reader.raw().size(), steps));
  }
  return reader.items();
}

std::vector<std::pair<int32_t, float>> read_largest(const JsonReader& reader, int64_t vocab) {
  std::vector<std::pair<int32_t, float>> largest;
  for (const JsonReader& entry : reader.items()) {
    if (list_of(entry).size() != 2) entry.fail("expected [token, logit]");
    const std::vector<JsonReader> parts = entry.items();
    largest.emplace_back(static_cast<int32_t>(parts[0].integer(0, vocab - 1)),
                         read_logit(parts[1].raw(), entry, 1));
  }
  return largest;
}

ReferenceCase read_case(const JsonReader& reader, const ModelConfig& model) {
  ReferenceCase result;
  result.name = reader.at("name").string();
  result.prompt = read_tokens(reader.at("prompt"), model.vocab);
  result.greedy = read_tokens(reader.at("greedy"), model.vocab);
  const auto tokens = static_cast<int64_t>(result.prompt.size() + result.greedy.size());
  if (tokens > model.max_positions) {
    reader.fail(fmt::format("{} tokens of prompt and output are more than the model's {} positions",
                            tokens, model.max_positions));
  }
  const size_t steps = result.greedy.size();
  for (const JsonReader& row : read_steps(reader, "full_logits_first2", steps)) {
    result.full_logits.push_back(read_logits(row));
    if (std::ssize(result.full_logits.back()) != model.vocab) {
      row.fail(fmt::format("has {} logits for a vocabulary of {}", result.full_logits.back().size(),
                           model.vocab));
    }
  }
  for (const JsonReader& row : read_steps(reader, "top8_first8", steps)) {
    result.largest.push_back(read_largest(row, model.vocab));
  }
  if (reader.has("max_logit")) {
    read_steps(reader, "max_logit", steps);
    result.max_logit = read_logits(reader.at("max_logit"));
  }
  return result;
}

/// Logits that a case states for a step.
int64_t stated_logits(const ReferenceCase& reference, size_t step) {
  int64_t count = 0;
  if (step < reference.full_logits.size()) count += std::ssize(reference.full_logits[step]);
  if (step < reference.largest.size()) count += std::ssize(reference.largest[step]);
  if (step < reference.max_logit.size()) ++count;
  return count;
}

}  // namespace

Reference read_reference(const std::string& path, const ModelConfig& model) {
  const Json document = parse_json(read_file(path, kMaxFileBytes), path);
  const JsonReader root(document, path);
  if (root.has("vocab_size") && root.at("vocab_size").integer(1, INT32_MAX) != model.vocab) {
    root.at("vocab_size")
        .fail(fmt::format("is not the model's {}; this is the reference of another model",
                          model.vocab));
  }
  const JsonReader cases = root.at("cases");
  if (list_of(cases).empty()) cases.fail("is empty; there is nothing to compare");
  if (cases.raw().size() > kMaxCases) {
    cases.fail(fmt::format("has {} entries; the limit is {}", cases.raw().size(), kMaxCases));
  }
  Reference reference;
  for (const JsonReader& each : cases.items()) reference.cases.push_back(read_case(each, model));
  return reference;
}

Workload reference_workload(const Reference& reference, const std::string& path) {
  Workload workload;
  workload.name = std::filesystem::path(path).filename().string();
  workload.source = path;
  for (const ReferenceCase& each : reference.cases) {
    Request request;
    request.prompt_tokens = std::ssize(each.prompt);
    request.output_tokens = std::ssize(each.greedy);
    request.prompt_ids = each.prompt;
    workload.requests.push_back(std::move(request));
  }
  return workload;
}

bool Agreement::holds(double tolerance) const {
  return tokens_equal == tokens_total && max_logit_error <= tolerance &&
         logits_compared == logits_total;
}

ReferenceComparison::ReferenceComparison(const Reference& reference) : reference_(reference) {
  for (const ReferenceCase& each : reference.cases) steps_.emplace_back(each.greedy.size());
}

void ReferenceComparison::add_logits(int64_t index, int64_t position, std::span<const float> row) {
  TW_CHECK(index >= 0 && index < std::ssize(reference_.cases), "logits belong to a case");
  const ReferenceCase& reference = reference_.cases[static_cast<size_t>(index)];
  const int64_t place = position - std::ssize(reference.prompt);
  if (place < 0 || place >= std::ssize(reference.greedy)) return;
  const auto step = static_cast<size_t>(place);
  StepError& at = steps_[static_cast<size_t>(index)][step];
  const auto compare = [&at](float ours, float theirs) {
    const double error = std::abs(static_cast<double>(ours) - static_cast<double>(theirs));
    // What is no number is as far off as can be.
    at.error =
        std::isnan(error) ? std::numeric_limits<double>::infinity() : std::max(at.error, error);
  };
  if (step < reference.full_logits.size()) {
    const std::vector<float>& theirs = reference.full_logits[step];
    TW_CHECK(theirs.size() == row.size(), "a row has the logits of the vocabulary");
    for (size_t i = 0; i < row.size(); ++i) compare(row[i], theirs[i]);
  }
  if (step < reference.largest.size()) {
    for (const auto& [token, logit] : reference.largest[step]) {
      compare(row[static_cast<size_t>(token)], logit);
    }
  }
  if (step < reference.max_logit.size()) {
    compare(*std::max_element(row.begin(), row.end()), reference.max_logit[step]);
  }
  at.compared = stated_logits(reference, step);
}

CaseAgreement ReferenceComparison::finish_case(size_t index,
                                               std::span<const int32_t> output) const {
  const ReferenceCase& reference = reference_.cases[index];
  CaseAgreement agreement;
  agreement.name = reference.name;
  agreement.tokens_total = std::ssize(reference.greedy);
  for (size_t i = 0; i < reference.greedy.size(); ++i) {
    const StepError& step = steps_[index][i];
    agreement.logits_total += stated_logits(reference, i);
    if (agreement.first_difference < 0) {
      agreement.logits_compared += step.compared;
      agreement.max_logit_error = std::max(agreement.max_logit_error, step.error);
    }
    if (i < output.size() && output[i] == reference.greedy[i]) {
      ++agreement.tokens_equal;
    } else if (agreement.first_difference < 0) {
      agreement.first_difference = static_cast<int64_t>(i);
    }
  }
  return agreement;
}

Agreement ReferenceComparison::finish(std::span<const std::vector<int32_t>> outputs) const {
  TW_CHECK(outputs.size() == steps_.size(), "every case was run");
  Agreement total;
  for (size_t i = 0; i < outputs.size(); ++i) {
    const CaseAgreement each = finish_case(i, outputs[i]);
    total.tokens_equal += each.tokens_equal;
    total.tokens_total += each.tokens_total;
    total.logits_compared += each.logits_compared;
    total.logits_total += each.logits_total;
    total.max_logit_error = std::max(total.max_logit_error, each.max_logit_error);
    total.cases.push_back(each);
  }
  return total;
}

}  // namespace tilewright
