#include <fmt/format.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "core/base/error.h"
#include "db/formats/catlass_csv.h"
#include "db/formats/csv_table.h"
#include "db/formats/reader.h"
#include "db/formats/t4.h"
#include "tests/packed.h"
#include "tests/temp_folder.h"

namespace tilewright {
namespace {

class Formats : public testing::Test {
 protected:
  ResultFile read(const std::string& text, const std::string& name = "table.json",
                  const std::string& format = "") {
    return read_results(folder_.file(name, text), format);
  }

  std::string error_of(const std::string& text, const std::string& name = "table.json",
                       const std::string& format = "") {
    try {
      read(text, name, format);
    } catch (const Error& error) {
      return error.message();
    }
    return "accepted";
  }

  /// The message ends with, or holds, `part`.
  void expect_error(const std::string& text, const std::string& part,
                    const std::string& name = "table.json") {
    const std::string message = error_of(text, name);
    EXPECT_NE(message.find(part), std::string::npos) << message;
  }

  const TempFolder folder_;
};

const std::string kHead = R"({
"device_name": "Device X", "kernel_name": "Conv", "problem_size": [64, 32],
"tune_params_keys": ["bx", "mode", "scale", "pad"],
"tune_params": {"bx": [32, 16], "mode": ["b", "a"], "scale": [0.5, 1], "pad": [true, false]},
"cache": {
)";
const std::string kRow1 = R"("32,b,0.5,True": {"bx": 32, "mode": "b", "scale": 0.5, "pad": true,
 "time": 2.5, "times": [3, 2.25, 2.25], "compile_time": 100, "benchmark_time": 7.5,
 "framework_time": 1, "strategy_time": 0.5, "verification_time": 0, "GFLOP/s": 12.5,
 "timestamp": "2026-01-02 03:04:05"})";
const std::string kRow2 = R"("16,a,1,False": {"bx": 16, "mode": "a", "scale": 1, "pad": false,
 "time": "CompilationFailedConfig", "compile_time": 50})";

TEST_F(Formats, KernelTunerCacheIsReadWithUnitsLabelsAndFailures) {
  const ResultFile file = read(kHead + kRow1 + ",\n" + kRow2 + "}}");
  EXPECT_EQ(file.format, "kernel-tuner");
  ASSERT_EQ(file.tables.size(), 1u);
  const ResultTable& table = file.tables[0];
  EXPECT_EQ(table.device, "Device X");
  EXPECT_EQ(table.problem.text(), "conv x=64 y=32 epilogue=none");
  ASSERT_EQ(table.parameters.size(), 4u);
  EXPECT_EQ(table.parameters[0].values, (std::vector<int64_t>{16, 32}));
  EXPECT_EQ(table.parameters[1].labels, (std::vector<std::string>{"b", "a"}));
  EXPECT_FALSE(table.parameters[1].ordered);
  EXPECT_EQ(table.parameters[2].labels, (std::vector<std::string>{"0.5", "1"}));
  EXPECT_TRUE(table.parameters[2].ordered);
  EXPECT_EQ(table.parameters[3].labels, (std::vector<std::string>{"false", "true"}));
  ASSERT_EQ(table.rows.size(), 2u);
  const ResultRow& row = table.rows[0];
  EXPECT_EQ(row.values, (std::vector<int64_t>{32, 0, 0, 1}));
  EXPECT_EQ(row.time_us, 2500);
  EXPECT_EQ(row.times_us, (std::vector<double>{3000, 2250, 2250}));
  EXPECT_EQ(row.cost_us(), 109000);
  EXPECT_EQ(row.metrics, (std::vector<std::pair<std::string, double>>{{"GFLOP/s", 12.5}}));
  EXPECT_EQ(table.rows[1].status, AttemptStatus::kCompile);
  EXPECT_EQ(table.rows[1].reason, "CompilationFailedConfig");
}

