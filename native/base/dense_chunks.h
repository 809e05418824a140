// How a large dense parameter is cut into chunks, and which slots these have. docs/FORMATS.md,
// "Dense parameters that are cut", is the same for readers of other languages.
//
// A chunk is a run of the parameter's values in row-major order: whole rows, or a piece of one row.
// Rules that look at a row as a whole (a norm, state that is one value a row) only ever get whole
// rows, so each chunk is updated to the bits that it would have in the whole. Which cut was made is
// part of what chunk 0 is, so that it holds whatever becomes of the placement later.
//
// Pure functions.
#ifndef HOTROW_BASE_DENSE_CHUNKS_H_
#define HOTROW_BASE_DENSE_CHUNKS_H_

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "hotrow/options.h"
#include "hotrow/status.h"

namespace hotrow {

/// Most bytes of a chunk's values, but for rows that may not be cut. Smaller parameters are whole.
inline constexpr uint64_t kDenseChunkValueBytes = uint64_t{1} << 20;

/// Values of the whole, in row-major order.
struct ValueRange {
  uint64_t first = 0;
  uint64_t count = 0;
};

/// Into how many chunks, and whether by rows or within them; as DenseChunk has it.
struct DenseCut {
  uint32_t count = 1;  // 1: it is whole
  uint32_t pieces = 0;
};

/// Number of values of a valid shape.
uint64_t values_of(std::span<const uint64_t> shape);
/// May the rule be given a piece of a row? Its state is then arrays as long as the row.
bool may_cut_rows(const OptimizerOptions& optimizer);

/// The cut that gives each of `servers` (1 to 1,024) the same bytes, within a tenth, wherever rows
/// allow that. `whole` is valid.
DenseCut cut_for(const DenseOptions& whole, size_t servers);
/// What chunk `index` has.
ValueRange range_of(std::span<const uint64_t> shape, const DenseCut& cut, uint32_t index);

/// For each chunk a slot, so that those of one server have the same bytes as those of any other
/// that has slots, as near as chunks allow. Chunk 0 has the slot of the name. `owners`: the server
/// of each slot, [kSlots]. Depends on nothing else: clients that know one placement agree.
std::vector<uint16_t> spread(std::string_view name, std::span<const uint64_t> shape,
                             const DenseCut& cut, std::span<const uint16_t> owners);
std::string slots_text(std::span<const uint16_t> slots);
/// Of a valid chunk 0.
std::vector<uint16_t> slots_of(const DenseChunk& first);

/// The slot of a dense parameter that is whole.
uint32_t slot_of_name(std::string_view name);
/// The slot of what a store has under that name.
uint32_t slot_of_dense(std::string_view name, const DenseChunk& chunk);

/// Chunk `index` is this in its server's store: chunk 0 has the parameter's name.
std::string chunk_name(std::string_view whole, uint32_t index);
/// The name of the parameter that a chunk of that name would be of; that of the whole else.
std::string_view whole_name(std::string_view name);

/// Options of one chunk. `whole` has its final seed.
DenseOptions chunk_options(const DenseOptions& whole, const DenseCut& cut, uint32_t index,
                           std::span<const uint16_t> slots);
/// Options of the whole that a chunk is of; of what is whole its own.
DenseOptions whole_options(const DenseOptions& options);

/// ERR_INVALID_ARGUMENT when they say of a chunk what cannot be; all else is valid.
Status check_chunk(const DenseOptions& options);

}  // namespace hotrow

#endif  // HOTROW_BASE_DENSE_CHUNKS_H_
