// Any text read as a plan gives a plan or an Error. A plan that was accepted is written as text
// that reads back as an equal plan, and lookups in it stay in bounds.

#include "core/plan/plan.h"
#include "tests/fuzz/fuzz.h"

using namespace tilewright;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Plan plan;
  if (!accepted([&] { plan = parse_plan(text_of(data, size), "plan.json"); })) return 0;
  const std::string text = write_plan(plan);
  const Plan again = parse_plan(text, "written");
  TW_CHECK(again == plan, "a plan survives writing and reading");
  TW_CHECK(write_plan(again) == text, "written text is a fixed point");
  for (const PlanTable& table : plan.tables) {
    for (const int64_t m : {int64_t{0}, int64_t{1}, table.ranges.back().m_max, INT64_MAX}) {
      TW_CHECK(plan.find(table.kernel, table.dtype, table.n, table.k, table.epilogue, m),
               "a table answers for every m");
    }
  }
  return 0;
}
