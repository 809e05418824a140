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

/// Calls use(window, first) for each window of rows in order. A window of rows is fetched in one go
/// while the one before is used: fetching row by row between the uses let only few be on their way
/// at once, and cost a long rule up to twice the time.
template <int kWrite, class Use>
void for_rows(const RowSlab& slab, std::span<const uint32_t> rows, size_t bytes, const Use& use) {
  std::array<std::array<float*, kWindow>, 2> windows;
  const auto fetch_window = [&](size_t from) {
    auto& window = windows[from / kWindow % 2];
    const size_t count = from < rows.size() ? std::min(kWindow, rows.size() - from) : 0;
    for (size_t i = 0; i < count; ++i) {
      window[i] = slab.row(rows[from + i]);
      fetch<kWrite>(window[i], bytes);
    }
    return count;
  };
  size_t count = fetch_window(0);
  for (size_t from = 0; count > 0; from += kWindow) {
    const size_t next = fetch_window(from + kWindow);
    use(std::span<float* const>(windows[from / kWindow % 2].data(), count), from);
    count = next;
  }
}

}  // namespace

void raw_gather(const RowSlab& slab, std::span<const uint32_t> rows, float* out) {
  const auto gather = row_kernels().gather;
  const size_t dim = slab.dim();
  for_rows<0>(slab, rows, dim * sizeof(float), [&](auto window, size_t from) {
    gather(window.data(), window.size(), dim, out + from * dim);
  });
}

void raw_update(const RowSlab& slab, std::span<const uint32_t> rows, const float* gradients,
                UpdateRow update, const UpdateStep& step) {
  const size_t dim = slab.dim();
  for_rows<1>(slab, rows, (dim + slab.state()) * sizeof(float), [&](auto window, size_t from) {
    for (size_t i = 0; i < window.size(); ++i) {
      update(window[i], window[i] + dim, gradients + (from + i) * dim, dim, step);
    }
  });
}

void raw_touch(const RowSlab& slab, std::span<const uint32_t> rows) {
  const auto scale = row_kernels().scale;
  const size_t values = slab.dim() + slab.state();
  for_rows<1>(slab, rows, values * sizeof(float), [&](auto window, size_t /*from*/) {
    for (float* const w : window) scale(w, w, 1.0F, values);
  });
}

}  // namespace hotrow::bench
