// `tilewright query`: questions to the results database.

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "app/cli/command.h"
#include "app/cli/commands/commands.h"
#include "app/cli/interrupt.h"
#include "app/cli/table.h"
#include "core/base/error.h"

namespace tilewright {

namespace {

QueryResult saved_list() {
  QueryResult table;
  table.columns = {"name", "description"};
  for (const SavedQuery& saved : saved_queries()) {
    table.rows.push_back({saved.name, saved.description});
  }
  return table;
}

void print_result(Context& context, const QueryResult& table) {
  if (!context.globals().json) {
    context.print_table(table);
    return;
  }
  Json json = output_object();
  json.update(to_json(table));
  context.print_json(json);
}

}  // namespace

int run_query(Context& context) {
  const InterruptGuard guard;
  if (context.arguments().positionals().empty()) {
    print_result(context, saved_list());
    return kExitOk;
  }
  Store store = context.open_existing_store(OpenMode::kReadOnly);
  QueryLimits limits;
  limits.stop = interrupted;
  try {
    print_result(context,
                 query(store, context.arguments().positionals()[0], current_revisions(), limits));
  } catch (const Error&) {
    if (!interrupted()) throw;
    context.console().message("tilewright: interrupted");
    return kExitInterrupted;
  }
  return kExitOk;
}

}  // namespace tilewright
