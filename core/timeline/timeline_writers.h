#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/timeline/timeline.h"

namespace tilewright {

/// Takes a part of a text that is written from begin to end.
using TextOutput = std::function<void(std::string_view)>;

/// Writes a launch's events while they end and keeps none of them: memory does not grow with their
/// number. docs/formats.md, "Timeline", has the formats.
class TimelineWriter : public TimelineSink {
 public:
  explicit TimelineWriter(TextOutput output) : output_(std::move(output)) {}

  void begin(const TimelineLanes& lanes) final;
  void add(const TimelineEvent& event) final;
  void finish() final;

 protected:
  virtual void write_head() = 0;
  virtual void write_event(const TimelineEvent& event) = 0;
  virtual void write_end() {}

  /// Simulated time of a launch in picoseconds, rounded.
  int64_t picoseconds(int64_t ticks) const;

  TimelineLanes lanes_;
  std::string text_;  ///< not given to the output yet

 private:
  TextOutput output_;
};

/// Chrome trace JSON, as Perfetto reads it: one process a core, one thread a pipe, small ids, times
/// as numbers in us from the start of the launch. Events of a lane follow each other and never
/// overlap, also where a reader cuts times to whole nanoseconds.
class ChromeTraceWriter : public TimelineWriter {
 public:
  using TimelineWriter::TimelineWriter;

 protected:
  void write_head() override;
  void write_event(const TimelineEvent& event) override;
  void write_end() override;

 private:
  /// Puts a comma behind the event before.
  void begin_line();

  bool has_event_ = false;
};

/// CSV with a row an instruction, by the column names of the Ascend profiler's simulator mode.
class CsvTimelineWriter : public TimelineWriter {
 public:
  using TimelineWriter::TimelineWriter;

 protected:
  void write_head() override;
  void write_event(const TimelineEvent& event) override;

 private:
  struct Name {
    std::string instruction;
    std::string place;
  };
  std::vector<Name> names_;  ///< of instructions, ready for CSV
};

}  // namespace tilewright
