// What carries the bytes between a client and a server.
#ifndef HOTROW_TRANSPORT_H_
#define HOTROW_TRANSPORT_H_

#include <cstdint>

namespace hotrow {

/// A connection begins over TCP whatever it is: there both sides prove who they are. The others
/// need UCX (libucp, Debian's libucx0) on both sides, and nothing of what they carry is encrypted.
enum class Transport : uint8_t {
  kTcp,   ///< with TLS where it was asked for
  kAuto,  ///< shared memory to a server of this machine where both sides can, else TCP
  kShm,   ///< shared memory between processes of one user on one machine
  kRdma,  ///< InfiniBand or RoCE, on a network that is trusted
};

}  // namespace hotrow

#endif  // HOTROW_TRANSPORT_H_
