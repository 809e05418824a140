// What every TCP socket of ours is set to.
#ifndef HOTROW_NET_TUNING_H_
#define HOTROW_NET_TUNING_H_

namespace hotrow::net {

/// Small frames go out at once, and a peer that has gone is noticed. On loopback the congestion
/// control is one that does not pace, where the system allows that: bbr halves what loopback can
/// do.
void tune(int socket, bool loopback);

}  // namespace hotrow::net

#endif  // HOTROW_NET_TUNING_H_
