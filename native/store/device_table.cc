// The table as a whole: what comes down, what fails, and the calls that need all rows.
#include "store/device_table.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "base/sort_unique.h"

namespace hotrow {

namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;

TierPolicy tier_policy(GpuPolicy policy) {
  static_assert(static_cast<int>(GpuPolicy::kAgeingLfu) ==
                static_cast<int>(TierPolicy::kAgeingLfu));
  static_assert(static_cast<int>(GpuPolicy::kCustom) == static_cast<int>(TierPolicy::kCustom));
  return static_cast<TierPolicy>(policy);
}

}  // namespace

DeviceTable::Alone::Alone(std::vector<DeviceTable*> tables) HOTROW_NO_THREAD_SAFETY_ANALYSIS
    : tables_(std::move(tables)) {
  std::ranges::sort(tables_, std::less<>());
  for (DeviceTable* table : tables_) table->mutex_.lock();
}

DeviceTable::Alone::~Alone() HOTROW_NO_THREAD_SAFETY_ANALYSIS {
  for (DeviceTable* table : tables_) table->mutex_.unlock();
}

// Victims are chosen by what the table knows of uses, and it does not see those on the device.
std::string DeviceTable::refusal(const TableOptions& options) {
  if (options.eviction.demote) return "the table demotes rows (eviction.demote)";
  if (options.eviction.policy != EvictionPolicy::kNone) {
    return "the table evicts rows (eviction.policy)";
  }
  return {};
}

Result<std::shared_ptr<DeviceTable>> DeviceTable::create(std::shared_ptr<SparseTable> table,
                                                         const Place& place) {
  const TableOptions& options = table->options();
  const bool serves = table->context().read_only;
  const TierSpec spec{.device = place.device,
                      .value_type = options.value_type,
                      .rounding = options.rounding,
                      .optimizer = options.optimizer.kind,
                      .policy = tier_policy(place.policy),
                      .dim = options.dim,
                      .state_values = serves ? 0 : static_cast<uint32_t>(table->state_values()),
                      .bytes = place.bytes};
  auto cache = DeviceCache::create(place.api, spec, table->rules());
  if (!cache.ok()) return cache.status();
  return std::shared_ptr<DeviceTable>(
      new DeviceTable(std::move(table), place, std::move(cache).value()));
}

DeviceTable::DeviceTable(std::shared_ptr<SparseTable> table, const Place& place,
                         std::unique_ptr<DeviceCache> cache)
    : table_(std::move(table)),
      call_gate_(table_->call_gate()),
      promotion_(place.promotion),
      fill_above_(place.fill_above),
      cache_(std::move(cache)),
      touches_(4 * cache_->capacity()) {
  if (fill_above_ < 1) {
    fills_ = std::make_unique<FillQueue>([this](KeyBatch keys) { fill(keys); });
  }
}

Status DeviceTable::ready() {
  ++changes_;
  give_up_failed();
  HOTROW_RETURN_IF_ERROR(settle());
  return loss();
}

void DeviceTable::give_up_failed() {
  if (cache_ == nullptr || !cache_->failed()) return;
  reason_ = "the device failed: " + cache_->why();
  lost_rows_ += dirty_rows_.exchange(0, kRelaxed);
  held_ = 0;
  cache_.reset();
}

void DeviceTable::note_failure() {
  const WriteTurn lock(mutex_);
  give_up_failed();
}

Status DeviceTable::loss() {
  const uint64_t rows = std::exchange(lost_rows_, 0);
  if (rows == 0) return {};
  return {StatusCode::kInternal,
          "table '" + name() + "': " + reason_ + "; what pushes have changed of up to " +
              std::to_string(rows) +
              " rows since they were last written to memory is lost, and the table goes on without "
              "the GPU"};
}

// They are the newest there is of these rows, so nothing may go on without them.
Status DeviceTable::settle() {
  if (homeless_.size() == 0) return {};
  ++changes_;
  std::vector<float> values;
  const RowRules& rules = table_->rules();
  values.resize(homeless_.size() * rules.dim());
  const size_t bytes = rules.codec().bytes();
  for (size_t i = 0; i < homeless_.size(); ++i) {
    rules.codec().decode(homeless_.values.data() + i * bytes, values.data() + i * rules.dim());
  }
  HOTROW_RETURN_IF_ERROR(table_->write_back(homeless_.keys, values, homeless_.state));
  homeless_.keys.clear();
  homeless_rows_.store(0, kRelaxed);
  return {};
}

