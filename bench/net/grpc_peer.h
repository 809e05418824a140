// gRPC as a peer: a server in front of the same table, and a client that keeps several lookups
// under way. Keys and rows travel as bytes of a protobuf message (rows.proto). Twice: as most
// programs are written, and the quickest way that was found.
//
// Without gRPC's packages there is neither (has_grpc), and the rest ends the program.
#ifndef HOTROW_BENCH_NET_GRPC_PEER_H_
#define HOTROW_BENCH_NET_GRPC_PEER_H_

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "ours.h"
#include "process.h"

namespace hotrow::bench {

enum class GrpcStyle : uint8_t {
  kCallbacks,  ///< the callback API, fresh messages for each call
  kQueues,     ///< completion queues of one thread a side, messages used again and again
};

/// PEM texts of one side; none: it speaks plainly.
struct GrpcTls {
  std::string ca;
  std::string cert;
  std::string key;
};

bool has_grpc();
/// Its version, as it says.
std::string grpc_version();

/// A server in a process of its own, on the server's processor, of a table as `shape` says. Over
/// TLS it asks clients for their certificate.
std::unique_ptr<Child> start_grpc(GrpcStyle style, const OurShape& shape, const GrpcTls& tls);

/// At most kUnderWay lookups are under way. Ends the program when one fails.
class GrpcClient {
 public:
  GrpcClient(GrpcStyle style, uint16_t port, const GrpcTls& tls);
  ~GrpcClient();
  GrpcClient(const GrpcClient&) = delete;
  GrpcClient& operator=(const GrpcClient&) = delete;

  /// Asks for the rows of the keys.
  void send(std::span<const uint64_t> keys);
  /// The rows of the lookup that was sent first of those under way.
  void receive(std::span<float> rows);

 private:
  struct Calls;

  std::unique_ptr<Calls> calls_;
};

}  // namespace hotrow::bench

#endif  // HOTROW_BENCH_NET_GRPC_PEER_H_
