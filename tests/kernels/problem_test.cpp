// What a request leaves out, and what it says for nothing.

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "core/base/error.h"
#include "kernels/kernel.h"

namespace tilewright {
namespace {

Problem attention(const std::map<std::string, int64_t>& sizes) {
  ProblemRequest request;
  request.sizes = sizes;
  request.sizes["heads"] = 4;
  return find_kernel("attention").problem(request);
}

std::string refusal_of(std::string_view kernel, const ProblemRequest& request) {
  try {
    find_kernel(kernel).problem(request);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kUsage);
    return error.message();
  }
  return "";
}

TEST(Problem, DecodesAloneNeedNoWordOnPrefills) {
  const Problem problem = attention({{"decodes", 3}, {"decode_context", 50}});
  EXPECT_EQ(problem.size("sequences"), 0);
  EXPECT_EQ(problem, attention({{"sequences", 0}, {"decodes", 3}, {"decode_context", 50}}));
  EXPECT_EQ(attention({{"verifies", 2}, {"drafts", 3}}).size("sequences"), 0);
  EXPECT_EQ(attention({{"tokens", 7}, {"decodes", 3}}).size("sequences"), 1);
  EXPECT_EQ(attention({{"tokens", 7}}).size("sequences"), 1);
}

TEST(Problem, SizesThatMeanNothingHaveOneValue) {
  const Problem plain = attention({{"decodes", 3}});
  EXPECT_EQ(plain, attention({{"sequences", 0}, {"decodes", 3}, {"tokens", 1}, {"drafts", 0}}));
  const struct {
    std::map<std::string, int64_t> sizes;
    const char* part;
  } cases[] = {
      {{{"tokens", 7}, {"heads", 4}, {"drafts", 3}}, "drafts=3 means nothing where verifies=0"},
      {{{"tokens", 7}, {"heads", 4}, {"verify_context", 9}}, "give verifies=N"},
      {{{"tokens", 7}, {"heads", 4}, {"decode_context", 9}}, "where decodes=0"},
      {{{"sequences", 0}, {"tokens", 7}, {"heads", 4}, {"decodes", 1}}, "where sequences=0"},
      {{{"context", 7}, {"heads", 4}, {"decodes", 1}}, "context=7 means nothing"},
  };
  for (const auto& each : cases) {
    ProblemRequest request;
    request.sizes = each.sizes;
    const std::string message = refusal_of("attention", request);
    EXPECT_NE(message.find(each.part), std::string::npos) << message;
  }
}

TEST(Problem, RefusalsOfGroupedGemmSayWhatIsLegal) {
  ProblemRequest request;
  request.sizes = {{"experts", 4097}, {"m", 8}, {"n", 8}, {"k", 8}};
  EXPECT_EQ(refusal_of("grouped_gemm", request), "size experts=4097 is outside 1 to 4096");
  request.sizes["experts"] = 8;
  request.sizes["skew"] = 1001;
  EXPECT_EQ(refusal_of("grouped_gemm", request), "size skew=1001 is outside 0 to 1000");
}

TEST(Problem, OneExpertHasNoSkew) {
  ProblemRequest request;
  request.sizes = {{"experts", 1}, {"m", 8}, {"n", 8}, {"k", 8}, {"skew", 5}};
  EXPECT_EQ(find_kernel("grouped_gemm").problem(request).size("skew"), 0);
}

TEST(Problem, RanksBeyondTheFabricAreRefusedWithTheLegalOnes) {
  ProblemRequest request;
  request.sizes = {{"ranks", 64}, {"elements", 1000}};
  const Kernel& kernel = find_kernel("all_reduce");
  try {
    kernel.default_config(kernel.problem(request), load_machine("ascend-910b2"));
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(error.message().find("give ranks=2 to 8"), std::string::npos) << error.message();
  }
}

TEST(Problem, EveryWordThatAKernelNamesIsTakenWithSomeType) {
  for (const Kernel* kernel : all_kernels()) {
    for (const std::string& mask : kernel->masks()) {
      ProblemRequest request;
      request.sizes = {{"tokens", 4}, {"heads", 2}, {"verifies", 1}, {"drafts", 2}};
      if (kernel->name() == "attention_library") request.sizes["sequences"] = 0;
      if (kernel->name() == "attention_library") request.sizes.erase("tokens");
      request.mask = mask;
      EXPECT_EQ(kernel->problem(request).mask, mask);
    }
  }
  const Kernel& gemm = find_kernel("gemm");
  for (const std::string& epilogue : gemm.epilogues()) {
    int taken = 0;
    for (const char* type : {"f16", "i8"}) {
      ProblemRequest request;
      request.sizes = {{"m", 8}, {"n", 8}, {"k", 8}};
      request.dtype = type;
      request.epilogue = epilogue;
      try {
        EXPECT_EQ(gemm.problem(request).epilogue, epilogue);
        ++taken;
      } catch (const Error&) {
      }
    }
    EXPECT_GT(taken, 0) << epilogue;
  }
}

}  // namespace
}  // namespace tilewright
