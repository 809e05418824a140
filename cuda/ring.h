// MissRing<Device>: lookups whose misses come from the host, for callers whose keys are in pinned
// memory and whose output stays on the device.
//
//   begin   keys go up; rows that are there go to the output; positions of the others come down
//   end     the caller fetches their rows into a pinned block; they go up, to their places
//
// Three stages, each a stream of its own: while the host fetches the rows of one batch, the device
// looks up the next and takes in those of the one before. The fetching is the caller's, on its own
// threads: at hit rates worth a cache it is what binds.
//
// One thread at a time. Between begin() and its end() nothing may change the cache's rows.
#ifndef HOTROW_CUDA_RING_H_
#define HOTROW_CUDA_RING_H_

#include <array>
#include <memory>

#include "cuda/cache.h"
#include "cuda/memory.h"
#include "cuda/scatter.h"

namespace hotrow::gpu {

template <class Device>
class MissRing {
 public:
  static constexpr uint64_t kStages = 3;
  /// So few rows are read over the bus where they are: a copy costs as long to start.
  static constexpr uint64_t kReadDirectly = 1024;

  struct Lookup {
    const uint64_t* keys;  // [n], pinned, until the batch has ended; duplicates are legal
    uint64_t n;            // at most most_keys
    Output output;
    uint32_t row_bytes;  // of an output's row, a multiple of 16
    std::byte* out;      // [n] at `stride`, on the device
    uint64_t stride;     // bytes, a multiple of 16
    Touch touch;
  };
  /// What the host is to fetch: row i, as the output has it, is that of keys[positions[i]].
  struct Missed {
    const uint64_t* keys;
    const uint32_t* positions;  // [count], in no order
    uint64_t count;
    std::byte* rows;  // [count] at row_bytes
  };

  /// The cache and the device must outlive it.
  static Result<std::unique_ptr<MissRing>> create(Device& device, Cache<Device>& cache,
                                                  uint64_t most_keys, uint32_t most_row_bytes) {
    auto ring = std::unique_ptr<MissRing>(new MissRing(device, cache));
    for (Stage& stage : ring->stages_) {
      HOTROW_RETURN_IF_ERROR(ring->open(stage, most_keys, most_row_bytes));
    }
    return Result<std::unique_ptr<MissRing>>(std::move(ring));
  }
  ~MissRing() {
    (void)finish();
    for (Stage& stage : stages_) {
      if (stage.open) device_.end(stage.stream);
    }
  }
  MissRing(const MissRing&) = delete;
  MissRing& operator=(const MissRing&) = delete;

  uint64_t under_way() const { return begun_ - ended_; }

  /// Starts a batch. At most kStages are under way; waits for the one before in its stage.
  Status begin(const Lookup& lookup) {
    if (under_way() == kStages) return Status::conflict("gpu: every stage has a batch under way");
    Stage& stage = stages_[begun_ % kStages];
    HOTROW_RETURN_IF_ERROR(device_.wait(stage.stream));
    stage.lookup = lookup;
    HOTROW_RETURN_IF_ERROR(
        device_.copy_in(keys_of(stage), lookup.keys, lookup.n * sizeof(uint64_t), stage.stream));
    auto* const count = stage.count.template as<uint32_t>();
    HOTROW_RETURN_IF_ERROR(device_.fill(count, 0, sizeof *count, stage.stream));
    HOTROW_RETURN_IF_ERROR(cache_.lookup(keys_of(stage), lookup.n, lookup.output, lookup.out,
                                         lookup.stride, {positions_of(stage), count}, lookup.touch,
                                         stage.stream));
    HOTROW_RETURN_IF_ERROR(
        device_.copy_out(stage.host_count.data(), count, sizeof *count, stage.stream));
    // All of them, though few are set: the way down is idle, and their count is not known yet.
    HOTROW_RETURN_IF_ERROR(device_.copy_out(stage.host_positions.data(), positions_of(stage),
                                            lookup.n * sizeof(uint32_t), stage.stream));
    ++begun_;
    return {};
  }

