// Gathering the rows of a batch: a pipeline of windows of keys.
//
// The home buckets of one window are fetched while those of the window before are looked into and
// its rows fetched, and the rows of the window before that are copied; so at any moment some
// dozens of lines are on their way from memory. Nothing on this way branches on what came from
// memory, or stores to where it says: either could only be settled once the line had come, and
// would stop the fetching of all others until then. So a key that is not in its home bucket only
// has its bit unset, and is noted once its window is copied. Those noted walk their chains side by
// side, a bucket every few windows.
//
// Rows are copied first and believed afterwards: a key whose home bucket changed meanwhile is
// looked up again alone.
#include <array>
#include <bit>

#include "table/table.h"

namespace hotrow {

namespace {

// Keys of a window; 8 measured slower, 32 alike.
constexpr size_t kWindow = 16;
// Windows between two steps of the keys that are not at home.
constexpr size_t kStride = 4;
// Lines of a row that are fetched ahead; the processor's own prefetcher takes over after that.
constexpr size_t kPrefetchLines = 8;
// Keys that walk their chains at once; any more are looked up alone.
constexpr size_t kMostStrays = 512;

/// Keys that pass through the stages together.
struct Window {
  size_t first = 0;  // position of the first key
  size_t count = 0;
  std::array<const Index::BucketType*, kWindow> homes;
  std::array<BucketWord, kWindow> words;  // as they were before the row's handle was read
  // Bit i of ready: rows[i] is the row of key i, if homes[i] still has words[i]. Other keys have
  // the slab's first row, so that all are copied at once.
  std::array<const float*, kWindow> rows;
  uint32_t ready = 0;
};

/// A key that is not in its home bucket.
struct Stray {
  size_t position;
  Index::Sight sight;             // without a handle until it is found
  const Index::BucketType* next;  // the bucket of its chain to look into, or null: all seen
};

}  // namespace

/// One gather under way.
class SparseTable::Gatherer {
 public:
  Gatherer(SparseTable& table, const Gather& request)
      : table_(table),
        request_(request),
        index_(table.body_->index),
        slab_(table.body_->rows),
        dim_(table.layout_.dim),
        lines_(std::min((dim_ * sizeof(float) + kLineBytes - 1) / kLineBytes, kPrefetchLines)) {}

  uint64_t run() {
    const size_t windows = (request_.keys.size() + kWindow - 1) / kWindow;
    for (size_t step = 0; step < windows + 2; ++step) {
      if (step < windows) fetch_homes(step * kWindow, windows_[step % 3]);
      if (step >= 1 && step - 1 < windows) find_rows(windows_[(step - 1) % 3]);
      // Before the copy, which notes more: their next buckets have yet to come.
      if (step % kStride == 0) advance_strays();
      if (step >= 2) copy_rows(windows_[(step - 2) % 3]);
    }
    while (stray_count_ > 0) advance_strays();
    return hits_;
  }

 private:
  void fetch_homes(size_t first, Window& window) const {
    window.first = first;
    window.count = std::min(kWindow, request_.keys.size() - first);
    const uint64_t* const keys = request_.keys.data() + first;
    const uint64_t* const hashes = request_.hashes == nullptr ? nullptr : request_.hashes + first;
    for_each_key(window.count, [&](size_t i) {
      window.homes[i] = index_.home_of(hashes != nullptr ? hashes[i] : mix64(keys[i]));
      __builtin_prefetch(window.homes[i], 0, 3);
    });
  }

  void find_rows(Window& window) const {
    const uint64_t* const keys = request_.keys.data() + window.first;
    uint32_t ready = 0;
    for_each_key(window.count, [&](size_t i) {
      const Index::BucketType* const home = window.homes[i];
      const BucketWord word = home->load();
      const uint32_t found = home->matches(keys[i]) & word.occupied();
      const bool here = (found != 0) & word.readable();
      // Any row will do for the others.
      const std::byte* const row = slab_.row(handle_in(*home, found) & -uint32_t{here});
      window.rows[i] = reinterpret_cast<const float*>(row);
      window.words[i] = word;
      ready |= uint32_t{here} << i;
      fetch_row(row);
    });
    window.ready = ready;
  }

  void copy_rows(const Window& window) {
    request_.copy(window.rows.data(), window.count, dim_, request_.rows + window.first * dim_);
    sequence_read_fence();
    uint32_t same = 0;
    for_each_key(window.count, [&](size_t i) {
      const uint32_t bits = window.homes[i]->word.load(std::memory_order_relaxed);
      same |= uint32_t{bits == window.words[i].bits()} << i;
    });
    if (request_.found != nullptr) {
      for (size_t i = 0; i < window.count; ++i) {
        request_.found[window.first + i] = (window.ready >> i) & 1;
      }
    }
    hits_ += static_cast<uint64_t>(std::popcount(window.ready & same));
    for (uint32_t changed = window.ready & ~same; changed != 0; changed &= changed - 1) {
      look_up_alone(window.first + static_cast<size_t>(std::countr_zero(changed)));
    }
    const uint32_t all = (uint32_t{1} << window.count) - 1;
    for (uint32_t away = all & ~window.ready; away != 0; away &= away - 1) {
      note_stray(window, static_cast<size_t>(std::countr_zero(away)));
    }
  }

