// A request on its way out and its reply on its way in. Arrays are sent from where the caller has
// them, and come in where the caller wants them.
#ifndef HOTROW_CLIENT_EXCHANGE_H_
#define HOTROW_CLIENT_EXCHANGE_H_

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/aligned_buffer.h"
#include "hotrow/status.h"
#include "hotrow/store.h"
#include "wire/message.h"

namespace hotrow::client {

/// A request. The arrays must stay until its reply has come.
class Request {
 public:
  explicit Request(wire::Verb verb) { header_.verb = verb; }

  /// Adds `values` as elements of `dim` values.
  template <class T>
  void add(uint16_t part, uint32_t parameter, wire::Kind kind, std::span<const T> values,
           uint32_t dim = 1) {
    layout_.add(part, parameter, kind, wire::type_of<T>(), values.size() / dim, dim);
    payloads_.push_back(std::as_bytes(values));
  }
  void add(uint16_t part, uint32_t parameter, const wire::CallOptions& options);
  /// Of the values that the client has; one of run 0: of none.
  void add(uint16_t part, uint32_t parameter, const DenseStamp& stamp);
  void add_text(std::string text);

  wire::FrameHeader& header() { return header_; }
  uint64_t body_bytes() const { return layout_.body_bytes(); }
  /// The frame as pieces to be sent one after the other, with its checksums.
  std::vector<std::span<const std::byte>> pieces();

 private:
  wire::FrameHeader header_;
  wire::Layout layout_;
  std::vector<std::span<const std::byte>> payloads_;
  // What has no place of the caller's.
  std::string text_;
  std::vector<std::unique_ptr<wire::CallOptions>> options_;
  std::vector<std::unique_ptr<DenseStamp>> stamps_;
  AlignedBuffer head_;  // header and section table
};

/// Where a reply goes, and what it was. Guarded by its connection's mutex but for what the arrays
/// of a reply that is arriving are.
struct Reply {
  /// Where a section's payload goes: exactly section.bytes, or nothing for one that is not wanted.
  using Place = std::function<std::span<std::byte>(const wire::Section& section)>;

  /// Stages of a request, one after the other.
  enum Stage : uint8_t { kEncode, kSend, kWait, kDecode, kStages };

  /// Takes bytes of a section's payload, from `offset` in it on: they come in order.
  using Scatter = std::function<void(const wire::Section& section, uint64_t offset,
                                     std::span<const std::byte> bytes)>;

  explicit Reply(Place its_place) : place(std::move(its_place)) {}

  Place place;
  Scatter scatter;  // of what has no place of its own; none: that is passed over
  Status status;    // what the server says, once done
  std::chrono::steady_clock::time_point deadline;  // of the call, as send() was told
  uint64_t request = 0;
  uint32_t epoch = 0;  // of the server's placement, once done; 0: none
  bool done = false;
  bool arriving = false;
  /// When each stage began, and when the last was over, once done. Up to kWait they are of the
  /// thread that sends.
  std::array<std::chrono::steady_clock::time_point, kStages + 1> at;
};

/// A reply whose sections are one text.
struct TextReply : Reply {
  TextReply() : Reply([this](const wire::Section& section) { return take(section); }) {}
  std::string text;

 private:
  std::span<std::byte> take(const wire::Section& section);
};

/// A reply that is one number, 0 where there is none.
struct CountReply : Reply {
  CountReply() : Reply([this](const wire::Section& section) { return take(section); }) {}
  uint64_t count = 0;

 private:
  std::span<std::byte> take(const wire::Section& section);
};

/// A reply that is a page of a scan.
struct PageReply : Reply {
  PageReply() : Reply([this](const wire::Section& section) { return take(section); }) {}
  /// Once. ERR_PROTOCOL unless each key has a row of `dim` values and `state_values` of state.
  Result<ScanPage> page(uint64_t dim, uint64_t state_values);

 private:
  std::span<std::byte> take(const wire::Section& section);

  ScanPage page_;
};

}  // namespace hotrow::client

#endif  // HOTROW_CLIENT_EXCHANGE_H_
