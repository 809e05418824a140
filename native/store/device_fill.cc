// Lookups that wait for no memory: above a hit rate what the device has not is answered with the
// default row, and its rows come in the background.
#include <algorithm>

#include "store/device_table.h"

namespace hotrow {

// By the rate of the lookup itself, so that no answer has more than its share of defaults, whatever
// came before it; and a lookup of few keys waits for a miss, which costs little then.
bool DeviceTable::answers_at_once(size_t keys, size_t missed) const {
  return fills_ != nullptr &&
         static_cast<double>(keys - missed) > fill_above_ * static_cast<double>(keys);
}

void DeviceTable::give_defaults(KeyBatch keys, const LookupOptions& options,
                                std::span<float> rows) {
  const size_t dim = this->options().dim;
  for (size_t i = 0; i < keys.size(); ++i) {
    const std::span<float> row = rows.subspan(i * dim, dim);
    if (options.missing) {
      std::ranges::fill(row, *options.missing);
    } else {
      table_->rules().fill_missing(keys[i], row);
    }
  }
  defaulted_.fetch_add(keys.size(), std::memory_order_relaxed);
  fills_->offer(keys);
}

// Rows are read while lookups go on. What changes the table meanwhile has the lock for itself and
// says so in changes_: then they are read again, with everybody kept out.
void DeviceTable::fill(KeyBatch keys) {
  (void)call([&]() -> Status {
    ScanPage page;
    uint64_t seen = 0;
    {
      const ReadTurn lock(mutex_);
      if (cache_ == nullptr) return {};
      seen = changes_;
      HOTROW_RETURN_IF_ERROR(read_absent(keys, page));
    }
    if (page.keys.empty()) return {};
    const WriteTurn lock(mutex_);
    give_up_failed();
    HOTROW_RETURN_IF_ERROR(settle());
    if (cache_ == nullptr) return {};
    std::vector<uint32_t> absent;
    if (!cache_->find(page.keys, absent)) return {};
    // What is here by now may be held by others, so that it must not be let go.
    if (changes_ != seen || absent.size() != page.keys.size()) {
      const std::vector<uint64_t> wanted = page.keys;
      HOTROW_RETURN_IF_ERROR(read_absent(wanted, page));
      if (page.keys.empty()) return {};
    }
    return take_in(page);
  });
}

// Those of `keys` that have a row, and none on the device.
Status DeviceTable::read_absent(KeyBatch keys, ScanPage& page) {
  std::vector<uint32_t> absent;
  page.keys.clear();
  if (!cache_->find(keys, absent)) return {};
  for (const uint32_t position : absent) page.keys.push_back(keys[position]);
  return table_->read_whole(page, cache_->state_values() != 0);
}

// Whatever ranks higher: a row that is refused would be answered with a default for ever. It takes
// the place of its bucket's lowest, as the next one takes its place.
Status DeviceTable::take_in(const ScanPage& page) {
  uint64_t refused = 0;
  // Held while they were awaited; let go of, whatever became of them.
  const Status inserted = insert_awaited(page, refused);
  std::vector<uint32_t> others;
  uint64_t changed = 0;
  if (cache_ != nullptr) {
    (void)cache_->hold(page.keys, TierHolding::kOnceLess, others, changed);
  }
  HOTROW_RETURN_IF_ERROR(inserted);
  give_up_failed();
  return {};
}

}  // namespace hotrow
