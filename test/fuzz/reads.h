// Reads all that a message says, as far as it lets itself be read, and looks where it lies.
#ifndef HOTROW_TEST_FUZZ_READS_H_
#define HOTROW_TEST_FUZZ_READS_H_

#include <cstdint>
#include <cstring>
#include <span>

#include "test/fuzz/target.h"
#include "wire/message.h"

namespace hotrow::fuzz {

template <class T>
void read_values(const wire::Message& message, uint16_t part, wire::Kind kind,
                 std::span<const std::byte> body) {
  const auto values = message.values<T>(part, kind);
  if (!values.ok() || values.value().empty()) return;
  const auto its = std::as_bytes(values.value());
  must_hold(its.data() >= body.data() && its.data() + its.size() <= body.data() + body.size(),
            "a section lies within its body");
  must_hold(reinterpret_cast<uintptr_t>(its.data()) % wire::kAlignment == 0,
            "sections are aligned");
  // Sanitizers see what is touched.
  uint8_t sum = 0;
  for (const std::byte byte : its) sum ^= static_cast<uint8_t>(byte);
  [[maybe_unused]] const volatile uint8_t kept = sum;
}

inline void read_all(const wire::Message& message, std::span<const std::byte> body) {
  for (uint16_t part = 0; part < message.parts(); ++part) {
    must_hold(!message.part(part).empty(), "a part has sections");
    for (uint16_t kind = 1; kind <= wire::kLastKind; ++kind) {
      const auto its = static_cast<wire::Kind>(kind);
      read_values<uint8_t>(message, part, its, body);
      read_values<uint32_t>(message, part, its, body);
      read_values<uint64_t>(message, part, its, body);
      read_values<float>(message, part, its, body);
    }
    (void)message.options(part).ok();
  }
  const auto text = std::as_bytes(std::span(message.text()));
  must_hold(text.size() <= body.size(), "a text lies within its body");
}

}  // namespace hotrow::fuzz

#endif  // HOTROW_TEST_FUZZ_READS_H_
