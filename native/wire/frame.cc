#include "wire/frame.h"

#include <array>
#include <cstring>
#include <string>

#include "base/hash.h"

namespace hotrow::wire {

namespace {

// As it lies in a frame; docs/FORMATS.md has the offsets.
struct RawHeader {
  uint32_t magic;
  uint16_t version;
  uint8_t verb;
  uint8_t flags;
  uint64_t request;
  uint64_t sequence;
  uint32_t epoch;
  uint32_t clock;
  uint64_t body_bytes;
  uint32_t sections;
  uint32_t code;
  uint64_t body_sum;
  uint64_t header_sum;  // xxh3 of all before it
};
static_assert(sizeof(RawHeader) == kHeaderBytes && std::is_trivially_copyable_v<RawHeader>);

constexpr size_t kSummedBytes = offsetof(RawHeader, header_sum);

uint64_t sum_of(const RawHeader& raw) {
  return xxh3({reinterpret_cast<const char*>(&raw), kSummedBytes});
}

Status bad(std::string what) { return {StatusCode::kProtocol, "frame: " + std::move(what)}; }

Status check(const Section& section, const FrameHeader& header, uint64_t least_offset) {
  const auto kind = static_cast<uint16_t>(section.kind);
  if (kind == 0 || kind > kLastKind) return bad("a section of kind " + std::to_string(kind));
  const uint64_t size = size_of(section.type);
  if (size == 0) {
    return bad("a section of type " + std::to_string(static_cast<uint16_t>(section.type)));
  }
  if (section.zero != 0) return bad("a section with a reserved field set");
  if (section.dim == 0 || section.dim > kMostElements / 8) return bad("a section of no dim");
  if (section.count > kMostElements) return bad("a section of too many elements");
  // At most 2^32 * 2^29 * 8: no overflow.
  const uint64_t bytes = section.count * section.dim * size;
  if (section.count != 0 && bytes / section.count != section.dim * size) {
    return bad("a section of too many values");
  }
  if (section.bytes != bytes) return bad("a section whose length is not that of its elements");
  if (section.offset % kAlignment != 0) return bad("a section that is not aligned");
  if (section.offset < least_offset) return bad("sections that overlap");
  if (section.offset > header.body_bytes || bytes > header.body_bytes - section.offset) {
    return bad("a section beyond the body");
  }
  return {};
}

}  // namespace

std::string_view name_of(Verb verb) {
  constexpr std::array<std::string_view, kLastVerb + 1> kNames{
      "",      "HELLO",  "CALL", "LOOKUP",  "STATE", "POOLED",  "PUSH",       "PUSH_BAGS", "UPDATE",
      "ERASE", "SCORES", "SCAN", "EVICTED", "PULL",  "GOODBYE", "SCAN_SLOTS", "TAKE"};
  return kNames[static_cast<size_t>(verb)];
}

void encode(const FrameHeader& header, std::span<std::byte, kHeaderBytes> out) {
  RawHeader raw{.magic = kMagic,
                .version = kVersion,
                .verb = static_cast<uint8_t>(header.verb),
                .flags = header.flags,
                .request = header.request,
                .sequence = header.sequence,
                .epoch = header.epoch,
                .clock = header.clock,
                .body_bytes = header.body_bytes,
                .sections = header.sections,
                .code = header.code,
                .body_sum = header.body_sum,
                .header_sum = 0};
  raw.header_sum = sum_of(raw);
  std::memcpy(out.data(), &raw, sizeof raw);
}

Result<FrameHeader> decode(std::span<const std::byte, kHeaderBytes> bytes,
                           uint64_t most_body_bytes) {
  RawHeader raw;
  std::memcpy(&raw, bytes.data(), sizeof raw);
  if (raw.magic != kMagic) return bad("the peer does not speak hotrow's protocol");
  if (raw.version != kVersion) {
    return bad("version " + std::to_string(raw.version) + ", this program knows version " +
               std::to_string(kVersion));
  }
  if (raw.header_sum != sum_of(raw)) return bad("the header's checksum does not fit");
  if (raw.verb == 0 || raw.verb > kLastVerb) return bad("verb " + std::to_string(raw.verb));
  if ((raw.flags & ~kAllFlags) != 0) return bad("flags " + std::to_string(raw.flags));
  if (raw.body_bytes % kAlignment != 0) return bad("a body that is not padded");
  if (raw.body_bytes > most_body_bytes) {
    return bad("a body of " + std::to_string(raw.body_bytes) + " bytes, at most " +
               std::to_string(most_body_bytes) + " are taken");
  }
  if (raw.sections > kMostSections || raw.sections * kSectionBytes > raw.body_bytes) {
    return bad("a table of " + std::to_string(raw.sections) + " sections");
  }
  if ((raw.flags & kSummed) == 0 && raw.body_sum != 0) return bad("a checksum that does not hold");
  return FrameHeader{.verb = static_cast<Verb>(raw.verb),
                     .flags = raw.flags,
                     .request = raw.request,
                     .sequence = raw.sequence,
                     .epoch = raw.epoch,
                     .clock = raw.clock,
                     .body_bytes = raw.body_bytes,
                     .sections = raw.sections,
                     .code = raw.code,
                     .body_sum = raw.body_sum};
}

uint64_t head_bytes(std::span<const std::byte> frame) {
  RawHeader raw;
  std::memcpy(&raw, frame.data(), sizeof raw);
  return kHeaderBytes + aligned(raw.sections * kSectionBytes);
}

Status decode_sections(const FrameHeader& header, std::span<const std::byte> bytes,
                       std::vector<Section>& out) {
  const uint64_t table = header.sections * kSectionBytes;
  if (bytes.size() < table) return bad("a section table that ends early");
  out.resize(header.sections);
  if (table > 0) std::memcpy(out.data(), bytes.data(), table);
  uint64_t end = table;
  uint16_t part = 0;
  for (const Section& section : out) {
    HOTROW_RETURN_IF_ERROR(check(section, header, end));
    if (section.part != part && section.part != part + 1) return bad("parts that do not rise");
    part = section.part;
    end = section.offset + section.bytes;
  }
  if (!out.empty() && out.front().part != 0) return bad("a first part that is not 0");
  return {};
}

void Layout::add(uint16_t part, uint32_t parameter, Kind kind, Type type, uint64_t count,
                 uint32_t dim) {
  sections_.push_back({.parameter = parameter,
                       .part = part,
                       .kind = kind,
                       .type = type,
                       .dim = dim,
                       .count = count,
                       .bytes = count * dim * size_of(type)});
}

uint64_t Layout::body_bytes() const {
  uint64_t end = aligned(sections_.size() * kSectionBytes);
  for (const Section& section : sections_) end += aligned(section.bytes);
  return end;
}

std::span<const Section> Layout::place() {
  uint64_t end = aligned(sections_.size() * kSectionBytes);
  for (Section& section : sections_) {
    section.offset = end;
    end += aligned(section.bytes);
  }
  return sections_;
}

}  // namespace hotrow::wire
