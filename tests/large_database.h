#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <string>

#include "db/store.h"

namespace tilewright {

/// How much enlarge_database() adds.
struct DatabaseSize {
  int64_t runs = 0;
  int64_t problems = 0;
  int64_t configs = 0;  ///< that were measured of each problem
};

/// Makes a database large that has a done run of every kind that it is to have more of, a tuning
/// among them: adds copies of its runs, one after the other, and measurements with the counters of
/// those that are there, by its first and last evaluator, whose tries are shared out among the
/// tunings. Of the serving runs the last 50 have their log.
inline void enlarge_database(const std::string& path, const DatabaseSize& size) {
  const std::string sql = fmt::format(
      R"sql(
BEGIN;
CREATE TEMP TABLE old_run AS
  SELECT *, row_number() OVER (ORDER BY id) - 1 AS place FROM run WHERE status = 'done';
CREATE TEMP TABLE old_measurement AS
  SELECT counters, row_number() OVER (ORDER BY id) - 1 AS place FROM measurement;
CREATE TEMP TABLE limits AS SELECT
  (SELECT max(id) FROM run) AS runs, (SELECT count(*) FROM old_run) AS kinds,
  (SELECT max(id) FROM problem) AS problems, (SELECT max(id) FROM measurement) AS measurements,
  (SELECT count(*) FROM old_measurement) AS counters,
  (SELECT min(evaluator) FROM measurement) AS cheap, (SELECT max(evaluator) FROM measurement) AS exact,
  (SELECT kernel_revision FROM measurement WHERE kernel = 'gemm' LIMIT 1) AS revision,
  (SELECT fingerprint FROM machine LIMIT 1) AS machine;

WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {runs})
INSERT INTO run (id, kind, label, command, model, workload, machine, seed, status, date, wall_ms,
                 tool, result)
  SELECT runs + 1 + i, kind, label, command, model, workload, old_run.machine, i, status,
         strftime('%Y-%m-%dT%H:%M:%SZ', date, i || ' minutes'), wall_ms, tool, result
  FROM n, limits JOIN old_run ON old_run.place = i % kinds;
CREATE TEMP TABLE copied AS
  SELECT runs + 1 + i AS id, old_run.id AS source, kind FROM (
    WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {runs})
    SELECT i FROM n), limits JOIN old_run ON old_run.place = i % kinds;
CREATE TEMP TABLE tuning AS
  SELECT id, row_number() OVER (ORDER BY id) - 1 AS place FROM copied WHERE kind = 'tune';
INSERT INTO served_problem
  SELECT copied.id, problem_id, calls FROM copied JOIN served_problem ON run_id = source;
INSERT INTO serving_chunk (run_id, kind, place, name, chunk, first_row, rows, codec, data)
  SELECT copied.id, serving_chunk.kind, place, name, chunk, first_row, rows, codec, data
  FROM (SELECT * FROM copied WHERE kind = 'serve' ORDER BY id DESC LIMIT 50) AS copied
  JOIN serving_chunk ON run_id = source;

WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {problems})
INSERT INTO problem (id, text, kernel, dtype, types, layouts, m, n, k, epilogue)
  SELECT problems + 1 + i,
         printf('gemm f16 f16 f16 nd nz nd m=%d n=%d k=4096 epilogue=none', 1 + i % 5000,
                2048 + i / 5000), 'gemm', 'f16', 'f16 f16 f16', 'nd nz nd', 1 + i % 5000,
         2048 + i / 5000, 4096, 'none'
  FROM n, limits;

WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {measurements})
INSERT INTO measurement (id, kernel, kernel_revision, problem_id, config, machine, evaluator, status,
                         reason, time_us, time_ticks, counters)
  SELECT measurements + 1 + i, 'gemm', revision, problems + 1 + i / {configs},
         printf('tile_m=%d,tile_n=%d,tile_k=%d,tile_k0=%d,l1_buffers=2,l0_buffers=2,l0c_buffers=1,'
                || 'split_k=1,cores=0,swizzle=1,core_rows=0', 16 * (1 + i % 8),
                16 * (1 + i % {configs} / 8 % 8), 64 * (1 + i % {configs} / 64 % 8),
                16 * (1 + i % {configs} / 512)),
         limits.machine, iif(i % 4 = 0, exact, cheap), iif(i % 16 = 15, 'infeasible', 'ok'),
         iif(i % 16 = 15, printf('L0C: needs %d KiB, has 128', 129 + i % 7), ''),
         iif(i % 16 = 15, NULL, 20.0 + i * 2654435761 % 1000003 / 1000.0), 0,
         iif(i % 16 = 15, '', old_measurement.counters)
  FROM n, limits JOIN old_measurement ON old_measurement.place = i % limits.counters;

CREATE TEMP TABLE tried AS  -- as many for each tuning, one after the other
  SELECT measurement.id, tuning.id AS run,
         i - (tuning.place * {measurements} + tunings - 1) / tunings AS place,
         measurement.status, reason, time_us
  FROM (SELECT *, measurement.id - limits.measurements - 1 AS i FROM limits
        JOIN measurement ON measurement.id > limits.measurements) AS measurement
  JOIN (SELECT count(*) AS tunings FROM tuning)
  JOIN tuning ON tuning.place = i * tunings / {measurements};
INSERT INTO attempt (measurement_id, run_id, repetition, status, reason, time_us, wall_us, date)
  SELECT id, run, 0, status, reason, time_us, 400.0, '2026-01-01T00:00:00Z' FROM tried;
INSERT INTO trial SELECT run, place, id, 'annealing' FROM tried;
INSERT INTO winner (run_id, kernel, kernel_revision, problem_id, op, evaluator, config, time_us,
                    baseline_config, baseline_us, runner_up_us, evaluations, cache_hits, complete)
  SELECT run, kernel, kernel_revision, problem_id, 'qkv', evaluator, measurement.config,
         min(tried.time_us), measurement.config, max(tried.time_us), NULL, count(*), 0, 1
  FROM tried JOIN measurement USING (id) WHERE tried.time_us IS NOT NULL GROUP BY run, problem_id;
DROP TABLE tried;
COMMIT;
)sql",
      fmt::arg("runs", size.runs), fmt::arg("problems", size.problems),
      fmt::arg("configs", size.configs), fmt::arg("measurements", size.problems * size.configs));
  Store store = Store::open(path, OpenMode::kReadWrite);
  store.database().execute("PRAGMA temp_store = MEMORY");
  store.database().execute(sql.c_str());
}

}  // namespace tilewright
