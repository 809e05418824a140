// The model test: random calls against a plain sequential store, equal bit for bit after each call
// (guarantees E1 to E3), for every number of threads.
//
// A failure prints its seed; HOTROW_TEST_SEED=<seed> repeats that run alone.
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "model/script.h"
#include "support/scale.h"

namespace hotrow::test {
namespace {

constexpr uint64_t kCalls = 500;

class Model : public testing::TestWithParam<uint32_t> {};

TEST_P(Model, EqualsThePlainStore) {
  const char* const only = std::getenv("HOTROW_TEST_SEED");
  const uint64_t first = only == nullptr ? 1 : std::strtoull(only, nullptr, 10);
  const uint64_t runs = only == nullptr ? scaled(667) : 1;
  for (uint64_t seed = first; seed < first + runs; ++seed) {
    SCOPED_TRACE(testing::Message() << "repeat by HOTROW_TEST_SEED=" << seed);
    Script script(seed, GetParam());
    script.run(kCalls);
    if (HasFailure()) return;
  }
  RecordProperty("runs", std::to_string(runs));
}

INSTANTIATE_TEST_SUITE_P(Threads, Model, testing::Values(1, 2, 4),
                         [](const auto& info) { return std::to_string(info.param); });

}  // namespace
}  // namespace hotrow::test
