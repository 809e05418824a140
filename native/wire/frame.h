// Frames: the bytes that client and server exchange. Pure functions on bytes: no sockets, no
// threads, no state. docs/FORMATS.md, "Wire", is the same for readers of other languages.
//
//   frame    = header (64 bytes), then the body, padded with zeros to a multiple of 64 bytes
//   body     = section table (40 bytes each), then the sections' payloads, each 64-byte aligned
//   section  = one array: keys, rows, gradients, ... of one part of the message
//
// Every integer is little-endian. Frames are multiples of 64 bytes, so that payloads that come in
// one after the other into an aligned buffer can be read where they lie.
#ifndef HOTROW_WIRE_FRAME_H_
#define HOTROW_WIRE_FRAME_H_

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

#include "hotrow/status.h"

namespace hotrow::wire {

static_assert(std::endian::native == std::endian::little, "frames are copied as they are");

inline constexpr uint32_t kMagic = 0x574f5248;  // "HROW"
inline constexpr uint16_t kVersion = 1;
inline constexpr size_t kAlignment = 64;
inline constexpr size_t kHeaderBytes = 64;
inline constexpr size_t kSectionBytes = 40;
/// Of a body before the peer has said who it is.
inline constexpr uint64_t kMostHelloBytes = 4096;
inline constexpr uint32_t kMostSections = 1024;
/// Elements of one section: no product with a dim and a size overflows.
inline constexpr uint64_t kMostElements = uint64_t{1} << 32;

/// What a frame asks for; its reply has the same.
enum class Verb : uint8_t {
  kHello = 1,       ///< who is there, and what may be sent; text
  kCall = 2,        ///< a call of the store without arrays; text
  kLookup = 3,      ///< keys -> rows, found
  kState = 4,       ///< keys -> state, found
  kPooled = 5,      ///< keys, offsets, weights -> rows
  kPush = 6,        ///< keys, gradients of tables, all or none; then gradients of dense parameters
  kPushBags = 7,    ///< keys, offsets, weights, gradients
  kUpdate = 8,      ///< keys, rows, state; or values, state of a dense parameter
  kErase = 9,       ///< keys -> count
  kScores = 10,     ///< keys, weights -> count
  kScan = 11,       ///< options -> keys, rows, state, count
  kEvicted = 12,    ///< options -> keys, bytes
  kPull = 13,       ///< options, stamp -> values, state, count, stamp of dense parameters
  kGoodbye = 14,    ///< no reply: the sender is going, its session may end
  kScanSlots = 15,  ///< options, text -> keys, rows, state, count, of some slots
  kTake = 16,       ///< as kUpdate and, without rows, kErase, of slots that are expected
};
inline constexpr uint8_t kLastVerb = 16;
/// As docs/FORMATS.md calls it.
std::string_view name_of(Verb verb);

/// Numbers of requests of a client that traces have this bit; of the others bits 16 to 62 are the
/// number of the call that they are of, the lowest 16 which request of it they are.
inline constexpr uint64_t kTracedRequest = uint64_t{1} << 63;
inline constexpr unsigned kTraceShift = 16;
/// The number of the call that a request is of; 0: it is not traced.
constexpr uint64_t trace_of(uint64_t request) {
  return (request & kTracedRequest) == 0 ? 0 : (request & ~kTracedRequest) >> kTraceShift;
}

/// Bits of FrameHeader::flags.
enum Flag : uint8_t {
  kReply = 1,
  kSummed = 2,  ///< body_sum holds
};
inline constexpr uint8_t kAllFlags = kReply | kSummed;

struct FrameHeader {
  Verb verb = Verb::kHello;
  uint8_t flags = 0;
  uint64_t request = 0;   ///< of the sender's choice; the reply has the same
  uint64_t sequence = 0;  ///< of what changes rows, from 1 on in its session; 0: of nothing
  uint32_t epoch = 0;     ///< of the placement that the sender knows
  uint32_t clock = 0;     ///< of the worker
  uint64_t body_bytes = 0;
  uint32_t sections = 0;
  /// Of a request: milliseconds after which nobody waits for it, 0: none. Of a reply: a StatusCode;
  /// when it is not kOk the only section is a text, the reason.
  uint32_t code = 0;
  uint64_t body_sum = 0;  ///< xxh3 of the body

