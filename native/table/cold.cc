// Calls on a table that is cold: what is not in memory is read from where it is (cold_rows.h).
#include <algorithm>
#include <cstring>
#include <iterator>
#include <new>
#include <utility>

#include "base/sort_unique.h"
#include "table/gates.h"
#include "table/table.h"

namespace hotrow {

namespace {

/// Places of the images by their hashes.
class ImageIndex {
 public:
  explicit ImageIndex(const RowImages& images) : images_(images), order_(images.sorted()) {}

  /// Which image the hash has, or none.
  std::optional<size_t> find(uint64_t hash) const {
    const auto of = [&](uint32_t i) { return images_.hashes[i]; };
    const auto found = std::ranges::lower_bound(order_, hash, {}, of);
    if (found == order_.end() || images_.hashes[*found] != hash) return std::nullopt;
    return *found;
  }

 private:
  const RowImages& images_;
  const std::vector<uint32_t> order_;
};

/// Takes a flag down in the end.
class Ended {
 public:
  explicit Ended(std::atomic<bool>& flag) : flag_(flag) {}
  ~Ended() { flag_.store(false, std::memory_order_release); }
  Ended(const Ended&) = delete;
  Ended& operator=(const Ended&) = delete;

 private:
  std::atomic<bool>& flag_;
};

}  // namespace

/// Rows on their way into memory.
struct SparseTable::Arrival {
  DemotionStamps* stamps = nullptr;  // when they were read
  PushPlan* plan = nullptr;          // of whose batch no row leaves for them
  std::span<const uint8_t> uses;     // how often each was used, or empty: once
  uint64_t stale = 0;                // that were demoted again meanwhile, and left out
};

Status SparseTable::begin_cold(std::shared_ptr<ColdRows> rows, uint64_t count) {
  tier_ = std::make_unique<ColdTier>(std::move(rows), count);
  if (demotes()) {
    const uint64_t most = context_.budget.limit() / rules_.row_bytes();
    HOTROW_RETURN_IF_ERROR(
        tier_->remember_misses(std::min(most, rules_.limit_rows()), context_.budget));
    rows_->demote_to(*tier_);
  }
  cold_.store(true, std::memory_order_release);
  return {};
}

// As far as there is room.
Result<bool> SparseTable::put_in(const RowImages& images, Arrival* arrival, uint64_t to_come) {
  return with_gates(context_, gate_, [&] {
    if (to_come > 0) {
      RestorePlan ahead;
      ahead.keys_in[IndexShards::of(images.hashes.back())] = static_cast<uint32_t>(to_come);
      if (rows_->promise_restore(images, {}, ahead)) return put_promised(images, ahead, arrival);
    }
    RestorePlan plan;
    return rows_->promise_restore(images, {}, plan) && put_promised(images, plan, arrival);
  });
}

// With the gates held.
bool SparseTable::put_promised(const RowImages& images, RestorePlan& plan, Arrival* arrival) {
  plan.fill = true;
  plan.moment = moment();
  if (arrival != nullptr) {
    plan.stamps = demotes() ? arrival->stamps : nullptr;
    plan.uses = arrival->uses;
  }
  const MutexLock counts(tier_->counts());
  const bool whole = rows_->restore(images, plan);
  tier_->take(plan.created);
  if (arrival != nullptr) arrival->stale = plan.stale;
  return whole;
}

// Demotes what is in the way: with the table's gate held exclusively, and where other tables take
// the room that is made, with the store's held so.
Result<bool> SparseTable::put_in_or_demote(const RowImages& images, Arrival& arrival) {
  const Result<bool> put = put_in(images, &arrival);
  if (!put.ok() || put.value()) return put;
  {
    const SharedLock capacity(context_.capacity_gate);
    const ExclusiveLock own(gate_);
    if (demote_and_put(images, arrival)) return true;
  }
  EpochDomain::instance().reclaim();
  const ExclusiveLock capacity(context_.capacity_gate);
  return demote_and_put(images, arrival);
}

bool SparseTable::demote_and_put(const RowImages& images, Arrival& arrival) {
  DemotionStamps before;
  tier_->stamp(before);
  RestorePlan plan;
  const bool room = rows_->make_room_for(images, *arrival.plan, plan);
  // What has left is none of these: their stamps are as good as before.
  DemotionStamps after;
  tier_->stamp(after);
  for (size_t shard = 0; shard < before.size(); ++shard) {
    uint32_t& stamp = (*arrival.stamps)[shard];
    if (stamp == before[shard]) stamp = after[shard];
  }
  return room && put_promised(images, plan, &arrival);
}

SparseTable::Counted SparseTable::count_rows() const {
  if (!cold()) return {rows_->size(), 0};
  const MutexLock counts(tier_->counts());
  return {rows_->size() + tier_->left(), tier_->left()};
}

void SparseTable::end_cold(Status status) {
  const bool warm = status.ok();
  if (warm) tier_->set_left(0);
  {
    const MutexLock lock(warm_mutex_);
    warmed_ = std::move(status);
    warm_ended_ = true;
    if (warm) cold_.store(false, std::memory_order_release);
  }
  // Before the wait below: those who wait here are calls under way.
  warm_.notify_all();
  if (!warm) return;
  // A call that still takes it for cold asks which keys are gone.
  EpochDomain::instance().synchronize();
  const Call under_way(*call_gate_);
  if (!closed()) rows_->forget_gone();
}

Status SparseTable::wait_until_warm() {
  if (!cold() || demotes()) return {};
  const MutexLock lock(warm_mutex_);
  while (cold() && !warm_ended_) warm_.wait(warm_mutex_);
  return cold() ? warmed_ : Status();
}

Status SparseTable::no_room_for(uint64_t rows) const {
  return Status::capacity("table '" + name_ + "': " + std::to_string(rows) +
                          " rows from disk would not fit: " + why_full());
}

std::string SparseTable::why_full() const {
  const std::string used = context_.budget.in_use();
  const uint64_t waiting = demotes() ? tier_->rows().spilled_rows() : 0;
  if (waiting == 0) return used;
  return used + ", and " + std::to_string(waiting) + " changed rows wait on disk for a commit";
}

// Brings the rows of the plan's keys into memory. Where rows were demoted since the last time, once
// more: whoever goes round here does so because others got on.
Status SparseTable::bring(PushPlan& plan) {
  if (!cold()) return {};
  const bool again = !plan.stamps.empty();
  std::vector<uint64_t> keys;
  std::vector<uint64_t> hashes;
  DemotionStamps before;
  for (bool first = !again;; first = false) {
    keys.clear();
    // Stamped before it is compared: what moves from now on is seen under the gate.
    before.swap(plan.stamps);
    tier_->stamp(plan.stamps);
    for (uint32_t i = 0; i < plan.batch->parts(); ++i) {
      const BatchIndex::Part& part = plan.batch->part(i);
      for (size_t id = 0; id < part.size(); ++id) {
        const uint32_t shard = IndexShards::of(part.hashes[id]);
        if (first || before[shard] != plan.stamps[shard]) keys.push_back(part.keys[id]);
      }
    }
    hashes.clear();
    rows_->absent(keys, hashes);
    if (hashes.empty()) return {};
    // In the order in which they lie there.
    std::ranges::sort(hashes);
    RowImages images;
    HOTROW_RETURN_IF_ERROR(tier_->rows().read(hashes, images));
    if (images.hashes.empty()) return {};
    Arrival arrival{.stamps = &plan.stamps, .plan = &plan};
    std::vector<uint8_t> uses;
    if (demotes()) {
      for (const uint64_t hash : images.hashes) {
        uses.push_back(static_cast<uint8_t>(tier_->note_miss(hash, 1)));
      }
      arrival.uses = uses;
    }
    const Result<bool> put =
        demotes() ? put_in_or_demote(images, arrival) : put_in(images, &arrival);
    if (!put.ok()) return put.status();
    if (!put.value()) return no_room_for(images.hashes.size());
    if (arrival.stale == 0) return {};
  }
}

// Of a table that does not demote: they stay.
Status SparseTable::bring(KeyBatch keys) {
  if (!cold()) return {};
  std::vector<uint64_t> hashes;
  rows_->absent(keys, hashes);
  sort_unique(hashes);
  if (hashes.empty()) return {};
  RowImages images;
  HOTROW_RETURN_IF_ERROR(tier_->rows().read(hashes, images));
  if (images.hashes.empty()) return {};
  const Result<bool> put = put_in(images, nullptr);
  if (!put.ok()) return put.status();
  return put.value() ? Status() : no_room_for(images.hashes.size());
}

bool SparseTable::moved(const PushPlan& plan) const {
  if (!demotes()) return false;
  for (uint32_t i = 0; i < plan.batch->parts(); ++i) {
    for (const uint64_t hash : plan.batch->part(i).hashes) {
      if (tier_->moved(hash, plan.stamps)) return true;
    }
  }
  return false;
}

// After a gather. Not only those that are absent still: whoever brings rows in may just have
// brought one, and then this call has missed it. Its row out there is what it was when this call
// began.
template <class Take>
Result<uint64_t> SparseTable::read_missed(const GatherRequest& request, const Take& take) {
  if (demotes() && !tier_->any_out()) return uint64_t{0};
  DemotionStamps stamps;
  if (demotes()) tier_->stamp(stamps);
  std::vector<uint64_t> missed;
  for (size_t i = 0; i < request.keys.size(); ++i) {
    const uint64_t hash = mix64(request.keys[i]);
    if (request.found[i] == 0 && !rows_->gone(hash)) missed.push_back(hash);
  }
  if (missed.empty()) return uint64_t{0};
  std::ranges::sort(missed);
  std::vector<uint64_t> hashes;
  std::ranges::unique_copy(missed, std::back_inserter(hashes));
  RowImages images;
  HOTROW_RETURN_IF_ERROR(tier_->rows().read(hashes, images));
  const ImageIndex index(images);
  const size_t row_bytes = rules_.row_bytes();
  uint64_t hits = 0;
  for (size_t i = 0; i < request.keys.size(); ++i) {
    if (request.found[i] != 0) continue;
    const auto image = index.find(mix64(request.keys[i]));
    if (!image) continue;
    take(i, images.bytes.data() + *image * row_bytes);
    request.found[i] = 1;
    ++hits;
  }
  counters_.cold_hits.fetch_add(hits, std::memory_order_relaxed);
  if (demotes() && request.counts) {
    try {
      promote(images, missed, stamps);
    } catch (const std::bad_alloc&) {
      // They stay where they are: this call has its rows.
    }
  }
  return hits;
}

Result<uint64_t> SparseTable::gather_cold(const GatherRequest& request) {
  return read_missed(request, [&](size_t i, const std::byte* row) {
    rules_.codec().gather()(&row, 1, rules_.dim(), request.rows + i * request.stride,
                            request.stride);
  });
}

Result<uint64_t> SparseTable::gather_cold_state(const GatherRequest& request) {
  return read_missed(request, [&](size_t i, const std::byte* row) {
    const std::byte* const state = row + rules_.codec().bytes();
    std::memcpy(request.rows + i * request.stride, state, rules_.state_values() * sizeof(float));
    if (request.values == nullptr) return;
    rules_.codec().gather()(&row, 1, rules_.dim(), request.values + i * rules_.dim(), rules_.dim());
  });
}

// Rows that were missed before, of late, come into memory; those seen for the first time do not.
void SparseTable::promote(const RowImages& images, std::span<const uint64_t> missed,
                          DemotionStamps& stamps) {
  constexpr uint32_t kSecondTouch = 2;
  RowImages hot;
  std::vector<uint8_t> uses;
  const size_t row_bytes = rules_.row_bytes();
  for (size_t i = 0; i < images.hashes.size(); ++i) {
    const uint64_t hash = images.hashes[i];
    const auto [first, last] = std::ranges::equal_range(missed, hash);
    const uint32_t times = tier_->note_miss(hash, static_cast<uint32_t>(last - first));
    if (times < kSecondTouch) continue;
    hot.add(hash, images.bytes.data() + i * row_bytes, row_bytes);
    uses.push_back(static_cast<uint8_t>(times));
  }
  if (hot.hashes.empty() || promoting_.exchange(true, std::memory_order_acquire)) return;
  const Ended ended(promoting_);
  // What of them others have brought in meanwhile is not to leave for the rest.
  std::vector<uint64_t> keys;
  keys.reserve(hot.hashes.size());
  for (const uint64_t hash : hot.hashes) keys.push_back(unmix64(hash));
  PushPlan plan;
  plan.moment = moment();
  plan.batch = take_batch();
  plan.batch->assign(keys, 1, context_.pool);
  Arrival arrival{.stamps = &stamps, .plan = &plan, .uses = uses};
  const Result<bool> put = put_in_or_demote(hot, arrival);
  return_batch(std::move(plan.batch));
  if (put.ok() && put.value()) {
    counters_.promoted.fetch_add(hot.hashes.size() - arrival.stale, std::memory_order_relaxed);
  }
}

// Of a table that demotes: what is not in memory need not come there to go.
Result<uint64_t> SparseTable::erase_cold(KeyBatch keys) {
  for (;;) {
    DemotionStamps stamps;
    tier_->stamp(stamps);
    std::vector<uint64_t> hashes;
    rows_->absent(keys, hashes);
    sort_unique(hashes);
    RowImages images;
    HOTROW_RETURN_IF_ERROR(tier_->rows().read(hashes, images));
    const SharedLock capacity(context_.capacity_gate);
    const ExclusiveLock own(gate_);
    const auto moved = [&](uint64_t key) { return tier_->moved(mix64(key), stamps); };
    if (std::ranges::any_of(keys, moved)) continue;
    const uint64_t here = rows_->erase(keys);
    const uint64_t there = rows_->erase_demoted(images.hashes);
    tier_->take(there);
    return here + there;
  }
}

void SparseTable::freeze() {
  rows_->freeze();
  if (demotes()) tier_->rows().freeze();
}

void SparseTable::finish_cut(bool written) {
  if (demotes()) {
    // Removed keys are about to be forgotten: rows of them that were read before are old ones.
    if (written && rows_->gone_rows() > 0) tier_->note_all();
    tier_->rows().finish_cut(
        written, [&](uint64_t hash) { return rows_->mark_changed(hash) || rows_->gone(hash); });
  }
  rows_->finish_cut(written);
}

void SparseTable::changed(std::vector<uint64_t>& hashes) {
  rows_->changed(hashes);
  if (demotes()) tier_->rows().spilled(hashes);
}

// Only what is in memory is replaced there. Of a version that is on disk already the rest is there;
// rows that are to become one are spilled.
Status SparseTable::replace_demoted(const RowImages& rows, std::span<const uint64_t> gone,
                                    bool changes, uint64_t total) {
  std::vector<uint64_t> keys;
  keys.reserve(gone.size());
  for (const uint64_t hash : gone) keys.push_back(unmix64(hash));
  (void)rows_->erase(keys);
  RowImages here;
  RowImages there;
  const size_t row_bytes = rules_.row_bytes();
  for (size_t i = 0; i < rows.hashes.size(); ++i) {
    const uint64_t hash = rows.hashes[i];
    (rows_->has_row(hash) ? here : there).add(hash, rows.bytes.data() + i * row_bytes, row_bytes);
  }
  if (changes) {
    (void)rows_->erase_demoted(gone);
    if (!there.hashes.empty()) HOTROW_RETURN_IF_ERROR(tier_->rows().spill(there));
    rows_->come_back(there.hashes);
  } else {
    rows_->forget_removed();
    rows_->forget_gone();
    rows_->remember_gone(true);
  }
  RestorePlan plan;
  plan.changes = changes;
  const bool restored = rows_->restore(here, plan);
  tier_->set_left(total - std::min(total, rows_->size()));
  return restored ? Status() : no_room_for(here.hashes.size());
}

bool SparseTable::any_changed() const {
  return rows_->any_changed() || (demotes() && tier_->rows().spilled_rows() > 0);
}

}  // namespace hotrow
