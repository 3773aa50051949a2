#include "tuner/fusion/integer_program.h"

#ifdef TILEWRIGHT_CBC

#include <coin/Cbc_C_Interface.h>

#include <algorithm>
#include <memory>
#include <string>

#else

#include "core/base/error.h"

#endif

namespace tilewright {

#ifdef TILEWRIGHT_CBC

namespace {

struct DeleteModel {
  void operator()(void* model) const { Cbc_deleteModel(model); }
};

}  // namespace

bool has_integer_solver() {
  return true;
}

std::optional<IntegerSolution> maximize(const IntegerProgram& program, int64_t most_nodes) {
  const size_t columns = program.weights.size();
  if (columns == 0) return IntegerSolution{};
  // By columns, as CBC wants it.
  std::vector<std::vector<int>> rows_of(columns);
  for (size_t row = 0; row < program.rows.size(); ++row) {
    for (const int32_t column : program.rows[row].columns) {
      rows_of[static_cast<size_t>(column)].push_back(static_cast<int>(row));
    }
  }
  std::vector<CoinBigIndex> starts = {0};
  std::vector<int> indices;
  for (const std::vector<int>& rows : rows_of) {
    indices.insert(indices.end(), rows.begin(), rows.end());
    starts.push_back(static_cast<CoinBigIndex>(indices.size()));
  }
  const std::vector<double> ones(std::max(indices.size(), columns), 1);
  const std::vector<double> zeros(columns, 0);
  std::vector<double> least(program.rows.size(), 0);
  std::vector<double> most;
  for (const IntegerProgram::Row& row : program.rows) most.push_back(row.most);

  const std::unique_ptr<void, DeleteModel> model(Cbc_newModel());
  Cbc_setParameter(model.get(), "log", "0");
  Cbc_setParameter(model.get(), "threads", "0");
  Cbc_setParameter(model.get(), "maxNodes", std::to_string(most_nodes).c_str());
  Cbc_loadProblem(model.get(), static_cast<int>(columns), static_cast<int>(program.rows.size()),
                  starts.data(), indices.data(), ones.data(), zeros.data(), ones.data(),
                  program.weights.data(), least.data(), most.data());
  Cbc_setObjSense(model.get(), -1);
  for (size_t column = 0; column < columns; ++column) {
    Cbc_setInteger(model.get(), static_cast<int>(column));
  }
  Cbc_solve(model.get());
  const double* found = Cbc_getColSolution(model.get());
  if (!found) return std::nullopt;
  IntegerSolution solution;
  for (size_t column = 0; column < columns; ++column) {
    constexpr double kTolerance = 1e-4;
    const bool is_taken = found[column] > 1 - kTolerance;
    if (!is_taken && found[column] > kTolerance) return std::nullopt;  // of the relaxation only
    solution.takes.push_back(is_taken);
    if (is_taken) solution.value += program.weights[column];
  }
  for (const IntegerProgram::Row& row : program.rows) {
    const auto taken = std::ranges::count_if(
        row.columns, [&](int32_t column) { return solution.takes[static_cast<size_t>(column)]; });
    if (taken > row.most) return std::nullopt;
  }
  solution.bound = Cbc_isProvenOptimal(model.get()) != 0
                       ? solution.value
                       : std::max(solution.value, Cbc_getBestPossibleObjValue(model.get()));
  return solution;
}

#else

bool has_integer_solver() {
  return false;
}

std::optional<IntegerSolution> maximize(const IntegerProgram&, int64_t) {
  throw Error(ErrorKind::kInfeasible,
              "this program was built without CBC: install coinor-libcbc-dev and build again");
}

#endif

}  // namespace tilewright
