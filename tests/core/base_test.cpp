#include <gtest/gtest.h>
#include <sys/stat.h>

#include <bit>
#include <cmath>
#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "core/base/dtype.h"
#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/format.h"
#include "core/base/json.h"
#include "core/base/random.h"
#include "core/base/statistics.h"
#include "core/base/text.h"
#include "core/timeline/breakdown.h"
#include "tests/temp_folder.h"

namespace tilewright {
namespace {

TEST(Half, EveryValueRoundTrips) {
  for (uint32_t bits = 0; bits <= 0xffff; ++bits) {
    const auto half = static_cast<uint16_t>(bits);
    if (std::isnan(f16_to_f32(half))) {
      EXPECT_TRUE(std::isnan(f16_to_f32(f32_to_f16(f16_to_f32(half)))));
    } else {
      EXPECT_EQ(f32_to_f16(f16_to_f32(half)), half);
    }
    if (!std::isnan(bf16_to_f32(half))) {
      EXPECT_EQ(f32_to_bf16(bf16_to_f32(half)), half);
    }
  }
}

TEST(Half, RoundsToTheNearestAndTiesToEven) {
  // Between any two neighbours: just below the middle down, just above up, the middle to even.
  for (uint16_t bits = 0; bits < 0x7bff; ++bits) {
    const float low = f16_to_f32(bits);
    const float high = f16_to_f32(static_cast<uint16_t>(bits + 1));
    const float middle = low + (high - low) / 2;  // exact in f32
    EXPECT_EQ(f32_to_f16(std::nextafter(middle, low)), bits);
    EXPECT_EQ(f32_to_f16(std::nextafter(middle, high)), bits + 1);
    EXPECT_EQ(f32_to_f16(middle), bits % 2 == 0 ? bits : bits + 1);
    EXPECT_EQ(f32_to_f16(-middle), 0x8000 | (bits % 2 == 0 ? bits : bits + 1));
  }
}

TEST(Random, IsTheSameStreamEverywhere) {
  Random random(1);
  EXPECT_EQ(random.bits(), 0x910a2dec89025cc1u);
  EXPECT_NE(mix_bits(1, 0), mix_bits(1, 1));
  double sum = 0;
  for (int i = 0; i < 20000; ++i) sum += random.gamma(0.3);
  EXPECT_NEAR(sum / 20000, 1.0, 0.06);
}

TEST(Text, NumbersMustBeWholeAndFit) {
  EXPECT_EQ(parse_int("-17", "n"), -17);
  for (const char* bad : {"", "1x", " 1", "1.5", "99999999999999999999"}) {
    EXPECT_THROW(parse_int(bad, "n"), Error) << bad;
  }
  for (const char* bad : {"", "nan", "inf", "1e999", "1,5"}) {
    EXPECT_THROW(parse_number(bad, "n"), Error) << bad;
  }
}

TEST(Text, SuggestsOnlyWhatIsNear) {
  const std::vector<std::string> names = {"replay", "export", "run"};
  EXPECT_EQ(did_you_mean("relpay", names), "; did you mean 'replay'?");
  EXPECT_EQ(did_you_mean("completely", names), "");
  EXPECT_EQ(did_you_mean("run", names), "") << "a name is not what was meant instead of itself";
  const std::vector<std::string> letters = {"a", "--db"};
  EXPECT_EQ(did_you_mean("zz", letters), "");
  EXPECT_EQ(did_you_mean("--zz", letters), "");
  EXPECT_EQ(did_you_mean("--bd", letters), "; did you mean '--db'?");
}

TEST(Json, NamesThePlaceOfWhatIsWrong) {
  const auto message = [](const char* text) {
    try {
      parse_json(text, "f.json");
    } catch (const Error& error) {
      return error.message();
    }
    return std::string("accepted");
  };
  EXPECT_EQ(message("{\"a\": 1, // c\n \"b\": [1, 2]}"), "accepted");
  EXPECT_EQ(message("{\"a\": \n  ?}").substr(0, 11), "f.json:2:3:") << message("{\"a\": \n  ?}");
  EXPECT_NE(message("{\"a\": 1, \"a\": 2}").find("key a stands twice"), std::string::npos);
  // With the way to it, and numbers that nothing holds, too.
  EXPECT_NE(message("{\"x\": {\"a\": 1, \"a\": 2}}").find("x.a stands twice"), std::string::npos);
  EXPECT_NE(message("{\"x\": {\"a\": 1e999}}").find("x.a: not valid JSON: number overflow"),
            std::string::npos);
  const std::string deep =
      "{// [[\n\"[\\\"\": 1, /* [ \" */ \"b\": [], \"a\":\n" + std::string(100, '[');
  EXPECT_NE(message(deep.c_str()).find(":3:64: nested deeper than 64 levels"), std::string::npos)
      << message(deep.c_str());
}

TEST(WriteFile, ReplacesWholeFilesOrNothing) {
  const TempFolder folder;
  const std::string path = folder.path("out.txt");
  write_file(path, "one");
  write_file(path, "two");
  EXPECT_EQ(read_file(path), "two");
  EXPECT_THROW(write_file(folder.path("no/such/folder/x"), "y"), Error);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
  EXPECT_THROW(read_file(path, 2), Error);
  EXPECT_THROW(read_file(folder.path()), Error);
}

TEST(LowerCase, ChangesAsciiLettersAlone) {
  EXPECT_EQ(lower_case("GEMM_f16 Ä [Z]"), "gemm_f16 Ä [z]");
  EXPECT_EQ(lower_case(""), "");
}

TEST(Percentile, InterpolatesBetweenRanks) {
  const double values[] = {1, 2, 3, 4};
  EXPECT_DOUBLE_EQ(percentile(values, 50), 2.5);
  EXPECT_DOUBLE_EQ(percentile(values, 90), 3.7);
  EXPECT_DOUBLE_EQ(percentile(values, 100), 4);
  EXPECT_DOUBLE_EQ(percentile({}, 50), 0);
}

TEST(Format, PicksUnits) {
  EXPECT_EQ(format_us(38.8), "38.80 us");
  EXPECT_EQ(format_us(1506), "1.506 ms");
  EXPECT_EQ(format_bytes(64 * 1024), "64 KiB");
  EXPECT_EQ(format_bytes(1536), "1.5 KiB");
  EXPECT_EQ(format_count(-1234567), "-1,234,567");
  EXPECT_EQ(format_counted(1, "cache hit"), "1 cache hit");
  EXPECT_EQ(format_counted(1234, "cache hit"), "1,234 cache hits");
  EXPECT_EQ(format_decimals(-1234567.26, 1), "-1,234,567.3");
  EXPECT_EQ(format_decimals(999.5, 2), "999.50");
  EXPECT_EQ(format_decimals(1000, 0), "1,000");
}

TEST(Cause, EveryIdHasItsOwnName) {
  std::set<std::string> names;
  for (size_t id = 0; id < Cause::kCount; ++id) names.insert(Cause::of_id(id).name());
  EXPECT_EQ(names.size(), static_cast<size_t>(Cause::kCount));
  EXPECT_EQ(Cause::wait_space(Memory::kL0C).name(), "wait_space:L0C");
  EXPECT_EQ(Cause::host().name(), "host");
}

TEST(Breakdown, ListsTheLongestCauseFirstAndSumsToTheWhole) {
  Breakdown breakdown;
  breakdown.add(Cause::hbm(), 30);
  breakdown.add(Cause::busy(Pipe::kCube), 60);
  breakdown.add(Cause::launch(), 10);
  const auto entries = breakdown.entries();
  ASSERT_EQ(entries.size(), 3u);
  EXPECT_EQ(entries[0].cause, "busy:CUBE");
  EXPECT_DOUBLE_EQ(entries[0].share + entries[1].share + entries[2].share, 1.0);
}

}  // namespace
}  // namespace tilewright