TEST_F(Formats, EveryFailureWordHasItsStatus) {
  const std::pair<const char*, AttemptStatus> words[] = {
      {"InvalidConfig", AttemptStatus::kInfeasible},
      {"RuntimeFailedConfig", AttemptStatus::kRuntime},
      {"TimeoutFailedConfig", AttemptStatus::kTimeout},
      {"VerificationFailedConfig", AttemptStatus::kWrongResult},
      {"SomethingElse", AttemptStatus::kRuntime}};
  for (const auto& [word, status] : words) {
    const ResultFile file =
        read(kHead + R"("1,a,1,True": {"bx": 1, "mode": "a", "scale": 1, "pad": true, "time": ")" +
             word + R"("}}})");
    EXPECT_EQ(file.tables[0].rows[0].status, status) << word;
    EXPECT_EQ(file.tables[0].rows[0].reason, word);
  }
}

TEST_F(Formats, WordsThatPythonWritesForNoNumberAreReasonsAndNoMetrics) {
  const auto row = [](int bx, const std::string& members) {
    return fmt::format(R"("{},a,1,True": {{"bx": {}, "mode": "a", "scale": 1, "pad": true, {}}})",
                       bx, bx, members);
  };
  const std::string cache =
      kHead + "/* NaN's \" */ // Infinity \"\n" + row(1, R"("time": NaN, "power": 3)") + "," +
      row(2, R"("time": -Infinity)") + "," + row(3, R"("time": Infinity)") + "," +
      row(4, R"("time": 2, "power": NaN, "energy": -Infinity, "temp": -7.5e-1,
                "times": [1, NaN, 3], "note": "NaN \" -Infinity", "compile_time": NaN)");
  const ResultFile file = read(cache + "}}");
  const std::vector<ResultRow>& rows = file.tables.at(0).rows;
  ASSERT_EQ(rows.size(), 4u);
  const std::string reasons[] = {"NaN", "-Infinity", "Infinity"};
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(rows[i].status, AttemptStatus::kRuntime);
    EXPECT_EQ(rows[i].reason, reasons[i]);
  }
  EXPECT_EQ(rows[3].time_us, 2000);
  EXPECT_EQ(rows[3].times_us, (std::vector<double>{1000, 3000}));
  EXPECT_EQ(rows[3].metrics, (std::vector<std::pair<std::string, double>>{{"temp", -0.75}}));
  EXPECT_EQ(rows[3].compile_us, 0);
  for (const size_t less : {1, 2, 3, 4, 9}) {  // a word that is cut, too
    EXPECT_EQ(read(cache.substr(0, cache.rfind("NaN") + 4 - less)).tables.at(0).rows.size(), 3u);
  }
  expect_error(kHead + row(1, R"("time": Nan)") + "}}", "table.json:6:");
  expect_error(kHead + row(1, R"("time": -Inf)") + "}}", "table.json:6:");
}

TEST_F(Formats, NumbersOfAParameterStayNumbersInT4) {
  const ResultTable table = read("a,time_us\n0.5,1\n3.0,2\n", "t.csv").tables.at(0);
  EXPECT_NE(write_t4(table).find(R"("a": 3.0)"), std::string::npos) << write_t4(table);
}

TEST_F(Formats, CutCacheIsReadUpToItsLastWholeRow) {
  const std::string whole = kHead + kRow1 + ",\n" + kRow2 + ",\n";
  for (size_t size = kHead.size() + kRow1.size(); size <= whole.size(); ++size) {
    const ResultFile file = read(whole.substr(0, size));
    const size_t rows = size >= kHead.size() + kRow1.size() + 2 + kRow2.size() ? 2 : 1;
    ASSERT_EQ(file.tables[0].rows.size(), rows) << size;
    ASSERT_EQ(file.notes.size(), 1u) << size;
    EXPECT_NE(file.notes[0].find("ends in the middle"), std::string::npos);
  }
}

TEST_F(Formats, CutCacheWithoutAWholeRowIsRefused) {
  expect_error(kHead, "not a single result");
  expect_error(kHead.substr(0, 120), "not valid JSON");
}

