// StagedCache's whole rows: taken in, handed out, changed. Included by staged_cache.h.
#ifndef HOTROW_CUDA_STAGED_ROWS_INL_H_
#define HOTROW_CUDA_STAGED_ROWS_INL_H_

#include "cuda/staged_cache.h"

namespace hotrow::gpu {

/// Keys, values and state of rows [first, first + n), which lie closer in the caller's arrays.
template <class Device>
Status StagedCache<Device>::send_rows(const TierRows& rows, uint64_t first, uint64_t n,
                                      Stage& stage) {
  const CacheView& view = cache_->view();
  const uint64_t bytes = row_bytes();
  HOTROW_RETURN_IF_ERROR(send(&StageArrays::keys, rows.keys + first, n, stage));
  for (uint64_t i = 0; i < n; ++i) {
    std::byte* const to = stage.host.values + i * view.value_stride;
    std::copy_n(rows.values + (first + i) * bytes, bytes, to);
    std::fill(to + bytes, to + view.value_stride, std::byte{0});
  }
  HOTROW_RETURN_IF_ERROR(
      copy_in(stage.device.values, stage.host.values, n * view.value_stride, stage));
  if (!has_state() || rows.state == nullptr) return {};
  const uint64_t state_bytes = view.state_values * sizeof(float);
  for (uint64_t i = 0; i < n; ++i) {
    std::byte* const to = stage.host.state + i * view.state_stride;
    std::copy_n(reinterpret_cast<const std::byte*>(rows.state + (first + i) * view.state_values),
                state_bytes, to);
    std::fill(to + state_bytes, to + view.state_stride, std::byte{0});
  }
  return copy_in(stage.device.state, stage.host.state, n * view.state_stride, stage);
}

/// Rows of a stage to places [first, first + n) of the caller's.
template <class Device>
void StagedCache<Device>::unpack(const StageArrays& from, bool evicted, uint64_t n,
                                 const TierRows& to, uint64_t first) const {
  const CacheView& view = cache_->view();
  const RowList rows = evicted ? from.evicted() : from.rows();
  const uint64_t bytes = row_bytes();
  for (uint64_t i = 0; i < n; ++i) {
    to.keys[first + i] = rows.keys[i];
    std::copy_n(rows.values + i * view.value_stride, bytes, to.values + (first + i) * bytes);
    if (!has_state() || to.state == nullptr) continue;
    std::copy_n(reinterpret_cast<const float*>(rows.state + i * view.state_stride),
                view.state_values, to.state + (first + i) * view.state_values);
  }
}

template <class Device>
Status StagedCache<Device>::fetch_evicted(uint64_t count, Stage& stage) {
  const CacheView& view = cache_->view();
  HOTROW_RETURN_IF_ERROR(fetch(&StageArrays::evicted_keys, count, stage));
  HOTROW_RETURN_IF_ERROR(fetch(&StageArrays::evicted_values, count * view.value_stride, stage));
  if (has_state()) {
    HOTROW_RETURN_IF_ERROR(fetch(&StageArrays::evicted_state, count * view.state_stride, stage));
  }
  return device_->wait(stage.stream);
}

// One chunk after the other: each must see what the one before has evicted.
template <class Device>
Status StagedCache<Device>::insert(TierInsert& insert) {
  insert.evicted->n = insert.refused = 0;
  const std::vector<Stage*> borrowed = stages_->borrow(1);
  Stage& stage = *borrowed.front();
  const auto chunk = [&](uint64_t first, uint64_t n) {
    HOTROW_RETURN_IF_ERROR(send_rows(insert.rows, first, n, stage));
    if (insert.uses != nullptr) {
      HOTROW_RETURN_IF_ERROR(send(&StageArrays::uses, insert.uses + first, n, stage));
    }
    if (insert.wishes != nullptr) {
      HOTROW_RETURN_IF_ERROR(send(&StageArrays::wishes, insert.wishes + first, n, stage));
    }
    HOTROW_RETURN_IF_ERROR(begin_misses(stage));
    HOTROW_RETURN_IF_ERROR(
        cache_->insert({.rows = stage.device.rows(),
                        .n = n,
                        .uses = insert.uses != nullptr ? stage.device.uses : nullptr,
                        .wishes = insert.wishes != nullptr ? stage.device.wishes : nullptr,
                        .evicted = stage.device.evicted(),
                        .evicted_count = stage.device.count,
                        .buckets = stage.scratch.buckets,
                        .order = stage.scratch.order,
                        .scratch = stage.scratch.sorting},
                       insert.moment, stage.stream));
    HOTROW_RETURN_IF_ERROR(fetch(&StageArrays::count, 1, stage));
    HOTROW_RETURN_IF_ERROR(device_->wait(stage.stream));
    const uint64_t evicted = *stage.host.count;
    if (evicted == 0) return Status();
    HOTROW_RETURN_IF_ERROR(fetch_evicted(evicted, stage));
    unpack(stage.host, true, evicted, *insert.evicted, insert.evicted->n);
    insert.evicted->n += evicted;
    return Status();
  };
  const auto counted = [&](uint64_t& refused) {
    HOTROW_RETURN_IF_ERROR(
        copy_out(stage.host.counters, cache_->counters(), kCounterStripes, stage));
    HOTROW_RETURN_IF_ERROR(device_->wait(stage.stream));
    refused = sum_of(stage.host.counters).refused;
    return Status();
  };
  uint64_t before = 0;
  Status status = counted(before);
  for (uint64_t first = 0; status.ok() && first < insert.rows.n; first += stages_->rows()) {
    status = chunk(first, std::min(stages_->rows(), insert.rows.n - first));
  }
  if (status.ok()) status = counted(insert.refused);
  insert.refused -= before;
  stages_->give_back(borrowed);
  return status;
}

/// One launch for each step that the batch has.
template <class Device>
Status StagedCache<Device>::push_steps(const TierPush& push, uint64_t n, const Stage& stage) {
  PushTask task = {.cache = cache_->view(),
                   .handles = stage.device.handles,
                   .n = n,
                   .gradients = stage.device.in,
                   .step_of = push.step_of != nullptr ? stage.device.step_of : nullptr,
                   .random = push.random != nullptr ? stage.device.random : nullptr};
  const uint32_t steps = push.step_of != nullptr ? push.step_count : 1;
  for (uint32_t which = 0; which < steps; ++which) {
    task.step = push.steps[which];
    task.which = static_cast<uint8_t>(which);
    HOTROW_RETURN_IF_ERROR(cache_->push(task, stage.stream));
  }
  return {};
}

template <class Device>
Status StagedCache<Device>::push(const TierPush& push, TierMisses& misses) {
  misses.count = 0;
  const uint64_t dim = cache_->spec().dim;
  Ring ring(*stages_, push.n);
  return ring.run(
      [&](Stage& stage, uint64_t first, uint64_t n) {
        HOTROW_RETURN_IF_ERROR(send(&StageArrays::keys, push.keys + first, n, stage));
        HOTROW_RETURN_IF_ERROR(
            send(&StageArrays::in, push.gradients + first * dim, n * dim, stage));
        if (push.step_of != nullptr) {
          HOTROW_RETURN_IF_ERROR(send(&StageArrays::step_of, push.step_of + first, n, stage));
        }
        if (push.random != nullptr) {
          HOTROW_RETURN_IF_ERROR(send(&StageArrays::random, push.random + first, n, stage));
        }
        HOTROW_RETURN_IF_ERROR(begin_misses(stage));
        HOTROW_RETURN_IF_ERROR(cache_->find(stage.device.keys, n, stage.device.handles,
                                            stage.device.miss_list(),
                                            cache_->touch(push.moment, push.touch), stage.stream));
        HOTROW_RETURN_IF_ERROR(push_steps(push, n, stage));
        return fetch_misses(n, stage);
      },
      [&](Stage& stage, uint64_t first, uint64_t) {
        take_misses(stage, first, misses);
        return Status();
      });
}

template <class Device>
Status StagedCache<Device>::assign(const TierAssign& assign, TierMisses& misses) {
  misses.count = 0;
  Ring ring(*stages_, assign.rows.n);
  return ring.run(
      [&](Stage& stage, uint64_t first, uint64_t n) {
        HOTROW_RETURN_IF_ERROR(send_rows(assign.rows, first, n, stage));
        HOTROW_RETURN_IF_ERROR(begin_misses(stage));
        RowList rows = stage.device.rows();
        if (assign.rows.state == nullptr) rows.state = nullptr;
        HOTROW_RETURN_IF_ERROR(
            cache_->assign(rows, n, assign.dirty, stage.device.miss_list(), stage.stream));
        return fetch_misses(n, stage);
      },
      [&](Stage& stage, uint64_t first, uint64_t) {
        take_misses(stage, first, misses);
        return Status();
      });
}

template <class Device>
Status StagedCache<Device>::read(const TierRows& rows, TierMisses& misses) {
  misses.count = 0;
  const CacheView& view = cache_->view();
  Ring ring(*stages_, rows.n);
  return ring.run(
      [&](Stage& stage, uint64_t first, uint64_t n) {
        // The caller's rows go up too: those of misses come back as they were.
        HOTROW_RETURN_IF_ERROR(send_rows(rows, first, n, stage));
        HOTROW_RETURN_IF_ERROR(begin_misses(stage));
        HOTROW_RETURN_IF_ERROR(
            cache_->read(stage.device.rows(), n, stage.device.miss_list(), stage.stream));
        HOTROW_RETURN_IF_ERROR(fetch(&StageArrays::values, n * view.value_stride, stage));
        if (has_state()) {
          HOTROW_RETURN_IF_ERROR(fetch(&StageArrays::state, n * view.state_stride, stage));
        }
        return fetch_misses(n, stage);
      },
      [&](Stage& stage, uint64_t first, uint64_t n) {
        unpack(stage.host, false, n, rows, first);
        take_misses(stage, first, misses);
        return Status();
      });
}

template <class Device>
Status StagedCache<Device>::hold(TierHold& hold, TierMisses& misses) {
  misses.count = hold.changed = 0;
  Ring ring(*stages_, hold.n);
  return ring.run(
      [&](Stage& stage, uint64_t first, uint64_t n) {
        HOTROW_RETURN_IF_ERROR(send(&StageArrays::keys, hold.keys + first, n, stage));
        HOTROW_RETURN_IF_ERROR(begin_misses(stage));
        HOTROW_RETURN_IF_ERROR(
            device_->fill(stage.device.wide_count, 0, sizeof(uint64_t), stage.stream));
        HOTROW_RETURN_IF_ERROR(cache_->hold(stage.device.keys, n, hold.how,
                                            stage.device.miss_list(), stage.device.wide_count,
                                            stage.stream));
        HOTROW_RETURN_IF_ERROR(fetch(&StageArrays::wide_count, 1, stage));
        return fetch_misses(n, stage);
      },
      [&](Stage& stage, uint64_t first, uint64_t) {
        hold.changed += *stage.host.wide_count;
        take_misses(stage, first, misses);
        return Status();
      });
}

template <class Device>
Status StagedCache<Device>::let_go() {
  Ring ring(*stages_, 1);
  return ring.run([&](Stage& stage, uint64_t, uint64_t) { return cache_->let_go(stage.stream); },
                  [](Stage&, uint64_t, uint64_t) { return Status(); });
}

template <class Device>
Status StagedCache<Device>::erase(const uint64_t* keys, uint64_t n) {
  Ring ring(*stages_, n);
  return ring.run(
      [&](Stage& stage, uint64_t first, uint64_t rows) {
        HOTROW_RETURN_IF_ERROR(send(&StageArrays::keys, keys + first, rows, stage));
        return cache_->erase(stage.device.keys, rows, stage.stream);
      },
      [](Stage&, uint64_t, uint64_t) { return Status(); });
}

// Buckets are gone through in pieces that fit a stage and what is left of the caller's arrays even
// if all of their rows are dirty.
template <class Device>
Status StagedCache<Device>::flush(TierRows& rows, uint64_t& from) {
  const uint64_t room = rows.n;
  const uint64_t buckets = cache_->view().buckets;
  rows.n = 0;
  if (room < kWays) return Status::invalid_argument("gpu: a flush needs room for 8 rows");
  const std::vector<Stage*> borrowed = stages_->borrow(1);
  Stage& stage = *borrowed.front();
  const auto piece = [&](uint64_t count) {
    HOTROW_RETURN_IF_ERROR(begin_misses(stage));
    HOTROW_RETURN_IF_ERROR(
        cache_->flush(from, count, stage.device.evicted(), stage.device.count, stage.stream));
    HOTROW_RETURN_IF_ERROR(fetch(&StageArrays::count, 1, stage));
    HOTROW_RETURN_IF_ERROR(device_->wait(stage.stream));
    const uint64_t found = *stage.host.count;
    if (found != 0) {
      HOTROW_RETURN_IF_ERROR(fetch_evicted(found, stage));
      unpack(stage.host, true, found, rows, rows.n);
      rows.n += found;
    }
    return Status();
  };
  Status status;
  while (status.ok() && from < buckets && room - rows.n >= kWays) {
    const uint64_t fit = std::min(room - rows.n, stages_->rows()) / kWays;
    const uint64_t count = std::min(fit, buckets - from);
    status = piece(count);
    from += count;
  }
  stages_->give_back(borrowed);
  flushed_.fetch_add(rows.n, std::memory_order_relaxed);
  if (from >= buckets) from = UINT64_MAX;
  return status;
}

template <class Device>
Status StagedCache<Device>::clear() {
  Ring ring(*stages_, 1);
  return ring.run([&](Stage& stage, uint64_t, uint64_t) { return cache_->clear(stage.stream); },
                  [](Stage&, uint64_t, uint64_t) { return Status(); });
}

template <class Device>
Status StagedCache<Device>::stats(TierStats& stats) {
  Ring ring(*stages_, 1);
  return ring.run(
      [&](Stage& stage, uint64_t, uint64_t) {
        HOTROW_RETURN_IF_ERROR(
            device_->fill(stage.device.wide_count, 0, sizeof(uint64_t), stage.stream));
        HOTROW_RETURN_IF_ERROR(cache_->count_dirty(stage.device.wide_count, stage.stream));
        HOTROW_RETURN_IF_ERROR(fetch(&StageArrays::wide_count, 1, stage));
        return copy_out(stage.host.counters, cache_->counters(), kCounterStripes, stage);
      },
      [&](Stage& stage, uint64_t, uint64_t) {
        const Counters counters = sum_of(stage.host.counters);
        stats = {.capacity = cache_->view().rows(),
                 .rows = counters.rows,
                 .dirty = *stage.host.wide_count,
                 .bytes = cache_->bytes() + stages_->bytes(),
                 .lookups = lookups_.load(std::memory_order_relaxed),
                 .hits = hits_.load(std::memory_order_relaxed),
                 .inserted = counters.inserted,
                 .evicted = counters.evicted,
                 .evicted_dirty = counters.evicted_dirty,
                 .refused = counters.refused,
                 .flushed = flushed_.load(std::memory_order_relaxed),
                 .bytes_to_device = traffic_.in.load(std::memory_order_relaxed),
                 .bytes_from_device = traffic_.out.load(std::memory_order_relaxed)};
        return Status();
      });
}

}  // namespace hotrow::gpu

#endif  // HOTROW_CUDA_STAGED_ROWS_INL_H_
