// Lookups: the device first, the table for what it has not, and rows that come to the device.
#include <algorithm>
#include <utility>

#include "base/batch_check.h"
#include "base/hash.h"
#include "store/device_table.h"

namespace hotrow {

namespace {

// Rows that come to the device after one call, and their bytes: a lookup is not to wait long.
constexpr size_t kMostPromoted = 8192;
constexpr size_t kMostPromotedBytes = size_t{4} << 20;
// Calls that pass until a promotion waits for its turn: while lookups overlap all the time, nobody
// ever finds the table free.
constexpr uint32_t kPatience = 8;
// After a call that found room for next to nothing of what it would only put into free places, so
// many calls do not try: each would read its rows in vain.
constexpr uint32_t kFullCalls = 32;

bool is_set(std::span<const uint8_t> bits, size_t i) { return (bits[i / 8] >> (i % 8) & 1) != 0; }

}  // namespace

Status DeviceTable::lookup(KeyBatch keys, RowBatch rows, const LookupOptions& options) {
  return lookup_into({.keys = keys, .rows = rows, .options = options});
}

Status DeviceTable::lookup_into(const TableLookup& lookup) {
  return call([&]() -> Status {
    HOTROW_RETURN_IF_ERROR(table_->check_lookup(lookup));
    const CallTimer timer(table_->context().latencies.lookup, lookup.keys.size());
    if (homeless_rows_.load(std::memory_order_acquire) > 0) {
      const WriteTurn lock(mutex_);
      HOTROW_RETURN_IF_ERROR(settle());
    }
    std::vector<Missed> missed;
    Result<bool> answered = false;
    bool failed = false;
    {
      const ReadTurn lock(mutex_);
      if (cache_ != nullptr && !lookup.keys.empty()) {
        answered = look_up_here(lookup, missed);
        failed = answered.ok() && !answered.value();
      }
      if (answered.ok() && !answered.value()) {
        const Result<uint64_t> hits = table_->look_up_quietly(lookup);
        if (!hits.ok()) return hits.status();
        table_->count_lookups(lookup.keys, lookup.times, hits.value());
      }
    }
    if (failed) note_failure();
    if (!answered.ok()) return answered.status();
    spread_rows(lookup, options().dim);
    promote(missed);
    return {};
  });
}

Result<bool> DeviceTable::look_up_here(const TableLookup& lookup, std::vector<Missed>& missed) {
  const size_t dim = options().dim;
  const size_t stride = lookup.stride == 0 ? dim : lookup.stride;
  float* const out = lookup.rows.data();
  std::vector<uint32_t> positions;
  if (!cache_->lookup(lookup.keys, out, stride, positions)) return false;
  std::vector<float> rows;
  std::vector<uint8_t> found;
  const Result<uint64_t> hits = look_up_missed(lookup, positions, rows, found, missed);
  if (!hits.ok()) return hits.status();
  for (size_t i = 0; i < positions.size(); ++i) {
    std::copy_n(rows.data() + i * dim, dim, out + positions[i] * stride);
  }
  set_found(lookup, positions, found);
  table_->count_lookups(lookup.keys, lookup.times, hits_of(lookup, positions, found));
  return true;
}

// Keys that the device has have a row; `found` says it of the others.
void DeviceTable::set_found(const TableLookup& lookup, std::span<const uint32_t> positions,
                            std::span<const uint8_t> found) const {
  const std::span<uint8_t> bits = lookup.options.found;
  if (bits.empty()) return;
  std::ranges::fill(bits, uint8_t{0});
  for (size_t i = 0; i < lookup.keys.size(); ++i)
    bits[i / 8] = static_cast<uint8_t>(bits[i / 8] | 1U << (i % 8));
  for (size_t i = 0; i < positions.size(); ++i) {
    if (is_set(found, i)) continue;
    uint8_t& byte = bits[positions[i] / 8];
    byte = static_cast<uint8_t>(byte & ~(1U << (positions[i] % 8)));
  }
}

// As set_found() says it.
uint64_t DeviceTable::hits_of(const TableLookup& lookup, std::span<const uint32_t> positions,
                              std::span<const uint8_t> found) {
  uint64_t hits = all_times(lookup.times, lookup.keys);
  for (size_t i = 0; i < positions.size(); ++i) {
    if (!is_set(found, i)) hits -= lookup.times.empty() ? 1 : lookup.times[positions[i]];
  }
  return hits;
}

Result<uint64_t> DeviceTable::look_up_missed(const TableLookup& lookup,
                                             std::span<const uint32_t> positions,
                                             std::vector<float>& rows, std::vector<uint8_t>& found,
                                             std::vector<Missed>& missed) {
  if (positions.empty()) return uint64_t{0};
  std::vector<uint64_t> keys(positions.size());
  for (size_t i = 0; i < keys.size(); ++i) keys[i] = lookup.keys[positions[i]];
  rows.resize(keys.size() * options().dim);
  found.resize((keys.size() + 7) / 8);
  if (answers_at_once(lookup.keys.size(), keys.size())) {
    give_defaults(keys, lookup.options, rows);
    return uint64_t{0};
  }
  TableLookup rest{.keys = keys, .rows = rows, .options = lookup.options};
  rest.options.found = found;
  const Result<uint64_t> hits = table_->look_up_quietly(rest);
  if (hits.ok()) note_missed(keys, found, missed);
  return hits;
}

void DeviceTable::note_missed(KeyBatch keys, std::span<const uint8_t> found,
                              std::vector<Missed>& missed) {
  for (size_t i = 0; i < keys.size(); ++i) {
    if (!is_set(found, i)) continue;
    missed.push_back({keys[i], touches_.touch(mix64(keys[i]))});
  }
}

Status DeviceTable::lookup_pooled(const BagBatch& bags, RowBatch out) {
  return call([&]() -> Status {
    HOTROW_RETURN_IF_ERROR(table_->check_pooled(bags, out));
    if (homeless_rows_.load(std::memory_order_acquire) > 0) {
      const WriteTurn lock(mutex_);
      HOTROW_RETURN_IF_ERROR(settle());
    }
    std::vector<Missed> missed;
    bool failed = false;
    {
      const ReadTurn lock(mutex_);
      if (cache_ == nullptr || bags.keys.empty()) return table_->lookup_pooled(bags, out);
      const CallTimer timer(table_->context().latencies.lookup_pooled, bags.keys.size());
      const Result<bool> answered = pool_here(bags, out, missed);
      if (!answered.ok()) return answered.status();
      failed = !answered.value();
    }
    if (failed) {
      note_failure();
      return table_->lookup_pooled(bags, out);
    }
    promote(missed);
    return {};
  });
}

Result<bool> DeviceTable::pool_here(const BagBatch& bags, RowBatch out,
                                    std::vector<Missed>& missed) {
  std::vector<uint32_t> positions;
  if (!cache_->find(bags.keys, positions)) return false;
  std::vector<float> rows;
  std::vector<uint8_t> found;
  const Result<uint64_t> hits = look_up_missed({.keys = bags.keys}, positions, rows, found, missed);
  if (!hits.ok()) return hits.status();
  if (!cache_->pool(bags, positions, rows.data(), out.data())) return false;
  table_->count_lookups(bags.keys, {}, bags.keys.size() - positions.size() + hits.value());
  return true;
}

// The distinct keys that are to come, those missed most often first; false: none.
bool DeviceTable::choose(std::vector<Missed>& missed) {
  std::ranges::sort(missed, [](const Missed& a, const Missed& b) {
    return a.key != b.key ? a.key < b.key : a.times > b.times;
  });
  const auto twice = std::ranges::unique(missed, {}, &Missed::key);
  missed.erase(twice.begin(), twice.end());
  uint32_t full = full_calls_.load(std::memory_order_relaxed);
  if (promotion_ == GpuPromotion::kSecondTouch && full > 0) {
    full_calls_.store(full - 1, std::memory_order_relaxed);
    std::erase_if(missed, [](const Missed& each) { return each.times < 2; });
  }
  const size_t most = std::min(
      kMostPromoted, std::max<size_t>(kMostPromotedBytes / table_->rules().row_bytes(), 1));
  if (missed.size() > most) {
    std::ranges::sort(missed, [](const Missed& a, const Missed& b) {
      return a.times != b.times ? a.times > b.times : a.key < b.key;
    });
    missed.resize(most);
  }
  return !missed.empty();
}

// A lookup that has its answer fails for nothing that goes wrong here.
void DeviceTable::promote(std::vector<Missed>& missed) HOTROW_NO_THREAD_SAFETY_ANALYSIS {
  if (missed.empty() || !choose(missed)) return;
  if (!mutex_.try_lock()) {
    if ((given_way_.fetch_add(1, std::memory_order_relaxed) + 1) % kPatience != 0) return;
    mutex_.lock();
  }
  (void)guarded([&]() HOTROW_NO_THREAD_SAFETY_ANALYSIS -> Status {
    give_up_failed();
    HOTROW_RETURN_IF_ERROR(settle());
    return cache_ == nullptr ? Status() : insert(missed);
  });
  give_up_failed();
  mutex_.unlock();
}

Status DeviceTable::insert(const std::vector<Missed>& missed) {
  std::vector<uint64_t> keys(missed.size());
  std::ranges::transform(missed, keys.begin(), &Missed::key);
  // Others may have brought it meanwhile, and made it newer.
  std::vector<uint32_t> absent;
  if (!cache_->find(keys, absent)) return {};
  ScanPage page;
  for (const uint32_t position : absent) page.keys.push_back(keys[position]);
  HOTROW_RETURN_IF_ERROR(table_->read_whole(page, cache_->state_values() != 0));
  if (page.keys.empty()) return {};
  std::vector<uint32_t> uses;
  std::vector<TierWish> wishes;
  size_t next = 0;
  for (const uint64_t key : page.keys) {
    while (keys[absent[next]] != key) ++next;
    const uint32_t times = missed[absent[next]].times;
    uses.push_back(times);
    wishes.push_back(promotion_ == GpuPromotion::kSecondTouch && times < 2 ? TierWish::kHesitant
                                                                           : TierWish::kUsual);
  }
  WholeRows rows;
  cache_->encode(page, rows);
  uint64_t refused = 0;
  if (!cache_->insert(rows, uses, wishes, homeless_, refused)) {
    homeless_.keys.clear();
    return {};
  }
  homeless_rows_.store(homeless_.size(), std::memory_order_release);
  const auto hesitants = static_cast<uint64_t>(std::ranges::count(wishes, TierWish::kHesitant));
  if (hesitants > 0 && refused * 8 > hesitants * 7) {
    full_calls_.store(kFullCalls, std::memory_order_relaxed);
  }
  return settle();
}

}  // namespace hotrow
