// Gradients are applied to rows that are here, by the table's optimizer: a tile of sixteen lanes
// owns a row, and no two tiles have the same. Rows are dirty then.
#ifndef HOTROW_CUDA_PUSH_H_
#define HOTROW_CUDA_PUSH_H_

#include "cuda/rules.h"
#include "cuda/tile.h"
#include "cuda/view.h"

namespace hotrow::gpu {

/// What every rule is given.
struct PushTask {
  CacheView cache;
  const uint32_t* handles;  // [n], distinct but for kNoHandle, which is left out
  uint64_t n;
  const float* gradients;    // [n, dim], summed
  const UpdateStep* steps;   // of the batch's groups
  const uint8_t* step_of;    // [n], or null: steps[0]
  const uint64_t* random;    // [n], or null where nothing is rounded by chance
};

template <OptimizerKind kKind, ValueType kType, Rounding kRounding>
struct Push {
  static constexpr unsigned kWidth = kRowLanes;
  PushTask task;

  template <class Tile>
  HOTROW_DEVICE void operator()(const Tile& tile, uint64_t number) const {
    const uint32_t handle = task.handles[number];
    if (handle == kNoHandle) return;
    const UpdateStep& step = task.steps[task.step_of != nullptr ? task.step_of[number] : 0];
    if (step.way == RowWay::kFrozen) return;
    const CacheView& cache = task.cache;
    const RowValues<kType, kRounding> values(cache.values_of(handle),
                                             task.random != nullptr ? task.random[number] : 0);
    float* const state = cache.state != nullptr ? cache.state_of(handle) : nullptr;
    update_row<kKind>(tile, values, state, task.gradients + number * cache.dim, cache.dim, step);
    tile.leader([&] { cache.dirty[handle] = 1; });
  }
};

/// Starts the kernel of a rule, a value type and a rounding. What is instantiated for a CUDA device
/// is in push_*.cu, one file for each family of rules, so that they compile side by side.
template <class Device>
Status push_rows(Device& device, OptimizerKind kind, ValueType type, Rounding rounding,
                 const PushTask& task, typename Device::Stream stream) {
  return with_rule(kind, [&](auto rule) {
    return with_pushed_values(type, rounding, [&](auto value_type, auto value_rounding) {
      return device.launch(
          Push<decltype(rule)::value, decltype(value_type)::value, decltype(value_rounding)::value>{
              task},
          task.n, stream);
    });
  });
}

}  // namespace hotrow::gpu

#endif  // HOTROW_CUDA_PUSH_H_
