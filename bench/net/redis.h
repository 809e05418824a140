// Redis as a peer: its server, and the least client that can ask it for many values at once.
#ifndef HOTROW_BENCH_NET_REDIS_H_
#define HOTROW_BENCH_NET_REDIS_H_

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "process.h"
#include "sockets.h"

namespace hotrow::bench {

bool has_redis();
/// Starts redis-server on a free port, nothing written to disk.
std::unique_ptr<Child> start_redis();

/// Keys are the 8 bytes of a number, values the bytes of a row. Ends the program when Redis answers
/// something else than expected.
class RedisClient {
 public:
  RedisClient(uint16_t port, uint32_t dim);
  ~RedisClient();
  RedisClient(const RedisClient&) = delete;
  RedisClient& operator=(const RedisClient&) = delete;

  /// Sets each key to a row of rows [keys, dim].
  void set(std::span<const uint64_t> keys, std::span<const float> rows);
  /// Asks for the rows of the keys.
  void send(std::span<const uint64_t> keys);
  /// The next reply, rows [keys, dim].
  void receive(std::span<float> rows);
  int socket() const { return socket_; }

 private:
  void add_key(uint64_t key);
  /// `bytes` of what comes, which stay until the next call.
  const char* take(size_t bytes);
  void expect(const std::string& text);

  const int socket_;
  const uint32_t dim_;
  const std::string value_head_;  // before each value
  std::string request_;
  std::vector<char> buffer_;
  size_t begin_ = 0;
  size_t end_ = 0;
};

}  // namespace hotrow::bench

#endif  // HOTROW_BENCH_NET_REDIS_H_
