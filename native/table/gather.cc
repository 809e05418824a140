// Gathering the rows of a batch: a pipeline of windows of keys.
//
// The home buckets of one window are fetched while those of the window before are looked into and
// its rows fetched, and the rows of the window before that are copied; so at any moment some
// dozens of lines are on their way from memory. Nothing on this way branches on what came from
// memory, or stores to where it says: either could only be settled once the line had come, and
// would stop the fetching of all others until then. So a key that is not in its home bucket only
// has its bit unset; the bucket next to its home is fetched in the place of its row and looked into
// a window later. The few that are further on are noted once their window is copied, and walk their
// chains side by side, a bucket every few windows.
//
// Rows are copied first and believed afterwards: a key whose home bucket changed meanwhile is
// looked up again alone.
#include <array>
#include <bit>

#include "table/indexed_rows.h"

namespace hotrow {

namespace {

// Keys of a window; 8 measured slower, 32 alike.
constexpr size_t kRowsAtOnce = 16;
// Windows between two steps of the keys that are not at home.
constexpr size_t kStride = 4;
// Lines of a row that are fetched ahead; the processor's own prefetcher takes over after that.
constexpr size_t kLinesAhead = 8;
// Keys that walk their chains at once; any more are looked up alone.
constexpr size_t kMostStrays = 512;

}  // namespace

/// One gather under way.
template <class IndexT>
class IndexedRows<IndexT>::Gatherer {
 public:
  Gatherer(IndexedRows& rows, const GatherRequest& request)
      : rows_(rows),
        request_(request),
        index_(rows.index_),
        slab_(rows.rows_),
        copy_(rows.rules_.codec().gather()),
        dim_(rows.rules_.dim()),
        lines_(std::min((rows.rules_.codec().bytes() + kLineBytes - 1) / kLineBytes, kLinesAhead)),
        touches_(kHeat && request.counts && rows.rules_.heat().counts_lookups()) {}

  uint64_t run() {
    const size_t windows = (request_.keys.size() + kRowsAtOnce - 1) / kRowsAtOnce;
    for (size_t step = 0; step < windows + 3; ++step) {
      if (step < windows) fetch_homes(step * kRowsAtOnce, windows_[step % 4]);
      if (step >= 1 && step - 1 < windows) find_rows(windows_[(step - 1) % 4]);
      if (step >= 2 && step - 2 < windows) find_next_door(windows_[(step - 2) % 4]);
      // Before the copy, which notes more: their next buckets have yet to come.
      if (step % kStride == 0) advance_strays();
      if (step >= 3) finish(windows_[(step - 3) % 4]);
    }
    while (stray_count_ > 0) advance_strays();
    return hits_;
  }

 private:
  using BucketType = typename IndexT::BucketType;
  using Peek = typename IndexT::Peek;

  /// Keys that pass through the stages together.
  struct Window {
    size_t first = 0;  // position of the first key
    size_t count = 0;
    std::array<uint64_t, kRowsAtOnce> keys;
    std::array<const BucketType*, kRowsAtOnce> homes;
    std::array<uint32_t, kRowsAtOnce> words;  // as they were before the row's handle was read
    // Bit i of ready: rows[i] is the row of key i, if homes[i] still has words[i]. Other keys have
    // the slab's first row, so that all are copied at once.
    std::array<const std::byte*, kRowsAtOnce> rows;
    std::array<uint8_t, kRowsAtOnce> places;
    uint32_t ready = 0;
    uint32_t next_door = 0;  // of those ready, the keys that the bucket after their home holds
  };

  /// A key that is not in its home bucket.
  struct Stray {
    size_t position;
    const BucketType* home;
    uint32_t word;
    uint32_t handle;         // kNoHandle until it is found
    const BucketType* next;  // the bucket of its chain to look into, or null: all seen
  };

  void fetch_homes(size_t first, Window& window) const {
    window.first = first;
    window.count = std::min(kRowsAtOnce, request_.keys.size() - first);
    const uint64_t* const keys = request_.keys.data();
    const uint64_t* const hashes = request_.hashes;
    for_each_key(window.count, [&](size_t i) {
      const size_t at = first + i;
      window.keys[i] = keys[at];
      window.homes[i] = index_.home_of(hashes != nullptr ? hashes[at] : mix64(keys[at]));
      __builtin_prefetch(window.homes[i], 0, 3);
    });
  }

