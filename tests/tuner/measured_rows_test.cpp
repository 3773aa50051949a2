#include <gtest/gtest.h>

#include "core/base/error.h"
#include "tests/temp_folder.h"
#include "tuner/calibrate/measured_check.h"

namespace tilewright {
namespace {

const Machine& machine() {
  static const Machine loaded = load_machine("ascend-910b2");
  return loaded;
}

/// The measurements of a table with the given lines behind the header.
std::vector<MeasuredPoint> points_of(const std::string& lines) {
  const TempFolder folder;
  return read_measured_points(
      folder.file("points.csv", "hardware,kernel,params,metric,unit,value,note\n" + lines));
}

std::string message_of(const std::string& text) {
  const TempFolder folder;
  try {
    read_measured_points(folder.file("bad.csv", text));
  } catch (const Error& error) {
    return error.message();
  }
  return "accepted";
}

MeasuredPoint gemm_point(const std::string& hardware, const std::string& params,
                         const std::string& note = "") {
  MeasuredPoint point;
  point.hardware = hardware;
  point.kernel = "gemm";
  point.params = params;
  point.metric = "time";
  point.unit = "us";
  point.value = 100;
  point.note = note;
  return point;
}

MeasuredRun planned(const MeasuredPoint& point) {
  return plan_row(point, row_rules(), machine());
}

std::string reason_of(const MeasuredPoint& point) {
  try {
    planned(point);
  } catch (const Error& error) {
    return error.message();
  }
  return "planned";
}

TEST(MeasuredPoints, AreReadByTheirColumnNames) {
  const TempFolder folder;
  const std::string bad =
      folder.file("bad.csv",
                  "\xEF\xBB\xBFvalue,kernel,extra,hardware,params,unit,metric\r\n"
                  "\"1,5\",a,b,c,d,e,f\r\n");
  EXPECT_THROW(read_measured_points(bad), Error) << "1,5 is no number";
  const std::string path =
      folder.file("good.csv",
                  "value,kernel,extra,hardware,params,unit,metric\r\n\r\n"
                  "1.5,gemm,x,\"die, \"\"A\"\"\",\"B,S=4,512;M=2;float\",us,time\r\n");
  const std::vector<MeasuredPoint> points = read_measured_points(path);
  ASSERT_EQ(points.size(), 1u);
  EXPECT_EQ(points[0].value, 1.5);
  EXPECT_EQ(points[0].hardware, "die, \"A\"");
  EXPECT_EQ(points[0].where, path + ":3");
  const std::map<std::string, std::string> expected = {
      {"B", "4"}, {"S", "512"}, {"M", "2"}, {"float", ""}};
  EXPECT_EQ(points[0].parameters(), expected);
}

TEST(MeasuredPoints, SayWhereATableIsWrong) {
  const std::string header = "hardware,kernel,params,metric,unit,value\n";
  EXPECT_NE(
      message_of("hardware,kernel,params,metric,value\n").find(":1: column 'unit' is missing"),
      std::string::npos);
  EXPECT_NE(message_of(header + "a,b,c\n").find(":2: 3 fields, the header has 6"),
            std::string::npos);
  EXPECT_NE(message_of(header + "a,b,c,d,e,fast\n").find(":2: value"), std::string::npos);
  EXPECT_NE(message_of(header + "a,b,c,d,e,nan\n").find(":2: value"), std::string::npos);
  EXPECT_NE(message_of(header + "a,\"b,c,d,e,1\n").find(":2: a quoted field does not end"),
            std::string::npos);
  EXPECT_NE(message_of(header + "a,\"b\"c,d,e,f,1\n").find(":2:6: expected a comma"),
            std::string::npos);
  EXPECT_NE(message_of(header).find("no measurements"), std::string::npos);
  EXPECT_NE(message_of("").find("no measurements"), std::string::npos);
}

TEST(Patterns, MatchWithoutCaseAndAnyTextForAStar) {
  EXPECT_TRUE(fits_pattern("Flash_Attention_pto", "flash_attention*"));
  EXPECT_TRUE(fits_pattern("abcabd", "*ab*d"));
  EXPECT_TRUE(fits_pattern("", "*"));
  EXPECT_FALSE(fits_pattern("gemm", "gem"));
  EXPECT_FALSE(fits_pattern("", "a*"));
  EXPECT_EQ(find_numbers("x; base tile 128x64x256; y", "TILE {a}x{b}x{c}"),
            (std::map<std::string, int64_t>{{"a", 128}, {"b", 64}, {"c", 256}}));
  EXPECT_EQ(find_numbers("tile 12xy", "tile {a}x{b}"), std::nullopt);
  EXPECT_EQ(find_numbers("tile 99999999999x1", "tile {a}x{b}"), std::nullopt);
}

TEST(RowRules, ReadTheTileOfAGemmAsMKN) {
  const MeasuredRun run =
      planned(gemm_point("Ascend A3 die, 24 cube cores (dav-2201)", "M=3072;K=1024;N=6144",
                         "fp16 in, fp32 out; base tile 128x64x256; L1 step 4; double buffered"));
  EXPECT_EQ(run.problem.text(), "gemm f16 f16 f32 nd nd nd m=3072 n=6144 k=1024 epilogue=none");
  EXPECT_EQ(run.config.text(),
            "tile_m=128,tile_n=256,tile_k=256,tile_k0=64,l1_buffers=2,l0_buffers=2,l0c_buffers=1,"
            "split_k=1,cores=0,swizzle=1,core_rows=4");
  EXPECT_EQ(run.cores, 24);
}

TEST(RowRules, TakeCoresTileLayoutAndSwizzleFromTheRow) {
  const MeasuredRun small =
      planned(gemm_point("Ascend 910B2, 20 AIC", "M=20;N=6144;K=16384;layout=NZ;tile=32x320"));
  EXPECT_EQ(small.cores, 20);
  EXPECT_EQ(small.problem.layouts[1], "nz");
  EXPECT_EQ(small.config.at("tile_m"), 32);
  EXPECT_EQ(small.config.at("tile_n"), 320);
  const MeasuredRun default_tile =
      planned(gemm_point("Ascend 910B2", "M=20;N=6144;K=16384;cores=20;tile=128x256"));
  EXPECT_EQ(default_tile.cores, 20) << "the row's cores win over the hardware's";
  EXPECT_EQ(default_tile.config.at("tile_m"), 32) << "no larger tile makes a difference";
  const std::string square = "M=4096;N=4096;K=4096;swizzle=";
  EXPECT_EQ(planned(gemm_point("Ascend 910B2", square + "0")).config.at("swizzle"), 0);
  EXPECT_EQ(planned(gemm_point("Ascend 910B2", square + "3")).config.at("swizzle"), 8);
}

TEST(RowRules, ReadStreamsByTheirTensors) {
  MeasuredPoint point = gemm_point("Ascend 910B2 (page says 20 AI cores)", "B,S,D=4,512,256;ns=4");
  point.kernel = "mhc_post (elementwise 1 read 4 writes, fp32)";
  const MeasuredRun post = planned(point);
  EXPECT_EQ(post.problem.text(),
            "elementwise f32 f32 nd nd rows=2048 cols=256 reads=1 writes=4 epilogue=none");
  EXPECT_EQ(post.condition, RunCondition::kRepeated);
  EXPECT_EQ(post.cores, 20);
  point.kernel = "mix (elementwise 3 reads 2 writes, bf16)";
  EXPECT_EQ(planned(point).problem.text(),
            "elementwise bf16 bf16 nd nd rows=2048 cols=256 reads=3 writes=2 epilogue=none");
}

TEST(RowRules, SayWhyARowIsNotSimulated) {
  EXPECT_NE(reason_of(gemm_point("Ascend 910B4", "M=1;N=1;K=1")).find("other hardware"),
            std::string::npos);
  EXPECT_NE(reason_of(gemm_point("Ascend A2/A3", "M=16;N=16;K=16")).find("how many cores"),
            std::string::npos);
  EXPECT_NE(reason_of(gemm_point("Ascend 910B2", "M=16;N=16;K=16;cores=25")).find("cores=25"),
            std::string::npos);
  EXPECT_NE(reason_of(gemm_point("Ascend 910B2", "M=16;N=16")).find("no parameter K"),
            std::string::npos);
  EXPECT_NE(reason_of(gemm_point("Ascend 910B2", "M=1000000;N=1000000;K=16")).find("too large"),
            std::string::npos);
  EXPECT_NE(reason_of(gemm_point("Ascend 910B2", "M=16;N=16;K=16;tile=7x7")).find("tile_"),
            std::string::npos);
  MeasuredPoint other = gemm_point("Ascend 910B2", "x=1");
  other.kernel = "fft";
  EXPECT_NE(reason_of(other).find("no rule for kernel fft"), std::string::npos);
  other.kernel = "conv2d_fwd";
  EXPECT_NE(reason_of(other).find("convolution"), std::string::npos);
  MeasuredPoint odd = gemm_point("Ascend 910B2", "M=16;N=16;K=16");
  odd.unit = "furlongs";
  EXPECT_NE(reason_of(odd).find("furlongs"), std::string::npos);
}

TEST(RowRules, AreRefusedWithTheKeyThatIsWrong) {
  const auto message = [](const std::string& rules) -> std::string {
    try {
      parse_row_rules("{\"schema\": 1, \"metrics\": [], \"rules\": [" + rules + "]}", "r.json");
    } catch (const Error& error) {
      return error.message();
    }
    return "accepted";
  };
  EXPECT_EQ(message(R"({"kernel": "a", "reason": "b"})"), "accepted");
  EXPECT_NE(message(R"({"kernel": "a"})").find("rules[0]: expected either a run or a reason"),
            std::string::npos);
  EXPECT_NE(message(R"({"run": "gemm", "size": {}})").find("did you mean 'sizes'?"),
            std::string::npos);
  EXPECT_NE(message(R"({"run": "gemm", "condition": "warm"})").find("condition"),
            std::string::npos);
}

TEST(MeasuredCheck, ComparesTimesByRatioAndSharesByDifference) {
  const std::vector<MeasuredPoint> points = points_of(
      "Ascend 910B2,gemm,M=256;N=512;K=512,time,us,10,\n"
      "Ascend 910B2,gemm,M=256;N=512;K=512,time,ms,0.01,\n"
      "Ascend 910B2,gemm,M=256;N=512;K=512,cube_busy_pct,%,50,\n"
      "Ascend 910B2,gemm,M=256;N=512;K=512;tile=64x256,time,us,12,\n"
      "Ascend 910B4,gemm,M=256;N=512;K=512,time,us,10,\n"
      "Ascend 910B2,gemm,M=256;N=512;K=512,time,us,0,\n");
  const MeasuredPlan plan = plan_rows(points, row_rules(), machine());
  EXPECT_EQ(plan.runs.size(), 2u) << "rows of one run share it";
  const CheckReport report = report_rows(plan, simulate_rows(plan, machine(), 2, [](size_t) {}));
  ASSERT_EQ(report.rows.size(), 4u);
  EXPECT_EQ(report.not_simulated.size(), 2u);
  EXPECT_DOUBLE_EQ(report.rows[0].error, report.rows[0].simulated / 10 - 1);
  EXPECT_DOUBLE_EQ(report.rows[1].error, report.rows[0].error) << "10 us are 0.01 ms";
  EXPECT_DOUBLE_EQ(report.rows[2].error, report.rows[2].simulated - 0.5);
  EXPECT_EQ(report.summary.back().count, 1);
  EXPECT_EQ(report.summary.back().metric, "ratio");
}

TEST(MeasuredCheck, ShowsWhatOneChoiceChanges) {
  const std::vector<MeasuredPoint> points = points_of(
      "Ascend 910B2,gemm,M=2048;N=512;K=512;tile=128x256,time,us,20,\n"
      "Ascend 910B2,gemm,M=2048;N=512;K=512;tile=64x64,time,us,30,\n"
      "Ascend 910B2,gemm,M=1024;N=512;K=512;tile=64x64,time,us,15,\n");
  const MeasuredPlan plan = plan_rows(points, row_rules(), machine());
  const CheckReport report = report_rows(plan, simulate_rows(plan, machine(), 1, [](size_t) {}));
  ASSERT_EQ(report.effects.size(), 1u) << "a size is no choice";
  EXPECT_EQ(report.effects[0].parameter, "tile");
  EXPECT_EQ(report.effects[0].from, "128x256");
  EXPECT_DOUBLE_EQ(report.effects[0].measured, 10);
  EXPECT_GT(report.effects[0].simulated, 0);
}

TEST(MeasuredCheck, TheBoundaryAddsToTimesAndThinsShares) {
  const std::vector<MeasuredPoint> points = points_of(
      "Ascend 910B2,gemm,M=256;N=512;K=512,time,us,10,\n"
      "Ascend 910B2,gemm,M=256;N=512;K=512,cube_busy_pct,%,50,\n");
  Machine far = machine();
  far.measured_as[0].boundary_us = 0;
  const MeasuredPlan plan = plan_rows(points, row_rules(), far);
  const std::vector<double> near_values = simulate_rows(plan, far, 1, [](size_t) {});
  far.measured_as[0].boundary_us = near_values[0];
  const std::vector<double> far_values = simulate_rows(plan, far, 1, [](size_t) {});
  EXPECT_DOUBLE_EQ(far_values[0], 2 * near_values[0]);
  EXPECT_DOUBLE_EQ(far_values[1], near_values[1] / 2);
}

}  // namespace
}  // namespace tilewright
