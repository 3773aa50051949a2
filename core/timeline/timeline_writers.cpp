#include "core/timeline/timeline_writers.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>

#include "core/machine/machine.h"

namespace tilewright {

namespace {

/// What the output gets at a time.
constexpr size_t kBlockBytes = size_t{1} << 18;

constexpr int64_t kPicosecondsPerUs = 1'000'000;

double cycles(int64_t ticks) {
  return static_cast<double>(ticks) / static_cast<double>(kTicksPerCycle);
}

/// Names are ASCII of our own; quotes and backslashes alone could break a string of JSON.
std::string json_escaped(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '"' || c == '\\') escaped += '\\';
    escaped += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return escaped;
}

std::string csv_field(std::string_view text) {
  if (text.find_first_of(",\"\r\n") == std::string_view::npos) return std::string(text);
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? "\"\"" : std::string(1, c);
  return quoted + "\"";
}

}  // namespace

void TimelineWriter::begin(const TimelineLanes& lanes) {
  lanes_ = lanes;
  write_head();
}

void TimelineWriter::add(const TimelineEvent& event) {
  write_event(event);
  if (text_.size() < kBlockBytes) return;
  output_(text_);
  text_.clear();
}

void TimelineWriter::finish() {
  write_end();
  output_(text_);
  text_.clear();
}

int64_t TimelineWriter::picoseconds(int64_t ticks) const {
  return std::llround(static_cast<double>(ticks) * 1e6 / lanes_.ticks_per_us);
}

void ChromeTraceWriter::begin_line() {
  text_ += has_event_ ? ",\n" : "\n";
  has_event_ = true;
}

void ChromeTraceWriter::write_head() {
  for (auto* names : {&lanes_.names, &lanes_.flags}) {
    for (std::string& name : *names) name = json_escaped(name);
  }
  text_ += "{\"displayTimeUnit\":\"ns\",\"traceEvents\":[";
  auto out = std::back_inserter(text_);
  for (size_t core = 0; core < lanes_.cores.size(); ++core) {
    begin_line();
    fmt::format_to(out, R"({{"ph":"M","pid":{},"name":"process_name","args":{{"name":"{}"}}}})",
                   core, json_escaped(lanes_.cores[core]));
    for (int pipe = 0; pipe < kPipeCount; ++pipe) {
      begin_line();
      fmt::format_to(
          out, R"({{"ph":"M","pid":{},"tid":{},"name":"thread_name","args":{{"name":"{}"}}}})",
          core, pipe, name_of(static_cast<Pipe>(pipe)));
    }
  }
}

void ChromeTraceWriter::write_event(const TimelineEvent& event) {
  const int64_t start = picoseconds(event.start);
  // A picosecond less: begin and length cut to nanoseconds then never reach into the next event,
  // whichever way a reader's binary fractions fall.
  const int64_t length = std::max<int64_t>(0, picoseconds(event.end) - start - 1);
  begin_line();
  auto out = std::back_inserter(text_);
  fmt::format_to(out,
                 R"({{"ph":"X","pid":{},"tid":{},"ts":{}.{:06},"dur":{}.{:06},"name":"{}",)"
                 R"("args":{{"id":{},"task":{},"iteration":{},"bytes":{},"flops":{},"ticks":{},)"
                 R"("why":"{}")",
                 event.core, static_cast<int>(event.pipe), start / kPicosecondsPerUs,
                 start % kPicosecondsPerUs, length / kPicosecondsPerUs, length % kPicosecondsPerUs,
                 lanes_.names[static_cast<size_t>(event.name)], event.id, event.task,
                 event.iteration, event.bytes, event.flops, event.end - event.start,
                 name_of(event.reason));
  if (event.flag >= 0) {
    fmt::format_to(out, R"(,"flag":"{}")", lanes_.flags[static_cast<size_t>(event.flag)]);
  }
  if (event.predecessor >= 0) fmt::format_to(out, R"(,"after":{})", event.predecessor);
  if (event.l2_ticks > 0) fmt::format_to(out, R"(,"l2_ticks":{})", event.l2_ticks);
  if (event.hbm_ticks > 0) fmt::format_to(out, R"(,"hbm_ticks":{})", event.hbm_ticks);
  if (event.conflict_ticks > 0) {
    fmt::format_to(out, R"(,"conflict_ticks":{})", event.conflict_ticks);
  }
  if (event.link_ticks > 0) fmt::format_to(out, R"(,"link_ticks":{})", event.link_ticks);
  text_ += "}}";
}

void ChromeTraceWriter::write_end() {
  text_ += "\n]}\n";
}

void CsvTimelineWriter::write_head() {
  for (const std::string& name : lanes_.names) {
    // "tile[body 0] load": the instruction stands behind its place.
    const size_t space = name.rfind(' ');
    const bool has_place = space != std::string::npos;
    names_.push_back({csv_field(has_place ? name.substr(space + 1) : name),
                      csv_field(has_place ? name.substr(0, space) : "")});
  }
  for (auto* names : {&lanes_.cores, &lanes_.flags}) {
    for (std::string& name : *names) name = csv_field(name);
  }
  text_ +=
      "id,core,pipe,instr,detail,task,iteration,start_cycle,end_cycle,cycles,start_time(us),"
      "running_time(us),bytes,fops,l2_wait_cycles,main_mem_wait_cycles,conflict_cycles,why,flag,"
      "after,link_wait_cycles\n";
}

void CsvTimelineWriter::write_event(const TimelineEvent& event) {
  const Name& name = names_[static_cast<size_t>(event.name)];
  const int64_t start = picoseconds(event.start);
  const int64_t length = picoseconds(event.end - event.start);
  auto out = std::back_inserter(text_);
  fmt::format_to(out, "{},{},{},{},{},{},{},{},{},{},{}.{:06},{}.{:06},{},{},{},{},{},{},{},",
                 event.id, lanes_.cores[static_cast<size_t>(event.core)], name_of(event.pipe),
                 name.instruction, name.place, event.task, event.iteration, cycles(event.start),
                 cycles(event.end), cycles(event.end - event.start), start / kPicosecondsPerUs,
                 start % kPicosecondsPerUs, length / kPicosecondsPerUs, length % kPicosecondsPerUs,
                 event.bytes, event.flops, cycles(event.l2_ticks), cycles(event.hbm_ticks),
                 cycles(event.conflict_ticks), name_of(event.reason),
                 event.flag >= 0 ? lanes_.flags[static_cast<size_t>(event.flag)] : "");
  if (event.predecessor >= 0) fmt::format_to(out, "{}", event.predecessor);
  fmt::format_to(out, ",{}\n", cycles(event.link_ticks));
}

}  // namespace tilewright
