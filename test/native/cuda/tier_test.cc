// The functions of store/tier.h over a cache of a few rows: whatever a store asks, what comes back
// is what was put in, and no dirty row is lost. Of the libraries themselves, as a store opens them:
// the emulated one, and that for CUDA where there is a device.
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <bit>
#include <cmath>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "store/tier.h"
#include "support/random.h"
#include "support/seed.h"

namespace hotrow {
namespace {

using test::Random;

/// The functions of a library beside this program, or why there are none.
struct Library {
  const TierApi* api = nullptr;
  std::string reason;
};
Library open_library(const std::string& name) {
  char self[4096] = {};
  if (::readlink("/proc/self/exe", self, sizeof self - 1) < 0) return {nullptr, "no /proc"};
  const std::string program = self;
  const std::string path = program.substr(0, program.rfind('/') + 1) + name;
  void* const library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return {nullptr, ::dlerror()};
  using Get = const TierApi* (*)();
  const auto get = reinterpret_cast<Get>(::dlsym(library, kTierSymbol));
  if (get == nullptr) return {nullptr, ::dlerror()};
  TierDevice device = {};
  const char* const failure = get()->describe(0, &device);
  return {get(), failure != nullptr ? failure : ""};
}

constexpr uint32_t kTierDim = 20;
constexpr uint64_t kKeys = 3000;
constexpr uint64_t kTierRowBytes = kTierDim * sizeof(float);

struct Row {
  std::vector<float> values = std::vector<float>(kTierDim);
  std::vector<float> state = std::vector<float>(kTierDim);
  bool operator==(const Row&) const = default;
};

/// Arrays of a call.
struct Rows {
  std::vector<uint64_t> keys;
  std::vector<float> values;
  std::vector<float> state;

