// `npm run bench:net`: a client and a server over TCP and shared memory, beside bare sockets,
// Redis and gRPC.
//
// One core a side: every server is a process pinned to the second processor, every client one on
// the first; each figure has fresh ones. Contenders take turns round by round and run under the
// same congestion control, and only what raced together is divided.
#include <cstdio>

#include "client/fold.h"
#include "figures.h"
#include "machine.h"
#include "options.h"
#include "process.h"

int main(int argc, char** argv) {
  using namespace hotrow::bench;  // NOLINT(google-build-using-namespace)
  const NetSettings settings = read_net_settings(argc, argv);
  std::printf("%s; commit %.12s; %u rounds\n", machine_words().c_str(), commit_name().c_str(),
              settings.rounds);
  for (const std::string& warning : warnings()) std::printf("%s\n", warning.c_str());
  if (!has_two_processors()) std::printf("One processor only: both sides share it.\n");
  std::printf(
      "Server and client are processes on a processor each. Figures are medians over the rounds\n"
      "(lowest to highest); ratios are taken round by round.\n\n");
  // What goes over the wire is measured row by row; fold_figures() turns it on.
  hotrow::client::Folds::turn(false);
  bool good = true;
  for (const auto figures :
       {lookup_figures, tls_figures, shm_figures, latency_figures, together_figures, push_figures,
        fold_figures, redis_figures, grpc_figures}) {
    good = figures(settings) && good;
  }
  return good ? 0 : 1;
}