TEST_F(Formats, BrokenCacheNamesLineAndColumn) {
  expect_error(kHead + kRow1 + ",\n" + "\"x\": {\"bx\": 1 \"mode\"", "table.json:10:");
  expect_error(kHead + R"("x": {"bx": 1, "time": 3}}})", "'mode' is missing");
  expect_error(kHead + R"("x": {"bx": [], "mode": "a", "scale": 1, "pad": true, "time": 3}}})",
               "expected a number, a text, true or false");
  expect_error(
      kHead + R"("1,a,1,1": {"bx": 1, "mode": "a", "scale": 1.0, "pad": true, "time": -3}}})",
      "must be above 0");
  expect_error(R"({"cache": {"1": {"time": 1}}, "tune_params_keys": []})",
               "tune_params_keys has to stand before cache");
}

TEST_F(Formats, DeepAndHugeJsonIsRefused) {
  std::string deep = kHead + R"("x": {"bx": )";
  for (int i = 0; i < 100; ++i) deep += '[';
  expect_error(deep, "nested deeper than 64 levels");
  ByteLimits limits;
  limits.max_piece_bytes = 1 << 20;
  const std::string path = folder_.file("huge.json", kHead + '"' + std::string(3 << 20, 'x'));
  EXPECT_THROW(read_results(path, "", limits), Error);
}

TEST_F(Formats, RepeatedConfigIsKeptOnceAndTold) {
  const ResultFile file = read(kHead + kRow1 + "," + kRow1 + "}}");
  EXPECT_EQ(file.tables[0].rows.size(), 1u);
  ASSERT_EQ(file.notes.size(), 1u);
  EXPECT_NE(file.notes[0].find("1 row repeats a config"), std::string::npos);
}

TEST_F(Formats, KeyOfARowThatContradictsItsValuesIsRefused) {
  for (const char* key : {"16,b,0.5,True", "32,b,0.5,False", "32,b,0.5", "32,b,0.5,True,1", "32",
                          "32,c,0.5,True", "", "32,b,0.25,True", "32b,0.5,True"}) {
    std::string row = kRow1;
    row.replace(1, row.find('"', 1) - 1, key);
    expect_error(kHead + row + "}}", "table.json:6: cache[");
    expect_error(kHead + row + "}}", "says other values than its members");
  }
  for (const char* key : {"32,b,0.50,true", "32.0,b,5e-1,1"}) {
    std::string row = kRow1;
    row.replace(1, row.find('"', 1) - 1, key);
    EXPECT_EQ(read(kHead + row + "}}").tables.at(0).rows.size(), 1u) << key;
  }
  // Commas of a text are its own.
  const std::string head = R"({"tune_params_keys": ["v", "n"], "tune_params": {}, "cache": {)";
  EXPECT_EQ(read(head + R"("a,b,1": {"v": "a,b", "n": 1, "time": 1}}})").tables.at(0).rows.size(),
            1u);
}

TEST_F(Formats, PackedFileIsTheSameFile) {
  const std::string text = kHead + kRow1 + "}}";
  const ResultFile plain = read(text);
  const ResultFile gzip = read(packed(text), "table.json.gz");
  EXPECT_EQ(gzip.hash, plain.hash);
  EXPECT_TRUE(gzip.tables[0].rows == plain.tables[0].rows);
  EXPECT_EQ(name_of_file(gzip.path), "table");
}

TEST_F(Formats, PackedFileOfSeveralMembersIsReadWhole) {
  const ResultFile file = read(packed(kHead) + packed(kRow1 + "}}"), "table.json.gz");
  EXPECT_EQ(file.tables[0].rows.size(), 1u);
}

TEST_F(Formats, DamagedPackedFileIsRefused) {
  std::string bytes = packed(kHead + kRow1 + "}}");
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 0x55);
  EXPECT_NE(error_of(bytes, "table.json.gz"), "accepted");
}

