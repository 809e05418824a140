#include "store/fake_tier.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <vector>

#include "base/hash.h"
#include "simd/kernels.h"
#include "simd/value_layout.h"
#include "store/tier_library.h"
#include "table/row_codec.h"

namespace hotrow {

// The library's own, as its callers see it.
struct TierCache {
  struct Row {
    uint64_t key = 0;
    std::vector<std::byte> values;
    std::vector<float> state;
    bool dirty = false;
    int holds = 0;
    std::atomic<uint32_t> score{0};
  };
  explicit TierCache(const TierSpec& spec)
      : spec(spec),
        codec(spec.value_type, spec.rounding, spec.dim),
        ways(test::FakeTier::instance().ways),
        buckets(test::FakeTier::instance().buckets) {
    ++test::FakeTier::instance().alive;
  }
  ~TierCache() { --test::FakeTier::instance().alive; }
  TierCache(const TierCache&) = delete;
  TierCache& operator=(const TierCache&) = delete;

  std::vector<std::unique_ptr<Row>>& bucket_of(uint64_t key) {
    return buckets[mix64(key ^ 0x5eed) % buckets.size()];
  }
  Row* find(uint64_t key) {
    for (auto& row : bucket_of(key)) {
      if (row->key == key) return row.get();
    }
    return nullptr;
  }

  TierSpec spec;
  RowCodec codec;
  uint64_t ways;
  std::vector<std::vector<std::unique_ptr<Row>>> buckets;
  std::atomic<int> shared{0};
  std::atomic<int> alone{0};
  std::atomic<uint64_t> lookups{0};
  std::atomic<uint64_t> hits{0};
  TierStats stats = {};
};

struct TierOutput {
  std::vector<float> rows;
};

namespace test {
namespace {

constexpr const char* kGone = "the device has gone";

/// A call from its start to its end: `failed` is what it has to answer at once, or null.
class Entered {
 public:
  Entered(TierCache* cache, bool alone) : cache_(cache), alone_(alone) {
    FakeTier& fake = FakeTier::instance();
    if (fake.calls.fetch_add(1) + 1 > fake.fails_after) failed = kGone;
    const int others = alone ? cache->alone.fetch_add(1) : cache->shared.fetch_add(1);
    const bool met = alone ? others > 0 || cache->shared.load() > 0 : cache->alone.load() > 0;
    if (met) ++fake.collisions;
  }
  ~Entered() { --(alone_ ? cache_->alone : cache_->shared); }
  Entered(const Entered&) = delete;
  Entered& operator=(const Entered&) = delete;

  const char* failed = nullptr;

