#include "tuner/calibrate/measured_points.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/base/csv.h"
#include "core/base/error.h"
#include "core/base/text.h"
#include "core/workload/line_reader.h"

namespace tilewright {

namespace {

constexpr int64_t kMaxBytes = int64_t{16} << 20;
constexpr size_t kMaxLineBytes = size_t{64} << 10;

struct Column {
  const char* name;
  std::string MeasuredPoint::*field;  ///< null: the value
  bool required;
};

constexpr std::array<Column, 8> kColumns = {{{"source", &MeasuredPoint::source, false},
                                             {"hardware", &MeasuredPoint::hardware, true},
                                             {"kernel", &MeasuredPoint::kernel, true},
                                             {"params", &MeasuredPoint::params, true},
                                             {"metric", &MeasuredPoint::metric, true},
                                             {"unit", &MeasuredPoint::unit, true},
                                             {"value", nullptr, true},
                                             {"note", &MeasuredPoint::note, false}}};

/// Positions of kColumns in the header; -1 where one is missing.
std::array<int, kColumns.size()> find_columns(const std::vector<std::string>& header,
                                              const std::string& where) {
  std::array<int, kColumns.size()> positions{};
  for (size_t c = 0; c < kColumns.size(); ++c) {
    const auto found = std::find(header.begin(), header.end(), kColumns[c].name);
    positions[c] = found == header.end() ? -1 : static_cast<int>(found - header.begin());
    if (positions[c] < 0 && kColumns[c].required) {
      throw Error(ErrorKind::kFailed,
                  fmt::format("{}: column '{}' is missing; a table of measurements has hardware, "
                              "kernel, params, metric, unit and value",
                              where, kColumns[c].name));
    }
  }
  return positions;
}

}  // namespace

std::map<std::string, std::string> MeasuredPoint::parameters() const {
  std::map<std::string, std::string> values;
  for (std::string_view part : split(params, ';')) {
    const size_t equals = std::min(part.find('='), part.size());
    const std::string_view name = trim(part.substr(0, equals));
    const std::string_view given =
        equals < part.size() ? trim(part.substr(equals + 1)) : std::string_view{};
    const auto names = split(name, ',');
    const auto parts = split(given, ',');
    if (names.size() > 1 && names.size() == parts.size()) {
      for (size_t i = 0; i < names.size(); ++i) values.emplace(trim(names[i]), trim(parts[i]));
    } else if (!name.empty()) {
      values.emplace(name, given);
    }
  }
  return values;
}

std::vector<MeasuredPoint> read_measured_points(const std::string& path) {
  LineReader lines(path, kMaxBytes, kMaxLineBytes);
  std::vector<MeasuredPoint> points;
  std::vector<std::string> header;
  std::array<int, kColumns.size()> positions{};
  while (const auto line = lines.next()) {
    if (trim(*line).empty()) continue;
    const std::string where = lines.where();
    const std::vector<std::string> fields = split_csv_line(*line, where);
    if (header.empty()) {
      header = fields;
      positions = find_columns(header, where);
      continue;
    }
    if (fields.size() != header.size()) {
      throw Error(ErrorKind::kFailed, fmt::format("{}: {} fields, the header has {}", where,
                                                  fields.size(), header.size()));
    }
    MeasuredPoint point;
    point.where = where;
    for (size_t c = 0; c < kColumns.size(); ++c) {
      if (positions[c] < 0) continue;
      const std::string& field = fields[static_cast<size_t>(positions[c])];
      if (kColumns[c].field) {
        point.*kColumns[c].field = field;
        continue;
      }
      try {
        point.value = parse_number(trim(field), "value");
      } catch (const Error& error) {
        throw Error(ErrorKind::kFailed, where + ": " + error.message());
      }
    }
    points.push_back(std::move(point));
  }
  if (points.empty()) throw Error(ErrorKind::kFailed, path + ": no measurements in it");
  return points;
}

}  // namespace tilewright
