// Eviction on demand and ahead of need, scans, and figures.
#include <cmath>
#include <utility>

#include "base/batch_check.h"
#include "base/sort_unique.h"
#include "table/gates.h"
#include "table/table.h"

namespace hotrow {

Result<uint64_t> SparseTable::erase(KeyBatch keys) {
  return change([&]() -> Result<uint64_t> {
    const CallTimer timer(context_.latencies.erase, keys.size());
    HOTROW_RETURN_IF_ERROR(check_keys(keys));
    HOTROW_RETURN_IF_ERROR(demotes() ? Status() : bring(keys));
    const Result<uint64_t> erased =
        demotes() ? erase_cold(keys)
                  : with_gates(context_, gate_, [&] { return Result(rows_->erase(keys)); });
    if (erased.ok()) counters_.erased.fetch_add(erased.value(), std::memory_order_relaxed);
    return erased;
  });
}

Status SparseTable::reserve(uint64_t rows) {
  HOTROW_RETURN_IF_ERROR(wait_until_warm());
  return change([&]() -> Status {
    const uint64_t size = rows_->size();
    if (rows <= size) return {};
    if (rows > rules_.limit_rows()) {
      return Status::capacity("table '" + name_ + "': " + std::to_string(rows) +
                              " rows would not fit: its eviction options allow " +
                              std::to_string(rules_.limit_rows()));
    }
    const bool done = with_gates(context_, gate_, [&] { return rows_->reserve_rows(rows - size); });
    if (done) return {};
    return Status::capacity("table '" + name_ + "': " + std::to_string(rows) +
                            " rows would not fit: " + context_.budget.in_use());
  });
}

Result<uint64_t> SparseTable::evict(uint64_t rows) {
  HOTROW_RETURN_IF_ERROR(wait_until_warm());
  return change([&]() -> Result<uint64_t> {
    if (options_.eviction.policy == EvictionPolicy::kNone) {
      return Status::invalid_argument(
          "eviction.policy: expected a policy that can choose victims, received none");
    }
    return with_evicting_gates(
        [&] { return rows_->evict(rows, EvictionReason::kDemand, moment()); });
  });
}

Result<uint64_t> SparseTable::shrink(const ShrinkOptions& options) {
  HOTROW_RETURN_IF_ERROR(wait_until_warm());
  return change([&]() -> Result<uint64_t> {
    const EvictionPolicy policy = options_.eviction.policy;
    if (demotes()) {
      return Status(StatusCode::kUnsupported,
                    "table '" + name_ + "' demotes its rows: those on disk cannot be judged");
    }
    if (options.unseen_ms > 0 && options_.eviction.ttl_ms == 0) {
      return Status::invalid_argument(
          "unseenMs: expected a table with eviction.ttlMs, which keeps the time of each use");
    }
    if (options.below_uses > 0 && policy != EvictionPolicy::kLfu &&
        policy != EvictionPolicy::kAgeingLfu) {
      return Status::invalid_argument(
          "belowUses: expected a table with eviction.policy 'lfu' or 'ageingLfu', which count "
          "uses");
    }
    if (!(options.below_uses >= 0) || !(options.below_norm >= 0)) {
      return Status::invalid_argument("belowUses, belowNorm: expected numbers of at least 0");
    }
    const Sweep sweep{.unseen_ms = options.unseen_ms,
                      .below_uses = options.below_uses,
                      .below_norm = options.below_norm};
    uint64_t gone = 0;
    for (uint32_t shard = 0; shard < IndexShards::kCount; ++shard) {
      gone += with_gates(context_, gate_, [&] {
        return rows_->sweep(sweep, shard, shard + 1, EvictionReason::kShrink, moment());
      });
    }
    return gone;
  });
}

Status SparseTable::decay(double factor) {
  HOTROW_RETURN_IF_ERROR(wait_until_warm());
  return change([&]() -> Status {
    if (!(factor >= 0 && factor <= 1)) {
      return Status::invalid_argument("factor: expected a number from 0 to 1, received " +
                                      std::to_string(factor));
    }
    with_gates(context_, gate_, [&] { rows_->decay(factor, moment()); });
    return {};
  });
}

Result<uint64_t> SparseTable::set_scores(KeyBatch keys, std::span<const float> scores) {
  HOTROW_RETURN_IF_ERROR(wait_until_warm());
  return change([&]() -> Result<uint64_t> {
    HOTROW_RETURN_IF_ERROR(check_keys(keys));
    if (options_.eviction.policy != EvictionPolicy::kLowestScore) {
      return Status::invalid_argument(
          "scores: expected a table with eviction.policy 'lowestScore'");
    }
    if (scores.size() != keys.size()) {
      return Status::invalid_argument("scores: expected " + std::to_string(keys.size()) +
                                      " values, one a key, received " +
                                      std::to_string(scores.size()));
    }
    for (const float score : scores) {
      if (std::isfinite(score)) continue;
      return Status::invalid_argument("scores: expected finite values, received NaN or infinity");
    }
    return rows_->set_scores(keys, scores);
  });
}

Status SparseTable::set_heats(KeyBatch keys, std::span<const uint32_t> heats) {
  HOTROW_RETURN_IF_ERROR(wait_until_warm());
  return change([&]() -> Status {
    HOTROW_RETURN_IF_ERROR(check_keys(keys));
    if (!HeatRule::needed(options_.eviction.policy)) {
      return {StatusCode::kUnsupported, "heats: the table's eviction policy remembers nothing"};
    }
    if (heats.size() != keys.size() + 1) {
      return Status::invalid_argument("heats: expected " + std::to_string(keys.size() + 1) +
                                      " values, one a key and a clock, received " +
                                      std::to_string(heats.size()));
    }
    rows_->set_heats(keys, heats.first(keys.size()), heats.back(), moment());
    return {};
  });
}

Result<std::vector<EvictedKey>> SparseTable::take_evicted(size_t most) {
  return call([&]() -> Result<std::vector<EvictedKey>> { return rows_->take_evicted(most); });
}

Status SparseTable::read_page(ScanPage& page, bool state) {
  const size_t n = page.keys.size();
  const size_t dim = options_.dim;
  const size_t width = state ? rules_.state_values() : 0;
  std::vector<uint8_t> found(n);
  page.rows.resize(n * dim);
  page.state.resize(n * width);
  // Keys lie in the order of their hashes, so a part is a run of shards.
  const uint32_t parts = context_.parts_for(n);
  context_.pool.run(parts, [&](uint32_t part) {
    const size_t first = n * part / parts;
    GatherRequest request{
        .keys = KeyBatch(page.keys).subspan(first, n * (part + 1) / parts - first),
        .rows = page.rows.data() + first * dim,
        .stride = dim,
        .found = found.data() + first,
        .counts = false};
    if (width == 0) {
      (void)rows_->gather(request);
      return;
    }
    request.values = request.rows;
    request.rows = page.state.data() + first * width;
    request.stride = width;
    (void)rows_->gather_state(request);
  });
  if (cold()) {
    GatherRequest all{.keys = page.keys,
                      .rows = page.rows.data(),
                      .stride = dim,
                      .found = found.data(),
                      .counts = false};
    if (width == 0) {
      HOTROW_RETURN_IF_ERROR(gather_cold(all).status());
    } else {
      all.values = std::exchange(all.rows, page.state.data());
      all.stride = width;
      HOTROW_RETURN_IF_ERROR(gather_cold_state(all).status());
    }
  }
  // A row may have gone since its key was seen.
  size_t kept = 0;
  for (size_t i = 0; i < n; ++i) {
    if (found[i] == 0) continue;
    page.keys[kept] = page.keys[i];
    std::copy_n(page.rows.data() + i * dim, dim, page.rows.data() + kept * dim);
    std::copy_n(page.state.data() + i * width, width, page.state.data() + kept * width);
    ++kept;
  }
  page.keys.resize(kept);
  page.rows.resize(kept * dim);
  page.state.resize(kept * width);
  return {};
}

// What is in memory and what is out there, in that order: a row that comes in meanwhile can be
// read out there for a while.
Status SparseTable::walk_all(uint64_t from, size_t rows, ScanPage& page) {
  std::optional<uint64_t> here_next = rows_->walk(from, rows, page.keys);
  std::vector<uint64_t> hashes;
  std::optional<uint64_t> there_next;
  HOTROW_RETURN_IF_ERROR(tier_->rows().walk(from, rows, hashes, there_next));
  for (const uint64_t key : page.keys) hashes.push_back(mix64(key));
  sort_unique(hashes);
  page.next = here_next;
  if (there_next && (!here_next || *there_next < *here_next)) page.next = there_next;
  if (hashes.size() > rows && (!page.next || hashes[rows] < *page.next)) page.next = hashes[rows];
  page.keys.clear();
  for (const uint64_t hash : hashes) {
    if (!page.next || hash < *page.next) page.keys.push_back(unmix64(hash));
  }
  return {};
}

Result<ScanPage> SparseTable::scan(uint64_t from, size_t rows, const ScanOptions& options) {
  HOTROW_RETURN_IF_ERROR(wait_until_warm());
  return call([&]() -> Result<ScanPage> {
    // A page is to be a page.
    HOTROW_RETURN_IF_ERROR(check_page_rows(rows));
    ScanPage page;
    if (demotes()) {
      HOTROW_RETURN_IF_ERROR(walk_all(from, rows, page));
    } else {
      page.next = rows_->walk(from, rows, page.keys);
    }
    HOTROW_RETURN_IF_ERROR(read_page(page, options.state));
    if (options.heats && HeatRule::needed(options_.eviction.policy)) {
      page.heats.resize(page.keys.size() + 1);
      rows_->heats(page.keys, std::span(page.heats).first(page.keys.size()));
      // After they were read: none is younger.
      page.heats.back() = moment().clock;
    }
    return page;
  });
}

Result<std::vector<HotKey>> SparseTable::hot_keys(size_t most) {
  return call([&]() -> Result<std::vector<HotKey>> {
    if (hot_keys_) return hot_keys_->top(most);
    return Status::invalid_argument("hotKeys: expected a table that counts them: option hotKeys");
  });
}

// There is no device to bring rows to.
Result<uint64_t> SparseTable::prefetch(KeyBatch /*keys*/) {
  return call([]() -> Result<uint64_t> { return uint64_t{0}; });
}
Status SparseTable::release_prefetched() {
  return call([]() -> Status { return {}; });
}

Result<TableStats> SparseTable::memory_stats() {
  return call([&]() -> Result<TableStats> {
    TableStats stats;
    rows_->measure_memory(stats);
    const Counted counted = count_rows();
    stats.rows = counted.rows;
    stats.cold_rows = counted.cold;
    stats.hot_keys_memory_bytes = hot_keys_ ? hot_keys_->memory_bytes() : 0;
    return stats;
  });
}

Result<TableStats> SparseTable::stats() {
  return call([&]() -> Result<TableStats> {
    constexpr auto kRelaxed = std::memory_order_relaxed;
    TableStats stats;
    rows_->measure(stats);
    const Counted counted = count_rows();
    stats.rows = counted.rows;
    stats.cold_rows = counted.cold;
    stats.hot_keys_memory_bytes = hot_keys_ ? hot_keys_->memory_bytes() : 0;
    stats.lookups = counters_.lookups.load(kRelaxed);
    stats.hits = counters_.hits.load(kRelaxed);
    stats.pushes = counters_.pushes.load(kRelaxed);
    stats.updates = counters_.updates.load(kRelaxed);
    stats.created = counters_.created.load(kRelaxed);
    stats.steps = steps();
    stats.erased = counters_.erased.load(kRelaxed);
    stats.skipped_gradients = counters_.skipped.load(kRelaxed);
    stats.not_admitted = counters_.not_admitted.load(kRelaxed);
    stats.cold_hits = counters_.cold_hits.load(kRelaxed);
    stats.promoted = counters_.promoted.load(kRelaxed);
    if (demotes()) stats.spilled_rows = tier_->rows().spilled_rows();
    return stats;
  });
}

void SparseTable::sweep_expired(uint32_t shards) {
  for (; shards > 0; --shards) {
    (void)call([&]() -> Status {
      const uint32_t shard = std::exchange(sweep_shard_, (sweep_shard_ + 1) % IndexShards::kCount);
      with_gates(context_, gate_, [&] {
        return rows_->sweep({.expired = true}, shard, shard + 1, EvictionReason::kExpired,
                            moment());
      });
      return {};
    });
  }
}

bool SparseTable::evict_ahead() {
  constexpr uint64_t kSlice = 256;
  bool worked = false;
  (void)call([&]() -> Status {
    if (!options_.eviction.background || rules_.limit_rows() == UINT64_MAX) return {};
    // A thirty-second of the rows is kept free.
    const uint64_t wanted = rules_.limit_rows() - rules_.limit_rows() / 32;
    const uint64_t size = rows_->size();
    if (size <= wanted) return {};
    worked = with_evicting_gates([&] {
      return rows_->evict(std::min(size - wanted, kSlice), EvictionReason::kCapacity, moment()) > 0;
    });
    return {};
  });
  return worked;
}

}  // namespace hotrow
