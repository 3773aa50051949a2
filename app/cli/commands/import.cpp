// `tilewright import`: measurements of other tools.

#include "db/formats/import.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "app/cli/clock.h"
#include "app/cli/command.h"
#include "app/cli/commands/commands.h"
#include "app/cli/interrupt.h"
#include "core/base/format.h"
#include "core/base/text.h"

namespace tilewright {

namespace {

void print_counts(Context& context, const ResultFile& file, const ImportCounts& counts) {
  if (context.globals().json) {
    Json json = output_object();
    json["file"] = file.path;
    json["format"] = file.format;
    json["run"] = counts.run == 0 ? Json(nullptr) : Json(counts.run);
    json["machine"] = {{"name", counts.device}, {"fingerprint", counts.fingerprint}};
    json["evaluator"] = counts.evaluator;
    json["problems"] = counts.problems;
    json["measurements"] = counts.measurements;
    json["failures"] = counts.failures;
    json["repetitions"] = counts.repetitions;
    json["known"] = counts.known;
    json["configs_without_times"] = file.moe ? std::ssize(file.moe->entries) : 0;
    json["notes"] = file.notes;
    context.print_json(json);
    return;
  }
  const std::string of = fmt::format("{} ({}) of {} as {}", printable(file.path, 200), file.format,
                                     counts.device, counts.evaluator);
  if (file.moe) {
    context.print(
        fmt::format("{}: {} configs without times, {}\n", of, file.moe->entries.size(),
                    counts.run == 0 ? "known already" : fmt::format("kept in run {}", counts.run)));
  } else {
    context.print(fmt::format(
        "{}: {}, {} ({} failed, {}), {} known{}\n", of, format_counted(counts.problems, "problem"),
        format_counted(counts.measurements, "new measurement"), format_count(counts.failures),
        format_counted(counts.repetitions, "repetition"), format_count(counts.known),
        counts.run == 0 ? "" : fmt::format("; run {}", counts.run)));
  }
}

}  // namespace

int run_import(Context& context) {
  const Arguments& arguments = context.arguments();
  const ResultFile file = read_results(arguments.positionals()[0], arguments.text("format"));
  for (const std::string& note : file.notes) context.warn(note);
  ImportOrigin origin;
  origin.device = arguments.text("device");
  origin.kernel = arguments.text("kernel");
  origin.command = context.command_line();
  origin.tool = tool_name();
  origin.date = iso_date();
  Store store = context.open_store();
  const InterruptGuard guard;
  const ImportCounts counts = import_results(store, file, origin, interrupted);
  print_counts(context, file, counts);
  return interrupted() ? kExitInterrupted : kExitOk;
}

}  // namespace tilewright
