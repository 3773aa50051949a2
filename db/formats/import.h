#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "core/base/json.h"
#include "db/formats/reader.h"
#include "db/store.h"

namespace tilewright {

/// The machine that stands for a device of which nothing but the name is known. Error (usage) for a
/// name that is none.
MachineRow foreign_device(const std::string& name);
/// What the file says, or "unknown".
MachineRow device_of(const ResultFile& file);

/// What the configs of a problem mean, for the result of a run: kernel (as a file called it),
/// problem, and for each parameter name, kind and labels.
Json describe_configs(const std::string& kernel, const std::string& problem,
                      const std::vector<Parameter>& parameters,
                      const std::vector<ValueKind>& kinds);

/// Where a file of results comes from, as far as the file does not say, and who imports it.
struct ImportOrigin {
  std::string device = {};  ///< empty: as the file says
  std::string kernel = {};  ///< empty: as the file says; only for files of one problem
  std::string command = {};
  std::string tool = {};
  std::string date = {};  ///< ISO 8601
};

/// What an import added.
struct ImportCounts {
  int64_t run = 0;  ///< 0 when there was nothing new
  std::string device;
  std::string fingerprint;  ///< of its machine in the database
  std::string evaluator;
  int64_t problems = 0;      ///< of the file
  int64_t measurements = 0;  ///< new ones
  int64_t failures = 0;      ///< of them, configs that gave no time
  int64_t repetitions = 0;   ///< of the new ones
  int64_t known = 0;         ///< what the database had already
};

/// Puts a file of results into the database: a machine for its device, a run of kind import whose
/// result says what the configs mean, and a measurement for each row, with evaluator
/// "table/<hash>". Costs are kept as counters "compile_us" and so on. A table without times (vLLM's
/// fused MoE) has no measurements: the result of the run holds it whole. Doing it again adds
/// nothing; what an interrupted import has written stays, and the rest is added by the next.
///
/// Errors: (usage) for a kernel name on several problems or a name of a device or kernel that is
/// none, those of Store.
ImportCounts import_results(Store& store, const ResultFile& file, const ImportOrigin& origin,
                            const std::function<bool()>& stop);

/// What an import run, or a tuning run, measured: one table for each kernel, problem and evaluator,
/// rows in the order of their trials. Trials whose config has other parameters than the first of
/// its problem are counted in `left_out`.
std::vector<ResultTable> tables_of_run(Store& store, const Run& run, int64_t& left_out);

/// The table without times that an import run holds; nothing in other runs.
std::optional<MoeTable> moe_table_of_run(const Run& run);

}  // namespace tilewright