  explicit Rows(size_t n = 0) : keys(n), values(n * kTierDim), state(n * kTierDim) {}
  void add(uint64_t key, const Row& row) {
    keys.push_back(key);
    values.insert(values.end(), row.values.begin(), row.values.end());
    state.insert(state.end(), row.state.begin(), row.state.end());
  }
  Row row(size_t i) const {
    Row row;
    std::copy_n(values.begin() + static_cast<ptrdiff_t>(i * kTierDim), kTierDim,
                row.values.begin());
    std::copy_n(state.begin() + static_cast<ptrdiff_t>(i * kTierDim), kTierDim, row.state.begin());
    return row;
  }
  TierRows tier() {
    return {keys.data(), reinterpret_cast<std::byte*>(values.data()), state.data(), keys.size()};
  }
};

/// A store's view: the table's rows, and those that the cache has newer.
class CudaTier : public ::testing::TestWithParam<const char*> {
 protected:
  static TierSpec spec(uint64_t bytes) {
    return {.optimizer = OptimizerKind::kAdagrad,
            .policy = TierPolicy::kLfu,
            .dim = kTierDim,
            .state_values = kTierDim,
            .bytes = bytes};
  }
  void SetUp() override {
    const Library library = open_library(GetParam());
    if (!library.reason.empty()) GTEST_SKIP() << "gpu=skipped (" << library.reason << ")";
    api_ = library.api;
    ASSERT_EQ(api_->abi, kTierAbi);
    const TierSpec small = spec(400'000);
    ASSERT_TRUE(ok(api_->create(&small, &cache_)));
  }
  void TearDown() override {
    if (cache_ != nullptr) api_->destroy(cache_);
  }
  static ::testing::AssertionResult ok(const char* failure) {
    if (failure == nullptr) return ::testing::AssertionSuccess();
    return ::testing::AssertionFailure() << failure;
  }

  Row random_row() {
    Row row;
    for (float& x : row.values) x = random_.real();
    for (float& x : row.state) x = random_.real(0.1F, 2.0F);
    return row;
  }
  std::vector<uint64_t> distinct_keys(size_t most) {
    std::set<uint64_t> keys;
    const size_t n = 1 + random_.below(most);
    while (keys.size() < n) keys.insert(key());
    std::vector<uint64_t> list(keys.begin(), keys.end());
    for (size_t i = list.size(); i > 1; --i) std::swap(list[i - 1], list[random_.below(i)]);
    return list;
  }
  uint64_t key() {
    const uint64_t k = random_.below(kKeys);
    return k == 0 ? UINT64_MAX : k == 1 ? uint64_t{1} << 63 : k == 2 ? 0 : k;
  }
  const Row& newest(uint64_t key) {
    const auto dirty = dirty_.find(key);
    if (dirty != dirty_.end()) return dirty->second;
    return table_.try_emplace(key, random_row()).first->second;
  }
  /// Dirty rows that came back are the table's.
  void take_down(const TierRows& rows, const Rows& arrays) {
    for (size_t i = 0; i < rows.n; ++i) {
      const auto dirty = dirty_.find(arrays.keys[i]);
      ASSERT_NE(dirty, dirty_.end()) << "a clean row came back as dirty";
      EXPECT_EQ(arrays.row(i), dirty->second);
      table_[arrays.keys[i]] = dirty->second;
      dirty_.erase(dirty);
    }
  }

  void insert() {
    const auto keys = distinct_keys(500);
    Rows rows;
    for (const uint64_t key : keys) rows.add(key, newest(key));
    std::vector<uint32_t> uses(keys.size());
    std::vector<TierWish> wishes(keys.size(), TierWish::kUsual);
    for (auto& u : uses) u = static_cast<uint32_t>(1 + random_.below(20));
    for (auto& wish : wishes) {
      if (random_.one_in(3)) wish = TierWish::kHesitant;
    }
    Rows evicted(keys.size());
    TierRows out = evicted.tier();
    // Rows that the cache has dirty are in it: the store reads them from there, and gives no other.
    TierInsert task = {rows.tier(), uses.data(), wishes.data(), moment(), &out, 0};
    ASSERT_TRUE(ok(api_->insert(cache_, &task)));
    take_down(out, evicted);
  }
  void lookup() {
    std::vector<uint64_t> keys(1 + random_.below(700));
    for (uint64_t& k : keys) k = key();
    std::vector<float> rows(keys.size() * kTierDim, 77.0F);
    std::vector<uint32_t> positions(keys.size());
    TierMisses misses = {positions.data(), 0};
    const TierLookup task = {keys.data(), keys.size(),       rows.data(),
                             kTierDim,    random_.one_in(2), moment()};
    if (random_.one_in(3)) {
      look_up_there(task, misses);
    } else {
      ASSERT_TRUE(ok(api_->lookup(cache_, &task, &misses)));
    }
    looked_up_ += keys.size();
    hits_ += keys.size() - misses.count;
    std::set<uint32_t> missed(positions.begin(),
                              positions.begin() + static_cast<ptrdiff_t>(misses.count));
    ASSERT_TRUE(std::is_sorted(positions.begin(),
                               positions.begin() + static_cast<ptrdiff_t>(misses.count)));
    ASSERT_EQ(missed.size(), misses.count);
    for (size_t i = 0; i < keys.size(); ++i) {
      const bool hit = !missed.contains(static_cast<uint32_t>(i));
      ASSERT_TRUE(hit || !dirty_.contains(keys[i])) << "a dirty row is not there";
      for (size_t j = 0; j < kTierDim; ++j) {
        ASSERT_EQ(rows[i * kTierDim + j], hit ? newest(keys[i]).values[j] : 77.0F);
      }
    }
  }
  /// Through an output, in which misses are filled and not read.
  void look_up_there(const TierLookup& task, TierMisses& misses) {
    TierOutput* output = nullptr;
    bool no_room = false;
    ASSERT_TRUE(ok(api_->open_output(cache_, task.n, &output, &no_room)));
    ASSERT_NE(api_->output_address(output), nullptr);
    ASSERT_TRUE(ok(api_->lookup_to(cache_, &task, output, &misses)));
    const std::vector<float> filled(misses.count * kTierDim, 77.0F);
    ASSERT_TRUE(
        ok(api_->fill_output(cache_, output, misses.positions, filled.data(), misses.count)));
    ASSERT_TRUE(ok(api_->read_output(output, task.rows, task.n * kTierDim)));
    api_->close_output(output);
  }
  void pool() {
    // Some bags are longer than a stage.
    std::vector<uint32_t> offsets = {0};
    std::vector<uint64_t> keys;
    std::vector<float> weights;
    for (size_t bag = 0; bag < 1 + random_.below(40); ++bag) {
      const size_t length = random_.one_in(15) ? 900 : random_.below(12);
      for (size_t i = 0; i < length; ++i) {
        keys.push_back(key());
        weights.push_back(random_.real());
      }
      offsets.push_back(static_cast<uint32_t>(keys.size()));
    }
    const auto pooling = static_cast<Pooling>(random_.below(3));
    const bool weighted = random_.one_in(2);
    std::vector<uint32_t> positions(keys.size() + 1);
    TierMisses misses = {positions.data(), 0};
    ASSERT_TRUE(ok(api_->find(cache_, keys.data(), keys.size(), &misses)));
    std::vector<float> missed;
    for (size_t i = 0; i < misses.count; ++i) {
      const Row& row = newest(keys[positions[i]]);
      missed.insert(missed.end(), row.values.begin(), row.values.end());
    }
    const size_t bags = offsets.size() - 1;
    std::vector<float> out(bags * kTierDim, -1);
    const TierPool task = {keys.data(),
                           keys.size(),
                           offsets.data(),
                           bags,
                           weighted ? weights.data() : nullptr,
                           pooling,
                           positions.data(),
                           missed.data(),
                           misses.count,
                           out.data(),
                           kTierDim,
                           false,
                           moment()};
    ASSERT_TRUE(ok(api_->pool(cache_, &task)));
    looked_up_ += keys.size();
    hits_ += keys.size() - misses.count;
    for (size_t bag = 0; bag < bags; ++bag) {
      const auto expected =
          pooled(keys, weighted ? &weights : nullptr, offsets[bag], offsets[bag + 1], pooling);
      for (size_t j = 0; j < kTierDim; ++j) ASSERT_EQ(out[bag * kTierDim + j], expected[j]) << bag;
    }
  }
  std::vector<float> pooled(const std::vector<uint64_t>& keys, const std::vector<float>* weights,
                            size_t begin, size_t end, Pooling pooling) {
    std::vector<float> sum(kTierDim, 0.0F);
    double divisor = 0;
    for (size_t i = begin; i < end; ++i) {
      const float u = weights != nullptr ? (*weights)[i] : 1.0F;
      divisor += pooling == Pooling::kMean ? static_cast<double>(u) : static_cast<double>(u) * u;
      for (size_t j = 0; j < kTierDim; ++j) {
        const float value = newest(keys[i]).values[j];
        sum[j] += weights != nullptr ? u * value : value;
      }
    }
    if (pooling == Pooling::kSum) return sum;
    if (pooling == Pooling::kSqrtn) divisor = std::sqrt(divisor);
    const float scale = divisor == 0 ? 0.0F : static_cast<float>(1.0 / divisor);
    for (float& x : sum) x *= scale;
    return sum;
  }
  void push() {
    const auto keys = distinct_keys(400);
    std::vector<float> gradients(keys.size() * kTierDim);
    for (float& g : gradients) g = random_.real();
    UpdateStep step;
    step.learning_rate = 0.05F;
    step.epsilon = 1e-8F;
    std::vector<uint32_t> positions(keys.size());
    TierMisses misses = {positions.data(), 0};
    const TierPush task = {keys.data(), keys.size(), gradients.data(), &step, 1, nullptr,
                           nullptr,     false,       moment()};
    ASSERT_TRUE(ok(api_->push(cache_, &task, &misses)));
    size_t missed = 0;
    for (size_t i = 0; i < keys.size(); ++i) {
      if (missed < misses.count && positions[missed] == i) {
        ++missed;
        continue;
      }
      Row row = newest(keys[i]);
      for (size_t j = 0; j < kTierDim; ++j) {
        const float g = gradients[i * kTierDim + j];
        row.state[j] += g * g;
        row.values[j] -= step.learning_rate * g / (std::sqrt(row.state[j]) + step.epsilon);
      }
      dirty_[keys[i]] = row;
    }
    EXPECT_EQ(missed, misses.count);
  }
  void assign() {
    const auto keys = distinct_keys(100);
    const bool dirty = random_.one_in(2);
    Rows rows;
    for (const uint64_t key : keys) rows.add(key, random_row());
    std::vector<uint32_t> positions(keys.size());
    TierMisses misses = {positions.data(), 0};
    const TierAssign task = {rows.tier(), dirty};
    ASSERT_TRUE(ok(api_->assign(cache_, &task, &misses)));
    const std::set<uint32_t> missed(positions.begin(),
                                    positions.begin() + static_cast<ptrdiff_t>(misses.count));
    for (size_t i = 0; i < keys.size(); ++i) {
      if (missed.contains(static_cast<uint32_t>(i))) continue;
      (dirty ? dirty_ : table_)[keys[i]] = rows.row(i);
      if (!dirty) dirty_.erase(keys[i]);
    }
  }
  void read() {
    const auto keys = distinct_keys(300);
    Rows rows;
    const Row untouched = random_row();
    for (const uint64_t key : keys) rows.add(key, untouched);
    std::vector<uint32_t> positions(keys.size());
    TierMisses misses = {positions.data(), 0};
    const TierRows task = rows.tier();
    ASSERT_TRUE(ok(api_->read(cache_, &task, &misses)));
    const std::set<uint32_t> missed(positions.begin(),
                                    positions.begin() + static_cast<ptrdiff_t>(misses.count));
    for (size_t i = 0; i < keys.size(); ++i) {
      const bool hit = !missed.contains(static_cast<uint32_t>(i));
      ASSERT_EQ(rows.row(i), hit ? newest(keys[i]) : untouched);
    }
  }
  void erase() {
    const auto keys = distinct_keys(60);
    ASSERT_TRUE(ok(api_->erase(cache_, keys.data(), keys.size())));
    std::vector<uint32_t> positions(keys.size());
    TierMisses misses = {positions.data(), 0};
    ASSERT_TRUE(ok(api_->find(cache_, keys.data(), keys.size(), &misses)));
    EXPECT_EQ(misses.count, keys.size());
    for (const uint64_t key : keys) {
      dirty_.erase(key);
      table_.erase(key);
    }
  }
  void flush() {
    uint64_t from = 0;
    Rows arrays(8 + random_.below(200));
    while (from != UINT64_MAX) {
      TierRows rows = arrays.tier();
      ASSERT_TRUE(ok(api_->flush(cache_, &rows, &from)));
      take_down(rows, arrays);
    }
    EXPECT_TRUE(dirty_.empty());
    TierStats stats;
    ASSERT_TRUE(ok(api_->stats(cache_, &stats)));
    EXPECT_EQ(stats.dirty, 0U);
  }
  TierMoment moment() {
    ++clock_;
    return {clock_, clock_ / 50};
  }

  Random random_{test::test_seed("Libraries/CudaTier.*")};
  const TierApi* api_ = nullptr;
  TierCache* cache_ = nullptr;
  std::map<uint64_t, Row> table_;
  std::map<uint64_t, Row> dirty_;
  uint32_t clock_ = 0;
  uint64_t looked_up_ = 0;  // keys, those of bags too
  uint64_t hits_ = 0;
};

TEST_P(CudaTier, WhateverIsAskedNoRowIsOlderOrLost) {
  for (int i = 0; i < 400 && !HasFatalFailure(); ++i) {
    switch (random_.below(10)) {
      case 0:
      case 1:
        insert();
        break;
      case 2:
      case 3:
        lookup();
        break;
      case 4:
        pool();
        break;
      case 5:
      case 6:
        push();
        break;
      case 7:
        assign();
        break;
      case 8:
        read();
        break;
      default:
        random_.one_in(2) ? erase() : flush();
    }
  }
  TierStats stats;
  ASSERT_TRUE(ok(api_->stats(cache_, &stats)));
  EXPECT_EQ(stats.dirty, dirty_.size());
  EXPECT_EQ(stats.lookups, looked_up_);
  EXPECT_EQ(stats.hits, hits_);
  EXPECT_GT(stats.evicted_dirty, 0U) << "the cache was never too small";
  EXPECT_GT(stats.refused, 0U);
  EXPECT_LE(stats.bytes, 400'000U);
  EXPECT_LE(stats.rows, stats.capacity);
  flush();
  ASSERT_TRUE(ok(api_->clear(cache_)));
  ASSERT_TRUE(ok(api_->stats(cache_, &stats)));
  EXPECT_EQ(stats.rows, 0U);
}

TEST_P(CudaTier, HeldRowsStayUntilTheyAreLetGo) {
  TierStats stats = {};
  ASSERT_TRUE(ok(api_->stats(cache_, &stats)));
  // Next to none of a bucket's ways hold two of them by chance.
  std::vector<uint64_t> held;
  for (uint64_t i = 0; i < stats.capacity / 8; ++i) held.push_back(uint64_t{1} << 40 | i);
  const auto insert = [&](const std::vector<uint64_t>& keys, uint32_t uses, TierWish wish) {
    Rows rows;
    for (const uint64_t k : keys) rows.add(k, newest(k));
    const std::vector<uint32_t> all_uses(keys.size(), uses);
    const std::vector<TierWish> wishes(keys.size(), wish);
    Rows evicted(keys.size());
    TierRows out = evicted.tier();
    TierInsert task = {rows.tier(), all_uses.data(), wishes.data(), moment(), &out, 0};
    EXPECT_TRUE(ok(api_->insert(cache_, &task)));
    return task.refused;
  };
  const auto hold = [&](const std::vector<uint64_t>& keys, TierHolding how, uint64_t& changed) {
    std::vector<uint32_t> positions(keys.size());
    TierMisses misses = {positions.data(), 0};
    TierHold task = {keys.data(), keys.size(), how, 99};
    EXPECT_TRUE(ok(api_->hold(cache_, &task, &misses)));
    changed = task.changed;
    return misses.count;
  };
  const auto crowd = [&] {
    std::vector<uint64_t> others;
    for (uint64_t i = 0; i < 3 * stats.capacity; ++i) others.push_back(i);
    return insert(others, 1000, TierWish::kUsual);
  };
  const auto gone = [&] {
    std::vector<uint32_t> positions(held.size());
    TierMisses misses = {positions.data(), 0};
    EXPECT_TRUE(ok(api_->find(cache_, held.data(), held.size(), &misses)));
    return misses.count;
  };
  uint64_t changed = 0;
  EXPECT_EQ(hold(held, TierHolding::kOnceMore, changed), held.size());
  EXPECT_EQ(changed, 0U);
  crowd();
  // Ranked below all that is there.
  EXPECT_EQ(insert(held, 1, TierWish::kUsual), held.size());
  EXPECT_EQ(insert(held, 1, TierWish::kAwaited), 0U);
  EXPECT_EQ(hold(held, TierHolding::kOnceMore, changed), 0U);
  EXPECT_EQ(changed, held.size());
  EXPECT_EQ(hold(held, TierHolding::kOnceLess, changed), 0U);
  crowd();
  EXPECT_EQ(gone(), 0U);
  EXPECT_EQ(hold(held, TierHolding::kNoMore, changed), 0U);
  EXPECT_EQ(changed, held.size());
  crowd();
  EXPECT_EQ(gone(), held.size());
  EXPECT_EQ(insert(held, 1, TierWish::kAwaited), 0U);
  ASSERT_TRUE(ok(api_->let_go(cache_)));
  EXPECT_EQ(hold(held, TierHolding::kOnceLess, changed), 0U);
  EXPECT_EQ(changed, 0U);
}

TEST_P(CudaTier, AnOutputOutlivesItsCacheAndNoRoomIsNoFailure) {
  TierOutput* output = nullptr;
  bool no_room = false;
  EXPECT_FALSE(ok(api_->open_output(cache_, uint64_t{1} << 42, &output, &no_room)));
  EXPECT_TRUE(no_room);
  const std::vector<uint64_t> keys = {7, 8};
  ASSERT_TRUE(ok(api_->open_output(cache_, keys.size(), &output, &no_room)));
  EXPECT_FALSE(no_room);
  std::vector<uint32_t> positions(keys.size());
  TierMisses misses = {positions.data(), 0};
  const TierLookup task = {keys.data(), keys.size(), nullptr, 0, false, moment()};
  ASSERT_TRUE(ok(api_->lookup_to(cache_, &task, output, &misses)));
  ASSERT_EQ(misses.count, keys.size());
  std::vector<float> rows(keys.size() * kTierDim);
  for (size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<float>(i);
  ASSERT_TRUE(ok(api_->fill_output(cache_, output, positions.data(), rows.data(), keys.size())));
  api_->destroy(cache_);
  cache_ = nullptr;
  std::vector<float> back(rows.size());
  ASSERT_TRUE(ok(api_->read_output(output, back.data(), back.size())));
  EXPECT_EQ(back, rows);
  api_->close_output(output);
}

TEST_P(CudaTier, MemoryThatIsTooSmallIsRefusedByName) {
  for (const uint64_t bytes : {uint64_t{0}, uint64_t{1000}, uint64_t{50'000}}) {
    const TierSpec none = spec(bytes);
    TierCache* cache = nullptr;
    const char* const failure = api_->create(&none, &cache);
    ASSERT_NE(failure, nullptr);
    EXPECT_NE(std::string(failure).find(std::to_string(bytes)), std::string::npos) << failure;
  }
}

INSTANTIATE_TEST_SUITE_P(Libraries, CudaTier,
                         ::testing::Values("libhotrow_tier_emulated.so", "libhotrow_cuda.so"),
                         [](const auto& info) {
                           const std::string name = info.param;
                           return name.find("emulated") != std::string::npos ? "emulated" : "cuda";
                         });

}  // namespace
}  // namespace hotrow
