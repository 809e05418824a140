#include "store/device_cache.h"

#include <algorithm>
#include <utility>

namespace hotrow {

namespace {

// Bytes of rows in one page of flush(), and its least number of rows: some buckets.
constexpr size_t kPageBytes = size_t{4} << 20;
constexpr size_t kLeastPage = 64;
// Uses of keys, per row of the cache, that make an epoch: long enough for counts to tell rows
// apart, short enough that a change of what is hot is followed within some passes over the cache.
constexpr uint64_t kUsesPerRow = 8;

}  // namespace

Result<std::unique_ptr<DeviceCache>> DeviceCache::create(const TierApi& api, const TierSpec& spec,
                                                         const RowRules& rules) {
  TierCache* cache = nullptr;
  if (const char* const why = api.create(&spec, &cache); why != nullptr) {
    return Status(StatusCode::kUnsupported, why);
  }
  std::unique_ptr<DeviceCache> made(new DeviceCache(api, spec, rules, cache));
  TierStats stats = {};
  if (!made->stats(stats)) return Status(StatusCode::kUnsupported, made->why());
  made->capacity_ = std::max<uint64_t>(stats.capacity, 1);
  return made;
}

std::string DeviceCache::why() const {
  const MutexLock lock(why_mutex_);
  return why_;
}

bool DeviceCache::worked(const char* why) {
  if (why == nullptr) return true;
  const MutexLock lock(why_mutex_);
  if (!failed()) why_ = why;
  failed_.store(true, std::memory_order_release);
  return false;
}

TierMoment DeviceCache::moment(size_t keys) {
  const uint64_t used = used_keys_.fetch_add(keys, std::memory_order_relaxed) + keys;
  return {.clock = clock_.fetch_add(1, std::memory_order_relaxed) + 1,
          .epoch = static_cast<uint32_t>(used / (kUsesPerRow * capacity_))};
}

void DeviceCache::resize(WholeRows& rows, size_t n) const {
  rows.keys.resize(n);
  rows.values.resize(n * rules_.codec().bytes());
  rows.state.resize(n * spec_.state_values);
}

TierRows DeviceCache::view(WholeRows& rows) const {
  return {.keys = rows.keys.data(),
          .values = rows.values.data(),
          .state = spec_.state_values == 0 ? nullptr : rows.state.data(),
          .n = rows.keys.size()};
}

bool DeviceCache::lookup(KeyBatch keys, float* rows, size_t stride, std::vector<uint32_t>& misses) {
  misses.resize(keys.size());
  TierMisses missed{.positions = misses.data(), .count = 0};
  const TierLookup lookup{.keys = keys.data(),
                          .n = keys.size(),
                          .rows = rows,
                          .stride = stride,
                          .touch = true,
                          .moment = moment(keys.size())};
  if (!worked(api_.lookup(cache_, &lookup, &missed))) return false;
  misses.resize(missed.count);
  return true;
}

Result<TierOutput*> DeviceCache::open_output(uint64_t rows) {
  TierOutput* output = nullptr;
  bool no_room = false;
  if (const char* const why = api_.open_output(cache_, rows, &output, &no_room); why != nullptr) {
    return Status(no_room ? StatusCode::kCapacity : StatusCode::kInternal, why);
  }
  return output;
}

bool DeviceCache::lookup_to(KeyBatch keys, TierOutput* output, std::vector<uint32_t>& misses) {
  misses.resize(keys.size());
  TierMisses missed{.positions = misses.data(), .count = 0};
  const TierLookup lookup{.keys = keys.data(),
                          .n = keys.size(),
                          .rows = nullptr,
                          .stride = 0,
                          .touch = true,
                          .moment = moment(keys.size())};
  if (!worked(api_.lookup_to(cache_, &lookup, output, &missed))) return false;
  misses.resize(missed.count);
  return true;
}

bool DeviceCache::fill_output(TierOutput* output, std::span<const uint32_t> positions,
                              const float* rows) {
  return worked(api_.fill_output(cache_, output, positions.data(), rows, positions.size()));
}

bool DeviceCache::find(KeyBatch keys, std::vector<uint32_t>& misses) {
  misses.resize(keys.size());
  TierMisses missed{.positions = misses.data(), .count = 0};
  if (!worked(api_.find(cache_, keys.data(), keys.size(), &missed))) return false;
  misses.resize(missed.count);
  return true;
}

bool DeviceCache::pool(const BagBatch& bags, std::span<const uint32_t> missed, const float* rows,
                       float* out) {
  const TierPool pool{.keys = bags.keys.data(),
                      .n = bags.keys.size(),
                      .offsets = bags.offsets.data(),
                      .bags = bags.offsets.size() - 1,
                      .weights = bags.weights.empty() ? nullptr : bags.weights.data(),
                      .pooling = bags.pooling,
                      .missed_positions = missed.data(),
                      .missed_rows = rows,
                      .missed = missed.size(),
                      .out = out,
                      .stride = rules_.dim(),
                      .touch = true,
                      .moment = moment(bags.keys.size())};
  return worked(api_.pool(cache_, &pool));
}

bool DeviceCache::push(KeyBatch keys, TierPush push, std::vector<uint32_t>& misses) {
  push.keys = keys.data();
  push.n = keys.size();
  push.touch = true;
  push.moment = moment(keys.size());
  TierMisses missed{.positions = misses.data(), .count = 0};
  if (!worked(api_.push(cache_, &push, &missed))) return false;
  return missed.count == 0 || worked("the device has lost rows between two calls");
}

bool DeviceCache::insert(WholeRows& rows, const std::vector<uint32_t>& uses,
                         const std::vector<TierWish>& wishes, WholeRows& evicted,
                         uint64_t& refused) {
  resize(evicted, rows.size());
  TierRows gone = view(evicted);
  TierInsert insert{.rows = view(rows),
                    .uses = uses.data(),
                    .wishes = wishes.data(),
                    .moment = moment(0),
                    .evicted = &gone,
                    .refused = 0};
  const char* const why = api_.insert(cache_, &insert);
  if (why != nullptr) {
    resize(evicted, 0);
    refused = rows.size();
    // For want of memory nothing has happened, and the cache goes on.
    const std::string text = why;
    TierStats ignored = {};
    return api_.stats(cache_, &ignored) == nullptr || worked(text.c_str());
  }
  resize(evicted, gone.n);
  refused = insert.refused;
  return true;
}

bool DeviceCache::hold(KeyBatch keys, TierHolding how, std::vector<uint32_t>& misses,
                       uint64_t& changed) {
  misses.resize(keys.size());
  TierMisses missed{.positions = misses.data(), .count = 0};
  TierHold hold{.keys = keys.data(), .n = keys.size(), .how = how, .changed = 0};
  if (!worked(api_.hold(cache_, &hold, &missed))) return false;
  misses.resize(missed.count);
  changed = hold.changed;
  return true;
}

bool DeviceCache::let_go() { return worked(api_.let_go(cache_)); }

bool DeviceCache::read(KeyBatch keys, WholeRows& rows) {
  resize(rows, keys.size());
  std::ranges::copy(keys, rows.keys.begin());
  std::vector<uint32_t> misses(keys.size());
  TierMisses missed{.positions = misses.data(), .count = 0};
  const TierRows view = this->view(rows);
  if (!worked(api_.read(cache_, &view, &missed))) return false;
  return missed.count == 0 || worked("the device has lost rows between two calls");
}

bool DeviceCache::assign(WholeRows& rows) {
  std::vector<uint32_t> misses(rows.size());
  TierMisses missed{.positions = misses.data(), .count = 0};
  const TierAssign assign{.rows = view(rows), .dirty = false};
  return worked(api_.assign(cache_, &assign, &missed));
}

bool DeviceCache::erase(KeyBatch keys) {
  return worked(api_.erase(cache_, keys.data(), keys.size()));
}

bool DeviceCache::flush(WholeRows& rows, uint64_t& from) {
  const size_t row_bytes =
      rules_.codec().bytes() + sizeof(uint64_t) + spec_.state_values * sizeof(float);
  resize(rows, std::max(kPageBytes / row_bytes, kLeastPage));
  TierRows page = view(rows);
  const bool flushed = worked(api_.flush(cache_, &page, &from));
  resize(rows, flushed ? page.n : 0);
  return flushed;
}

bool DeviceCache::clear() { return worked(api_.clear(cache_)); }

bool DeviceCache::stats(TierStats& stats) { return worked(api_.stats(cache_, &stats)); }

// Numbers that were decoded become the same bytes again, or bytes that give the same numbers.
void DeviceCache::encode(const ScanPage& page, WholeRows& rows) const {
  const size_t n = page.keys.size();
  resize(rows, n);
  rows.keys = page.keys;
  RowRules::Scratch scratch(rules_);
  const size_t bytes = rules_.codec().bytes();
  for (size_t i = 0; i < n; ++i) {
    rules_.codec().assign(page.rows.data() + i * rules_.dim(), rows.values.data() + i * bytes, 0,
                          scratch.values);
  }
  if (spec_.state_values != 0) rows.state = page.state;
}

void DeviceCache::decode(const WholeRows& rows, std::vector<float>& values) const {
  values.resize(rows.size() * rules_.dim());
  const size_t bytes = rules_.codec().bytes();
  for (size_t i = 0; i < rows.size(); ++i) {
    rules_.codec().decode(rows.values.data() + i * bytes, values.data() + i * rules_.dim());
  }
}

}  // namespace hotrow