TEST_F(Formats, BombIsRefused) {
  const std::string path = folder_.file("bomb.gz", packed("{" + std::string(4 << 20, ' ')));
  ByteLimits limits;
  limits.harmless_bytes = 1 << 20;
  try {
    read_results(path, "kernel-tuner", limits);
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(error.message().find("unpacks to more than 300 times"), std::string::npos)
        << error.message();
  }
}

TEST_F(Formats, TableSurvivesT4) {
  const ResultTable table = read(kHead + kRow1 + "," + kRow2 + "}}").tables[0];
  const ResultFile again = read(write_t4(table), "again.json");
  EXPECT_EQ(again.format, "t4");
  const ResultTable& back = again.tables.at(0);
  EXPECT_EQ(back.kernel, table.kernel);
  EXPECT_EQ(back.device, table.device);
  EXPECT_EQ(back.problem, table.problem);
  EXPECT_EQ(back.kinds, table.kinds);
  EXPECT_TRUE(back.rows == table.rows);
  EXPECT_EQ(write_t4(back), write_t4(table));
}

TEST_F(Formats, TableSurvivesCsv) {
  const ResultTable table = read(kHead + kRow1 + "," + kRow2 + "}}").tables[0];
  const ResultFile again = read(write_csv_table(table), "again.csv");
  EXPECT_EQ(again.format, "csv");
  EXPECT_TRUE(again.tables.at(0).rows == table.rows);
  EXPECT_EQ(write_csv_table(again.tables[0]), write_csv_table(table));
}

TEST_F(Formats, TextsSurviveCsvWhateverTheyContain) {
  const std::vector<std::string> texts = {
      "a\nb", "a\r\nb", "a\rb",    "a\tb", "a?b",          " a", "a ", "a",
      "",     " ",      "\n",      "a,b",  "a \"b\"\n\nc", "\t", "\"", "x\r\n",
      "\x01", "\x7f",   "\x1b[1m", "ü",    "true ",        " 1", "#",  std::string("a\0b", 3)};
  ResultTableBuilder builder;
  builder.set_parameters({"text", "n"}, "t");
  for (size_t i = 0; i < texts.size(); ++i) {
    ResultRow row;
    row.time_us = static_cast<double>(i + 1);
    builder.add({texts[i], static_cast<int64_t>(i)}, std::move(row), "t");
  }
  ResultTable table;
  builder.finish(table);
  table.rows[0].status = AttemptStatus::kRuntime;
  table.rows[0].reason = "it said\n \"no\"";
  table.rows[0].time_us = 0;
  const ResultFile again = read(write_csv_table(table), "again.csv");
  EXPECT_EQ(again.tables.at(0).parameters[0].labels, texts);
  EXPECT_TRUE(again.tables.at(0).rows == table.rows);
  EXPECT_TRUE(again.notes.empty());
}

TEST_F(Formats, PublishedT4IsTolerated) {
  const ResultFile file = read(R"({"results": [
    {"timestamp": "t", "configuration": {"a": 1}, "times": {"compilation": 3, "runtimes": [2, 4]},
     "invalidity": "correct", "correctness": 1,
     "measurements": [{"name": "time", "value": 3, "unit": ""}], "objectives": ["time"]},
    {"timestamp": "t", "configuration": {"a": 2}, "times": {"compilation_time": 5, "runtimes": "-"},
     "invalidity": "compile", "correctness": 0,
     "measurements": [{"name": "time", "value": "CompilationFailedConfig", "unit": ""}],
     "objectives": ["time"]}],
    "schema_version": "1.0.0", "metadata": {"timeunit": "miliseconds"}})");
  EXPECT_EQ(file.format, "t4");
  const std::vector<ResultRow>& rows = file.tables.at(0).rows;
  EXPECT_EQ(rows[0].time_us, 3000);
  EXPECT_EQ(rows[0].compile_us, 3000);
  EXPECT_EQ(rows[0].times_us, (std::vector<double>{2000, 4000}));
  EXPECT_EQ(rows[1].status, AttemptStatus::kCompile);
  EXPECT_EQ(rows[1].reason, "CompilationFailedConfig");
  EXPECT_EQ(rows[1].compile_us, 5000);
}

