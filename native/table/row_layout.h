// Where a row's parts lie: `dim` values, then the optimizer's state.
#ifndef HOTROW_TABLE_ROW_LAYOUT_H_
#define HOTROW_TABLE_ROW_LAYOUT_H_

#include <cstddef>
#include <cstdint>
#include <span>

namespace hotrow {

struct RowLayout {
  uint32_t dim = 0;
  uint32_t state = 0;

  uint64_t bytes() const { return (uint64_t{dim} + state) * sizeof(float); }
  std::span<float> values(std::byte* row) const { return {reinterpret_cast<float*>(row), dim}; }
  std::span<float> state_of(std::byte* row) const {
    return {reinterpret_cast<float*>(row) + dim, state};
  }
};

}  // namespace hotrow

#endif  // HOTROW_TABLE_ROW_LAYOUT_H_
