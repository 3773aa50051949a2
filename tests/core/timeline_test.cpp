#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/base/file.h"
#include "core/timeline/timeline_writers.h"
#include "tests/temp_folder.h"

namespace tilewright {
namespace {

TimelineLanes lanes(double ticks_per_us) {
  TimelineLanes lanes;
  lanes.cores = {"AIC 0.0", "AIV 0.1"};
  lanes.names = {"tile[body 0] load", "odd \"name\", quoted"};
  lanes.flags = {"full"};
  lanes.ticks_per_us = ticks_per_us;
  return lanes;
}

TimelineEvent event(int64_t id, int64_t start, int64_t end) {
  TimelineEvent event;
  event.id = id;
  event.start = start;
  event.end = end;
  event.pipe = Pipe::kMte2;
  return event;
}

TEST(ChromeTrace, SaysWhatRanWhereWhenAndWhyNotEarlier) {
  std::string text;
  ChromeTraceWriter writer([&](std::string_view part) { text += part; });
  writer.begin(lanes(1024));  // 1 MHz: a cycle is a microsecond
  TimelineEvent waited = event(7, 3 * 1024, 5 * 1024);
  waited.core = 1;
  waited.reason = StartReason::kFlag;
  waited.flag = 0;
  waited.predecessor = 4;
  waited.task = 2;
  waited.iteration = 9;
  waited.bytes = 64;
  waited.hbm_ticks = 100;
  writer.add(waited);
  TimelineEvent odd = event(8, 6 * 1024, 7 * 1024);
  odd.name = 1;
  writer.add(odd);
  writer.finish();
  const auto json = nlohmann::json::parse(text);
  const auto& events = json["traceEvents"];
  ASSERT_EQ(events.size(), 2u * (1 + kPipeCount) + 2);
  EXPECT_EQ(events[0]["args"]["name"], "AIC 0.0");
  const auto& first = events[events.size() - 2];
  EXPECT_EQ(first["ph"], "X");
  EXPECT_EQ(first["pid"], 1);
  EXPECT_EQ(first["tid"], static_cast<int>(Pipe::kMte2));
  EXPECT_TRUE(first["ts"].is_number());
  EXPECT_DOUBLE_EQ(first["ts"].get<double>(), 3);
  EXPECT_NEAR(first["dur"].get<double>(), 2, 2e-6);
  const auto& args = first["args"];
  EXPECT_EQ(args["id"], 7);
  EXPECT_EQ(args["why"], "flag");
  EXPECT_EQ(args["flag"], "full");
  EXPECT_EQ(args["after"], 4);
  EXPECT_EQ(args["task"], 2);
  EXPECT_EQ(args["iteration"], 9);
  EXPECT_EQ(args["bytes"], 64);
  EXPECT_EQ(args["ticks"], 2048);
  EXPECT_EQ(args["hbm_ticks"], 100);
  EXPECT_FALSE(args.contains("l2_ticks"));
  EXPECT_EQ(events.back()["name"], "odd \"name\", quoted");
  EXPECT_FALSE(events.back()["args"].contains("after"));
}

TEST(ChromeTrace, EventsOfALaneNeverOverlapWhereTimesAreCutToNanoseconds) {
  std::string text;
  ChromeTraceWriter writer([&](std::string_view part) { text += part; });
  writer.begin(lanes(1024 * 1800.0));
  int64_t at = 0;
  for (int64_t id = 0; id < 5000; ++id) {
    const int64_t length = 1 + id * 7919 % 40000;
    writer.add(event(id, at, at + length));
    at += length;
  }
  writer.finish();
  int64_t free_at = 0;
  double free_at_exact = 0;
  const auto json = nlohmann::json::parse(text);
  int64_t events = 0;
  for (const auto& each : json["traceEvents"]) {
    if (each["ph"] != "X") continue;
    ++events;
    const double ts = each["ts"];
    const double dur = each["dur"];
    const auto start = static_cast<int64_t>(ts * 1000);
    EXPECT_GE(start, free_at);
    EXPECT_GE(ts, free_at_exact);
    free_at = start + static_cast<int64_t>(dur * 1000);
    free_at_exact = ts + dur;
  }
  EXPECT_EQ(events, 5000);
}

TEST(CsvTimeline, HasARowForEachInstruction) {
  std::string text;
  CsvTimelineWriter writer([&](std::string_view part) { text += part; });
  writer.begin(lanes(1024 * 1000.0));
  TimelineEvent first = event(0, 512, 2048);
  first.l2_ticks = 256;
  first.bytes = 32;
  writer.add(first);
  TimelineEvent second = event(1, 2048, 3072);
  second.reason = StartReason::kPipe;
  second.predecessor = 0;
  second.name = 1;
  writer.add(second);
  writer.finish();
  EXPECT_EQ(
      text,
      "id,core,pipe,instr,detail,task,iteration,start_cycle,end_cycle,cycles,start_time(us),"
      "running_time(us),bytes,fops,l2_wait_cycles,main_mem_wait_cycles,conflict_cycles,why,"
      "flag,after,link_wait_cycles\n"
      "0,AIC 0.0,MTE2,load,tile[body 0],0,0,0.5,2,1.5,0.000500,0.001500,32,0,0.25,0,0,launch,"
      ",,0\n"
      "1,AIC 0.0,MTE2,quoted,\"odd \"\"name\"\",\",0,0,2,3,1,0.002000,0.001000,0,0,0,0,0,pipe,"
      ",0,0\n");
}

TEST(TimelineWriter, KeepsNoEventsThatWereWritten) {
  size_t largest = 0;
  size_t parts = 0;
  ChromeTraceWriter writer([&](std::string_view part) {
    largest = std::max(largest, part.size());
    ++parts;
  });
  writer.begin(lanes(1024));
  for (int64_t id = 0; id < 200'000; ++id) writer.add(event(id, id * 1024, id * 1024 + 1000));
  writer.finish();
  EXPECT_LT(largest, size_t{300} << 10);
  EXPECT_GT(parts, 50u);
}

TEST(FileWriter, AFileAppearsOnlyWhenItIsWhole) {
  const TempFolder folder;
  const std::string path = folder.path("out.txt");
  const auto files = [&] {
    return std::distance(std::filesystem::directory_iterator(folder.path()), {});
  };
  {
    FileWriter given_up(path);
    given_up.write("half");
    EXPECT_FALSE(std::filesystem::exists(path));
  }
  EXPECT_EQ(files(), 0);
  FileWriter file(path);
  file.write("one ");
  file.write("two");
  file.commit();
  EXPECT_EQ(read_file(path), "one two");
  EXPECT_EQ(files(), 1);
}

}  // namespace
}  // namespace tilewright
