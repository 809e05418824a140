#include "wire/message.h"

#include <cstring>
#include <string>
#include <utility>

#include "base/hash.h"

namespace hotrow::wire {

Status Message::read(const FrameHeader& header, std::span<const std::byte> body) {
  body_ = body;
  starts_.clear();
  HOTROW_RETURN_IF_ERROR(decode_sections(header, body, sections_));
  for (uint32_t i = 0; i < sections_.size(); ++i) {
    if (sections_[i].part == starts_.size()) starts_.push_back(i);
  }
  return {};
}

std::span<const Section> Message::part(uint16_t i) const {
  if (i >= starts_.size()) return {};
  const size_t end = i + size_t{1} < starts_.size() ? starts_[i + 1] : sections_.size();
  return std::span(sections_).subspan(starts_[i], end - starts_[i]);
}

const Section* Message::find(uint16_t part, Kind kind) const {
  for (const Section& section : this->part(part)) {
    if (section.kind == kind) return &section;
  }
  return nullptr;
}

Result<CallOptions> Message::options(uint16_t part) const {
  const Section* section = find(part, Kind::kOptions);
  CallOptions options;
  if (section == nullptr) return options;
  if (section->type != Type::kU8 || section->bytes != sizeof options) {
    return Status(StatusCode::kProtocol, "frame: options of an unknown length");
  }
  std::memcpy(&options, body_.data() + section->offset, sizeof options);
  if ((options.flags & ~kAllWishes) != 0) {
    return Status(StatusCode::kProtocol, "frame: options with unknown flags");
  }
  return options;
}

std::string_view Message::text() const {
  const Section* section = find(0, Kind::kText);
  if (section == nullptr) return {};
  return {reinterpret_cast<const char*>(body_.data() + section->offset), section->bytes};
}

Status Message::wrong_type(Kind kind) {
  return {StatusCode::kProtocol, "frame: a section of kind " +
                                     std::to_string(static_cast<uint16_t>(kind)) +
                                     " of the wrong type"};
}

void FrameWriter::begin(const FrameHeader& header) {
  header_ = header;
  const std::span<const Section> sections = layout_.place();
  header_.sections = static_cast<uint32_t>(sections.size());
  header_.body_bytes = layout_.body_bytes();
  buffer_.resize(header_.bytes());
  std::byte* const body = buffer_.data() + kHeaderBytes;
  if (!sections.empty()) std::memcpy(body, sections.data(), sections.size_bytes());
  // What lies between sections is zero, as nothing of our memory may leave with a frame.
  uint64_t end = sections.size_bytes();
  for (const Section& section : sections) {
    std::memset(body + end, 0, section.offset - end);
    end = section.offset + section.bytes;
  }
  std::memset(body + end, 0, header_.body_bytes - end);
}

AlignedBuffer FrameWriter::finish(bool summed) {
  header_.flags = static_cast<uint8_t>(summed ? header_.flags | kSummed : header_.flags & ~kSummed);
  header_.body_sum = 0;
  if (summed) {
    header_.body_sum = xxh3({reinterpret_cast<const char*>(buffer_.data() + kHeaderBytes),
                             static_cast<size_t>(header_.body_bytes)});
  }
  encode(header_, std::span<std::byte, kHeaderBytes>(buffer_.data(), kHeaderBytes));
  return std::move(buffer_);
}

AlignedBuffer text_frame(FrameHeader header, std::string_view text) {
  FrameWriter frame;
  frame.layout().add(0, 0, Kind::kText, Type::kU8, text.size());
  frame.begin(header);
  frame.put<uint8_t>(0, {reinterpret_cast<const uint8_t*>(text.data()), text.size()});
  return frame.finish(true);
}

}  // namespace hotrow::wire
