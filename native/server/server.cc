// The server: options, the hub and the listener that feeds it.
#include <atomic>
#include <functional>
#include <utility>

#include "base/check.h"
#include "base/guarded.h"
#include "net/fabric.h"
#include "server/hub.h"
#include "server/session.h"

namespace hotrow {

namespace {

// A frame for whoever speaks plainly to a server that does not.
std::vector<std::byte> tls_only() {
  const AlignedBuffer frame =
      server::failure({}, {StatusCode::kDenied, "the server speaks TLS only"});
  return {frame.data(), frame.data() + frame.size()};
}

struct Admitting {
  std::shared_ptr<const net::TlsContext> context;
  server::Admission admission;
};

Result<Admitting> read_files(const ServerTls& tls) {
  Admitting made;
  if (!tls.used()) return Result<Admitting>(std::move(made));
  auto context = net::TlsContext::server(tls);
  if (!context.ok()) return context.status();
  made.context = std::move(context).value();
  if (!tls.token_file.empty()) {
    auto tokens = net::read_token_file("tokenFile", tls.token_file);
    if (!tokens.ok()) return tokens.status();
    made.admission.tokens = std::move(tokens).value();
  }
  if (!tls.access_file.empty()) {
    auto access = server::Access::read(tls.access_file);
    if (!access.ok()) return access.status();
    made.admission.access = std::move(access).value();
  }
  return Result<Admitting>(std::move(made));
}

constexpr uint32_t kMostSpinUs = 1'000'000;
constexpr uint32_t kMostConnections = 1 << 20;
constexpr uint64_t kLeastBodyBytes = uint64_t{64} << 10;
constexpr uint64_t kMostBodyBytes = uint64_t{1} << 30;
constexpr uint64_t kLeastHeldBytes = uint64_t{64} << 10;
constexpr uint64_t kMostHeldBytes = uint64_t{64} << 30;

class SocketServer final : public Server {
 public:
  SocketServer(std::shared_ptr<Store> store, const ServerOptions& options,
               server::Admission admission, std::shared_ptr<net::TraceFile> trace)
      : hub_(std::move(store), options, std::move(admission)) {
    hub_.times.trace_to(std::move(trace));
  }
  ~SocketServer() override { stop(); }

  Status start(const net::Address& address, std::shared_ptr<const net::TlsContext> tls) {
    const auto version = hub_.store->version();
    // A store in memory has none.
    if (version.ok()) hub_.store_version = version.value().version;
    hub_.cluster_versions.start(*hub_.store);
    hub_.figures = [this](const auto& shows) { return figures(shows); };
    net::ListenOptions listen{.address = address,
                              .threads = hub_.options.threads,
                              .spin_us = hub_.options.spin_us,
                              .most_connections = hub_.options.most_connections,
                              .most_queued_bytes = 2 * hub_.options.most_body_bytes,
                              .tls = std::move(tls),
                              .plain_answer = tls_only()};
    auto listener = net::Listener::open(listen, [this](net::Connection& connection) {
      return std::make_unique<server::Session>(hub_, connection);
    });
    if (!listener.ok()) return listener.status();
    listener_ = std::move(listener).value();
    listening_.store(listener_.get(), std::memory_order_release);
    return {};
  }

  std::string address() const override { return listener_->address().to_string(); }

  ServerStats stats() const override {
    ServerStats all;
    static_cast<ServerFigures&>(all) = figures([](std::string_view) { return true; });
    all.groups = hub_.clocks.figures();
    return all;
  }

  Status set_placement(std::string_view text, const std::string& self) override {
    return guarded([&] { return hub_.ownership.set(text, self); });
  }
  std::string placement() const override { return hub_.ownership.text(); }
  uint64_t frozen_by() const override { return hub_.ownership.frozen_by(); }
  void thaw(uint64_t lock) override { hub_.ownership.thaw(lock, SlotSet().set()); }
  void believe_placement_for(std::chrono::milliseconds time) override {
    hub_.ownership.believe_until(server::Ownership::Clock::now() + time);
  }

