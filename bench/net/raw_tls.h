// The limit of a lookup over TLS: OpenSSL on a bare socket, which echoes a ready buffer. The same
// cipher and a pre-shared key, as ours has; both sides may block.
#ifndef HOTROW_BENCH_NET_RAW_TLS_H_
#define HOTROW_BENCH_NET_RAW_TLS_H_

#include <cstdint>
#include <memory>
#include <span>

#include "process.h"

struct ssl_st;

namespace hotrow::bench {

/// For Child: serves one connection after the other; replies are `dim` values a key.
void serve_raw_tls(uint32_t dim, const Child::Ready& ready);

class RawTlsClient {
 public:
  explicit RawTlsClient(uint16_t port);

  void send(std::span<const uint64_t> keys);
  /// The next reply, whose rows are [keys, dim].
  void receive(std::span<float> rows);
  int socket() const { return socket_; }
  /// As both sides have agreed.
  const char* cipher() const;

 private:
  struct Free {
    void operator()(ssl_st* ssl) const;
  };
  int socket_;
  std::unique_ptr<ssl_st, Free> ssl_;
};

}  // namespace hotrow::bench

#endif  // HOTROW_BENCH_NET_RAW_TLS_H_
