// Hub: what all connections of one server share.
#ifndef HOTROW_SERVER_HUB_H_
#define HOTROW_SERVER_HUB_H_

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/random_id.h"
#include "hotrow/server.h"
#include "hotrow/store.h"
#include "net/secrets.h"
#include "server/access.h"
#include "server/clock_desk.h"
#include "server/cluster_versions.h"
#include "server/ownership.h"
#include "server/parameters.h"
#include "server/sessions.h"
#include "server/verb_times.h"
#include "server/worker.h"

namespace hotrow::server {

/// Whom the server lets in, as its files say.
struct Admission {
  net::Secrets tokens;
  Access access;
};

struct Hub {
  Hub(std::shared_ptr<Store> its_store, const ServerOptions& its_options, Admission its_admission)
      : store(std::move(its_store)),
        options(its_options),
        admission(std::move(its_admission)),
        ownership(its_options.placed),
        sessions(std::chrono::milliseconds(its_options.session_ms)),
        clocks(store, its_options.most_held_bytes) {}

  const std::shared_ptr<Store> store;
  const ServerOptions options;
  const Admission admission;
  const std::string run = random_id();
  uint64_t store_version = 0;  // when the server started
  Parameters parameters;
  ClusterVersions cluster_versions;
  Ownership ownership;
  Sessions sessions;
  ClockDesk clocks;
  /// Calls that may take long, off the threads that serve connections: those that write or read
  /// files, those that open tables, whose rows may have to be read first, and all others.
  Worker files;
  Worker opening;
  Worker others;
  VerbTimes times;
  /// What the server has done, without what only its address and its groups say; of tables those
  /// whose names `shows`. Set before there is a connection.
  std::function<ServerFigures(const std::function<bool(std::string_view)>& shows)> figures;
  // Counts; they publish nothing.
  std::atomic<uint64_t> requests{0};
  std::atomic<uint64_t> failures{0};
  std::atomic<uint64_t> repeated{0};
  std::atomic<uint64_t> refused{0};
};

}  // namespace hotrow::server

#endif  // HOTROW_SERVER_HUB_H_