  void find_rows(Window& window) const {
    uint32_t ready = 0;
    for_each_key(window.count, [&](size_t i) {
      const Peek seen = IndexT::peek(*window.homes[i], window.keys[i]);
      const std::byte* const row = slab_.row(seen.row_or_first());
      window.rows[i] = row;
      window.words[i] = seen.word.bits();
      if constexpr (kHeat) window.places[i] = static_cast<uint8_t>(seen.place);
      ready |= uint32_t{seen.here} << i;
      const auto* const next = reinterpret_cast<const std::byte*>(window.homes[i] + 1);
      __builtin_prefetch(one_of(seen.here, row, next), 0, 3);
      fetch_row(row, 1);
    });
    window.ready = ready;
    window.next_door = 0;
  }

  /// Looks for those that are not at home in the next bucket, where most of them are.
  void find_next_door(Window& window) const {
    for (uint32_t away = all_of(window) & ~window.ready; away != 0; away &= away - 1) {
      const auto i = static_cast<size_t>(std::countr_zero(away));
      const BucketWord word(window.words[i]);
      if (!word.readable() || !word.overflow()) continue;
      const Peek seen = IndexT::peek(window.homes[i][1], window.keys[i]);
      if (!seen.here) continue;
      window.rows[i] = slab_.row(seen.named);
      if constexpr (kHeat) window.places[i] = static_cast<uint8_t>(seen.place);
      window.ready |= uint32_t{1} << i;
      window.next_door |= uint32_t{1} << i;
      fetch_row(window.rows[i]);
    }
  }

  static uint32_t all_of(const Window& window) { return (uint32_t{1} << window.count) - 1; }

  void finish(const Window& window) {
    copy_rows(window);
    sequence_read_fence();
    uint32_t same = 0;
    for_each_key(window.count, [&](size_t i) {
      const uint32_t bits = window.homes[i]->word.load(std::memory_order_relaxed);
      same |= uint32_t{bits == window.words[i]} << i;
    });
    if (request_.relaxed) same = UINT32_MAX;
    if (request_.found != nullptr) {
      for (size_t i = 0; i < window.count; ++i) {
        request_.found[window.first + i] = (window.ready >> i) & 1;
      }
    }
    hits_ += static_cast<uint64_t>(std::popcount(window.ready & same));
    if (touches_) touch(window);
    for (uint32_t changed = window.ready & ~same; changed != 0; changed &= changed - 1) {
      look_up_alone(window.first + static_cast<size_t>(std::countr_zero(changed)));
    }
    for (uint32_t away = all_of(window) & ~window.ready; away != 0; away &= away - 1) {
      note_stray(window, static_cast<size_t>(std::countr_zero(away)));
    }
  }

  void copy_rows(const Window& window) const {
    copy_(window.rows.data(), window.count, dim_, request_.rows + window.first * request_.stride,
          request_.stride);
  }

  void touch(const Window& window) const {
    if constexpr (kHeat) {
      const HeatRule& rule = rows_.rules_.heat();
      for (uint32_t ready = window.ready; ready != 0; ready &= ready - 1) {
        const auto i = static_cast<size_t>(std::countr_zero(ready));
        const size_t next_door = (window.next_door >> i) & 1;
        auto& heats = const_cast<BucketType*>(window.homes[i] + next_door)->heats;
        const Heat before = heats.load(window.places[i]);
        const Heat after = rule.used(before, request_.moment.clock, window.keys[i]);
        // Mostly nothing changes, and then the line stays clean.
        if (!(after == before)) heats.store(window.places[i], after);
      }
    }
  }

  void note_stray(const Window& window, size_t i) {
    const BucketWord word(window.words[i]);
    const size_t at = window.first + i;
    if (!word.readable() || stray_count_ == kMostStrays) {
      look_up_alone(at);
      return;
    }
    const BucketType* const next = word.overflow() ? window.homes[i] + 1 : nullptr;
    __builtin_prefetch(next, 0, 3);
    strays_[stray_count_++] = {at, window.homes[i], word.bits(), IndexT::kNoHandle, next};
  }

  /// Copies the rows that the step before found, and looks into one more bucket for the others.
  void advance_strays() {
    size_t left = 0;
    for (size_t i = 0; i < stray_count_; ++i) {
      Stray& stray = strays_[i];
      if (stray.next == nullptr) {
        const Sight sight{stray.home, BucketWord(stray.word), stray.handle};
        hits_ += rows_.gather_sighted(request_, stray.position, sight) ? 1 : 0;
        continue;
      }
      const BucketWord word = stray.next->load();
      const uint32_t found = stray.next->matches(request_.keys[stray.position]) & word.occupied();
      if (found != 0) {
        const uint32_t place = BucketType::place_of(found);
        const uint32_t handle = stray.next->handles[place].load(std::memory_order_relaxed);
        if (IndexT::is_row(handle)) {
          stray.handle = handle;
          fetch_row(slab_.row(handle));
          if (touches_) touch_stray(stray, place);
        }
      }
      stray.next = found == 0 && word.overflow() ? stray.next + 1 : nullptr;
      __builtin_prefetch(stray.next, 0, 3);
      strays_[left++] = stray;
    }
    stray_count_ = left;
  }