  /// Ends the oldest batch under way: fetch(Missed) -> Status, on this thread, where rows are
  /// missing. The output is whole once finish() has returned, or the stage's next batch has begun.
  template <class Fetch>
  Status end(const Fetch& fetch) {
    if (under_way() == 0) return Status::conflict("gpu: no batch is under way");
    Stage& stage = stages_[ended_ % kStages];
    ++ended_;
    HOTROW_RETURN_IF_ERROR(device_.wait(stage.stream));
    const uint64_t count = *stage.host_count.template as<uint32_t>();
    missed_ += count;
    if (count == 0) return {};
    const Lookup& lookup = stage.lookup;
    auto* const fetched = stage.host_rows.template as<std::byte>();
    HOTROW_RETURN_IF_ERROR(
        fetch(Missed{lookup.keys, stage.host_positions.template as<uint32_t>(), count, fetched}));
    const std::byte* rows = fetched;
    if (count > kReadDirectly) {
      rows = stage.rows.template as<std::byte>();
      HOTROW_RETURN_IF_ERROR(
          device_.copy_in(stage.rows.data(), fetched, count * lookup.row_bytes, stage.stream));
    }
    return device_.launch(
        Scatter{rows, positions_of(stage), count, lookup.row_bytes, lookup.out, lookup.stride},
        (count + Scatter::kWidth - 1) / Scatter::kWidth, stage.stream);
  }

  /// Waits for what was begun and ended.
  Status finish() {
    Status first;
    for (Stage& stage : stages_) {
      if (!stage.open) continue;
      Status status = device_.wait(stage.stream);
      if (first.ok() && !status.ok()) first = std::move(status);
    }
    return first;
  }
  /// Rows fetched since it was made.
  uint64_t missed() const { return missed_; }

 private:
  struct Stage {
    bool open = false;
    typename Device::Stream stream = {};
    Lookup lookup = {};
    Buffer<Device> keys;
    Buffer<Device> positions;
    Buffer<Device> count;
    Buffer<Device> rows;
    PinnedBuffer<Device> host_positions;
    PinnedBuffer<Device> host_count;
    PinnedBuffer<Device> host_rows;
  };

  MissRing(Device& device, Cache<Device>& cache) : device_(device), cache_(cache) {}

  static uint64_t* keys_of(Stage& stage) { return stage.keys.template as<uint64_t>(); }
  static uint32_t* positions_of(Stage& stage) { return stage.positions.template as<uint32_t>(); }

  template <class Memory>
  Status take(Memory& memory, uint64_t bytes) {
    auto taken = Memory::create(device_, bytes);
    if (!taken.ok()) return taken.status();
    memory = std::move(taken).value();
    return {};
  }
  Status open(Stage& stage, uint64_t most_keys, uint32_t most_row_bytes) {
    auto stream = device_.stream();
    if (!stream.ok()) return stream.status();
    stage.stream = stream.value();
    stage.open = true;
    HOTROW_RETURN_IF_ERROR(take(stage.keys, most_keys * sizeof(uint64_t)));
    HOTROW_RETURN_IF_ERROR(take(stage.positions, most_keys * sizeof(uint32_t)));
    HOTROW_RETURN_IF_ERROR(take(stage.count, sizeof(uint32_t)));
    HOTROW_RETURN_IF_ERROR(take(stage.rows, most_keys * most_row_bytes));
    HOTROW_RETURN_IF_ERROR(take(stage.host_positions, most_keys * sizeof(uint32_t)));
    HOTROW_RETURN_IF_ERROR(take(stage.host_count, sizeof(uint32_t)));
    return take(stage.host_rows, most_keys * most_row_bytes);
  }

  Device& device_;
  Cache<Device>& cache_;
  std::array<Stage, kStages> stages_;
  uint64_t begun_ = 0;
  uint64_t ended_ = 0;
  uint64_t missed_ = 0;
};

}  // namespace hotrow::gpu

#endif  // HOTROW_CUDA_RING_H_
