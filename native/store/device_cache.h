// DeviceCache: one table's rows on a device, as tier.h offers them, with its failures kept.
//
// A call that fails is the last one: failed() is true from then on, and why() says what happened.
// Threads: as tier.h says; failed() and why() from any.
#ifndef HOTROW_STORE_DEVICE_CACHE_H_
#define HOTROW_STORE_DEVICE_CACHE_H_

#include <atomic>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/sync.h"
#include "hotrow/batch.h"
#include "hotrow/store.h"
#include "store/tier.h"
#include "table/row_rules.h"

namespace hotrow {

/// Rows as the device has them.
struct WholeRows {
  std::vector<uint64_t> keys;
  std::vector<std::byte> values;  // [n] at RowCodec::bytes()
  std::vector<float> state;       // [n, state_values]

  size_t size() const { return keys.size(); }
};

class DeviceCache {
 public:
  /// When it fails, the message is for people who ask why a table is not on the device.
  static Result<std::unique_ptr<DeviceCache>> create(const TierApi& api, const TierSpec& spec,
                                                     const RowRules& rules);
  ~DeviceCache() { api_.destroy(cache_); }
  DeviceCache(const DeviceCache&) = delete;
  DeviceCache& operator=(const DeviceCache&) = delete;

  uint64_t capacity() const { return capacity_; }
  uint32_t state_values() const { return spec_.state_values; }
  const TierApi& api() const { return api_; }
  uint32_t device() const { return spec_.device; }
  bool failed() const { return failed_.load(std::memory_order_acquire); }
  std::string why() const HOTROW_EXCLUDES(why_mutex_);

  // --- Each returns whether it worked. `misses` become the positions without a row, rising.
  bool lookup(KeyBatch keys, float* rows, size_t stride, std::vector<uint32_t>& misses);
  bool find(KeyBatch keys, std::vector<uint32_t>& misses);
  /// Room for rows on the device; ERR_CAPACITY where there is none.
  Result<TierOutput*> open_output(uint64_t rows);
  bool lookup_to(KeyBatch keys, TierOutput* output, std::vector<uint32_t>& misses);
  bool fill_output(TierOutput* output, std::span<const uint32_t> positions, const float* rows);
  /// `missed` as find() gave it just before, `rows` [missed, dim].
  bool pool(const BagBatch& bags, std::span<const uint32_t> missed, const float* rows, float* out);
  /// Of keys that are there; moment and keys are set here. `misses` has room for all keys.
  bool push(KeyBatch keys, TierPush push, std::vector<uint32_t>& misses);
  /// Takes rows in; `evicted` are dirty rows that had to go. Where it is memory that lacks, nothing
  /// happens.
  bool insert(WholeRows& rows, const std::vector<uint32_t>& uses,
              const std::vector<TierWish>& wishes, WholeRows& evicted, uint64_t& refused);
  /// Rows that are there are held, or let go, as TierHold says; `changed` is how many.
  bool hold(KeyBatch keys, TierHolding how, std::vector<uint32_t>& misses, uint64_t& changed);
  bool let_go();
  /// Reads rows that are there.
  bool read(KeyBatch keys, WholeRows& rows);
  /// The rows that are there are the table's from now on.
  bool assign(WholeRows& rows);
  bool erase(KeyBatch keys);
  /// A page of dirty rows, which are clean then; see TierApi::flush.
  bool flush(WholeRows& rows, uint64_t& from);
  bool clear();
  bool stats(TierStats& stats);

  // --- To the table's words and back.
  /// Of page.keys, all of which have a row in the page.
  void encode(const ScanPage& page, WholeRows& rows) const;
  void decode(const WholeRows& rows, std::vector<float>& values) const;

 private:
  DeviceCache(const TierApi& api, const TierSpec& spec, const RowRules& rules, TierCache* cache)
      : api_(api), spec_(spec), rules_(rules), cache_(cache) {}

  bool worked(const char* why) HOTROW_EXCLUDES(why_mutex_);
  void resize(WholeRows& rows, size_t n) const;
  TierRows view(WholeRows& rows) const;
  /// One call more, of so many keys.
  TierMoment moment(size_t keys);

  const TierApi& api_;
  const TierSpec spec_;
  const RowRules& rules_;
  TierCache* const cache_;
  uint64_t capacity_ = 0;
  // Numbers, which publish nothing.
  std::atomic<uint32_t> clock_{0};
  std::atomic<uint64_t> used_keys_{0};
  std::atomic<bool> failed_{false};  // released after why_ is written
  mutable Mutex why_mutex_;
  std::string why_ HOTROW_GUARDED_BY(why_mutex_);
};

}  // namespace hotrow

#endif  // HOTROW_STORE_DEVICE_CACHE_H_
