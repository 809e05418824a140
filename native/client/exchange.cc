#include "client/exchange.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/hash.h"

namespace hotrow::client {

namespace {

static_assert(sizeof(DenseStamp) == 16 && std::is_trivially_copyable_v<DenseStamp>,
              "a stamp is sent and received as it is");

constexpr std::array<std::byte, wire::kAlignment> kZeros{};

std::string_view view(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

void Request::add(uint16_t part, uint32_t parameter, const wire::CallOptions& options) {
  const auto& kept = *options_.emplace_back(std::make_unique<wire::CallOptions>(options));
  layout_.add(part, parameter, wire::Kind::kOptions, wire::Type::kU8, sizeof kept);
  payloads_.push_back(std::as_bytes(std::span(&kept, 1)));
}

void Request::add(uint16_t part, uint32_t parameter, const DenseStamp& stamp) {
  const auto& kept = *stamps_.emplace_back(std::make_unique<DenseStamp>(stamp));
  layout_.add(part, parameter, wire::Kind::kStamp, wire::Type::kU64, 2);
  payloads_.push_back(std::as_bytes(std::span(&kept, 1)));
}

void Request::add_text(std::string text) {
  text_ = std::move(text);
  layout_.add(0, 0, wire::Kind::kText, wire::Type::kU8, text_.size());
  payloads_.push_back(std::as_bytes(std::span<const char>(text_)));
}

std::vector<std::span<const std::byte>> Request::pieces() {
  const std::span<const wire::Section> sections = layout_.place();
  header_.sections = static_cast<uint32_t>(sections.size());
  header_.body_bytes = layout_.body_bytes();
  const uint64_t table = wire::aligned(sections.size_bytes());
  head_.resize(wire::kHeaderBytes + table);
  std::memset(head_.data(), 0, head_.size());
  if (!sections.empty()) {
    std::memcpy(head_.data() + wire::kHeaderBytes, sections.data(), sections.size_bytes());
  }
  std::vector<std::span<const std::byte>> pieces{head_.bytes()};
  Xxh3 sum;
  sum.add(view(head_.bytes().subspan(wire::kHeaderBytes)));
  const auto append = [&](std::span<const std::byte> piece) {
    if (piece.empty()) return;
    pieces.push_back(piece);
    sum.add(view(piece));
  };
  for (const auto& payload : payloads_) {
    append(payload);
    append(std::span(kZeros).first(wire::aligned(payload.size()) - payload.size()));
  }
  header_.flags = wire::kSummed;
  header_.body_sum = sum.value();
  wire::encode(header_, std::span<std::byte, wire::kHeaderBytes>(head_.data(), wire::kHeaderBytes));
  return pieces;
}

std::span<std::byte> TextReply::take(const wire::Section& section) {
  if (section.kind != wire::Kind::kText) return {};
  text.resize(section.bytes);
  return std::as_writable_bytes(std::span<char>(text));
}

std::span<std::byte> CountReply::take(const wire::Section& section) {
  if (section.kind != wire::Kind::kCount || section.bytes != sizeof count) return {};
  return std::as_writable_bytes(std::span(&count, 1));
}

std::span<std::byte> PageReply::take(const wire::Section& section) {
  const auto resized = [&](auto& values) {
    values.resize(section.bytes / sizeof values[0]);
    return std::as_writable_bytes(std::span(values));
  };
  switch (section.kind) {
    case wire::Kind::kKeys:
      return resized(page_.keys);
    case wire::Kind::kRows:
      return resized(page_.rows);
    case wire::Kind::kState:
      return resized(page_.state);
    case wire::Kind::kHeats:
      return resized(page_.heats);
    case wire::Kind::kCount:
      return std::as_writable_bytes(std::span(&page_.next.emplace(), 1));
    default:
      return {};
  }
}

Result<ScanPage> PageReply::page(uint64_t dim, uint64_t state_values) {
  const uint64_t n = page_.keys.size();
  const bool heats = page_.heats.empty() || page_.heats.size() == n + 1;
  if (page_.rows.size() == n * dim && page_.state.size() == n * state_values && heats) {
    return std::move(page_);
  }
  return Status(StatusCode::kProtocol, "a page whose rows are not one a key");
}

}  // namespace hotrow::client
