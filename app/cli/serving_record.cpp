#include "app/cli/serving_record.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/base/error.h"
#include "core/base/text.h"

namespace tilewright {

namespace {

/// Most that a number of a log may be, so that differences and ends of what is read are numbers,
/// too. In ns it is 146 years.
constexpr int64_t kMostNumber = int64_t{1} << 62;

/// A column of a table whose rows are structs, with the bounds of what may be read.
template <class Row>
struct Field {
  const char* name;
  int64_t (*get)(const Row&);
  void (*set)(Row&, int64_t);
  int64_t least;
  int64_t most;
};

template <class Row, class Value>
Row row_of(Value Row::*);
template <class Row, class Value>
Value value_of(Value Row::*);

/// A number, or an enumeration by its values; -1 stands for "never" and "none".
template <auto kMember>
constexpr auto field(const char* name, int64_t least = -1, int64_t most = kMostNumber) {
  using Row = decltype(row_of(kMember));
  using Value = decltype(value_of(kMember));
  return Field<Row>{name, [](const Row& row) { return static_cast<int64_t>(row.*kMember); },
                    [](Row& row, int64_t value) { row.*kMember = static_cast<Value>(value); },
                    least, most};
}

/// What a step had to do, rounded to the whole: sums over long runs of steps would not fit.
template <double StepWork::*kMember>
constexpr Field<StepRecord> work_field(const char* name) {
  return {name,
          [](const StepRecord& row) {
            const double mean = row.work.*kMember / static_cast<double>(row.count);
            return static_cast<int64_t>(std::min(mean + 0.5, static_cast<double>(kMostNumber)));
          },
          [](StepRecord& row, int64_t value) {
            row.work.*kMember = static_cast<double>(value) * static_cast<double>(row.count);
          },
          0, kMostNumber};
}

/// TokenRun with its request.
struct TokenRow {
  int64_t request = 0;
  int64_t first_step = 0;
  int64_t count = 0;
  int64_t tokens = 0;
};

constexpr Field<RequestRecord> kRequestFields[] = {
    field<&RequestRecord::arrival_ns>("arrival_ns"),
    field<&RequestRecord::first_scheduled_ns>("first_scheduled_ns"),
    field<&RequestRecord::prompt_tokens>("prompt_tokens"),
    field<&RequestRecord::output_tokens>("output_tokens"),
    field<&RequestRecord::scheduled_tokens>("scheduled_tokens"),
    field<&RequestRecord::cached_tokens>("cached_tokens"),
    field<&RequestRecord::recomputed_tokens>("recomputed_tokens"),
    field<&RequestRecord::preempted_hit_tokens>("preempted_hit_tokens"),
    field<&RequestRecord::rejected_draft_tokens>("rejected_draft_tokens"),
    field<&RequestRecord::dropped_tokens>("dropped_tokens"),
    field<&RequestRecord::preemptions>("preemptions"),
    field<&RequestRecord::finish>("finish", 0, static_cast<int64_t>(FinishReason::kAborted)),
};

constexpr Field<TokenRow> kTokenFields[] = {
    field<&TokenRow::request>("request", 0),
    field<&TokenRow::first_step>("first_step", 0),
    field<&TokenRow::count>("count", 1),
    field<&TokenRow::tokens>("tokens", 1),
};

constexpr Field<StepRecord> kStepFields[] = {
    field<&StepRecord::first_step>("first_step", 0),
    field<&StepRecord::count>("count", 1),
    field<&StepRecord::start_ns>("start_ns", 0),
    field<&StepRecord::end_ns>("end_ns", 0),
    field<&StepRecord::tokens>("tokens"),
    field<&StepRecord::prefill_tokens>("prefill_tokens"),
    field<&StepRecord::decodes>("decodes"),
    field<&StepRecord::verifies>("verifies"),
    field<&StepRecord::draft_tokens>("draft_tokens"),
    field<&StepRecord::running>("running"),
    field<&StepRecord::waiting>("waiting"),
    field<&StepRecord::kv_blocks>("kv_blocks"),
    field<&StepRecord::preemptions>("preemptions"),
    field<&StepRecord::idle_ns>("idle_ns", 0),
    work_field<&StepWork::flops>("flops"),
    work_field<&StepWork::weight_bytes>("weight_bytes"),
    work_field<&StepWork::kv_read_bytes>("kv_read_bytes"),
    work_field<&StepWork::kv_write_bytes>("kv_write_bytes"),
};

constexpr Field<StepEvent> kEventFields[] = {
    field<&StepEvent::step>("step", 0),
    field<&StepEvent::kind>("kind", 0, static_cast<int64_t>(StepEvent::Kind::kRefusal)),
    field<&StepEvent::request>("request", 0),
    field<&StepEvent::needed_by>("needed_by"),
    field<&StepEvent::shared_tokens>("shared_tokens"),
    field<&StepEvent::copied_tokens>("copied_tokens"),
    field<&StepEvent::cause>("cause", 0, static_cast<int64_t>(Refusal::kPreemption)),
};

constexpr const char* kStepEnd = "end_ns";

template <class Row, size_t kCount>
LogTable table_of(LogKind kind, const std::vector<Row>& rows, const Field<Row> (&fields)[kCount]) {
  LogTable table{kind, {}};
  for (const Field<Row>& each : fields) {
    LogColumn& column = table.columns.emplace_back();
    column.name = each.name;
    column.values.reserve(rows.size());
    for (const Row& row : rows) column.values.push_back(each.get(row));
  }
  return table;
}

std::vector<TokenRow> token_rows(const std::vector<RequestRecord>& requests) {
  std::vector<TokenRow> rows;
  for (int64_t i = 0; i < std::ssize(requests); ++i) {
    for (const TokenRun& run : requests[static_cast<size_t>(i)].token_runs) {
      rows.push_back({i, run.first_step, run.count, run.tokens});
    }
  }
  return rows;
}

LogTable op_table(const ServingResult& result) {
  LogTable table{LogKind::kOp, {}};
  for (size_t op = 0; op < result.by_op.size(); ++op) {
    LogColumn& column = table.columns.emplace_back();
    column.name = result.by_op[op].op;
    for (const StepRecord& step : result.steps) {
      column.values.push_back(op < step.op_ns.size() ? step.op_ns[op] : 0);
    }
  }
  return table;
}

/// Reads the tables of one run and refuses what a run cannot have left.
class RecordReader {
 public:
  RecordReader(Store& store, int64_t run_id) : store_(store), run_id_(run_id) {}

