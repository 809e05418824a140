// Messages: what a frame's sections say, read where they lie, and bodies written from arrays.
#ifndef HOTROW_WIRE_MESSAGE_H_
#define HOTROW_WIRE_MESSAGE_H_

#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

#include "base/aligned_buffer.h"
#include "wire/frame.h"

namespace hotrow::wire {

template <class T>
constexpr Type type_of() {
  if constexpr (std::is_same_v<T, float>) return Type::kF32;
  if constexpr (std::is_same_v<T, uint64_t>) return Type::kU64;
  if constexpr (std::is_same_v<T, uint32_t>) return Type::kU32;
  return Type::kU8;
}

/// A frame as its sections. Spans lie in the body, which must outlive them.
class Message {
 public:
  /// ERR_PROTOCOL as decode_sections(). May be used again for the next frame.
  Status read(const FrameHeader& header, std::span<const std::byte> body);

  /// Sections of one part.
  std::span<const Section> part(uint16_t i) const;
  uint16_t parts() const { return static_cast<uint16_t>(starts_.size()); }

  /// The section of a kind in a part, or none.
  const Section* find(uint16_t part, Kind kind) const;
  /// Its values; ERR_PROTOCOL when they are of another type. None: an empty span.
  template <class T>
  Result<std::span<const T>> values(uint16_t part, Kind kind) const {
    const Section* section = find(part, kind);
    if (section == nullptr) return std::span<const T>();
    if (section->type != type_of<T>()) return wrong_type(kind);
    return std::span<const T>(reinterpret_cast<const T*>(body_.data() + section->offset),
                              section->bytes / sizeof(T));
  }
  /// The options of a part; the defaults when it has none.
  Result<CallOptions> options(uint16_t part) const;
  /// The text of part 0; empty when there is none.
  std::string_view text() const;

 private:
  static Status wrong_type(Kind kind);

  std::vector<Section> sections_;
  std::vector<uint32_t> starts_;  // of each part, in sections_
  std::span<const std::byte> body_;
};

/// Says what a frame will hold, then is filled.
///
///   FrameWriter frame; frame.add(...); frame.begin(header); frame.array<float>(0) = ...;
///   frame.finish()
class FrameWriter {
 public:
  Layout& layout() { return layout_; }
  /// Memory for the frame, where there is some at hand.
  void use(AlignedBuffer memory) { buffer_ = std::move(memory); }
  /// Of the whole frame, once all was added.
  uint64_t bytes() const { return kHeaderBytes + layout_.body_bytes(); }
  /// Memory for all that was added. Throws std::bad_alloc.
  void begin(const FrameHeader& header);
  /// Where section i goes.
  template <class T>
  std::span<T> array(size_t i) {
    const Section& section = layout_[i];
    return {reinterpret_cast<T*>(buffer_.data() + kHeaderBytes + section.offset),
            section.bytes / sizeof(T)};
  }
  /// Copies values into section i.
  template <class T>
  void put(size_t i, std::span<const T> values) {
    if (!values.empty()) std::memcpy(array<T>(i).data(), values.data(), values.size_bytes());
  }
  /// The frame, with its checksums; `summed`: the body's too.
  AlignedBuffer finish(bool summed);

 private:
  Layout layout_;
  FrameHeader header_;
  AlignedBuffer buffer_;
};

/// A frame whose only section is a text.
AlignedBuffer text_frame(FrameHeader header, std::string_view text);

}  // namespace hotrow::wire

#endif  // HOTROW_WIRE_MESSAGE_H_
