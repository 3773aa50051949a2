#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "db/formats/byte_source.h"
#include "db/formats/moe_table.h"
#include "db/formats/result_table.h"

namespace tilewright {

/// A file of results that another tool wrote (docs/formats.md, "Results of other tools").
struct ResultFile {
  std::string path;
  std::string format;                ///< a name of result_formats()
  std::string hash;                  ///< of its text, unpacked: 16 hexadecimal digits
  std::vector<ResultTable> tables;   ///< one for each problem
  std::optional<MoeTable> moe = {};  ///< of the one format that has configs and no times
  std::vector<std::string> notes;    ///< what was left out, and why; whole sentences
};

/// A format that read_results() knows.
struct ResultFormat {
  std::string name;
  std::string meaning;  ///< one line
};

std::vector<ResultFormat> result_formats();

/// The format of a file by its first bytes: a name of result_formats(), "t1" for a problem without
/// results, "" for none that is known. Errors: as of a ByteSource.
std::string content_format(const std::string& path);

/// The format of a file of results by its first bytes. Error (failed) when it is none that is
/// known; (not found), (failed) when it cannot be read.
std::string detect_format(const std::string& path);

/// Reads a file of results, packed with gzip or not, as `format`, or as what detect_format() says
/// when that is empty. What the file does not say is taken from its name: the kernel is what stands
/// before ".json" or ".csv" (and "__", as tables of many kernels and devices are named), the device
/// what stands behind "__".
///
/// Errors: (usage) for an unknown format, (not found) for a missing file, (failed) with
/// "file:line[:column]: what" for a file that breaks its format or passes a limit, and for one
/// without a single result.
ResultFile read_results(const std::string& path, const std::string& format = "",
                        const ByteLimits& limits = {});

/// "gemm__A100" of "/data/gemm__A100.json.gz".
std::string name_of_file(const std::string& path);

}  // namespace tilewright