  void note_stray(const Window& window, size_t i) {
    const BucketWord word = window.words[i];
    if (!word.readable() || stray_count_ == kMostStrays) {
      look_up_alone(window.first + i);
      return;
    }
    const Index::BucketType* const next = word.overflow() ? window.homes[i] + 1 : nullptr;
    __builtin_prefetch(next, 0, 3);
    strays_[stray_count_++] = {window.first + i, {window.homes[i], word, Index::kNoHandle}, next};
  }

  /// Copies the rows that the step before found, and looks into one more bucket for the others.
  void advance_strays() {
    size_t left = 0;
    for (size_t i = 0; i < stray_count_; ++i) {
      Stray& stray = strays_[i];
      if (stray.next == nullptr) {
        hits_ += table_.gather_sighted(request_, stray.position, stray.sight);
        continue;
      }
      const BucketWord word = stray.next->load();
      const uint32_t found = stray.next->matches(request_.keys[stray.position]) & word.occupied();
      if (found != 0) {
        stray.sight.handle = handle_in(*stray.next, found);
        fetch_row(slab_.row(stray.sight.handle));
      }
      stray.next = found == 0 && word.overflow() ? stray.next + 1 : nullptr;
      __builtin_prefetch(stray.next, 0, 3);
      strays_[left++] = stray;
    }
    stray_count_ = left;
  }

  void look_up_alone(size_t position) { hits_ += table_.gather_again(request_, position); }

  /// Unrolled where the window is full.
  template <class Body>
  static void for_each_key(size_t count, const Body& body) {
    if (count == kWindow) {
#pragma GCC unroll 4
      for (size_t i = 0; i < kWindow; ++i) body(i);
    } else {
      for (size_t i = 0; i < count; ++i) body(i);
    }
  }
  // Selections as arithmetic: compilers make branches of anything that looks like a choice.
  static uint32_t handle_in(const Index::BucketType& bucket, uint32_t found) {
    const auto place = static_cast<uint32_t>(__builtin_ctz(found | 1U << (kBucketKeys - 1)));
    return bucket.handles[place].load(std::memory_order_relaxed);
  }
  void fetch_row(const std::byte* row) const {
    for (size_t i = 0; i < lines_; ++i) __builtin_prefetch(row + i * kLineBytes, 0, 3);
  }

  SparseTable& table_;
  const Gather& request_;
  const Index& index_;
  const SlabPool& slab_;
  const size_t dim_;
  const size_t lines_;
  std::array<Window, 3> windows_;
  std::array<Stray, kMostStrays> strays_;
  size_t stray_count_ = 0;
  uint64_t hits_ = 0;
};

uint64_t SparseTable::gather(Gather request) {
  request.copy = row_kernels().gather;
  return Gatherer(*this, request).run();
}

void SparseTable::fill_missing(uint64_t key, float* out) const {
  const std::span<float> row(out, layout_.dim);
  if (options_.missing == Missing::kZeros) {
    std::fill(row.begin(), row.end(), 0.0F);
  } else {
    initializer_.fill(key, row);
  }
}

bool SparseTable::gather_one(uint64_t key, uint64_t hash, float* out) {
  // Where writers never rest, the reader takes its turn as one.
  constexpr int kTries = 8;
  const auto copy = [&](uint32_t handle) {
    const float* const row = layout_.values(body_->rows.row(handle)).data();
    row_kernels().gather(&row, 1, layout_.dim, out);
  };
  for (int i = 0; i < kTries; ++i) {
    const Index::Sight sight = body_->index.probe(key, hash);
    if (sight.handle == Index::kNoHandle) {
      fill_missing(key, out);
      return false;
    }
    copy(sight.handle);
    if (Index::still(sight)) return true;
  }
  Index::Hold hold = body_->index.lock(key, hash);
  const bool found = hold.found();
  if (found) copy(hold.handle());
  body_->index.unlock(hold);
  if (!found) fill_missing(key, out);
  return found;
}

uint64_t SparseTable::gather_again(const Gather& request, size_t position) {
  const uint64_t key = request.keys[position];
  const bool found = gather_one(key, mix64(key), request.rows + position * layout_.dim);
  if (request.found != nullptr) request.found[position] = found ? 1 : 0;
  return found ? 1 : 0;
}

uint64_t SparseTable::gather_sighted(const Gather& request, size_t position,
                                     const Index::Sight& sight) {
  float* const out = request.rows + position * layout_.dim;
  const bool found = sight.handle != Index::kNoHandle;
  if (!found) {
    fill_missing(request.keys[position], out);
  } else {
    const float* const row = layout_.values(body_->rows.row(sight.handle)).data();
    request.copy(&row, 1, layout_.dim, out);
  }
  if (!Index::still(sight)) return gather_again(request, position);
  if (request.found != nullptr) request.found[position] = found ? 1 : 0;
  return found ? 1 : 0;
}

}  // namespace hotrow
