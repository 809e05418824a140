// Frames whose checksums are right whatever is in them: else nothing that is changed at random gets
// further than the first of them.
//
// An input is any number of pieces: a byte of Piece, two bytes of length, so many bytes. Where the
// input ends first, so does the piece.
#ifndef HOTROW_TEST_FUZZ_MENDED_H_
#define HOTROW_TEST_FUZZ_MENDED_H_

#include <algorithm>
#include <cstring>
#include <optional>
#include <span>
#include <vector>

#include "base/hash.h"
#include "test/fuzz/target.h"
#include "wire/frame.h"

namespace hotrow::fuzz {

/// Bits of a piece's first byte.
enum Piece : uint8_t {
  kMended = 1,     ///< lengths and checksums are made right
  kInBits = 2,     ///< it comes in pieces of a few bytes
  kSummedToo = 4,  ///< with a checksum of the body
};

class Pieces {
 public:
  explicit Pieces(std::span<const uint8_t> input) : rest_(input) {}

  struct Next {
    uint8_t how = 0;
    std::vector<std::byte> bytes;
  };
  std::optional<Next> next() {
    if (rest_.size() < 3) return {};
    Next piece{.how = rest_[0]};
    const size_t wanted = rest_[1] | size_t{rest_[2]} << 8;
    rest_ = rest_.subspan(3);
    const auto its = std::as_bytes(rest_.first(std::min(wanted, rest_.size())));
    piece.bytes.assign(its.begin(), its.end());
    rest_ = rest_.subspan(its.size());
    if ((piece.how & kMended) != 0) mend(piece);
    return piece;
  }

 private:
  /// As frame.cc has it; the tests of frames hold that to the format.
  static void mend(Next& piece) {
    auto& bytes = piece.bytes;
    bytes.resize(std::max<size_t>(wire::aligned(bytes.size()), wire::kHeaderBytes));
    const auto put = [&](size_t at, const auto& value) {
      std::memcpy(bytes.data() + at, &value, sizeof value);
    };
    put(0, wire::kMagic);
    put(4, wire::kVersion);
    put(kBodyBytesAt, static_cast<uint64_t>(bytes.size() - wire::kHeaderBytes));
    const bool summed = (piece.how & kSummedToo) != 0;
    uint8_t flags = static_cast<uint8_t>(bytes[kFlagsAt]) & wire::kReply;
    if (summed) flags |= wire::kSummed;
    put(kFlagsAt, flags);
    put(kBodySumAt, summed ? sum(std::span(bytes).subspan(wire::kHeaderBytes)) : uint64_t{0});
    put(kHeaderSumAt, sum(std::span(bytes).first(kHeaderSumAt)));
  }
  static uint64_t sum(std::span<const std::byte> bytes) {
    return xxh3({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  }

  static constexpr size_t kFlagsAt = 7;
  static constexpr size_t kBodyBytesAt = 32;
  static constexpr size_t kBodySumAt = 48;
  static constexpr size_t kHeaderSumAt = 56;

  std::span<const uint8_t> rest_;
};

/// A frame as a piece of an input.
inline void add_piece(Input& input, uint8_t how, std::span<const std::byte> frame) {
  input.push_back(how);
  input.push_back(static_cast<uint8_t>(frame.size()));
  input.push_back(static_cast<uint8_t>(frame.size() >> 8));
  for (const std::byte byte : frame) input.push_back(static_cast<uint8_t>(byte));
}

}  // namespace hotrow::fuzz

#endif  // HOTROW_TEST_FUZZ_MENDED_H_
