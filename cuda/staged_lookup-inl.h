// StagedCache's lookups: rows of keys, which keys are here, pooled bags. Included by
// staged_cache.h.
#ifndef HOTROW_CUDA_STAGED_LOOKUP_INL_H_
#define HOTROW_CUDA_STAGED_LOOKUP_INL_H_

#include "cuda/staged_cache.h"

namespace hotrow::gpu {

template <class Device>
Status StagedCache<Device>::lookup(const TierLookup& lookup, TierMisses& misses) {
  HOTROW_RETURN_IF_ERROR(look_up(lookup, misses));
  count_lookups(lookup.n, misses.count);
  return {};
}

template <class Device>
Status StagedCache<Device>::look_up(const TierLookup& lookup, TierMisses& misses) {
  misses.count = 0;
  const uint64_t dim = cache_->spec().dim;
  Ring ring(*stages_, lookup.n);
  return ring.run(
      [&](Stage& stage, uint64_t first, uint64_t n) {
        HOTROW_RETURN_IF_ERROR(send(&StageArrays::keys, lookup.keys + first, n, stage));
        HOTROW_RETURN_IF_ERROR(begin_misses(stage));
        HOTROW_RETURN_IF_ERROR(cache_->lookup(
            stage.device.keys, n, Output::kF32, reinterpret_cast<std::byte*>(stage.device.out),
            dim * sizeof(float), stage.device.miss_list(),
            cache_->touch(lookup.moment, lookup.touch), stage.stream));
        HOTROW_RETURN_IF_ERROR(fetch(&StageArrays::out, n * dim, stage));
        return fetch_misses(n, stage);
      },
      [&](Stage& stage, uint64_t first, uint64_t n) {
        const uint64_t before = misses.count;
        take_misses(stage, first, misses);
        uint64_t missed = before;
        for (uint64_t i = 0; i < n; ++i) {
          if (missed < misses.count && misses.positions[missed] == first + i) {
            ++missed;
            continue;
          }
          std::copy_n(stage.host.out + i * dim, dim, lookup.rows + (first + i) * lookup.stride);
        }
        return Status();
      });
}

template <class Device>
Status StagedCache<Device>::lookup_to(const TierLookup& lookup, float* out, TierMisses& misses) {
  misses.count = 0;
  const uint64_t dim = cache_->spec().dim;
  Ring ring(*stages_, lookup.n);
  HOTROW_RETURN_IF_ERROR(ring.run(
      [&](Stage& stage, uint64_t first, uint64_t n) {
        HOTROW_RETURN_IF_ERROR(send(&StageArrays::keys, lookup.keys + first, n, stage));
        HOTROW_RETURN_IF_ERROR(begin_misses(stage));
        HOTROW_RETURN_IF_ERROR(cache_->lookup(
            stage.device.keys, n, Output::kF32, reinterpret_cast<std::byte*>(out + first * dim),
            dim * sizeof(float), stage.device.miss_list(),
            cache_->touch(lookup.moment, lookup.touch), stage.stream));
        return fetch_misses(n, stage);
      },
      [&](Stage& stage, uint64_t first, uint64_t) {
        take_misses(stage, first, misses);
        return Status();
      }));
  count_lookups(lookup.n, misses.count);
  return {};
}

template <class Device>
Status StagedCache<Device>::fill_output(float* out, const uint32_t* positions, const float* rows,
                                        uint64_t n) {
  const uint32_t dim = cache_->spec().dim;
  Ring ring(*stages_, n);
  return ring.run(
      [&](Stage& stage, uint64_t first, uint64_t count) {
        HOTROW_RETURN_IF_ERROR(send(&StageArrays::misses, positions + first, count, stage));
        HOTROW_RETURN_IF_ERROR(send(&StageArrays::in, rows + first * dim, count * dim, stage));
        return device_->launch(PlaceRows{stage.device.in, stage.device.misses, dim, out}, count,
                               stage.stream);
      },
      [](Stage&, uint64_t, uint64_t) { return Status(); });
}

template <class Device>
Status StagedCache<Device>::find(const uint64_t* keys, uint64_t n, TierMisses& misses) {
  misses.count = 0;
  Ring ring(*stages_, n);
  return ring.run(
      [&](Stage& stage, uint64_t first, uint64_t rows) {
        HOTROW_RETURN_IF_ERROR(send(&StageArrays::keys, keys + first, rows, stage));
        HOTROW_RETURN_IF_ERROR(begin_misses(stage));
        HOTROW_RETURN_IF_ERROR(cache_->find(stage.device.keys, rows, stage.device.handles,
                                            stage.device.miss_list(), {}, stage.stream));
        return fetch_misses(rows, stage);
      },
      [&](Stage& stage, uint64_t first, uint64_t) {
        take_misses(stage, first, misses);
        return Status();
      });
}

/// Whole bags whose keys fit a stage, or one that is longer.
template <class Device>
struct StagedCache<Device>::PoolChunk {
  uint64_t bag, bags;            // first, and how many
  uint64_t key, keys;            // first position, and how many
  uint64_t missed_from, missed;  // of the list of missed rows
};

template <class Device>
Status StagedCache<Device>::pool(const TierPool& pool) {
  const uint64_t most = stages_->rows();
  uint64_t missed = 0;
  for (uint64_t bag = 0; bag < pool.bags;) {
    PoolChunk chunk = {bag, 0, pool.offsets[bag], 0, missed, 0};
    while (bag < pool.bags && chunk.bags < most) {
      const uint64_t keys = pool.offsets[bag + 1] - chunk.key;
      if (keys > most && chunk.bags > 0) break;
      ++chunk.bags;
      ++bag;
      chunk.keys = keys;
      if (keys > most) break;
    }
    while (missed < pool.missed && pool.missed_positions[missed] < chunk.key + chunk.keys) ++missed;
    chunk.missed = missed - chunk.missed_from;
    HOTROW_RETURN_IF_ERROR(chunk.keys > most ? pool_long_bag(pool, chunk)
                                             : pool_chunk(pool, chunk));
  }
  count_lookups(pool.n, pool.missed);
  return {};
}

template <class Device>
Status StagedCache<Device>::pool_chunk(const TierPool& pool, const PoolChunk& chunk) {
  const uint64_t dim = cache_->spec().dim;
  Ring ring(*stages_, 1);
  return ring.run(
      [&](Stage& stage, uint64_t, uint64_t) {
        HOTROW_RETURN_IF_ERROR(send(&StageArrays::keys, pool.keys + chunk.key, chunk.keys, stage));
        for (uint64_t i = 0; i <= chunk.bags; ++i) {
          stage.host.offsets[i] = static_cast<uint32_t>(pool.offsets[chunk.bag + i] - chunk.key);
        }
        for (uint64_t i = 0; i < chunk.missed; ++i) {
          stage.host.misses[i] =
              static_cast<uint32_t>(pool.missed_positions[chunk.missed_from + i] - chunk.key);
        }
        HOTROW_RETURN_IF_ERROR(
            copy_in(stage.device.offsets, stage.host.offsets, chunk.bags + 1, stage));
        HOTROW_RETURN_IF_ERROR(
            copy_in(stage.device.misses, stage.host.misses, chunk.missed, stage));
        HOTROW_RETURN_IF_ERROR(send(&StageArrays::in, pool.missed_rows + chunk.missed_from * dim,
                                    chunk.missed * dim, stage));
        if (pool.weights != nullptr) {
          HOTROW_RETURN_IF_ERROR(
              send(&StageArrays::weights, pool.weights + chunk.key, chunk.keys, stage));
        }
        HOTROW_RETURN_IF_ERROR(cache_->find(stage.device.keys, chunk.keys, stage.device.handles, {},
                                            cache_->touch(pool.moment, pool.touch), stage.stream));
        HOTROW_RETURN_IF_ERROR(
            cache_->pool({.handles = stage.device.handles,
                          .offsets = stage.device.offsets,
                          .bags = chunk.bags,
                          .weights = pool.weights != nullptr ? stage.device.weights : nullptr,
                          .pooling = pool.pooling,
                          .missed_positions = stage.device.misses,
                          .missed_rows = stage.device.in,
                          .missed = chunk.missed,
                          .out = stage.device.out,
                          .stride = dim},
                         stage.stream));
        return fetch(&StageArrays::out, chunk.bags * dim, stage);
      },
      [&](Stage& stage, uint64_t, uint64_t) {
        for (uint64_t i = 0; i < chunk.bags; ++i) {
          std::copy_n(stage.host.out + i * dim, dim, pool.out + (chunk.bag + i) * pool.stride);
        }
        return Status();
      });
}

// Its rows come down and are summed here, by the same arithmetic.
template <class Device>
Status StagedCache<Device>::pool_long_bag(const TierPool& pool, const PoolChunk& chunk) {
  const uint64_t dim = cache_->spec().dim;
  std::vector<float> rows(chunk.keys * dim);
  std::vector<uint32_t> positions(chunk.keys);
  TierMisses misses = {positions.data(), 0};
  HOTROW_RETURN_IF_ERROR(look_up(
      {pool.keys + chunk.key, chunk.keys, rows.data(), dim, pool.touch, pool.moment}, misses));
  for (uint64_t i = 0; i < chunk.missed; ++i) {
    const uint64_t at = pool.missed_positions[chunk.missed_from + i] - chunk.key;
    std::copy_n(pool.missed_rows + (chunk.missed_from + i) * dim, dim, rows.data() + at * dim);
  }
  float* const out = pool.out + chunk.bag * pool.stride;
  std::fill_n(out, dim, 0.0F);
  for (uint64_t i = 0; i < chunk.keys; ++i) {
    for (uint64_t j = 0; j < dim; ++j) {
      const float value = rows[i * dim + j];
      out[j] += pool.weights != nullptr ? pool.weights[chunk.key + i] * value : value;
    }
  }
  const float scale = bag_scale(pool.weights, chunk.key, chunk.key + chunk.keys, pool.pooling);
  for (uint64_t j = 0; scale != 1.0F && j < dim; ++j) out[j] *= scale;
  return {};
}

}  // namespace hotrow::gpu

#endif  // HOTROW_CUDA_STAGED_LOOKUP_INL_H_
