#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "core/space/measurement.h"
#include "core/space/problem.h"
#include "core/space/space.h"

namespace tilewright {

/// What the values of a parameter are. Only whole numbers are values of a config themselves; of
/// the others a config has the places in Parameter::labels.
enum class ValueKind { kInteger, kNumber, kBoolean, kText };

/// "integer", "number", "boolean", "text".
std::string_view name_of(ValueKind kind);

/// What was measured of one config. Times in us; those that the file does not state are 0.
struct ResultRow {
  std::vector<int64_t> values;  ///< in the order of the parameters
  AttemptStatus status = AttemptStatus::kOk;
  std::string reason = {};            ///< empty when ok
  double time_us = 0;                 ///< the objective; 0 when not ok
  std::vector<double> times_us = {};  ///< every repetition, in the order measured
  double compile_us = 0;              ///< what getting there took: compiling,
  double benchmark_us = 0;            ///< running all repetitions,
  double framework_us = 0;            ///< the tuner's own work,
  double search_us = 0;               ///< its strategy,
  double verification_us = 0;         ///< and comparing the result
  std::string timestamp = {};         ///< as written
  std::vector<std::pair<std::string, double>> metrics = {};  ///< whatever else was measured

  /// What trying the config took in all.
  double cost_us() const {
    return compile_us + benchmark_us + framework_us + search_us + verification_us;
  }
  /// The five costs by the names that they have outside: "compile_us", ...
  std::array<std::pair<std::string_view, double>, 5> costs() const;
  /// Sets the cost of that name; false when there is none.
  bool set_cost(std::string_view name, double us);

  friend bool operator==(const ResultRow&, const ResultRow&) = default;
};

/// The measured configs of one problem on one device: each stands once, configs that were not
/// measured do not stand at all.
struct ResultTable {
  std::string kernel;  ///< as the file calls it
  std::string device;  ///< as the file calls it; empty where it does not say
  Problem problem;
  std::vector<Parameter> parameters;  ///< values ascending, only such as occur in a row
  std::vector<ValueKind> kinds;       ///< one for each parameter
  std::vector<ResultRow> rows;

  Config config(const ResultRow& row) const;
};

/// A value of a parameter as a file states it.
using RawValue = std::variant<int64_t, double, bool, std::string>;

/// Makes a table of rows as files state them: parameters get their values from what occurs. Limits:
/// 256 parameters, 4 Mi rows, names of 128 bytes without ',' and '='.
class ResultTableBuilder {
 public:
  /// Parameters in their order; all rows name the same. Error (failed), naming `where`, for
  /// unusable names.
  void set_parameters(const std::vector<std::string>& names, const std::string& where);
  const std::vector<std::string>& names() const { return names_; }

  /// Values that come first in the order of a parameter whose values are texts.
  void declare(size_t parameter, const RawValue& value) { id_of(parameter, value); }

  /// `values` in the order of the parameters; row.values is ignored. A failure without a reason
  /// gets the name of its status. A config that has a row already is counted and left out.
  void add(const std::vector<RawValue>& values, ResultRow row, const std::string& where);

  bool empty() const { return rows_.empty(); }
  int64_t repeated() const { return repeated_; }

  /// Fills in parameters, kinds and rows.
  void finish(ResultTable& table);

 private:
  int64_t id_of(size_t parameter, const RawValue& value);

  std::vector<std::string> names_;
  std::vector<std::vector<RawValue>> values_;     // of each parameter, by id
  std::vector<std::map<RawValue, int64_t>> ids_;  // of each parameter
  std::vector<ResultRow> rows_;                   // with ids for values
  std::map<std::vector<int64_t>, size_t> known_;  // ids of rows
  int64_t repeated_ = 0;
};

/// What a row says, as a measurement: its time as stated, the standard error of its repetitions;
/// costs are counters "compile_us" and so on.
Measurement measurement_of(const ResultRow& row);

/// The sizes of problems that files give without names: "x", "y", "z".
constexpr size_t kMostDimensions = 3;
std::string dimension_name(size_t place);

/// A name made fit for problem texts: lower case, anything but letters, digits and '_' replaced by
/// '_'; "kernel" where nothing is left.
std::string identifier_of(std::string_view name);

/// The value of a parameter as text: a number, true, false, or the text itself.
std::string value_text(const ResultTable& table, size_t parameter, int64_t value);

}  // namespace tilewright
