// The limit of a lookup over TCP: a bare epoll server that gathers rows with their places known
// from the key by arithmetic, and its client. No frames, checksums, sessions, locks or index.
//
// A request is a head and keys; a reply a head and the rows, or as many bytes of one ready buffer.
// The server gathers the next replies while one waits for room, as long as it has room for them.
#ifndef HOTROW_BENCH_NET_RAW_H_
#define HOTROW_BENCH_NET_RAW_H_

#include <cstdint>
#include <span>

#include "process.h"
#include "sockets.h"

namespace hotrow::bench {

struct RawShape {
  uint64_t rows = 0;  ///< of its table; 0: replies are a ready buffer's bytes
  uint32_t dim = 64;
  uint32_t spin_us = 0;
};

/// The row that a raw server gives for a key.
uint64_t raw_row_of(uint64_t key, uint64_t rows);

/// For Child: serves one connection after the other, for ever.
void serve_raw(const RawShape& shape, const Child::Ready& ready);

class RawClient {
 public:
  RawClient(uint16_t port, Wait wait) : socket_(connect_to_loopback(port)), wait_(wait) {}
  ~RawClient();
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  void send(std::span<const uint64_t> keys);
  /// The next reply, whose rows are [keys, dim].
  void receive(std::span<float> rows);
  int socket() const { return socket_; }

 private:
  const int socket_;
  const Wait wait_;
};

}  // namespace hotrow::bench

#endif  // HOTROW_BENCH_NET_RAW_H_
