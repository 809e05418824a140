// Sockets of loopback as the bare ones and Redis's client use them: set to what ours are set to
// (net/tuning.h), the congestion control included.
#ifndef HOTROW_BENCH_NET_SOCKETS_H_
#define HOTROW_BENCH_NET_SOCKETS_H_

#include <sys/types.h>
#include <sys/uio.h>

#include <cstdint>
#include <span>
#include <string>

namespace hotrow::bench {

/// What whoever finds no bytes does: sleeps, or looks again and again.
enum class Wait : uint8_t { kSleeps, kSpins };

/// A listener of a port of the system's choice.
int listen_on_loopback(uint16_t& port);
/// Connects, trying again for some seconds; not blocking, tuned. Ends the program when it fails.
int connect_to_loopback(uint16_t port);
/// The congestion control of a socket.
std::string congestion_control(int socket);
/// Sets that of the listener that another process has, of which those it accepts inherit: for a
/// server that has no option for it. False where the system refuses.
bool tune_listener_of(pid_t pid);

/// Until all of it has gone or come. End the program when the connection is gone.
void send_all(int socket, std::span<iovec> pieces);
void receive_all(int socket, std::span<iovec> pieces, Wait wait);
/// What comes, at least a byte.
size_t receive_some(int socket, std::span<std::byte> space);

}  // namespace hotrow::bench

#endif  // HOTROW_BENCH_NET_SOCKETS_H_
