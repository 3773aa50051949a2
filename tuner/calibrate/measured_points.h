#pragma once

#include <map>
#include <string>
#include <vector>

namespace tilewright {

/// A row of a table of published measurements.
struct MeasuredPoint {
  std::string source;
  std::string hardware;
  std::string kernel;
  std::string params;  ///< as written: "M=1536;K=1536;N=1536"
  std::string metric;
  std::string unit;
  double value = 0;
  std::string note;
  std::string where;  ///< "file:line"

  /// The parameters by name: "M=2;B,S=3,4;float" is M=2, B=3, S=4 and float without a value.
  std::map<std::string, std::string> parameters() const;
};

/// Reads a CSV file with the columns source, hardware, kernel, params, metric, unit, value and
/// note, in any order; other columns are skipped, source and note may be missing. Lines may end in
/// LF or CRLF; blank ones are skipped. Error (not found) for a missing file; (failed), with file
/// and line, for a missing column, a row with another number of fields, a value that is not a
/// finite number, no rows at all, or more than 16 MiB.
std::vector<MeasuredPoint> read_measured_points(const std::string& path);

}  // namespace tilewright