Status DeviceTable::bring_page_down(uint64_t& from) {
  if (!cache_->flush(homeless_, from)) {
    give_up_failed();
    return loss();
  }
  homeless_rows_.store(homeless_.size(), kRelaxed);
  return settle();
}

Status DeviceTable::bring_all_down() {
  if (cache_ == nullptr || dirty_rows_.load(kRelaxed) == 0) return {};
  uint64_t from = 0;
  while (from != UINT64_MAX) {
    HOTROW_RETURN_IF_ERROR(bring_page_down(from));
    if (cache_ == nullptr) return {};
  }
  dirty_rows_.store(0, kRelaxed);
  return {};
}

Status DeviceTable::bring_down_ahead() {
  uint64_t from = 0;
  const auto bring_page = [&]() HOTROW_NO_THREAD_SAFETY_ANALYSIS -> Status {
    if (cache_ == nullptr || dirty_rows_.load(kRelaxed) == 0) {
      from = UINT64_MAX;
      return {};
    }
    HOTROW_RETURN_IF_ERROR(bring_page_down(from));
    TierStats stats = {};
    const bool last = from == UINT64_MAX;
    if (last && cache_ != nullptr && cache_->stats(stats)) {
      dirty_rows_.store(stats.dirty, kRelaxed);
    }
    return {};
  };
  while (from != UINT64_MAX) HOTROW_RETURN_IF_ERROR(alone(bring_page));
  return {};
}

Status DeviceTable::bring_down_now() HOTROW_NO_THREAD_SAFETY_ANALYSIS {
  HOTROW_RETURN_IF_ERROR(ready());
  return bring_all_down();
}

void DeviceTable::forget() {
  const WriteTurn lock(mutex_);
  ++changes_;
  homeless_.keys.clear();
  homeless_rows_.store(0, kRelaxed);
  dirty_rows_.store(0, kRelaxed);
  lost_rows_ = 0;
  held_ = 0;
  if (cache_ != nullptr) (void)cache_->clear();
  give_up_failed();
}

void DeviceTable::close() {
  const WriteTurn lock(mutex_);
  cache_.reset();
  homeless_ = {};
  claimed_ = {};
}

GpuTableStats DeviceTable::device_stats() {
  GpuTableStats out{.name = name(), .reason = {}};
  const WriteTurn lock(mutex_);
  TierStats stats = {};
  if (cache_ != nullptr && cache_->stats(stats)) {
    out.capacity = stats.capacity;
    out.rows = stats.rows;
    out.dirty_rows = stats.dirty;
    out.held_rows = std::min(held_, stats.rows);
    out.used_bytes = stats.bytes;
    out.lookups = stats.lookups;
    out.hits = stats.hits;
    out.inserted = stats.inserted;
    out.evicted = stats.evicted;
    out.refused = stats.refused;
  }
  give_up_failed();
  out.reason = reason_;
  out.defaulted = defaulted_.load(kRelaxed);
  if (fills_ != nullptr) {
    const FillQueue::Figures fills = fills_->figures();
    out.fills_waiting = fills.waiting;
    out.fills_dropped = fills.dropped;
  }
  return out;
}

std::vector<uint64_t> DeviceTable::on_device(KeyBatch keys) {
  std::vector<uint64_t> distinct(keys.begin(), keys.end());
  sort_unique(distinct);
  std::vector<uint32_t> misses;
  if (!cache_->find(distinct, misses)) return {};
  std::vector<uint64_t> found;
  found.reserve(distinct.size() - misses.size());
  size_t next = 0;
  for (size_t i = 0; i < distinct.size(); ++i) {
    if (next < misses.size() && misses[next] == i) {
      ++next;
    } else {
      found.push_back(distinct[i]);
    }
  }
  return found;
}