  std::optional<ServingRecord> read() {
    read_step_ends();
    if (record_.step_end_ns.empty()) return std::nullopt;
    record_.requests = rows_of(LogKind::kRequest, kRequestFields);
    record_.steps = rows_of(LogKind::kStep, kStepFields);
    record_.events = rows_of(LogKind::kEvent, kEventFields);
    check_steps();
    read_tokens();
    read_ops();
    return std::move(record_);
  }

 private:
  [[noreturn]] void refuse(const std::string& why) const {
    throw Error(ErrorKind::kFailed, fmt::format("database {}: the log of run {} is damaged: {}",
                                                store_.database().path(), run_id_, why));
  }

  const LogColumn& column_of(const LogTable& table, std::string_view name) const {
    const auto found = std::ranges::find(table.columns, name, &LogColumn::name);
    if (found == table.columns.end()) {
      refuse(fmt::format("{} has no column {}", name_of(table.kind), name));
    }
    return *found;
  }

  void check(const LogTable& table, std::string_view column, int64_t value, int64_t least,
             int64_t most) const {
    if (value >= least && value <= most) return;
    refuse(fmt::format("a row of {} has {} = {}", name_of(table.kind), column, value));
  }

  template <class Row, size_t kCount>
  std::vector<Row> rows_of(LogKind kind, const Field<Row> (&fields)[kCount]) const {
    const LogTable table = store_.serving_log(run_id_, kind);
    std::vector<Row> rows(static_cast<size_t>(table.rows()));
    if (rows.empty()) return rows;
    for (const Field<Row>& each : fields) {
      const std::vector<int64_t>& values = column_of(table, each.name).values;
      for (size_t i = 0; i < rows.size(); ++i) {
        check(table, each.name, values[i], each.least, each.most);
        each.set(rows[i], values[i]);
      }
    }
    return rows;
  }

