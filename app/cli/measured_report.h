#pragma once

#include <string>
#include <vector>

#include "app/cli/context.h"
#include "core/base/json.h"
#include "db/queries.h"
#include "tuner/calibrate/measured_check.h"

namespace tilewright {

/// The table of measurements: --points, or the one in the data folder. Error (not found) when there
/// is neither.
std::string points_path(const Context& context);

/// rows, not_simulated, summary and effects of a check (docs/formats.md).
void put_report(const CheckReport& report, Json& json);
Json json_of(const ErrorSummary& summary);

/// Every row with plain numbers, for CSV.
QueryResult rows_table(const CheckReport& report);

/// The whole check for people.
std::string report_text(Context& context, const Machine& machine, const CheckReport& report);

/// A name without the remark in parentheses, in at most `width` columns; 0: any.
std::string short_name(const std::string& name, size_t width);

/// "+1.2 %" of a time, "-0.5 pt" of a ratio.
std::string shown_error(double error, bool is_time);
/// "38.80 us", "54.5 %".
std::string shown_value(double value, bool is_time);

/// Errors by kernel and metric; names in at most `name_width` columns, 0: whole.
QueryResult summary_table(const std::vector<ErrorSummary>& summaries, size_t name_width);

/// Kernels that were not simulated: hardware, kernel, rows, reason (in at most `reason_width`
/// columns, 0: whole).
QueryResult left_out_table(const CheckReport& report, size_t reason_width);

}  // namespace tilewright
