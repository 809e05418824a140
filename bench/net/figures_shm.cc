// Throughput over shared memory beside a bare socket that sends a ready buffer: lookups, and links
// alone, which do what that socket does.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <string>

#include "base/hex.h"
#include "figures.h"
#include "net/fabric.h"
#include "net/listener.h"
#include "net/socket.h"
#include "raw.h"
#include "report.h"
#include "sockets.h"
#include "work.h"

namespace hotrow::bench {

namespace {

constexpr size_t kReplyBytes = kRequestKeys * kDim * sizeof(float);
constexpr size_t kRequestBytes = kRequestKeys * sizeof(uint64_t);

template <class T>
T must(Result<T> result) {
  if (!result.ok()) fail(result.status().message().c_str());
  return std::move(result).value();
}

// Answers its first bytes with a ticket, and then each request of keys with a ready buffer.
class LinkHandler final : public net::Handler {
 public:
  explicit LinkHandler(net::Connection& connection) : connection_(connection) {}

  std::span<std::byte> space() override { return request_.bytes().subspan(filled_); }
  bool received(size_t bytes) override {
    if (!std::exchange(offered_, true)) {
      const auto offer = must(connection_.offer(Transport::kShm));
      const std::string text = offer.ticket + to_hex(offer.address) + "\n";
      AlignedBuffer frame(text.size());
      std::memcpy(frame.data(), text.data(), text.size());
      connection_.send(std::move(frame));
      return true;
    }
    filled_ += bytes;
    if (filled_ < kRequestBytes) return true;
    filled_ = 0;
    AlignedBuffer reply = connection_.take(kReplyBytes);
    reply.resize(kReplyBytes);
    connection_.send(std::move(reply));
    return true;
  }
  bool waiting() const override { return false; }
  bool overdue(std::chrono::steady_clock::time_point /*now*/) override { return false; }

 private:
  net::Connection& connection_;
  AlignedBuffer request_{kRequestBytes};
  size_t filled_ = 0;
  bool offered_ = false;
};

void serve_links(uint32_t spin_us, const Child::Ready& ready) {
  static const auto kListener = must(net::Listener::open(
      {.address = {.host = "127.0.0.1", .port = 0}, .spin_us = spin_us},
      [](net::Connection& connection) { return std::make_unique<LinkHandler>(connection); }));
  ready(kListener->address().port);
}

class LinkClient {
 public:
  LinkClient(uint16_t port, uint32_t spin_us)
      : spin_(spin_us),
        socket_(must(net::Socket::connect({.host = "127.0.0.1", .port = port}, soon()))) {
    auto link = must(net::FabricLink::make({.transport = Transport::kShm, .direct = true}));
    const std::byte hello{1};
    std::span<const std::byte> bytes(&hello, 1);
    must(socket_.send({&bytes, 1}));
    std::string text;
    while (!text.ends_with('\n')) {
      std::byte next{};
      read({&next, 1});
      text += static_cast<char>(next);
    }
    const std::string address = from_hex(text.substr(32, text.size() - 33));
    const Status entered = socket_.enter(std::move(link), address, text.substr(0, 32), soon());
    if (!entered.ok()) fail(entered.message().c_str());
  }

  void send(std::span<const uint64_t> keys) {
    std::span<const std::byte> bytes = std::as_bytes(keys);
    while (!bytes.empty()) bytes = bytes.subspan(must(socket_.send({&bytes, 1})));
  }
  void receive(std::span<float> rows) { read(std::as_writable_bytes(rows)); }

 private:
  static std::chrono::steady_clock::time_point soon() {
    return std::chrono::steady_clock::now() + std::chrono::seconds(20);
  }
  void read(std::span<std::byte> bytes) {
    while (!bytes.empty()) {
      const size_t came = must(socket_.receive(bytes, {}));
      bytes = bytes.subspan(came);
      if (came == 0) (void)socket_.wait(net::Socket::kReadable, soon(), spin_);
    }
  }

