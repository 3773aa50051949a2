#pragma once

#include <string_view>

#include "core/base/json.h"
#include "db/formats/byte_source.h"
#include "db/formats/reader.h"

namespace tilewright {

/// The readers behind read_results(), one for each format: they fill in tables and notes.

/// Kernel Tuner's cache: rows are the members of "cache", times in ms, failures are texts in place
/// of the time. A file that a killed process left without its end is read up to its last whole row.
void read_kernel_tuner(ByteSource& source, ResultFile& file);

/// T4: rows are the elements of "results"; the unit of times stands in "metadata".
void read_t4(ByteSource& source, ResultFile& file);

/// KTT: rows are the elements of "Results", with counters; the unit stands in "Metadata".
void read_ktt(ByteSource& source, ResultFile& file);

/// CSV with a header. Columns left of the time are parameters, those right of it metrics.
void read_csv_table(ByteSource& source, ResultFile& file);

/// The op_summary table of Ascend's msprof: every op type with its shapes and types is a problem
/// without parameters, every task of it a repetition.
void read_op_summary(ByteSource& source, ResultFile& file);

/// What readers share.

/// A value of a parameter: whole numbers as such, also those written with a point; Error (failed)
/// for lists, objects and null.
RawValue raw_value(const JsonReader& json);
/// The same of a field of CSV: a number, true, false, or text.
RawValue raw_value(std::string_view field);

/// The status that tools mean by a word, ours or theirs: CompilationFailedConfig, InvalidConfig,
/// correctness, ValidationFailed, ...; a failure of an unknown name is kRuntime.
AttemptStatus status_of(std::string_view word);

/// Microseconds in a unit by its name, singular or plural, in any case: "ms", "milliseconds",
/// "miliseconds", ...; 0 for an unknown one.
double us_in(std::string_view unit);

/// Whether `seconds`-like time can be an objective: finite and above 0.
bool is_time(double time_us);

/// Adds the table of a builder with at least one row, or notes why not.
void finish_table(ResultTableBuilder& builder, ResultTable table, ResultFile& file);

}  // namespace tilewright
