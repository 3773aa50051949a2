#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "app/tui/fusion/fusion_form.h"
#include "app/tui/home/home_state.h"
#include "app/tui/role.h"
#include "tuner/fusion/plan_edit.h"

namespace tilewright {

struct FusionProgram;
struct FusionVariant;

/// The parts of the Fusion screen, in the order of Tab.
enum FusionPane : int { kFusionGraph, kFusionKernels, kFusionCosts, kFusionWhy, kFusionForm };

/// An op of a kernel, or of its heading: `op` is -1.
struct FusionRow {
  int unit = 0;  ///< place in the region's units
  int32_t op = -1;
  bool operator==(const FusionRow&) const = default;
};

struct FusionState {
  std::vector<FormField> form = standard_fusion_form();
  int field = 0;  ///< of the form, that the cursor is on

  // Shared with the workers that made them; they do not change.
  std::shared_ptr<FusionProgram> program;
  std::vector<std::shared_ptr<const FusionVariant>> planned;  ///< by planners and searches
  std::vector<std::shared_ptr<const FusionVariant>> edits;    ///< each of the one before
  size_t edits_done = 0;                                      ///< the others were undone
  std::string edited_from;  ///< name of the plan that the first edit changed

  std::string shown;     ///< name of the plan that is shown
  std::string baseline;  ///< of the one that it is compared with
  size_t region = 0;
  ListCursor row;
  ListCursor kernel;
  int cost_row = 0;  ///< first row that is shown
  int why_row = 0;
  std::set<int32_t> folded;      ///< kernels of the region, by the op that names them
  std::vector<FusionRow> marks;  ///< at most two, the older first
  std::string search;            ///< in lower case
  std::string why;               ///< the last answer
  bool is_refused = false;       ///< it said no
  bool shows_diff = false;       ///< instead of the answer
  std::string failure;           ///< why nothing is planned

  // By settle_fusion().
  std::vector<FusionRow> rows;
  std::vector<int> row_of;  ///< by op: its row, or that of its folded kernel; -1: none
  std::shared_ptr<const FusionVariant> rows_of;  ///< what the rows are of
  size_t rows_region = 0;
  std::set<int32_t> rows_folded;
  std::vector<PlanDiff> diff;  ///< by region
  std::shared_ptr<const FusionVariant> diff_a;
  std::shared_ptr<const FusionVariant> diff_b;

  // At work while State knows them; 0: none.
  int64_t plan_job = 0;
  int64_t search_job = 0;
  int64_t ask_job = 0;
};

}  // namespace tilewright