 private:
  TierCache* cache_;
  bool alone_;
};

uint32_t raised(const TierCache& cache, uint32_t score, TierMoment now) {
  switch (cache.spec.policy) {
    case TierPolicy::kLru:
    case TierPolicy::kEpochLru:
      return now.clock;
    case TierPolicy::kCustom:
      return score;
    default:
      return score + 1;
  }
}

void miss(TierMisses* misses, uint64_t position) {
  misses->positions[misses->count++] = static_cast<uint32_t>(position);
}

const char* describe(uint32_t device, TierDevice* out) {
  const FakeTier& fake = FakeTier::instance();
  if (!fake.no_device.empty()) return fake.no_device.c_str();
  if (device > 0) return "there is no device 1: there is 1";
  *out = {.name = "fake",
          .compute_major = 9,
          .compute_minor = 0,
          .driver_version = 13010,
          .multiprocessors = 1,
          .memory_bytes = uint64_t{1} << 30,
          .free_bytes = uint64_t{1} << 29};
  return nullptr;
}

const char* create(const TierSpec* spec, TierCache** out) {
  if (spec->bytes < (uint64_t{64} << 10)) return "too little memory";
  *out = new TierCache(*spec);
  return nullptr;
}

void destroy(TierCache* cache) { delete cache; }

const char* lookup(TierCache* cache, const TierLookup* lookup, TierMisses* misses) {
  const Entered call(cache, false);
  if (call.failed != nullptr) return call.failed;
  misses->count = 0;
  for (uint64_t i = 0; i < lookup->n; ++i) {
    TierCache::Row* const row = cache->find(lookup->keys[i]);
    if (row == nullptr) {
      miss(misses, i);
      continue;
    }
    cache->codec.decode(row->values.data(), lookup->rows + i * lookup->stride);
    if (lookup->touch) row->score = raised(*cache, row->score, lookup->moment);
  }
  cache->lookups += lookup->n;
  cache->hits += lookup->n - misses->count;
  return nullptr;
}

const char* open_output(TierCache* cache, uint64_t rows, TierOutput** out, bool* no_room) {
  *no_room = rows > FakeTier::instance().most_output_rows;
  if (*no_room) return "the device has no room";
  *out = new TierOutput{std::vector<float>(rows * cache->spec.dim)};
  ++FakeTier::instance().outputs;
  return nullptr;
}

void close_output(TierOutput* output) {
  delete output;
  --FakeTier::instance().outputs;
}

float* output_address(const TierOutput* output) { return const_cast<float*>(output->rows.data()); }

const char* lookup_to(TierCache* cache, const TierLookup* given, TierOutput* output,
                      TierMisses* misses) {
  TierLookup to = *given;
  to.rows = output->rows.data();
  to.stride = cache->spec.dim;
  return lookup(cache, &to, misses);
}

const char* fill_output(TierCache* cache, TierOutput* output, const uint32_t* positions,
                        const float* rows, uint64_t n) {
  const Entered call(cache, false);
  if (call.failed != nullptr) return call.failed;
  const size_t dim = cache->spec.dim;
  for (uint64_t i = 0; i < n; ++i) {
    std::copy_n(rows + i * dim, dim, output->rows.data() + positions[i] * dim);
  }
  return nullptr;
}

const char* read_output(const TierOutput* output, float* to, uint64_t values) {
  std::copy_n(output->rows.data(), values, to);
  return nullptr;
}

const char* find(TierCache* cache, const uint64_t* keys, uint64_t n, TierMisses* misses) {
  const Entered call(cache, false);
  if (call.failed != nullptr) return call.failed;
  misses->count = 0;
  for (uint64_t i = 0; i < n; ++i) {
    if (cache->find(keys[i]) == nullptr) miss(misses, i);
  }
  if (const auto& on_find = FakeTier::instance().on_find) on_find();
  return nullptr;
}

float scale_of(const TierPool& pool, uint64_t first, uint64_t last) {
  if (pool.pooling == Pooling::kSum) return 1;
  double sum = 0;
  for (uint64_t i = first; i < last; ++i) {
    const double weight = pool.weights == nullptr ? 1.0F : pool.weights[i];
    sum += pool.pooling == Pooling::kMean ? weight : weight * weight;
  }
  if (pool.pooling == Pooling::kSqrtn) sum = std::sqrt(sum);
  return sum == 0 ? 0.0F : static_cast<float>(1.0 / sum);
}

const char* pool(TierCache* cache, const TierPool* pool) {
  const Entered call(cache, false);
  if (call.failed != nullptr) return call.failed;
  const size_t dim = cache->spec.dim;
  std::vector<float> decoded(dim);
  uint64_t missed = 0;
  for (uint64_t bag = 0; bag < pool->bags; ++bag) {
    float* const out = pool->out + bag * pool->stride;
    std::fill_n(out, dim, 0.0F);
    for (uint64_t i = pool->offsets[bag]; i < pool->offsets[bag + 1]; ++i) {
      const float* row = decoded.data();
      if (missed < pool->missed && pool->missed_positions[missed] == i) {
        row = pool->missed_rows + missed++ * dim;
      } else {
        TierCache::Row& here = *cache->find(pool->keys[i]);
        cache->codec.decode(here.values.data(), decoded.data());
        if (pool->touch) here.score = raised(*cache, here.score, pool->moment);
      }
      for (size_t j = 0; j < dim; ++j) {
        out[j] += pool->weights == nullptr ? row[j] : pool->weights[i] * row[j];
      }
    }
    const float scale = scale_of(*pool, pool->offsets[bag], pool->offsets[bag + 1]);
    for (size_t j = 0; scale != 1 && j < dim; ++j) out[j] *= scale;
  }
  cache->lookups += pool->n;
  cache->hits += pool->n - pool->missed;
  return nullptr;
}

void take_row(const TierCache& cache, const TierRows& rows, uint64_t i, TierCache::Row& row) {
  const size_t bytes = cache.codec.bytes();
  row.key = rows.keys[i];
  row.values.assign(rows.values + i * bytes, rows.values + (i + 1) * bytes);
  const size_t width = cache.spec.state_values;
  if (rows.state != nullptr) {
    row.state.assign(rows.state + i * width, rows.state + (i + 1) * width);
  }
}

void give_row(const TierCache& cache, const TierCache::Row& row, const TierRows& rows, uint64_t i) {
  rows.keys[i] = row.key;
  std::memcpy(rows.values + i * cache.codec.bytes(), row.values.data(), row.values.size());
  if (rows.state != nullptr) {
    std::ranges::copy(row.state, rows.state + i * cache.spec.state_values);
  }
}

const char* read(TierCache* cache, const TierRows* rows, TierMisses* misses) {
  const Entered call(cache, true);
  if (call.failed != nullptr) return call.failed;
  misses->count = 0;
  for (uint64_t i = 0; i < rows->n; ++i) {
    const TierCache::Row* const row = cache->find(rows->keys[i]);
    row == nullptr ? miss(misses, i) : give_row(*cache, *row, *rows, i);
  }
  return nullptr;
}

const char* insert(TierCache* cache, TierInsert* insert) {
  const Entered call(cache, true);
  if (call.failed != nullptr) return call.failed;
  FakeTier& fake = FakeTier::instance();
  const uint64_t number = fake.inserts.fetch_add(1) + 1;
  if (fake.no_memory_every != 0 && number % fake.no_memory_every == 0) return "no device memory";
  insert->evicted->n = 0;
  insert->refused = 0;
  for (uint64_t i = 0; i < insert->rows.n; ++i) {
    auto& bucket = cache->bucket_of(insert->rows.keys[i]);
    const TierWish wish = insert->wishes == nullptr ? TierWish::kUsual : insert->wishes[i];
    if (bucket.size() == cache->ways) {
      const auto coldest = std::ranges::min_element(
          bucket, {}, [](const auto& row) { return std::pair(row->holds > 0, row->score.load()); });
      if ((*coldest)->holds > 0 || (wish == TierWish::kHesitant && (*coldest)->score > 2)) {
        ++insert->refused;
        continue;
      }
      if ((*coldest)->dirty) {
        give_row(*cache, **coldest, *insert->evicted, insert->evicted->n++);
        ++cache->stats.evicted_dirty;
      }
      ++cache->stats.evicted;
      bucket.erase(coldest);
    }
    auto row = std::make_unique<TierCache::Row>();
    take_row(*cache, insert->rows, i, *row);
    row->score = insert->uses == nullptr ? 1 : insert->uses[i];
    row->holds = wish == TierWish::kAwaited ? 1 : 0;
    bucket.push_back(std::move(row));
    ++cache->stats.inserted;
  }
  cache->stats.refused += insert->refused;
  return nullptr;
}

void push_row(TierCache& cache, TierCache::Row& row, const float* gradient, const UpdateStep& step,
              uint64_t random) {
  const uint32_t dim = cache.spec.dim;
  std::vector<float> values(dim);
  std::vector<float> scratch(dim);
  if (step.way == RowWay::kFrozen) return;
  cache.codec.decode(row.values.data(), values.data());
  const UpdateKernels& kernels = update_kernels();
  if (step.way == RowWay::kPrepared) {
    gradient = kernels.prepare(values.data(), gradient, dim, step, scratch.data());
  }
  kernels.rule(cache.spec.optimizer)(values.data(), row.state.data(), gradient, dim, step);
  cache.codec.encode(values.data(), row.values.data(), random);
  row.dirty = true;
}

const char* push(TierCache* cache, const TierPush* push, TierMisses* misses) {
  const Entered call(cache, true);
  if (call.failed != nullptr) return call.failed;
  misses->count = 0;
  for (uint64_t i = 0; i < push->n; ++i) {
    TierCache::Row* const row = cache->find(push->keys[i]);
    if (row == nullptr) {
      miss(misses, i);
      continue;
    }
    push_row(*cache, *row, push->gradients + i * cache->spec.dim,
             push->steps[push->step_of == nullptr ? 0 : push->step_of[i]],
             push->random == nullptr ? 0 : push->random[i]);
    if (push->touch) row->score = raised(*cache, row->score, push->moment);
  }
  return nullptr;
}

const char* assign(TierCache* cache, const TierAssign* assign, TierMisses* misses) {
  const Entered call(cache, true);
  if (call.failed != nullptr) return call.failed;
  misses->count = 0;
  for (uint64_t i = 0; i < assign->rows.n; ++i) {
    TierCache::Row* const row = cache->find(assign->rows.keys[i]);
    if (row == nullptr) {
      miss(misses, i);
      continue;
    }
    take_row(*cache, assign->rows, i, *row);
    row->dirty = assign->dirty;
  }
  return nullptr;
}

const char* hold(TierCache* cache, TierHold* hold, TierMisses* misses) {
  const Entered call(cache, true);
  if (call.failed != nullptr) return call.failed;
  misses->count = hold->changed = 0;
  for (uint64_t i = 0; i < hold->n; ++i) {
    TierCache::Row* const row = cache->find(hold->keys[i]);
    if (row == nullptr) {
      miss(misses, i);
      continue;
    }
    const int before = row->holds;
    row->holds = hold->how == TierHolding::kOnceMore   ? before + 1
                 : hold->how == TierHolding::kOnceLess ? std::max(before - 1, 0)
                                                       : 0;
    if (row->holds != before) ++hold->changed;
  }
  return nullptr;
}

const char* let_go(TierCache* cache) {
  const Entered call(cache, true);
  if (call.failed != nullptr) return call.failed;
  for (const auto& bucket : cache->buckets) {
    for (const auto& row : bucket) row->holds = 0;
  }
  return nullptr;
}

const char* erase(TierCache* cache, const uint64_t* keys, uint64_t n) {
  const Entered call(cache, true);
  if (call.failed != nullptr) return call.failed;
  for (uint64_t i = 0; i < n; ++i) {
    std::erase_if(cache->bucket_of(keys[i]), [&](const auto& row) { return row->key == keys[i]; });
  }
  return nullptr;
}

const char* flush(TierCache* cache, TierRows* rows, uint64_t* from) {
  const Entered call(cache, true);
  if (call.failed != nullptr) return call.failed;
  const uint64_t room = rows->n;
  rows->n = 0;
  for (; *from < cache->buckets.size() && rows->n + cache->ways <= room; ++*from) {
    for (auto& row : cache->buckets[*from]) {
      if (!row->dirty) continue;
      give_row(*cache, *row, *rows, rows->n++);
      row->dirty = false;
      ++cache->stats.flushed;
    }
  }
  if (*from == cache->buckets.size()) *from = UINT64_MAX;
  return nullptr;
}

const char* clear(TierCache* cache) {
  const Entered call(cache, true);
  if (call.failed != nullptr) return call.failed;
  for (auto& bucket : cache->buckets) bucket.clear();
  return nullptr;
}

const char* stats(TierCache* cache, TierStats* stats) {
  const Entered call(cache, true);
  if (call.failed != nullptr) return call.failed;
  *stats = cache->stats;
  stats->capacity = cache->buckets.size() * cache->ways;
  stats->bytes = cache->spec.bytes / 2;
  stats->lookups = cache->lookups;
  stats->hits = cache->hits;
  for (const auto& bucket : cache->buckets) {
    stats->rows += bucket.size();
    for (const auto& row : bucket) stats->dirty += row->dirty ? 1 : 0;
  }
  return nullptr;
}

}  // namespace

FakeTier& FakeTier::instance() {
  static FakeTier fake;
  return fake;
}

const TierApi& FakeTier::api() {
  static const TierApi kApi{.abi = kTierAbi,
                            .describe = describe,
                            .create = create,
                            .destroy = destroy,
                            .lookup = lookup,
                            .open_output = open_output,
                            .close_output = close_output,
                            .output_address = output_address,
                            .lookup_to = lookup_to,
                            .fill_output = fill_output,
                            .read_output = read_output,
                            .find = find,
                            .pool = pool,
                            .read = read,
                            .insert = insert,
                            .push = push,
                            .assign = assign,
                            .hold = hold,
                            .let_go = let_go,
                            .erase = erase,
                            .flush = flush,
                            .clear = clear,
                            .stats = stats};
  return kApi;
}

FakeDevice::FakeDevice() {
  FakeTier& fake = FakeTier::instance();
  fake.buckets = 8;
  fake.ways = 4;
  fake.fails_after = UINT64_MAX;
  fake.no_memory_every = 0;
  fake.no_device.clear();
  fake.most_output_rows = UINT64_MAX;
  fake.on_find = nullptr;
  fake.calls = 0;
  fake.inserts = 0;
  fake.collisions = 0;
  replace_tier_library(&FakeTier::api());
}

FakeDevice::~FakeDevice() { replace_tier_library(nullptr); }

}  // namespace test
}  // namespace hotrow
