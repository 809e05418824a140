#include "store/keeper.h"

#include <algorithm>
#include <utility>

namespace hotrow {

namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

constexpr milliseconds kPeriod{10};
// Longest work between two looks at the share.
constexpr milliseconds kTurn{2};
// However small the share is.
constexpr double kMostRestNs = 60e9;
// Sweeps of a whole table within its time to live: no row outlives it by more than an eighth.
constexpr double kSweepsPerLife = 8;

nanoseconds now() { return std::chrono::steady_clock::now().time_since_epoch(); }

}  // namespace

void Keeper::keep(std::shared_ptr<SparseTable> table) {
  if (!table->wants_upkeep()) return;
  const MutexLock lock(mutex_);
  kept_.push_back({std::move(table)});
  if (thread_.joinable()) return;
  try {
    thread_ = std::thread([this] { loop(); });
  } catch (...) {
    kept_.pop_back();
    throw;
  }
}

void Keeper::forget(const SparseTable* table) {
  const MutexLock lock(mutex_);
  std::erase_if(kept_, [table](const Kept& kept) { return kept.table.get() == table; });
}

void Keeper::stop() {
  std::thread thread;
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    thread.swap(thread_);
    kept_.clear();
    wake_.notify_all();
  }
  if (thread.joinable()) thread.join();
}

void Keeper::loop() {
  const MutexLock lock(mutex_);
  nanoseconds last = now();
  while (!stopping_) {
    const nanoseconds start = now();
    const nanoseconds busy = tend(start - last);
    last = start;
    const double rest_ns = static_cast<double>(busy.count()) * (1 / share_ - 1);
    const nanoseconds rest(static_cast<int64_t>(std::min(rest_ns, kMostRestNs)));
    wake_.wait_for(mutex_, std::max<nanoseconds>(kPeriod, rest));
  }
}

nanoseconds Keeper::tend(nanoseconds since_last) {
  const nanoseconds start = now();
  const double elapsed_ms = static_cast<double>(since_last.count()) * 1e-6;
  // Each table in turn comes first: one with much to do does not keep the others from theirs.
  ++turn_;
  for (size_t i = 0; i < kept_.size(); ++i) {
    Kept& kept = kept_[(turn_ + i) % kept_.size()];
    SparseTable& table = *kept.table;
    if (const uint64_t ttl_ms = table.options().eviction.ttl_ms; ttl_ms > 0) {
      kept.owed_shards +=
          elapsed_ms * kSweepsPerLife * IndexShards::kCount / static_cast<double>(ttl_ms);
      // What could not be done in time is not owed for ever.
      kept.owed_shards = std::min<double>(kept.owed_shards, IndexShards::kCount);
      while (kept.owed_shards >= 1 && now() - start < kTurn) {
        table.sweep_expired(1);
        kept.owed_shards -= 1;
      }
    }
    while (now() - start < kTurn && table.evict_ahead()) {
    }
  }
  return now() - start;
}

}  // namespace hotrow
