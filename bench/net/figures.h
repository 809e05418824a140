// The figures of bench:net, each measured by processes of its own.
#ifndef HOTROW_BENCH_NET_FIGURES_H_
#define HOTROW_BENCH_NET_FIGURES_H_

#include "options.h"

namespace hotrow::bench {

// Each returns false when a measurement failed, having said so.

/// Rows of 1 MiB requests, 4 under way, beside a bare socket that gathers; and from a table that
/// fits the cache, beside a bare socket that echoes a ready buffer. With processor time.
bool lookup_figures(const NetSettings& settings);
/// As the second of these over TLS, beside OpenSSL on a bare socket.
bool tls_figures(const NetSettings& settings);
/// Lookups over shared memory, and its links alone, beside a bare socket that echoes over TCP.
bool shm_figures(const NetSettings& settings);
/// p50 and p99 of lookups of few keys, beside a bare socket's ping-pong.
bool latency_figures(const NetSettings& settings);
/// Many tables in one message, beside one message a table.
bool together_figures(const NetSettings& settings);
/// Pushes, beside the same on a store of this process.
bool push_figures(const NetSettings& settings);
/// Lookups and pushes of batches that repeat themselves and of such that do not, from a client that
/// folds them, beside one that does not.
bool fold_figures(const NetSettings& settings);
/// Lookups, beside Redis's MGET.
bool redis_figures(const NetSettings& settings);
/// Lookups, beside gRPC in C++ in front of the same table, plainly and over TLS.
bool grpc_figures(const NetSettings& settings);

}  // namespace hotrow::bench

#endif  // HOTROW_BENCH_NET_FIGURES_H_
