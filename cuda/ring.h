// MissRing<Device>: lookups whose misses come from the host, for callers whose keys are in pinned
// memory and whose output stays on the device.
//
//   begin   the device reads the keys over the bus; rows that are there go to the output; positions
//           of the others go to the host, and then their count, which the host waits for
//   end     the caller fetches their rows into a pinned block; the device takes them from there to
//           their places
//
// Nothing is copied by the copy engines: keys would queue behind rows there, all positions would go
// down for few that are set, and while an engine reads what the host's threads have just written,
// these threads fetch a quarter slower than while a kernel does (docs/PERFORMANCE.md).
//
// A stage is a stream of its own, so that while the host fetches the rows of one batch, the device
// looks up the next and takes in those of the one before. The fetching is the caller's, on its own
// threads: at hit rates worth a cache it is what binds. So begin() waits for nothing, and may be
// called by fetch() too, while the caller's other threads are at work.
//
// One thread at a time. Between begin() and its end() nothing may change the cache's rows. A
// failure of the device is kept: every later call answers with it.
#ifndef HOTROW_CUDA_RING_H_
#define HOTROW_CUDA_RING_H_

#include <array>
#include <atomic>
#include <memory>

#include "base/sync.h"
#include "cuda/cache.h"
#include "cuda/memory.h"
#include "cuda/scatter.h"

namespace hotrow::gpu {

template <class Device>
class MissRing {
 public:
  /// One whose rows are fetched, two that are looked up meanwhile, since a lookup takes longer than
  /// the fetching of few rows, and one to be begun.
  static constexpr uint64_t kStages = 4;

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

  /// Batches begun and not ended, the one that is being ended too.
  uint64_t under_way() const { return begun_ - ended_; }

  /// Starts a batch. At most kStages are under way.
  Status begin(const Lookup& lookup) {
    HOTROW_RETURN_IF_ERROR(failure_);
    if (under_way() == kStages) return Status::conflict("gpu: every stage has a batch under way");
    Stage& stage = stages_[begun_ % kStages];
    stage.lookup = lookup;
    announced(stage).store(kPending, std::memory_order_relaxed);
    ++begun_;
    auto* const count = stage.count.template as<uint32_t>();
    // On the stage's stream, and so after its batch before.
    HOTROW_RETURN_IF_ERROR(
        keep(cache_.lookup(lookup.keys, lookup.n, lookup.output, lookup.out, lookup.stride,
                           {positions_of(stage), count}, lookup.touch, stage.stream)));
    return keep(
        device_.launch(Announce{count, stage.host_count.template as<uint32_t>()}, 1, stage.stream));
  }

  /// Ends the oldest batch under way: fetch(Missed) -> Status, on this thread, where rows are
  /// missing. The output is whole once finish() has returned, or once kStages batches later one has
  /// ended.
  template <class Fetch>
  Status end(const Fetch& fetch) {
    HOTROW_RETURN_IF_ERROR(failure_);
    if (under_way() == 0) return Status::conflict("gpu: no batch is under way");
    Stage& stage = stages_[ended_ % kStages];
    Status status = wait(stage);
    if (status.ok()) status = fill_in(stage, fetch);
    ++ended_;
    return status;
  }

  /// Waits for what was begun and ended.
  Status finish() {
    for (Stage& stage : stages_) {
      if (stage.open) (void)keep(device_.wait(stage.stream));
    }
    return failure_;
  }
  /// Rows fetched since it was made.
  uint64_t missed() const { return missed_; }

 private:
  /// Of a count that is not known yet.
  static constexpr uint32_t kPending = UINT32_MAX;

  struct Stage {
    bool open = false;
    typename Device::Stream stream = {};
    Lookup lookup = {};
    Buffer<Device> count;  // 0 between batches
    PinnedBuffer<Device> host_count;
    PinnedBuffer<Device> positions;
    PinnedBuffer<Device> rows;
  };

  MissRing(Device& device, Cache<Device>& cache) : device_(device), cache_(cache) {}

  static uint32_t* positions_of(Stage& stage) { return stage.positions.template as<uint32_t>(); }
  /// Released by Announce, after the positions; acquired by wait().
  static std::atomic_ref<uint32_t> announced(Stage& stage) {
    return std::atomic_ref<uint32_t>(*stage.host_count.template as<uint32_t>());
  }

  Status keep(Status status) {
    if (!status.ok() && failure_.ok()) failure_ = status;
    return status;
  }
  /// Until the count is known. Mostly it is: so a look at memory, not a call of the driver.
  Status wait(Stage& stage) {
    const auto is_known = [&] {
      return announced(stage).load(std::memory_order_acquire) != kPending;
    };
    if (spin_briefly(is_known)) return {};
    HOTROW_RETURN_IF_ERROR(keep(device_.wait(stage.stream)));
    if (is_known()) return {};
    return keep({StatusCode::kInternal, "gpu: a lookup has ended without a count of its misses"});
  }
  template <class Fetch>
  Status fill_in(Stage& stage, const Fetch& fetch) {
    const uint64_t count = announced(stage).load(std::memory_order_relaxed);
    missed_ += count;
    if (count == 0) return {};
    const Lookup& lookup = stage.lookup;
    auto* const rows = stage.rows.template as<std::byte>();
    HOTROW_RETURN_IF_ERROR(fetch(Missed{lookup.keys, positions_of(stage), count, rows}));
    return keep(device_.launch(
        Scatter{rows, positions_of(stage), count, lookup.row_bytes, lookup.out, lookup.stride},
        (count + Scatter::kWidth - 1) / Scatter::kWidth, stage.stream));
  }

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
    HOTROW_RETURN_IF_ERROR(take(stage.count, sizeof(uint32_t)));
    HOTROW_RETURN_IF_ERROR(take(stage.host_count, sizeof(uint32_t)));
    HOTROW_RETURN_IF_ERROR(take(stage.positions, most_keys * sizeof(uint32_t)));
    HOTROW_RETURN_IF_ERROR(take(stage.rows, most_keys * most_row_bytes));
    return device_.fill(stage.count.data(), 0, sizeof(uint32_t), stage.stream);
  }

  Device& device_;
  Cache<Device>& cache_;
  std::array<Stage, kStages> stages_;
  uint64_t begun_ = 0;
  uint64_t ended_ = 0;
  uint64_t missed_ = 0;
  Status failure_;
};

}  // namespace hotrow::gpu

#endif  // HOTROW_CUDA_RING_H_