  void touch_stray(const Stray& stray, uint32_t place) const {
    if constexpr (kHeat) {
      auto& heats = const_cast<BucketType*>(stray.next)->heats;
      heats.store(place, rows_.rules_.heat().used(heats.load(place), request_.moment.clock,
                                                  request_.keys[stray.position]));
    }
  }

  void look_up_alone(size_t at) { hits_ += rows_.gather_one(request_, at) ? 1 : 0; }

  /// Unrolled where the window is full.
  template <class Body>
  static void for_each_key(size_t count, const Body& body) {
    if (count == kRowsAtOnce) {
#pragma GCC unroll 4
      for (size_t i = 0; i < kRowsAtOnce; ++i) body(i);
    } else {
      for (size_t i = 0; i < count; ++i) body(i);
    }
  }
  /// From line `first` on.
  void fetch_row(const std::byte* row, size_t first = 0) const {
    for (size_t i = first; i < lines_; ++i) __builtin_prefetch(row + i * kLineBytes, 0, 3);
  }

  IndexedRows& rows_;
  const GatherRequest& request_;
  const IndexT& index_;
  const SlabPool& slab_;
  const GatherValues copy_;
  const size_t dim_;
  const size_t lines_;
  const bool touches_;
  std::array<Window, 4> windows_;
  std::array<Stray, kMostStrays> strays_;
  size_t stray_count_ = 0;
  uint64_t hits_ = 0;
};

template <class IndexT>
uint64_t IndexedRows<IndexT>::gather(const GatherRequest& request) {
  return Gatherer(*this, request).run();
}

template <class IndexT>
void IndexedRows<IndexT>::fill_missing(const GatherRequest& request, size_t position) const {
  float* const out = request.rows + position * request.stride;
  if (request.missing != nullptr) {
    std::copy_n(request.missing, rules_.dim(), out);
  } else {
    rules_.fill_missing(request.keys[position], {out, rules_.dim()});
  }
}

template <class IndexT>
bool IndexedRows<IndexT>::gather_one(const GatherRequest& request, size_t position) {
  // Where writers never rest, the reader takes its turn as one.
  constexpr int kTries = 8;
  const uint64_t key = request.keys[position];
  const uint64_t hash = mix64(key);
  float* const out = request.rows + position * request.stride;
  const auto copy = [&](uint32_t handle) {
    const std::byte* const row = rows_.row(handle);
    rules_.codec().gather()(&row, 1, rules_.dim(), out, request.stride);
  };
  bool found = false;
  bool settled = false;
  for (int i = 0; i < kTries && !settled; ++i) {
    const Sight sight = index_.probe(key, hash);
    found = sight.handle != IndexT::kNoHandle;
    if (found) copy(sight.handle);
    settled = !found || IndexT::still(sight);
  }
  if (!settled) {
    Writer writer(index_);
    writer.enter(IndexShards::of(hash));
    const Hold hold = writer.find(key, hash);
    found = hold.has_row();
    if (found) copy(hold.handle());
  }
  if (!found) fill_missing(request, position);
  if (request.found != nullptr) request.found[position] = found ? 1 : 0;
  return found;
}

template <class IndexT>
bool IndexedRows<IndexT>::gather_sighted(const GatherRequest& request, size_t position,
                                         const Sight& sight) {
  const bool found = sight.handle != IndexT::kNoHandle;
  if (!found) {
    fill_missing(request, position);
  } else {
    const std::byte* const row = rows_.row(sight.handle);
    rules_.codec().gather()(&row, 1, rules_.dim(), request.rows + position * request.stride,
                            request.stride);
  }
  if (!IndexT::still(sight)) return gather_one(request, position);
  if (request.found != nullptr) request.found[position] = found ? 1 : 0;
  return found;
}

#define HOTROW_INSTANTIATE(IndexT)                                                     \
  template uint64_t IndexedRows<IndexT>::gather(const GatherRequest&);                 \
  template void IndexedRows<IndexT>::fill_missing(const GatherRequest&, size_t) const; \
  template bool IndexedRows<IndexT>::gather_one(const GatherRequest&, size_t);
HOTROW_FOR_BOTH_INDEXES(HOTROW_INSTANTIATE)
#undef HOTROW_INSTANTIATE

}  // namespace hotrow