  void stop() override {
    const MutexLock lock(stopping_);
    if (listener_ == nullptr) return;
    listener_->stop();
    hub_.clocks.stop();
    hub_.others.stop();
    hub_.opening.stop();
    hub_.files.stop();
    hub_.times.end_trace();
  }

 private:
  ServerFigures figures(const std::function<bool(std::string_view)>& shows) const {
    const net::Listener* const listener = listening_.load(std::memory_order_acquire);
    return {.server = {},
            .connections = listener == nullptr ? 0 : listener->connections(),
            .fabric = listener == nullptr ? 0 : listener->fabric_connections(),
            .sessions = hub_.sessions.size(),
            .requests = hub_.requests,
            .failures = hub_.failures,
            .repeated = hub_.repeated,
            .refused = hub_.refused + (listener == nullptr ? 0 : listener->refused()),
            .latency = hub_.times.summaries(shows)};
  }

  server::Hub hub_;
  // The listener, for those who come before open() has returned; null until then.
  std::atomic<const net::Listener*> listening_{nullptr};
  Mutex stopping_;
  std::unique_ptr<net::Listener> listener_;
};

}  // namespace

Status ServerOptions::validate() const {
  auto address = net::parse_address(listen);
  if (!address.ok()) return Status::invalid_argument("listen: " + address.status().message());
  if (!net::is_loopback(address.value().host) && !tls.used()) {
    return Status::invalid_argument(
        "listen: expected an address of this machine only (127.0.0.1, ::1, localhost) but received "
        "'" +
        listen + "': beyond it nothing would be encrypted or authenticated without tls");
  }
  HOTROW_RETURN_IF_ERROR(tls.validate());
  HOTROW_RETURN_IF_ERROR(expect_between(threads, "threads", 1, kMaxThreads));
  HOTROW_RETURN_IF_ERROR(expect_between(spin_us, "spinUs", 0, kMostSpinUs));
  HOTROW_RETURN_IF_ERROR(expect_between(most_connections, "mostConnections", 1, kMostConnections));
  HOTROW_RETURN_IF_ERROR(
      expect_between(most_body_bytes, "mostBodyBytes", kLeastBodyBytes, kMostBodyBytes));
  if (most_body_bytes % wire::kAlignment != 0) {
    return Status::invalid_argument("mostBodyBytes: expected a multiple of 64 but received " +
                                    std::to_string(most_body_bytes));
  }
  HOTROW_RETURN_IF_ERROR(
      expect_between(most_held_bytes, "mostHeldBytes", kLeastHeldBytes, kMostHeldBytes));
  return expect_between(session_ms, "sessionMs", 0, UINT32_MAX);
}

Result<std::unique_ptr<Server>> Server::start(std::shared_ptr<Store> store,
                                              const ServerOptions& options) {
  return guarded([&]() -> Result<std::unique_ptr<Server>> {
    HOTROW_RETURN_IF_ERROR(options.validate());
    const auto address = net::parse_address(options.listen);
    if (options.transport == Transport::kShm || options.transport == Transport::kRdma) {
      const auto link = net::FabricLink::make({.transport = options.transport});
      if (!link.ok()) return link.status();
    }
    auto files = read_files(options.tls);
    if (!files.ok()) return files.status();
    std::shared_ptr<net::TraceFile> trace;
    if (!options.trace.empty()) {
      auto made = net::TraceFile::open(options.trace, "hotrow server");
      if (!made.ok()) return made.status();
      trace = std::move(made).value();
    }
    auto server = std::make_unique<SocketServer>(
        std::move(store), options, std::move(files.value().admission), std::move(trace));
    HOTROW_RETURN_IF_ERROR(server->start(address.value(), std::move(files.value().context)));
    return Result<std::unique_ptr<Server>>(std::move(server));
  });
}

}  // namespace hotrow
