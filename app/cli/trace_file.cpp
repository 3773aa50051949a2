#include "app/cli/trace_file.h"

#include <memory>

#include "app/cli/interrupt.h"
#include "core/base/error.h"
#include "core/base/file.h"
#include "core/timeline/timeline_writers.h"

namespace tilewright {

TimingResult time_traced(const Launch& launch, const Machine& machine, const std::string& path,
                         TimelineSink* beside) {
  FileWriter file(path);
  const TextOutput output = [&](std::string_view part) {
    // Parts come often enough, and giving up here takes the temporary file away.
    if (interrupted()) throw Error(ErrorKind::kFailed, "interrupted");
    file.write(part);
  };
  std::unique_ptr<TimelineWriter> writer;
  if (path.ends_with(".csv")) {
    writer = std::make_unique<CsvTimelineWriter>(output);
  } else {
    writer = std::make_unique<ChromeTraceWriter>(output);
  }
  TeeSink both(*writer, beside ? *beside : *writer);
  TimelineSink* const sink = beside ? static_cast<TimelineSink*>(&both) : writer.get();
  const TimingResult timing = time_detailed(launch, machine, sink);
  file.commit();
  return timing;
}

}  // namespace tilewright