  void read_step_ends() {
    LogTable table = store_.serving_log(run_id_, LogKind::kStepEnd);
    if (table.columns.empty()) return;
    record_.step_end_ns = column_of(table, kStepEnd).values;
    for (const int64_t end_ns : record_.step_end_ns) check(table, kStepEnd, end_ns, 0, kMostNumber);
  }

  /// Whether there are `count` steps from `first` on.
  void check_range(int64_t first, int64_t count) const {
    const int64_t steps = std::ssize(record_.step_end_ns);
    if (count > steps || first > steps - count) {
      refuse(fmt::format("it speaks of {} steps from {} on, and has {}", count, first, steps));
    }
  }

  void check_steps() const {
    for (const StepRecord& step : record_.steps) {
      check_range(step.first_step, step.count);
      if (step.end_ns < step.start_ns) {
        refuse(fmt::format("step {} ends before it begins", step.first_step));
      }
    }
  }

  void read_tokens() {
    for (const TokenRow& row : rows_of(LogKind::kToken, kTokenFields)) {
      if (row.request >= std::ssize(record_.requests)) {
        refuse(fmt::format("tokens are of request {}, and there are {}", row.request,
                           record_.requests.size()));
      }
      check_range(row.first_step, row.count);
      record_.requests[static_cast<size_t>(row.request)].token_runs.push_back(
          {row.first_step, row.count, row.tokens});
    }
    for (size_t i = 0; i < record_.requests.size(); ++i) {
      const RequestRecord& request = record_.requests[i];
      if (is_complete(request.finish) && request.token_runs.empty()) {
        refuse(fmt::format("request {} ended without a token", i));
      }
    }
  }

  void read_ops() {
    const LogTable table = store_.serving_log(run_id_, LogKind::kOp);
    if (table.columns.empty()) return;
    if (table.rows() != std::ssize(record_.steps)) {
      refuse(fmt::format("there are {} rows of ops for {} of steps", table.rows(),
                         record_.steps.size()));
    }
    for (const LogColumn& column : table.columns) {
      record_.ops.push_back(column.name);
      for (size_t i = 0; i < record_.steps.size(); ++i) {
        check(table, printable(column.name), column.values[i], 0, kMostNumber);
        record_.steps[i].op_ns.push_back(column.values[i]);
      }
    }
  }

  Store& store_;
  int64_t run_id_;
  ServingRecord record_;
};

/// Of all steps of a record.
double device_ns(const StepRecord& record) {
  auto ns = static_cast<double>(record.idle_ns);
  for (const int64_t op_ns : record.op_ns) ns += static_cast<double>(op_ns);
  return ns;
}

}  // namespace

std::vector<LogTable> log_tables(const ServingResult& result) {
  return {table_of(LogKind::kRequest, result.requests, kRequestFields),
          table_of(LogKind::kToken, token_rows(result.requests), kTokenFields),
          table_of(LogKind::kStep, result.steps, kStepFields),
          {LogKind::kStepEnd, {{kStepEnd, result.step_end_ns}}},
          op_table(result),
          table_of(LogKind::kEvent, result.events, kEventFields)};
}

std::optional<ServingRecord> read_serving_record(Store& store, int64_t run_id) {
  return RecordReader(store, run_id).read();
}

double step_ns(const StepRecord& record) {
  return device_ns(record) / static_cast<double>(record.count);
}

double idle_share(const StepRecord& record) {
  const double ns = device_ns(record);
  return ns > 0 ? static_cast<double>(record.idle_ns) / ns : 0;
}

double mean_idle_share(std::span<const StepRecord> records) {
  double sum = 0;
  double steps = 0;
  for (const StepRecord& record : records) {
    sum += idle_share(record) * static_cast<double>(record.count);
    steps += static_cast<double>(record.count);
  }
  return steps > 0 ? sum / steps : 0;
}

}  // namespace tilewright
