// Gradients are applied to rows that are here, by the table's optimizer: a tile of sixteen lanes
// owns a row, and no two tiles have the same. Rows are dirty then.
#ifndef HOTROW_CUDA_PUSH_H_
#define HOTROW_CUDA_PUSH_H_

#include "cuda/rules.h"
#include "cuda/tile.h"
#include "cuda/view.h"

namespace hotrow::gpu {

/// What every rule is given. The constants of a step travel with the kernel, where they cost no
/// registers; keys of several groups take a launch for each group.
struct PushTask {
  CacheView cache;
  const uint32_t* handles;  // [n], distinct but for kNoHandle, which is left out
  uint64_t n;
  const float* gradients;  // [n, dim], summed
  UpdateStep step;
  const uint8_t* step_of;  // [n], or null: of all; of others than `which` nothing is done
  uint8_t which;
  const uint64_t* random;  // [n], or null where nothing is rounded by chance
};

template <OptimizerKind kKind, ValueType kType, Rounding kRounding>
struct Push {
  static constexpr unsigned kWidth = kRowLanes;
  PushTask task;

  template <class Tile>
  HOTROW_DEVICE void operator()(const Tile& tile, uint64_t number) const {
    const uint32_t handle = task.handles[number];
    if (handle == kNoHandle || task.step.way == RowWay::kFrozen) return;
    if (task.step_of != nullptr && task.step_of[number] != task.which) return;
    const CacheView& cache = task.cache;
    const RowValues<kType, kRounding> values(cache.values_of(handle),
                                             task.random != nullptr ? task.random[number] : 0);
    float* const state = cache.state != nullptr ? cache.state_of(handle) : nullptr;
    update_row<kKind>(tile, values, state, task.gradients + number * cache.dim, cache.dim,
                      task.step);
    tile.leader([&] { cache.dirty[handle] = 1; });
  }
};

/// Starts the kernel of one rule.
template <OptimizerKind kKind, class Device>
Status push_by(Device& device, ValueType type, Rounding rounding, const PushTask& task,
               typename Device::Stream stream) {
  return with_pushed_values(type, rounding, [&](auto value_type, auto value_rounding) {
    return device.launch(
        Push<kKind, decltype(value_type)::value, decltype(value_rounding)::value>{task}, task.n,
        stream);
  });
}

/// Starts that of whichever of these rules it is.
template <OptimizerKind... kKinds, class Device>
Status push_one_of(Device& device, OptimizerKind kind, ValueType type, Rounding rounding,
                   const PushTask& task, typename Device::Stream stream) {
  Status status;
  (void)((kKinds == kind &&
          ((status = push_by<kKinds>(device, type, rounding, task, stream)), true)) ||
         ...);
  return status;
}

/// Starts the kernel of a rule, a value type and a rounding.
template <class Device>
Status push_rows(Device& device, OptimizerKind kind, ValueType type, Rounding rounding,
                 const PushTask& task, typename Device::Stream stream) {
  return with_rule(kind, [&](auto rule) {
    return push_by<decltype(rule)::value>(device, type, rounding, task, stream);
  });
}

}  // namespace hotrow::gpu

#endif  // HOTROW_CUDA_PUSH_H_
