#include <gtest/gtest.h>

#include "kernels/kernel.h"

namespace tilewright {
namespace {

Problem small_problem(const Kernel& kernel) {
  ProblemRequest request;
  for (const SizeInfo& size : kernel.sizes()) {
    // Heads so wide that not every tile fits.
    if (size.name == "dim") request.sizes[size.name] = 256;
    if (size.fallback) continue;
    request.sizes[size.name] = size.name == "heads" ? 8 : size.name == "kv_heads" ? 4 : 4096;
  }
  return kernel.problem(request);
}

/// Every combination of listed values, legal or not, up to a number that keeps the test short.
std::vector<Config> combinations(const Space& space) {
  constexpr size_t kMost = 40'000;
  std::vector<Config> configs = {{}};
  for (const Parameter& parameter : space.parameters()) {
    std::vector<Config> longer;
    for (const Config& config : configs) {
      for (const int64_t value : parameter.values) {
        longer.push_back(config);
        longer.back().values.emplace_back(parameter.name, value);
        if (longer.size() >= kMost) break;
      }
    }
    configs = std::move(longer);
  }
  return configs;
}

TEST(SpaceUses, AgreeWithTheRulesOfEveryKernel) {
  const Machine machine = load_machine("ascend-910b2");
  for (const Kernel* kernel : all_kernels()) {
    const Space space = kernel->space(small_problem(*kernel), machine);
    int unfit = 0;
    for (const Config& config : combinations(space)) {
      for (const ResourceUse& use : space.uses(config)) {
        for (const Constraint& constraint : space.constraints()) {
          if (constraint.name != use.name) continue;
          std::vector<int64_t> values;
          for (const std::string& name : constraint.parameters) values.push_back(config.at(name));
          ASSERT_EQ(use.fits(), constraint.violation(values).empty())
              << kernel->name() << " " << config.text();
          unfit += use.fits() ? 0 : 1;
        }
      }
    }
    const bool has_rules = !space.constraints().empty();
    EXPECT_EQ(!space.uses(space.parameters().empty() ? Config{} : combinations(space)[0]).empty(),
              has_rules)
        << kernel->name();
    EXPECT_EQ(unfit > 0, has_rules) << kernel->name();
  }
}

}  // namespace
}  // namespace tilewright
