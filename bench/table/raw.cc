#include "raw.h"

#include <algorithm>
#include <array>

namespace hotrow::bench {

namespace {

// Rows between fetch and use; 8 to 32 measured alike.
constexpr size_t kWindow = 16;
constexpr size_t kMostLines = 12;

template <int kWrite>
void fetch(const float* row, size_t bytes) {
  const size_t lines = std::min((bytes + kLineBytes - 1) / kLineBytes, kMostLines);
  const auto* const first = reinterpret_cast<const std::byte*>(row);
  for (size_t i = 0; i < lines; ++i) __builtin_prefetch(first + i * kLineBytes, kWrite, 3);
}

/// Calls use(i, row) for each row in order, the rows fetched kWindow ahead.
template <class Use>
void for_rows(const RowSlab& slab, std::span<const uint32_t> rows, const Use& use) {
  const size_t bytes = (slab.dim() + slab.state()) * sizeof(float);
  const size_t n = rows.size();
  for (size_t i = 0; i < std::min(n, kWindow); ++i) fetch<1>(slab.row(rows[i]), bytes);
  for (size_t i = 0; i < n; ++i) {
    if (i + kWindow < n) fetch<1>(slab.row(rows[i + kWindow]), bytes);
    use(i, slab.row(rows[i]));
  }
}

}  // namespace

void raw_gather(const RowSlab& slab, std::span<const uint32_t> rows, float* out) {
  const auto gather = row_kernels().gather;
  const size_t dim = slab.dim();
  // Two windows of addresses: one is on its way while the other is copied.
  std::array<std::array<const float*, kWindow>, 2> windows;
  const auto fetch_window = [&](size_t from) {
    auto& window = windows[from / kWindow % 2];
    const size_t count = from < rows.size() ? std::min(kWindow, rows.size() - from) : 0;
    for (size_t i = 0; i < count; ++i) {
      window[i] = slab.row(rows[from + i]);
      fetch<0>(window[i], dim * sizeof(float));
    }
    return count;
  };
  size_t count = fetch_window(0);
  for (size_t from = 0; count > 0; from += kWindow) {
    const size_t next = fetch_window(from + kWindow);
    gather(windows[from / kWindow % 2].data(), count, dim, out + from * dim);
    count = next;
  }
}

void raw_update(const RowSlab& slab, std::span<const uint32_t> rows, const float* gradients,
                UpdateRow update, const UpdateStep& step) {
  const size_t dim = slab.dim();
  for_rows(slab, rows,
           [&](size_t i, float* w) { update(w, w + dim, gradients + i * dim, dim, step); });
}

void raw_touch(const RowSlab& slab, std::span<const uint32_t> rows) {
  const auto scale = row_kernels().scale;
  const size_t values = slab.dim() + slab.state();
  for_rows(slab, rows, [&](size_t /*i*/, float* w) { scale(w, w, 1.0F, values); });
}

}  // namespace hotrow::bench
