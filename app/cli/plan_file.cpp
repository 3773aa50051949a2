#include "app/cli/plan_file.h"

#include <fmt/format.h>

#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/text.h"

namespace tilewright {

namespace {

constexpr int64_t kMaxPlanBytes = int64_t{256} << 20;

int revision_of(const std::string& kernel) {
  for (const auto& [name, revision] : current_revisions().kernels) {
    if (name == kernel) return revision;
  }
  return -1;
}

}  // namespace

void check_plan_revisions(const Plan& plan, const std::string& path) {
  for (const PlanTable& table : plan.tables) {
    const int current = revision_of(table.kernel);
    if (current == table.revision) continue;
    throw Error(ErrorKind::kCheckFailed,
                fmt::format("{}: tuned with revision {} of kernel {}, {}; tune again, or use it "
                            "with --force",
                            path, table.revision, printable(table.kernel),
                            current < 0 ? "which no longer exists"
                                        : fmt::format("current is {}", current)));
  }
}

Plan load_plan(const Context& context, const std::string& path, const Machine& machine,
               const std::string& model, bool force) {
  Plan plan = parse_plan(read_file(path, kMaxPlanBytes), path);
  try {
    check_plan_machine(plan, machine.name, machine.fingerprint(), force);
  } catch (const Error& error) {
    throw error.in(path);
  }
  if (!force) check_plan_revisions(plan, path);
  if (!plan.model.empty() && plan.model != model) {
    context.warn(
        fmt::format("{} was tuned for {}, not {}: shapes that it does not have run untuned", path,
                    printable(plan.model), model));
  }
  return plan;
}

}  // namespace tilewright
