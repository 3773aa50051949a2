#include "app/export/export_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/format.h"
#include "core/plan/plan.h"
#include "db/formats/catlass_csv.h"
#include "db/formats/csv_table.h"
#include "db/formats/import.h"
#include "db/formats/t4.h"
#include "tuner/session/plan_maker.h"

namespace tilewright {

namespace {

/// The number of the problem, from 1.
int64_t chosen_number(const Run& run, const std::vector<ResultTable>& tables,
                      const ProblemChoice& choice) {
  if (tables.empty()) {
    throw Error(ErrorKind::kNotFound, fmt::format("run {} has measured nothing", run.id));
  }
  const auto count = std::ssize(tables);
  if (choice.number > 0 && choice.number <= count) return choice.number;
  if (choice.number != 0) {
    throw Error(ErrorKind::kUsage, fmt::format("--problem is {}; run {} has problems 1 to {}",
                                               choice.number, run.id, count));
  }
  if (count == 1) return 1;
  const auto is_chosen = [&](const ResultTable& table) {
    return choice.winner && table.problem.text() == choice.winner->problem;
  };
  const auto found = std::ranges::find_if(tables, is_chosen);
  if (found != tables.end()) return found - tables.begin() + 1;
  throw Error(ErrorKind::kUsage,
              fmt::format("run {} has {} problems and the format holds one: choose with "
                          "--problem 1 to {} (1 is {})",
                          run.id, count, count, tables.front().problem.text()));
}

ExportText moe_text(const Run& run) {
  const std::optional<MoeTable> moe = moe_table_of_run(run);
  if (!moe) {
    throw Error(ErrorKind::kUsage,
                fmt::format("run {} did not import a table of vLLM's fused MoE", run.id));
  }
  ExportText text;
  text.results = std::ssize(moe->entries);
  text.text = write_moe_table(*moe);
  text.notes.push_back(fmt::format("vLLM looks for it under the name {}", moe_file_name(*moe)));
  return text;
}

void add_catlass(const Run& run, const std::vector<ResultTable>& tables, ExportText& text) {
  int64_t left_out = 0;
  text.text = write_catlass_csv(tables, left_out);
  if (left_out > 0) {
    text.notes.push_back(
        fmt::format("left out {}: no product of matrices", format_counted(left_out, "problem")));
  }
  text.results = std::ranges::count(text.text, '\n') - 1;
  if (text.results > 0) return;
  throw Error(ErrorKind::kNotFound,
              fmt::format("run {} has measured no product of matrices, and the format catlass "
                          "holds nothing else",
                          run.id));
}

}  // namespace

ExportText plan_text(const Run& run, const std::vector<Winner>& winners) {
  const Plan plan = make_plan(run, winners);
  ExportText text;
  text.text = write_plan(plan);
  text.tables = plan.tables.size();
  for (const PlanTable& table : plan.tables) text.ranges += table.ranges.size();
  return text;
}

ExportText results_text(Store& store, const Run& run, const std::string& format,
                        const ProblemChoice& choice) {
  if (format == "vllm-moe") return moe_text(run);
  int64_t left_out = 0;
  const std::vector<ResultTable> tables = tables_of_run(store, run, left_out);
  ExportText text;
  if (left_out > 0) {
    text.notes.push_back(
        fmt::format("left out {} with other parameters", format_counted(left_out, "config")));
  }
  if (format == "catlass") {
    add_catlass(run, tables, text);
    return text;
  }
  const int64_t number = chosen_number(run, tables, choice);
  const ResultTable& table = tables[static_cast<size_t>(number) - 1];
  text.problem = tables.size() > 1 ? number : 0;
  text.results = std::ssize(table.rows);
  text.text = format == "t4" ? write_t4(table) : write_csv_table(table);
  return text;
}

bool holds_one_problem(const std::string& format) {
  return format == "t4" || format == "csv";
}

WrittenExport write_export(const std::string& path, const std::string& text) {
  WrittenExport written;
  std::error_code none;
  if (std::filesystem::is_regular_file(path, none)) {
    const std::string before = read_file(path);
    written.is_unchanged = before == text;
    if (written.is_unchanged) return written;
    written.backup = path + ".bak";
    write_file(written.backup, before);
  }
  write_file(path, text);
  return written;
}

}  // namespace tilewright
