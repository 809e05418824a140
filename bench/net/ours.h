// hotrow's own side, through the public C++ API only: a server in a process of its own, and stores
// that are connected or local.
#ifndef HOTROW_BENCH_NET_OURS_H_
#define HOTROW_BENCH_NET_OURS_H_

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "hotrow/store.h"
#include "hotrow/tls.h"
#include "hotrow/transport.h"
#include "process.h"

namespace hotrow::bench {

/// Tables "t0", "t1" … with rows key_of(0) … key_of(rows - 1), as fill_values() (bench/table) has
/// them.
struct OurShape {
  uint64_t rows = 0;
  uint32_t dim = 64;
  uint32_t tables = 1;
  uint32_t spin_us = 0;
  Transport transport = Transport::kTcp;
  ServerTls server_tls = {};  ///< over TLS with these; none: without
  ClientTls client_tls = {};
};

/// A store that is used, wherever its rows are. Calls end the program when they fail.
class OurStore {
 public:
  /// In this process.
  static OurStore local(const OurShape& shape);
  /// Of a server that start_ours() has started.
  static OurStore connected(const OurShape& shape, uint16_t port);
  /// As connected(), of several of them, which share the keys.
  static OurStore connected_to_all(const OurShape& shape, std::span<const uint16_t> ports);
  ~OurStore();
  OurStore(OurStore&&) = default;
  OurStore& operator=(OurStore&&) = delete;

  void lookup(std::span<const uint64_t> keys, std::span<float> rows) const;
  void lookup_of(size_t table, std::span<const uint64_t> keys, std::span<float> rows) const;
  /// Every table in one call: its share of the keys, its share of the rows.
  void lookup_all(std::span<const uint64_t> keys, std::span<float> rows) const;
  void push(std::span<const uint64_t> keys, std::span<const float> gradients) const;
  std::shared_ptr<Store> store() const { return store_; }

 private:
  OurStore() = default;

  std::shared_ptr<Store> store_;
  std::vector<std::shared_ptr<Table>> tables_;
};

/// A server of one thread with tables as `shape` says.
std::unique_ptr<Child> start_ours(const OurShape& shape);

}  // namespace hotrow::bench

#endif  // HOTROW_BENCH_NET_OURS_H_
