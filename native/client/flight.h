// RemoteTable::Flight: one request of a lookup under way. Of this folder only.
#ifndef HOTROW_CLIENT_FLIGHT_H_
#define HOTROW_CLIENT_FLIGHT_H_

#include <algorithm>
#include <cstring>
#include <span>
#include <vector>

#include "client/exchange.h"
#include "client/hedge.h"
#include "client/peer.h"
#include "client/remote_table.h"

namespace hotrow::client {

// One request of a lookup and where its reply goes: of a batch that is cut each row to its place
// among the others', as it comes in.
struct RemoteTable::Flight {
  explicit Flight(wire::Verb verb)
      : reply([this](const wire::Section& section) { return place(section); }),
        exchange(verb, Effect::kReads) {
    reply.scatter = [this](const wire::Section& section, size_t offset,
                           std::span<const std::byte> bytes) {
      if (cut && whole && is_rows(section)) scatter(offset, bytes);
    };
  }

  size_t server = 0;
  KeyBatch keys;
  size_t at = 0;       // of its first key, where the batch is not cut
  bool cut = false;    // rows go to `from`
  bool whole = false;  // the reply has had rows
  Reply reply;
  Exchange exchange;      // which ends before its reply
  std::span<float> rows;  // of a batch that is cut all of them
  size_t width = 0;
  std::span<uint8_t> found;
  std::vector<uint8_t> landed_found;  // of a batch that is cut
  std::span<const uint32_t> from;     // of a batch that is cut: where row i goes
  std::vector<uint32_t> times;        // of a batch that is cut: of its keys
  std::vector<float> own_rows;        // of a follower's
  Hedge* hedge = nullptr;             // null: no follower may answer
  wire::CallOptions call;

  /// Takes the rows of another flight of the same keys, whose rows are side by side.
  void take(const Flight& other) {
    whole = true;
    std::copy(other.found.begin(), other.found.end(), found.begin());
    const auto bytes = std::as_bytes(other.rows);
    if (cut) {
      scatter(0, bytes);
    } else {
      std::copy(other.rows.begin(), other.rows.end(), rows.begin());
    }
  }

 private:
  static bool is_rows(const wire::Section& section) {
    return section.kind == wire::Kind::kRows || section.kind == wire::Kind::kState;
  }
  std::span<std::byte> place(const wire::Section& section) {
    if (section.kind == wire::Kind::kFound) return std::as_writable_bytes(found);
    if (!is_rows(section)) return {};
    whole = section.bytes == (cut ? from.size() * width * sizeof(float) : rows.size_bytes());
    return cut || !whole ? std::span<std::byte>() : std::as_writable_bytes(rows);
  }
  void scatter(size_t offset, std::span<const std::byte> bytes) {
    const size_t row_bytes = width * sizeof(float);
    while (!bytes.empty()) {
      const size_t within = offset % row_bytes;
      const size_t n = std::min(bytes.size(), row_bytes - within);
      auto* const row =
          reinterpret_cast<std::byte*>(rows.data() + from[offset / row_bytes] * width);
      std::memcpy(row + within, bytes.data(), n);
      bytes = bytes.subspan(n);
      offset += n;
    }
  }
};

}  // namespace hotrow::client

#endif  // HOTROW_CLIENT_FLIGHT_H_