Status DeviceTable::bring_down(KeyBatch keys) {
  if (keys.empty() || dirty_rows_.load(kRelaxed) == 0) return {};
  WholeRows rows;
  std::vector<float> values;
  if (!cache_->read(keys, rows)) {
    give_up_failed();
    return loss();
  }
  cache_->decode(rows, values);
  return table_->write_back(rows.keys, values, rows.state);
}

Status DeviceTable::take_up(KeyBatch keys) {
  if (keys.empty() || cache_ == nullptr) return {};
  DeviceCache& cache = *cache_;
  const Status taken = guarded([&]() -> Status {
    ScanPage page;
    page.keys.assign(keys.begin(), keys.end());
    HOTROW_RETURN_IF_ERROR(table_->read_whole(page, cache.state_values() != 0));
    WholeRows rows;
    cache.encode(page, rows);
    (void)cache.assign(rows);
    return {};
  });
  // What could not be read must not stay as it was.
  if (!taken.ok()) (void)cache.erase(keys);
  return {};
}

Status DeviceTable::update(KeyBatch keys, ConstRowBatch rows, const UpdateOptions& options) {
  return alone([&]() HOTROW_NO_THREAD_SAFETY_ANALYSIS -> Status {
    if (cache_ == nullptr) return table_->update(keys, rows, options);
    // Rows that it leaves out, and state that stays, are the table's to know.
    const std::vector<uint64_t> here = on_device(keys);
    HOTROW_RETURN_IF_ERROR(bring_down(here));
    HOTROW_RETURN_IF_ERROR(table_->update(keys, rows, options));
    return take_up(here);
  });
}

Result<uint64_t> DeviceTable::erase(KeyBatch keys) {
  return alone([&]() HOTROW_NO_THREAD_SAFETY_ANALYSIS -> Result<uint64_t> {
    if (cache_ == nullptr) return table_->erase(keys);
    const std::vector<uint64_t> here = on_device(keys);
    auto erased = table_->erase(keys);
    if (!erased.ok() || here.empty()) return erased;
    let_go(here, TierHolding::kNoMore);
    (void)cache_->erase(here);
    return erased;
  });
}

Status DeviceTable::lookup_state(KeyBatch keys, std::span<float> state,
                                 const LookupOptions& options) {
  if (!dirty()) return table_->lookup_state(keys, state, options);
  return alone([&]() HOTROW_NO_THREAD_SAFETY_ANALYSIS -> Status {
    if (cache_ != nullptr) HOTROW_RETURN_IF_ERROR(bring_down(on_device(keys)));
    return table_->lookup_state(keys, state, options);
  });
}

// All rows have to be in memory, which is waited for in no call.
Result<ScanPage> DeviceTable::scan(uint64_t from, size_t rows, const ScanOptions& options) {
  if (!dirty()) return table_->scan(from, rows, options);
  HOTROW_RETURN_IF_ERROR(table_->wait_until_warm());
  return alone([&]() HOTROW_NO_THREAD_SAFETY_ANALYSIS -> Result<ScanPage> {
    HOTROW_RETURN_IF_ERROR(bring_all_down());
    return table_->scan(from, rows, options);
  });
}

Result<uint64_t> DeviceTable::evict(uint64_t rows) {
  HOTROW_RETURN_IF_ERROR(table_->wait_until_warm());
  return alone([&]() HOTROW_NO_THREAD_SAFETY_ANALYSIS -> Result<uint64_t> {
    HOTROW_RETURN_IF_ERROR(bring_all_down());
    auto gone = table_->evict(rows);
    if (cache_ != nullptr && gone.ok()) {
      held_ = 0;
      (void)cache_->clear();
    }
    return gone;
  });
}

Result<uint64_t> DeviceTable::shrink(const ShrinkOptions& options) {
  HOTROW_RETURN_IF_ERROR(table_->wait_until_warm());
  return alone([&]() HOTROW_NO_THREAD_SAFETY_ANALYSIS -> Result<uint64_t> {
    HOTROW_RETURN_IF_ERROR(bring_all_down());
    auto gone = table_->shrink(options);
    // Whoever is gone is not told.
    if (cache_ != nullptr && !(gone.ok() && gone.value() == 0)) {
      held_ = 0;
      (void)cache_->clear();
    }
    return gone;
  });
}

}  // namespace hotrow
