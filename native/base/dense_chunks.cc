#include "base/dense_chunks.h"

#include <algorithm>
#include <charconv>
#include <functional>
#include <numeric>
#include <utility>

#include "base/hash.h"
#include "base/slot_map.h"

namespace hotrow {

namespace {

// With so many equal shares a server, servers that have one more are within a tenth of the others,
// and shares that differ by a row or a value are, too.
constexpr uint64_t kEvenShares = 12;
// Between a parameter's name and the number of a chunk.
constexpr char kSeparator = '\x1f';
constexpr size_t kSlotDigits = 4;

uint64_t ceil_div(uint64_t n, uint64_t by) { return (n + by - 1) / by; }
uint64_t to_multiple(uint64_t n, uint64_t of) { return ceil_div(n, of) * of; }

Status wrong_chunk(const std::string& what) { return Status::invalid_argument("chunk: " + what); }

// Each row in so many pieces that they are small enough, and even over the servers: as many for
// each server, or kEvenShares and more.
uint64_t pieces_for(uint64_t rows, uint64_t columns, uint64_t servers) {
  const uint64_t small = ceil_div(columns * sizeof(float), kDenseChunkValueBytes);
  const uint64_t alike = to_multiple(small, servers / std::gcd(rows, servers));
  const uint64_t many = std::max(small, ceil_div(kEvenShares * servers, rows));
  return std::min(std::min(alike, many), columns);
}

}  // namespace

uint64_t values_of(std::span<const uint64_t> shape) {
  uint64_t size = 1;
  for (const uint64_t n : shape) size *= n;
  return size;
}

bool may_cut_rows(const OptimizerOptions& optimizer) {
  if (optimizer.clip_norm > 0) return false;
  switch (optimizer.kind) {
    case OptimizerKind::kRowwiseAdagrad:
    case OptimizerKind::kRowwiseAdam:
    case OptimizerKind::kAdagradDecay:  // one value of its state is the row's
    case OptimizerKind::kGroupFtrl:
    case OptimizerKind::kLamb:
    case OptimizerKind::kLars:
      return false;
    default:
      return true;
  }
}

DenseCut cut_for(const DenseOptions& whole, size_t servers) {
  const uint64_t values = values_of(whole.shape);
  const uint64_t columns = whole.shape.back();
  const uint64_t rows = values / columns;
  if (values * sizeof(float) <= kDenseChunkValueBytes) return {};
  const uint64_t row_bytes = columns * sizeof(float);
  const bool even_rows = rows >= kEvenShares * servers && row_bytes <= kDenseChunkValueBytes;
  if (!even_rows && may_cut_rows(whole.optimizer)) {
    const uint64_t pieces = pieces_for(rows, columns, servers);
    return {.count = static_cast<uint32_t>(rows * pieces), .pieces = static_cast<uint32_t>(pieces)};
  }
  const uint64_t rows_a_chunk = std::max<uint64_t>(kDenseChunkValueBytes / row_bytes, 1);
  const uint64_t most = std::min<uint64_t>(rows, kMaxDenseChunks);
  const uint64_t count = std::min(to_multiple(ceil_div(rows, rows_a_chunk), servers), most);
  return {.count = static_cast<uint32_t>(count), .pieces = 0};
}

ValueRange range_of(std::span<const uint64_t> shape, const DenseCut& cut, uint32_t index) {
  const uint64_t columns = shape.back();
  const uint64_t rows = values_of(shape) / columns;
  if (cut.pieces == 0) {
    const uint64_t first = rows * index / cut.count;
    const uint64_t end = rows * (index + uint64_t{1}) / cut.count;
    return {.first = first * columns, .count = (end - first) * columns};
  }
  const uint64_t piece = index % cut.pieces;
  const uint64_t first = columns * piece / cut.pieces;
  const uint64_t end = columns * (piece + 1) / cut.pieces;
  return {.first = index / cut.pieces * columns + first, .count = end - first};
}

std::vector<uint16_t> spread(std::string_view name, std::span<const uint64_t> shape,
                             const DenseCut& cut, std::span<const uint16_t> owners) {
  const size_t servers = *std::ranges::max_element(owners) + size_t{1};
  std::vector<std::vector<uint16_t>> theirs(servers);
  for (uint32_t slot = 0; slot < kSlots; ++slot) {
    theirs[owners[slot]].push_back(static_cast<uint16_t>(slot));
  }
  using Load = std::pair<uint64_t, uint64_t>;  // chunks, then values
  std::vector<Load> load(servers);
  std::vector<uint16_t> slots(cut.count);
  const auto give = [&](uint32_t chunk, uint32_t slot) {
    slots[chunk] = static_cast<uint16_t>(slot);
    Load& its = load[owners[slot]];
    its.first += 1;
    its.second += range_of(shape, cut, chunk).count;
  };
  const uint64_t hash = xxh3(name);
  give(0, placement_slot(hash));
  // Chunks are of two sizes, which differ by a row or a value: as many of each to every server.
  std::vector<uint32_t> order(cut.count - 1);
  std::iota(order.begin(), order.end(), 1U);
  std::ranges::stable_sort(order, std::ranges::greater(),
                           [&](uint32_t chunk) { return range_of(shape, cut, chunk).count; });
  for (const uint32_t chunk : order) {
    size_t least = servers;
    for (size_t server = 0; server < servers; ++server) {
      if (theirs[server].empty()) continue;
      if (least == servers || load[server] < load[least]) least = server;
    }
    // Any of its slots, so that those that move later take a share of the chunks with them.
    const auto& its = theirs[least];
    give(chunk, its[multiply_high(mix64(hash ^ mix64(chunk)), its.size())]);
  }
  return slots;
}

std::string slots_text(std::span<const uint16_t> slots) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  text.reserve(slots.size() * kSlotDigits);
  for (const uint16_t slot : slots) {
    for (int shift = 12; shift >= 0; shift -= 4) text += kDigits[slot >> shift & 15];
  }
  return text;
}

