// The state after fixed calls, as digests that never change: the same for every number of threads,
// every instruction set and every release.
//
// A digest that changes means that stored models and initial rows change for their users.
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "base/hash.h"
#include "model/script.h"
#include "simd/targets.h"
#include "support/bits.h"
#include "support/stores.h"
#include "table/initializer.h"

namespace hotrow::test {
namespace {

struct GoldenScript {
  Variety variety;
  uint64_t seed;
  uint64_t digest;
};
constexpr GoldenScript kScripts[] = {
    {Variety::kFirst, 1001, 0x8764edb124eda7e7U}, {Variety::kFirst, 1002, 0x43638bae3804c473U},
    {Variety::kFirst, 1003, 0x18f706a66b5b6796U}, {Variety::kFirst, 1004, 0xb5165dca1ffd5784U},
    {Variety::kAll, 2001, 0x2ac6c2de35d12db6U},   {Variety::kAll, 2002, 0x3d25e6be96c878ebU},
    {Variety::kAll, 2003, 0x5f22006c41880548U},   {Variety::kAll, 2004, 0x898742fd23f64ba1U}};

TEST(Golden, ScriptsEndInTheSameState) {
  for (const uint32_t threads : {1U, 2U, 4U}) {
    for (const auto& [variety, seed, digest] : kScripts) {
      Script script(seed, threads, variety);
      script.run(400);
      ASSERT_FALSE(HasFailure()) << "seed " << seed;
      EXPECT_EQ(script.digest(), digest) << "seed " << seed << ", " << threads << " threads";
    }
  }
}

/// Digest of the rows of each optimizer after fixed pushes.
uint64_t digest_of(const OptimizerOptions& options) {
  const auto store = private_store();
  Digest digest;
  for (const uint32_t dim : {1U, 5U, 16U, 37U}) {
    const auto table = must(
        store->table("t" + std::to_string(dim),
                     {.dim = dim, .optimizer = options, .initializer = uniform(0.5F), .seed = 7}));
    Random random(dim);
    for (int step = 0; step < 20; ++step) {
      must(table->push(random.keys(30, 20), random.reals(30 * dim)));
    }
    digest.add(lookup(*table, range(0, 22)));
  }
  return digest.value();
}

TEST(Golden, OptimizersEndInTheSameRows) {
  constexpr uint64_t kDigests[] = {
      0x7e58d6d785d70ac2U, 0xe2fb4b522569e25bU, 0x31196799766398deU, 0x4efe737ac2400959U,
      0x6e43ba265dde2be9U, 0x4140f7edbcfc7117U, 0x7164ef144293f8e5U, 0xb1d48731eb4b4a1fU,
      0x7e32bdca2b53d022U, 0xff9b681715900879U, 0xc8fe82d72e975f87U, 0xad68bcae32b84de4U,
      0xebde3fad0cff7a4dU, 0xc21b3102d14c3b8cU, 0xc62c67264d1d04baU, 0x63625ddb90116d7dU,
      0xf8eb6d9a3fa77828U, 0x2bb065968c2a2057U, 0x1313469b9fe9feeaU};
  const std::vector<OptimizerOptions> all = every_optimizer();
  ASSERT_EQ(all.size(), std::size(kDigests));
  for (size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(digest_of(all[i]), kDigests[i]) << name_of(all[i].kind);
  }
}

std::vector<float> initial(InitializerKind kind, uint64_t key) {
  const InitializerOptions options{
      .kind = kind, .low = -1.0F, .high = 1.0F, .mean = 0.0F, .stddev = 1.0F};
  std::vector<float> row(4);
  Initializer(options, 42).fill(key, row);
  return row;
}

// Checked against an implementation of mix64 and AS 241 in another language.
TEST(Golden, InitialRowsNeverChange) {
  using Row = std::vector<float>;
  constexpr auto kUniform = InitializerKind::kUniform;
  constexpr auto kNormal = InitializerKind::kNormal;
  constexpr auto kTruncated = InitializerKind::kTruncatedNormal;
  EXPECT_EQ(initial(kUniform, 0),
            (Row{0x1.89b3f2p-3F, -0x1.5bc92ep-1F, -0x1.559bdp-1F, -0x1.ced254p-1F}));
  EXPECT_EQ(initial(kUniform, 1),
            (Row{-0x1.3a69fap-1F, -0x1.330962p-2F, -0x1.7bbe3cp-1F, -0x1.2df308p-5F}));
  EXPECT_EQ(initial(kUniform, UINT64_MAX),
            (Row{0x1.7eaa0cp-1F, -0x1.711b52p-5F, -0x1.3ea374p-1F, 0x1.7546ap-3F}));
  EXPECT_EQ(initial(kNormal, 0),
            (Row{0x1.f24e8cp-3F, -0x1.fc64e6p-1F, -0x1.efdfp-1F, -0x1.aa0fdcp+0F}));
  EXPECT_EQ(initial(kNormal, 123456789),
            (Row{0x1.2b6236p-1F, -0x1.149d9ep+1F, -0x1.3095a6p-1F, 0x1.cdb754p-1F}));
  EXPECT_EQ(initial(kTruncated, 1),
            (Row{-0x1.a25f7ap-1F, -0x1.778e6cp-2F, -0x1.0db97p+0F, -0x1.6955e4p-5F}));
  EXPECT_EQ(initial(kTruncated, UINT64_MAX),
            (Row{0x1.10c996p+0F, -0x1.b9c5ap-5F, -0x1.a9785p-1F, 0x1.c224dp-3F}));
}

TEST(Golden, SeedsOfNamesNeverChange) {
  EXPECT_EQ(seed_of_name("user"), 0x3da0fd9c44cfc9eeU);
  EXPECT_EQ(seed_of_name("mlp.w1"), 0xc4c4f38de356dacaU);
}

// Kernels are chosen once per process, so each level runs these tests in a process of its own.
TEST(Levels, EveryInstructionSetPassesTheGoldenAndModelTests) {
  if (std::getenv("HOTROW_CPU") != nullptr) GTEST_SKIP() << "HOTROW_CPU is set: one level only";
  const std::pair<SimdLevel, const char*> levels[] = {{SimdLevel::kBaseline, "baseline"},
                                                      {SimdLevel::kAvx2, "avx2"},
                                                      {SimdLevel::kAvx512, "avx512"}};
  for (const auto& [level, name] : levels) {
    if (!simd_supported(level)) continue;
    std::vector<std::string> variables = {std::string("HOTROW_CPU=") + name,
                                          "HOTROW_TEST_SCALE=0.02"};
    for (char** each = environ; *each != nullptr; ++each) {
      if (!std::string_view(*each).starts_with("HOTROW_TEST_SCALE=") &&
          !std::string_view(*each).starts_with("GTEST_")) {
        variables.emplace_back(*each);
      }
    }
    std::vector<char*> environment;
    for (std::string& variable : variables) environment.push_back(variable.data());
    environment.push_back(nullptr);
    std::string self = "/proc/self/exe";
    std::string filter = "--gtest_filter=Golden.*:Threads/Model.*";
    std::string brief = "--gtest_brief=1";
    char* const arguments[] = {self.data(), filter.data(), brief.data(), nullptr};
    pid_t child = 0;
    ASSERT_EQ(::posix_spawn(&child, self.c_str(), nullptr, nullptr, arguments, environment.data()),
              0);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << name << " failed";
  }
}

}  // namespace
}  // namespace hotrow::test
