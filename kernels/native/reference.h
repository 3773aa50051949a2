#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/model/model_config.h"
#include "core/workload/workload.h"

namespace tilewright {

/// What a model says after one prompt, decoded greedily by somebody else. Step s follows the tokens
/// prompt + greedy[0, s).
struct ReferenceCase {
  std::string name;
  std::vector<int32_t> prompt;
  std::vector<int32_t> greedy;
  std::vector<std::vector<float>> full_logits;                  ///< of the first steps
  std::vector<std::vector<std::pair<int32_t, float>>> largest;  ///< token, logit; first steps
  std::vector<float> max_logit;                                 ///< of all steps, or none
};

/// A numeric reference: what reference.json beside a checkpoint holds (docs/formats.md).
struct Reference {
  std::vector<ReferenceCase> cases;
};

/// Error (not found, failed) names the place: no cases, tokens or rows that do not fit the model.
Reference read_reference(const std::string& path, const ModelConfig& model);

/// The cases as requests that all arrive at once.
Workload reference_workload(const Reference& reference, const std::string& path);

/// How far a run of one case agrees.
struct CaseAgreement {
  std::string name;
  int64_t tokens_equal = 0;  ///< places at which the tokens are the same
  int64_t tokens_total = 0;
  int64_t first_difference = -1;  ///< step, or -1
  int64_t logits_compared = 0;
  int64_t logits_total = 0;  ///< that the reference states
  double max_logit_error = 0;
};

/// How far a whole run agrees.
struct Agreement {
  std::vector<CaseAgreement> cases;
  int64_t tokens_equal = 0;
  int64_t tokens_total = 0;
  int64_t logits_compared = 0;
  int64_t logits_total = 0;
  double max_logit_error = 0;

  /// All tokens equal, logits within `tolerance`, and every logit of the reference was compared.
  bool holds(double tolerance) const;
};

/// Compares a run with a reference. Logits count up to the first token that differs: what follows
/// it follows other tokens.
class ReferenceComparison {
 public:
  /// The reference must outlive the comparison.
  explicit ReferenceComparison(const Reference& reference);

  /// The row that the token at `position` (its index in prompt + output) of case `index` was chosen
  /// from. Positions may come in any order, and again.
  void add_logits(int64_t index, int64_t position, std::span<const float> row);

  /// `outputs`: the tokens of each case.
  Agreement finish(std::span<const std::vector<int32_t>> outputs) const;

 private:
  CaseAgreement finish_case(size_t index, std::span<const int32_t> output) const;

  struct StepError {
    int64_t compared = 0;
    double error = 0;
  };

  const Reference& reference_;
  std::vector<std::vector<StepError>> steps_;  ///< by case and step
};

}  // namespace tilewright