TEST_F(Formats, T4WithoutItsTimeOrWithAnUnknownUnitIsRefused) {
  expect_error(R"({"schema_version": "1", "results": [{"configuration": {"a": 1}}]})",
               "must be above 0");
  expect_error(R"({"metadata": {"timeunit": "fortnights"}, "results": []})",
               "unknown unit 'fortnights'");
  expect_error(R"({"schema_version": "1", "results": [{"configuration": {"a": 1},
                   "measurements": [{"name": "time", "value": 1, "unit": "parsec"}]}]})",
               "unknown unit 'parsec'");
}

TEST_F(Formats, UnitOfAT4MeasurementGoesBeforeThatOfTheFile) {
  const auto rows_of = [&](const std::string& tail) {
    return read(R"({"results": [
      {"configuration": {"a": 1}, "times": {"validation": 2},
       "measurements": [{"name": "time", "value": 3, "unit": "us"},
                        {"name": "benchmark_time", "value": 4, "unit": "seconds"},
                        {"name": "power", "value": 5, "unit": "W"}]},
      {"configuration": {"a": 1}, "measurements": [{"name": "time", "value": 9, "unit": "ns"}]},
      {"configuration": {"a": 2}, "measurements": [{"name": "time", "value": 6}]},
      {"configuration": {"a": 3},
       "measurements": [{"name": "time", "value": 7, "unit": "Nanoseconds"}]}])" +
                tail)
        .tables.at(0)
        .rows;
  };
  for (const auto& [tail, us] :
       {std::pair(R"(, "metadata": {"timeunit": "s"}})", 1e6), std::pair("}", 1e3)}) {
    const std::vector<ResultRow> rows = rows_of(tail);
    ASSERT_EQ(rows.size(), 3u);
    EXPECT_EQ(rows[0].time_us, 3);
    EXPECT_EQ(rows[0].benchmark_us, 4e6);
    EXPECT_EQ(rows[0].verification_us, 2 * us);
    EXPECT_EQ(rows[1].time_us, 6 * us);
    EXPECT_NEAR(rows[2].time_us, 7e-3, 1e-15);
  }
}

TEST_F(Formats, KttIsReadWithItsCounters) {
  const ResultFile file = read(R"({"Metadata": {"Device": "GPU", "TimeUnit": "Milliseconds"},
    "Results": [
     {"KernelName": "Mm", "Status": "Ok", "TotalDuration": 1.5, "TotalOverhead": 2,
      "Configuration": [{"Name": "W", "Value": 8, "IsDouble": false}],
      "ComputationResults": [{"KernelFunction": "f", "Duration": 1.5, "ProfilingData":
        {"Counters": [{"Name": "dram", "Type": "Percent", "Value": 42.5}]}}]},
     {"KernelName": "Mm", "Status": "ValidationFailed", "TotalDuration": 9,
      "Configuration": [{"Name": "W", "Value": 16, "IsDouble": false}],
      "ComputationResults": []}]})");
  EXPECT_EQ(file.format, "ktt");
  const ResultTable& table = file.tables.at(0);
  EXPECT_EQ(table.device, "GPU");
  EXPECT_EQ(table.rows[0].time_us, 1500);
  EXPECT_EQ(table.rows[0].framework_us, 2000);
  EXPECT_EQ(table.rows[0].metrics.at(0).second, 42.5);
  EXPECT_EQ(table.rows[1].status, AttemptStatus::kWrongResult);
  expect_error(R"({"Results": [{"KernelName": "k", "TotalDuration": 1, "Configuration": []}]})",
               "TimeUnit is missing");
}

