// Rows of the next batch: brought to the device before they are asked for, and held there until a
// push of their keys.
#include <algorithm>
#include <utility>

#include "base/sort_unique.h"
#include "store/device_table.h"

namespace hotrow {

namespace {

// Rows that come in while other calls wait.
constexpr size_t kHeldAtOnce = 8192;

}  // namespace

Result<uint64_t> DeviceTable::prefetch(KeyBatch keys) {
  return call([&]() -> Result<uint64_t> {
    std::vector<uint64_t> distinct(keys.begin(), keys.end());
    sort_unique(distinct);
    uint64_t held = 0;
    for (size_t first = 0; first < distinct.size(); first += kHeldAtOnce) {
      const WriteTurn lock(mutex_);
      give_up_failed();
      HOTROW_RETURN_IF_ERROR(settle());
      if (cache_ == nullptr) return uint64_t{0};
      const uint64_t most = std::max<uint64_t>(cache_->capacity() / 2, 1);
      if (first == 0 && held_ + distinct.size() > most) let_all_go();
      // Others may hold rows too.
      if (held_ >= most) break;
      const size_t n = std::min({kHeldAtOnce, distinct.size() - first, size_t{most - held_}});
      const Result<uint64_t> more = hold_here(KeyBatch(distinct).subspan(first, n));
      give_up_failed();
      if (!more.ok()) return more.status();
      held += more.value();
    }
    return held;
  });
}

Status DeviceTable::release_prefetched() {
  return call([&]() -> Status {
    const WriteTurn lock(mutex_);
    let_all_go();
    give_up_failed();
    return {};
  });
}

Result<uint64_t> DeviceTable::hold_here(KeyBatch keys) {
  std::vector<uint32_t> absent;
  uint64_t held = 0;
  // First what is there, so that it does not go for what comes.
  if (!cache_->hold(keys, TierHolding::kOnceMore, absent, held)) return uint64_t{0};
  held_ += held;
  if (absent.empty()) return held;
  std::vector<uint64_t> missing;
  missing.reserve(absent.size());
  for (const uint32_t position : absent) missing.push_back(keys[position]);
  const Result<uint64_t> more = bring_and_hold(missing);
  if (!more.ok()) return more.status();
  held_ += more.value();
  return held + more.value();
}

Result<uint64_t> DeviceTable::bring_and_hold(KeyBatch keys) {
  ScanPage page;
  page.keys.assign(keys.begin(), keys.end());
  HOTROW_RETURN_IF_ERROR(table_->read_whole(page, cache_->state_values() != 0));
  if (page.keys.empty()) return uint64_t{0};
  uint64_t refused = 0;
  HOTROW_RETURN_IF_ERROR(insert_awaited(page, refused));
  return page.keys.size() - refused;
}

Status DeviceTable::insert_awaited(const ScanPage& page, uint64_t& refused) {
  const size_t n = page.keys.size();
  WholeRows rows;
  cache_->encode(page, rows);
  if (!cache_->insert(rows, std::vector<uint32_t>(n, 1),
                      std::vector<TierWish>(n, TierWish::kAwaited), homeless_, refused)) {
    homeless_.keys.clear();
    refused = n;
    return {};
  }
  homeless_rows_.store(homeless_.size(), std::memory_order_release);
  return settle();
}

void DeviceTable::let_go(KeyBatch keys, TierHolding how) {
  if (held_ == 0) return;
  std::vector<uint32_t> others;
  uint64_t changed = 0;
  if (cache_->hold(keys, how, others, changed)) held_ -= std::min(held_, changed);
}

void DeviceTable::let_all_go() {
  if (held_ > 0 && cache_ != nullptr) (void)cache_->let_go();
  held_ = 0;
}

}  // namespace hotrow