  bool reply() const { return (flags & kReply) != 0; }
  /// Of header and body.
  uint64_t bytes() const { return kHeaderBytes + body_bytes; }
};

/// What lies in a section.
enum class Kind : uint16_t {
  kKeys = 1,       ///< u64 [n]
  kRows = 2,       ///< f32 [n, dim]
  kGradients = 3,  ///< f32 [n, dim], or of a dense parameter [n]
  kOffsets = 4,    ///< u32 [bags + 1]
  kWeights = 5,    ///< f32 [n], of bags; scores
  kState = 6,      ///< f32 [n, dim], dim being the values of state a row
  kFound = 7,      ///< u8 [ceil(n / 8)], bits
  kOptions = 8,    ///< one CallOptions
  kText = 9,       ///< u8 [n], JSON in UTF-8; of a failed reply, a sentence
  kValues = 10,    ///< f32 [n], of a dense parameter
  kCount = 11,     ///< one u64
  kBytes = 12,     ///< u8 [n]
  kStamp = 13,     ///< u64 [2], of a dense parameter's values: run and change
  kTimes = 14,     ///< u32 [n]: how often each key of a lookup or push counts
  kHeats = 15,     ///< u32 [n + 1]: what a policy remembers of each key, then the clock there
};
inline constexpr uint16_t kLastKind = 15;

/// Bits of what a server says that it knows beyond the protocol's first form.
enum Feature : uint64_t {
  kKnowsTimes = 1,        ///< Kind::kTimes
  kKnowsDenseChunks = 2,  ///< Kind::kStamp, chunks, and kPull and kUpdate of several parameters
  kKnowsHeats = 4,        ///< Kind::kHeats, and the wish for them
};
inline constexpr uint64_t kAllFeatures = kKnowsTimes | kKnowsDenseChunks | kKnowsHeats;

enum class Type : uint16_t { kU8 = 1, kU32 = 2, kU64 = 3, kF32 = 4 };

/// Bytes of one value; 0 for what is no type.
constexpr uint64_t size_of(Type type) {
  switch (type) {
    case Type::kU8:
      return 1;
    case Type::kU32:
    case Type::kF32:
      return 4;
    case Type::kU64:
      return 8;
  }
  return 0;
}

/// As it lies in a body.
struct Section {
  uint32_t parameter = 0;  ///< the number that the session has for a table or dense parameter
  uint16_t part = 0;       ///< sections of one part belong together; parts rise from 0
  Kind kind = Kind::kKeys;
  Type type = Type::kU8;
  uint16_t zero = 0;
  uint32_t dim = 1;     ///< values an element, from 1 on
  uint64_t count = 0;   ///< elements
  uint64_t offset = 0;  ///< from the start of the body
  uint64_t bytes = 0;   ///< count * dim * size_of(type)
};
static_assert(sizeof(Section) == kSectionBytes && std::is_trivially_copyable_v<Section>);

/// A call's own wishes, of every verb: those that a verb does not know are 0.
struct CallOptions {
  uint32_t flags = 0;  ///< of Wish
  uint32_t pooling = 0;
  float missing = 0;
  float learning_rate = 0;
  uint64_t max_age_ms = 0;
  uint64_t steps = 0;  ///< of an update
  uint64_t from = 0;   ///< of a scan; of rows that are taken, the mover's lock
  uint64_t most = 0;   ///< of a scan, and of evicted keys
};
static_assert(sizeof(CallOptions) == 48 && std::is_trivially_copyable_v<CallOptions>);

/// Bits of CallOptions::flags.
enum Wish : uint32_t {
  kWantsFound = 1,
  kHasMissing = 2,
  kRelaxed = 4,
  kWantsState = 8,
  kWantsHeats = 16,
};
inline constexpr uint32_t kAllWishes =
    kWantsFound | kHasMissing | kRelaxed | kWantsState | kWantsHeats;

/// The next multiple of the alignment.
constexpr uint64_t aligned(uint64_t bytes) { return (bytes + kAlignment - 1) & ~(kAlignment - 1); }

/// Writes the header with its checksum.
void encode(const FrameHeader& header, std::span<std::byte, kHeaderBytes> out);

/// Reads a header. ERR_PROTOCOL when it is none of this version, its checksum does not fit, or its
/// body would be longer than `most_body_bytes`; nothing of the body need be there.
Result<FrameHeader> decode(std::span<const std::byte, kHeaderBytes> bytes,
                           uint64_t most_body_bytes);

/// Of a frame that encode() has begun: its header and section table.
uint64_t head_bytes(std::span<const std::byte> frame);

/// Reads the section table at the start of a body, or of as much of the body as `bytes` has.
/// ERR_PROTOCOL when sections are of unknown kinds, overlap, are not aligned, do not rise by part
/// or reach beyond the body, or when their lengths do not fit their counts.
Status decode_sections(const FrameHeader& header, std::span<const std::byte> bytes,
                       std::vector<Section>& out);

/// Where sections will lie: bodies are written in one pass into memory that is asked for once.
class Layout {
 public:
  /// Adds `count` elements of `dim` values; sections of a part follow one another.
  void add(uint16_t part, uint32_t parameter, Kind kind, Type type, uint64_t count,
           uint32_t dim = 1);
  /// Of the whole body, a multiple of the alignment. Final once all sections were added.
  uint64_t body_bytes() const;
  /// Gives sections their offsets; then the table may be copied.
  std::span<const Section> place();
  const Section& operator[](size_t i) const { return sections_[i]; }
  size_t size() const { return sections_.size(); }

 private:
  std::vector<Section> sections_;
};

}  // namespace hotrow::wire

#endif  // HOTROW_WIRE_FRAME_H_
