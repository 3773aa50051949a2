#pragma once

#include "app/cli/context.h"

namespace tilewright {

/// The commands of the program; app/cli/command_table.cpp describes them.
int run_run(Context& context);
int run_tune(Context& context);
int run_replay(Context& context);
/// `replay CHECKPOINT --reference FILE`.
int run_replay_reference(Context& context);
int run_replay_tokens(Context& context);
int run_export(Context& context);
int run_import(Context& context);
int run_bench_tuner(Context& context);
int run_report(Context& context);
/// `report xyserve`.
int run_report_xyserve(Context& context);
int run_report_xyserve_serving(Context& context);
int run_diff(Context& context);
int run_query(Context& context);
int run_machine(Context& context);
int run_calibrate(Context& context);
int run_model(Context& context);
int run_kernel(Context& context);
int run_workload(Context& context);
int run_fuse(Context& context);
int run_db(Context& context);
int run_tui(Context& context);
int run_help(Context& context);

}  // namespace tilewright
