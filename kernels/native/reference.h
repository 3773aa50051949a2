#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/model/model_config.h"
#include "core/serving/executor.h"
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

/// An executor that compares what passes through it with a reference: request i of the workload is
/// case i. It asks for logits whether or not the engine wants them. Logits count up to the first
/// token that differs: what follows it follows other tokens.
class ReferenceObserver : public Executor {
 public:
  /// Both must outlive the observer. `executor` is functional.
  ReferenceObserver(Executor& executor, const Reference& reference);

  Capacity capacity() const override { return executor_.capacity(); }
  Execution execute(const Batch& batch, int64_t ready_ns) override;
  RepeatedExecution repeat_decode(const Batch& batch, int64_t ready_ns, int64_t limit,
                                  int64_t until_ns, int64_t gap_ns) override;

  /// Of everything executed so far.
  Agreement agreement() const;

 private:
  /// What was said in one step of a case.
  struct Step {
    int32_t token = -1;
    int64_t compared = 0;
    double error = 0;
  };

  /// The row that the token at `position` (its index in prompt + output) was chosen from.
  void observe(int64_t index, int64_t position, std::span<const float> row, int32_t token);
  CaseAgreement agreement_of(size_t index) const;

  Executor& executor_;
  const Reference& reference_;
  std::vector<std::vector<Step>> steps_;  ///< by case
};

}  // namespace tilewright
