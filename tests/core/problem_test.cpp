#include "core/space/problem.h"

#include <gtest/gtest.h>

#include <string>

#include "core/base/error.h"
#include "core/space/measurement.h"

namespace tilewright {
namespace {

TEST(Problem, WritesFieldsInCanonicalOrder) {
  const Problem problem{"gemm",
                        {DType::kF16, DType::kF16, DType::kF16},
                        {"nd", "nz", "nd"},
                        {{"m", 512}, {"n", 4096}, {"k", 4096}},
                        "none"};
  EXPECT_EQ(problem.text(), "gemm f16 f16 f16 nd nz nd m=512 n=4096 k=4096 epilogue=none");
  EXPECT_EQ(problem.with("m", 7).text(),
            "gemm f16 f16 f16 nd nz nd m=7 n=4096 k=4096 epilogue=none");
  EXPECT_EQ(problem.size("n"), 4096);
  EXPECT_TRUE(problem.has("k"));
  EXPECT_FALSE(problem.has("heads"));
}

TEST(Problem, TextRoundTrips) {
  for (const char* text :
       {"gemm f16 f16 f16 nd nz nd m=512 n=4096 k=4096 epilogue=none",
        "gemm i8 i8 bf16 nd nd nd m=1 n=1 k=9223372036854775807 epilogue=bias+silu",
        "rms_norm bf16 rows=3 columns=0 epilogue=none", "sample epilogue=none"}) {
    EXPECT_EQ(parse_problem(text).text(), text);
  }
}

TEST(Problem, RefusesEveryOtherText) {
  for (const std::string text : {"",
                                 " ",
                                 "gemm",
                                 "gemm f16",
                                 "gemm f16 m=1",
                                 "Gemm m=1 epilogue=none",
                                 "gemm  m=1 epilogue=none",
                                 "gemm m=1 epilogue=none ",
                                 "gemm m=1 epilogue=none n=2",
                                 "gemm m=-1 epilogue=none",
                                 "gemm m=01 epilogue=none",
                                 "gemm m=+1 epilogue=none",
                                 "gemm m= epilogue=none",
                                 "gemm m=1e3 epilogue=none",
                                 "gemm m=9223372036854775808 epilogue=none",
                                 "gemm m=1 m=2 epilogue=none",
                                 "gemm m=1 nd epilogue=none",
                                 "gemm nd f16 m=1 epilogue=none",
                                 "gemm =1 epilogue=none",
                                 "gemm m=1 epilogue=",
                                 "gemm m=1 epilogue=a=b",
                                 "gemm m=1 epilogue=none epilogue=none",
                                 "gemm m=1\n epilogue=none",
                                 "m=1 epilogue=none"}) {
    EXPECT_THROW(parse_problem(text), Error) << text;
  }
  EXPECT_THROW(parse_problem(std::string(1 << 20, 'g')), Error);
}

TEST(Problem, ErrorQuotesHostileTextSafely) {
  try {
    parse_problem("ge\x1b[31mmm m=1 epilogue=none");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kFailed);
    EXPECT_EQ(error.message().find('\x1b'), std::string::npos);
  }
}

TEST(AttemptStatus, NamesRoundTrip) {
  for (const char* name : {"ok", "infeasible", "compile", "runtime", "timeout", "wrong_result"}) {
    EXPECT_EQ(name_of(parse_attempt_status(name)), name);
  }
  EXPECT_THROW(parse_attempt_status("fine"), Error);
}

}  // namespace
}  // namespace tilewright