TEST_F(Formats, CsvHasParametersLeftOfTheTimeAndMetricsRightOfIt) {
  const ResultFile file =
      read("a,mode,time_ms,power,status\r\n1,x,2,30.5,ok\r\n2,y,RuntimeFailed,,runtime\r\n",
           "gemm__NPU.csv");
  const ResultTable& table = file.tables.at(0);
  EXPECT_EQ(table.kernel, "gemm");
  EXPECT_EQ(table.device, "NPU");
  EXPECT_EQ(table.parameters.size(), 2u);
  EXPECT_EQ(table.rows[0].time_us, 2000);
  EXPECT_EQ(table.rows[0].metrics.at(0).first, "power");
  EXPECT_EQ(table.rows[1].status, AttemptStatus::kRuntime);
  EXPECT_EQ(table.rows[1].reason, "RuntimeFailed");
}

TEST_F(Formats, BrokenCsvNamesTheLine) {
  expect_error("a,b\n1,2\n", "no column is a time", "t.csv");
  expect_error("a,time_us\n1,2,3\n", "t.csv:2: 3 fields under 2 columns", "t.csv");
  expect_error("a,time_us\n1,2\n2,0\n", "t.csv:3: '0' under time_us", "t.csv");
  expect_error("a,a,time_us\n1,1,2\n", "parameter a stands twice", "t.csv");
  expect_error("a,time_us\n\"1,2\n3,4\n", "t.csv:2: a quoted field does not end: 1,2?3,4", "t.csv");
  expect_error("a,time_us\n\"" + std::string(size_t{2} << 20, '\n') + "\",4\n",
               "t.csv:2: a quoted field does not end", "t.csv");
  expect_error("a,time_us\n\"1\n\",2\n3,x,4\n", "t.csv:4: 3 fields under 2 columns", "t.csv");
  expect_error("", "no table of results", "t.csv");
}

TEST_F(Formats, OpSummaryBecomesProblemsWithRepetitions) {
  const ResultFile file = read(
      "Op Name,OP Type,Task Duration(us),Input Shapes,Input Data Types,Input Formats,"
      "Output Shapes,Output Data Types,Output Formats\n"
      "m1,MatMulV2,10.0,\"\"\"64,128;128,256\"\"\",DT_FLOAT16;DT_FLOAT16,ND;FRACTAL_NZ,"
      "\"\"\"64,256\"\"\",DT_FLOAT16,ND\n"
      "m2,MatMulV2,12.0,\"\"\"64,128;128,256\"\"\",DT_FLOAT16;DT_FLOAT16,ND;FRACTAL_NZ,"
      "\"\"\"64,256\"\"\",DT_FLOAT16,ND\n"
      "a1,Add,3,\"\"\"8,16;8,16\"\"\",FLOAT;FLOAT,ND;ND,\"\"\"8,16\"\"\",FLOAT,ND\n"
      "x1,Cast,3,\"\"\"8\"\"\",INT64,ND,\"\"\"8\"\"\",INT32,ND\n"
      "n1,Notify,3,N/A,N/A,N/A,N/A,N/A,N/A\n",
      "op_summary.csv");
  EXPECT_EQ(file.format, "op-summary");
  ASSERT_EQ(file.tables.size(), 2u);
  EXPECT_EQ(file.tables[0].problem.text(),
            "matmulv2 f16 f16 f16 nd nz nd m=64 n=256 k=128 epilogue=none");
  EXPECT_EQ(file.tables[0].rows.at(0).times_us, (std::vector<double>{10, 12}));
  EXPECT_EQ(file.tables[0].rows[0].time_us, 11);
  EXPECT_EQ(file.tables[1].problem.text(),
            "add f32 f32 f32 nd nd nd in0_0=8 in0_1=16 in1_0=8 in1_1=16 epilogue=none");
  EXPECT_EQ(file.notes, (std::vector<std::string>{
                            "left out 1 task with tensors of types that a problem cannot name",
                            "left out 1 task without input shapes"}));
}

const std::string kMoeName =
    "E=8,N=4096,device_name=GPU_X,dtype=fp8_w8a8,block_shape=[128,64].json";