std::vector<uint16_t> slots_of(const DenseChunk& first) {
  std::vector<uint16_t> slots(first.slots.size() / kSlotDigits);
  for (size_t i = 0; i < slots.size(); ++i) {
    const char* const digits = first.slots.data() + i * kSlotDigits;
    std::from_chars(digits, digits + kSlotDigits, slots[i], 16);
  }
  return slots;
}

uint32_t slot_of_name(std::string_view name) { return placement_slot(xxh3(name)); }

uint32_t slot_of_dense(std::string_view name, const DenseChunk& chunk) {
  return chunk.used() ? chunk.slot : slot_of_name(name);
}

std::string chunk_name(std::string_view whole, uint32_t index) {
  std::string name(whole);
  if (index != 0) (name += kSeparator) += std::to_string(index);
  return name;
}

std::string_view whole_name(std::string_view name) {
  const size_t digits = name.find_last_not_of("0123456789");
  const bool is_one = digits != std::string_view::npos && name[digits] == kSeparator;
  return is_one && digits + 1 < name.size() ? name.substr(0, digits) : name;
}

DenseOptions chunk_options(const DenseOptions& whole, const DenseCut& cut, uint32_t index,
                           std::span<const uint16_t> slots) {
  DenseOptions options = whole;
  const uint64_t columns = whole.shape.back();
  const uint64_t values = range_of(whole.shape, cut, index).count;
  options.shape = cut.pieces == 0 ? std::vector<uint64_t>{values / columns, columns}
                                  : std::vector<uint64_t>{values};
  options.chunk = {.shape = whole.shape,
                   .count = cut.count,
                   .pieces = cut.pieces,
                   .index = index,
                   .slot = slots[index],
                   .slots = index == 0 ? slots_text(slots) : std::string()};
  return options;
}

DenseOptions whole_options(const DenseOptions& options) {
  if (!options.chunk.used()) return options;
  DenseOptions whole = options;
  whole.shape = options.chunk.shape;
  whole.chunk = {};
  return whole;
}

Status check_chunk(const DenseOptions& options) {
  const DenseChunk& its = options.chunk;
  if (!its.used()) return its == DenseChunk() ? Status() : wrong_chunk("expected a count above 0");
  const uint64_t columns = its.shape.back();
  const uint64_t rows = values_of(its.shape) / columns;
  const bool counts = its.pieces == 0 ? its.count <= rows
                                      : its.pieces <= columns && rows * its.pieces == its.count &&
                                            may_cut_rows(options.optimizer);
  if (its.count < 2 || its.count > kMaxDenseChunks || !counts) {
    return wrong_chunk("the whole is not cut into " + std::to_string(its.count) + " chunks");
  }
  if (its.index >= its.count) {
    return wrong_chunk("expected an index below " + std::to_string(its.count) + ", received " +
                       std::to_string(its.index));
  }
  const DenseCut cut{.count = its.count, .pieces = its.pieces};
  const uint64_t values = range_of(its.shape, cut, its.index).count;
  const bool shaped = its.pieces == 0
                          ? options.shape == std::vector<uint64_t>{values / columns, columns}
                          : options.shape == std::vector<uint64_t>{values};
  if (!shaped)
    return wrong_chunk("expected the shape that chunk " + std::to_string(its.index) + " has");
  if (its.slot >= kSlots)
    return wrong_chunk("expected a slot, received " + std::to_string(its.slot));
  const bool text = its.slots.size() == (its.index == 0 ? its.count * kSlotDigits : 0) &&
                    its.slots.find_first_not_of("0123456789abcdef") == std::string::npos;
  if (!text) return wrong_chunk("expected the slots of all chunks with chunk 0 alone");
  if (its.index > 0) return {};
  const auto slots = slots_of(its);
  const bool are_slots = std::ranges::all_of(slots, [](uint16_t slot) { return slot < kSlots; });
  return are_slots && slots[0] == its.slot ? Status() : wrong_chunk("expected slots");
}

}  // namespace hotrow