  const std::chrono::microseconds spin_;
  net::Socket socket_;
};

void throughput(const NetSettings& settings, uint32_t spin_us) {
  constexpr uint64_t kCached = 1000;
  const OurShape shape{
      .rows = kCached, .dim = kDim, .spin_us = spin_us, .transport = Transport::kShm};
  OurShape tcp_shape = shape;
  tcp_shape.transport = Transport::kTcp;
  const RawShape raw_shape{.rows = 0, .dim = kDim, .spin_us = spin_us};
  const auto server = start_ours(shape);
  const auto tcp_server = start_ours(tcp_shape);
  const Child link_server([&](const Child::Ready& ready) { serve_links(spin_us, ready); });
  const Child raw_server([&](const Child::Ready& ready) { serve_raw(raw_shape, ready); });
  const OurStore ours = OurStore::connected(shape, server->port());
  const OurStore over_tcp = OurStore::connected(tcp_shape, tcp_server->port());
  LinkClient link(link_server.port(), spin_us);
  RawClient raw(raw_server.port(), spin_us > 0 ? Wait::kSpins : Wait::kSleeps);
  const size_t row_bytes = kDim * sizeof(float);
  const size_t turn = (size_t{settings.turn_mib} << 20) / row_bytes / kCallKeys * kCallKeys;
  const auto keys = draw_keys(kCached, std::max(turn, kCallKeys));
  const double gigabytes = static_cast<double>(keys.size() * row_bytes) * 1e-9;
  std::vector<float> memory(kCallKeys * kDim);
  const std::span<float> rows(memory);
  CpuTime our_time("hotrow over shared memory, client and server", *server, gigabytes);
  CpuTime link_time("links alone, the same", link_server, gigabytes);
  CpuTime tcp_time("hotrow over TCP, the same", *tcp_server, gigabytes);
  CpuTime raw_time("bare echo over TCP, the same", raw_server, gigabytes);
  const auto timed = [&](std::string name, auto work, CpuTime& time) {
    return contestant(std::move(name), keys.size(), work, time);
  };
  Team team(1);
  const auto samples =
      race(team,
           {timed(
                "hotrow over shared memory, 4 requests a call",
                [&] { for_calls(keys, kCallKeys, [&](auto its) { ours.lookup(its, rows); }); },
                our_time),
            timed(
                "links alone, 4 under way", [&] { keep_under_way(link, keys, kRequestKeys, rows); },
                link_time),
            timed(
                "bare echo over TCP, 4 under way",
                [&] { keep_under_way(raw, keys, kRequestKeys, rows); }, raw_time),
            timed(
                "hotrow over TCP, 4 requests a call",
                [&] { for_calls(keys, kCallKeys, [&](auto its) { over_tcp.lookup(its, rows); }); },
                tcp_time)},
           settings.rounds, true);
  print_title(
      "shm/cached: 1-MiB requests out of 1,000 rows over shared memory, beside a bare epoll "
      "server that answers over TCP from a ready buffer, " +
      (spin_us > 0 ? "both sides look for work for " + std::to_string(spin_us) + " us"
                   : std::string("all sleep")) +
      ", congestion control " + congestion_control(raw.socket()));
  for (const Samples& each : samples) print_rates(each, row_bytes, "GB/s");
  print_ratio("hotrow over shared memory ÷ bare echo over TCP", samples[2], samples[0]);
  print_ratio("hotrow over shared memory ÷ hotrow over TCP", samples[3], samples[0]);
  print_ratio("links alone ÷ bare echo over TCP", samples[2], samples[1], {.reach = 1.3});
  print_values(our_time.samples(), 1, "CPU s/GB");
  print_values(tcp_time.samples(), 1, "CPU s/GB");
  print_values(link_time.samples(), 1, "CPU s/GB");
  print_values(raw_time.samples(), 1, "CPU s/GB");
  std::printf("\n");
}

}  // namespace

bool shm_figures(const NetSettings& settings) {
  if (!settings.wants("shm/cached")) return true;
  // In a process of its own: servers are forked, and libucp must not be there before.
  const bool there = run_apart([] {
    const auto link = net::FabricLink::make({.transport = Transport::kShm});
    if (!link.ok()) fail(link.status().message().c_str());
  });
  if (!there) {
    std::printf("shm/cached: left out\n\n");
    return true;
  }
  bool good = true;
  for (const uint32_t spin_us : {uint32_t{0}, settings.spin_us}) {
    good = run_apart([&] { throughput(settings, spin_us); }) && good;
  }
  return good;
}

}  // namespace hotrow::bench