const std::string kMoeText = R"({
    "triton_version": "3.5.0",
    "1": {
        "BLOCK_SIZE_M": 16,
        "num_warps": 4
    },
    "64": {
        "BLOCK_SIZE_M": 64,
        "num_warps": 8
    }
}
)";

TEST_F(Formats, MoeTableSurvivesByteForByte) {
  const ResultFile file = read(kMoeText, kMoeName);
  EXPECT_EQ(file.format, "vllm-moe");
  ASSERT_TRUE(file.moe.has_value());
  EXPECT_EQ(file.moe->experts, 8);
  EXPECT_EQ(file.moe->block_shape, (std::vector<int64_t>{128, 64}));
  EXPECT_EQ(moe_file_name(*file.moe), kMoeName);
  EXPECT_EQ(write_moe_table(*file.moe), kMoeText);
  EXPECT_EQ(moe_table_of(to_json(*file.moe), "here"), *file.moe);
}

TEST_F(Formats, MoeTableAnswersWithTheNearestEntry) {
  const MoeTable table = *read(kMoeText, kMoeName).moe;
  EXPECT_EQ(nearest_entry(table, 32).tokens, 1);
  EXPECT_EQ(nearest_entry(table, 33).tokens, 64);
  EXPECT_EQ(nearest_entry(table, 4096).tokens, 64);
}

TEST_F(Formats, BrokenMoeTableIsRefused) {
  expect_error(kMoeText, "E=..,N=..,device_name", "other.txt");
  expect_error(kMoeText, "unknown field 'F'", "E=1,N=2,device_name=x,F=3.json");
  expect_error(R"({"1": {"a": "b"}})", "expected", kMoeName);
  expect_error(R"({"01": {"a": 1}})", "its key is no number of tokens", kMoeName);
}

TEST_F(Formats, CatlassColumnsHoldTilesAndTensors) {
  ResultTable table =
      read("tile_m,tile_n,tile_k,tile_k0,swizzle,time_us\n128,256,256,64,3,12.5\n", "gemm.csv")
          .tables.at(0);
  table.problem = parse_problem("gemm f16 f16 f16 nd nz nd m=64 n=512 k=1024 epilogue=none");
  int64_t left_out = 0;
  EXPECT_EQ(write_catlass_csv({&table, 1}, left_out),
            "case_id,task_duration(us),device_id,operation,description,l0_tile_shape,"
            "l1_tile_shape,swizzle,m,n,k,A,B,C\n"
            "0,12.5,0,Gemm,\"gemm tile_m=128,tile_n=256,tile_k=256,tile_k0=64,swizzle=3\","
            "128x256x64,128x256x256,3,64,512,1024,fp16:row,fp16:zN,fp16:row\n");
  EXPECT_EQ(left_out, 0);
}

TEST_F(Formats, WhatIsNoTableOfResultsIsRefused) {
  expect_error(R"({"ConfigurationSpace": {}})", "problem in the T1 format");
  expect_error(R"({"hello": 1})", "of a known format");
  expect_error("[1]", "of a known format");
  EXPECT_NE(error_of("{}", "t.json", "t5").find("did you mean 't4'"), std::string::npos);
}

TEST_F(Formats, WhatIsNoTextIsCalledThat) {
  const std::string binary("MZ\x90\0\3 a,time\n", 14);
  expect_error(binary, "table.json is not text: byte 4 is 0x00");
  expect_error(packed(binary), "table.json is not text: byte 4 is 0x00");
  EXPECT_NE(error_of(binary, "t.csv", "csv").find("t.csv is not text"), std::string::npos);
}

TEST_F(Formats, PackedFileThatIsMostlyAirIsRefusedEarly) {
  std::string text = "a,time\n";
  while (text.size() < size_t{24} << 20) text += std::string(1 << 20, '\n');
  expect_error(packed(text), "unpacks to more than 300 times its size", "air.csv.gz");
}

}  // namespace
}  // namespace tilewright
