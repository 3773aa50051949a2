#include "app/export/plan_acceptance.h"

#include <fmt/format.h>

#include "app/cli/plan_file.h"
#include "core/base/error.h"
#include "core/base/text.h"
#include "core/plan/plan.h"
#include "tuner/session/plan_maker.h"

namespace tilewright {

namespace {

constexpr std::string_view kEngine = "engine";

PlanCheck without_machine(std::string_view name, const Run& run) {
  return {name, CheckStatus::kNotRun,
          fmt::format("{} is no machine that this program can simulate as it was",
                      printable(run.machine_name))};
}

}  // namespace

PlanCheck check_engine(const ExportSource& source, const std::vector<Winner>& winners) {
  try {
    const Plan plan = parse_plan(write_plan(make_plan(source.run, winners)), "the plan");
    if (!source.machine) return without_machine(kEngine, source.run);
    const std::string today = current_currency().fingerprint_of(source.run);
    check_plan_machine(plan, source.machine->name,
                       today.empty() ? source.machine->fingerprint() : today, false);
    check_plan_revisions(plan, "the plan");
    return {kEngine, CheckStatus::kOk,
            fmt::format("the serving engine accepts the plan (schema {}) on {}", kPlanSchema,
                        printable(plan.machine_name))};
  } catch (const Error& error) {
    return {kEngine, CheckStatus::kFailed, error.message()};
  }
}

std::vector<PlanCheck> quick_checks(const ExportSource& source, const std::vector<Winner>& winners,
                                    const CheckProgress& progress) {
  const auto part = [&](double fraction) { progress(0.7 * fraction); };
  std::vector<PlanCheck> checks;
  checks.push_back(source.machine ? check_fit(winners, *source.machine, part)
                                  : without_machine("fit", source.run));
  progress(0.7);
  checks.push_back(check_ranges(source.run, winners));
  progress(0.8);
  checks.push_back(check_tables(source.run, winners));
  progress(0.9);
  checks.push_back(check_engine(source, winners));
  return checks;
}

PlanCheck numeric_check(const ExportSource& source, const std::vector<Winner>& winners,
                        const CheckProgress& progress) {
  if (!source.machine) return without_machine("numerics", source.run);
  return check_numerics(winners, *source.machine, progress);
}

}  // namespace tilewright
