// Rows of a tile's lanes, copied by the whole tile in chunks of 16 bytes: neighbouring lanes move
// neighbouring chunks, and a few loads of each lane are on their way before the first store.
#ifndef HOTROW_CUDA_COPY_H_
#define HOTROW_CUDA_COPY_H_

#include "cuda/tile.h"
#include "cuda/view.h"

namespace hotrow::gpu {

/// Loads of one lane on their way at once.
inline constexpr unsigned kInFlight = 4;

/// Walks the chunks of as many rows as a tile has lanes: the tile's lanes take W chunks a step, row
/// after row, so that none is idle whatever a row's length. A row of `chunks` takes exactly that
/// many steps. kChunks: the length where it is known when compiling, else 0.
template <unsigned W, unsigned kChunks>
struct ChunkWalk {
  uint32_t row;
  uint32_t chunk;

  static constexpr unsigned kLength = kChunks != 0 ? kChunks : 1;
  /// Does a step take whole rows, so that a lane's place in them stays?
  static constexpr bool kWholeRows = kChunks != 0 && W % kLength == 0;

  HOTROW_BOTH static ChunkWalk begin(unsigned lane, uint32_t chunks) {
    const uint32_t length = kChunks != 0 ? kChunks : chunks;
    return {lane / length, lane % length};
  }
  HOTROW_BOTH void step(uint32_t chunks) {
    if constexpr (kWholeRows) {
      row += W / kLength;
    } else {
      const uint32_t length = kChunks != 0 ? kChunks : chunks;
      chunk += W;
      while (chunk >= length) {
        chunk -= length;
        ++row;
      }
    }
  }
};

/// to(handle, lane) = from(handle, lane), `chunks` of 16 bytes, for each of the first kRows lanes
/// of the tile whose handle is not kNoHandle; the others have no row.
template <unsigned kChunks, unsigned kRows, class Tile, class From, class To>
HOTROW_DEVICE void move_rows(const Tile& tile,
                             const typename Tile::template Lanes<uint32_t>& handles,
                             uint32_t chunks, const From& from, const To& to) {
  constexpr unsigned W = Tile::kWidth;
  using Walk = ChunkWalk<W, kChunks>;
  // Where the rows end within a step, it goes on over lanes without a handle.
  const uint32_t steps = ((kChunks != 0 ? kChunks : chunks) * kRows + W - 1) / W;
  auto walk = tile.map([&](unsigned lane) { return Walk::begin(lane, chunks); });
  for (uint32_t done = 0; done < steps; done += kInFlight) {
    typename Tile::template Lanes<Chunk> held[kInFlight];
    typename Tile::template Lanes<Walk> at[kInFlight];
    typename Tile::template Lanes<uint32_t> handle[kInFlight];
#ifdef __CUDACC__
#pragma unroll
#endif
    for (unsigned k = 0; k < kInFlight; ++k) {
      if (done + k >= steps) break;
      at[k] = walk;
      handle[k] = tile.pick(handles, [&](unsigned lane) { return walk[lane].row; });
      tile.each([&](unsigned lane) {
        if (handle[k][lane] != kNoHandle) {
          held[k][lane] =
              load_chunk(from(handle[k][lane], walk[lane].row) + size_t{walk[lane].chunk} * 16);
        }
        walk[lane].step(chunks);
      });
    }
#ifdef __CUDACC__
#pragma unroll
#endif
    for (unsigned k = 0; k < kInFlight; ++k) {
      if (done + k >= steps) break;
      tile.each([&](unsigned lane) {
        if (handle[k][lane] == kNoHandle) return;
        store_chunk(to(handle[k][lane], at[k][lane].row) + size_t{at[k][lane].chunk} * 16,
                    held[k][lane]);
      });
    }
  }
}

/// Rows of handles to those of lanes: as move_rows(), `from` gets the handle, `to` the lane.
template <unsigned kChunks, unsigned kRows, class Tile, class From, class To>
HOTROW_DEVICE void copy_rows(const Tile& tile,
                             const typename Tile::template Lanes<uint32_t>& handles,
                             uint32_t chunks, const From& from, const To& to) {
  move_rows<kChunks, kRows>(
      tile, handles, chunks, [&](uint32_t handle, uint32_t /*lane*/) { return from(handle); },
      [&](uint32_t /*handle*/, uint32_t lane) { return to(lane); });
}

/// One row, by the whole tile.
template <class Tile>
HOTROW_DEVICE void copy_row(const Tile& tile, const std::byte* from, std::byte* to,
                            uint32_t bytes) {
  tile.each([&](unsigned lane) {
    for (uint32_t at = lane * 16; at < bytes; at += Tile::kWidth * 16) {
      store_chunk(to + at, load_chunk(from + at));
    }
  });
}

}  // namespace hotrow::gpu

#endif  // HOTROW_CUDA_COPY_H_
