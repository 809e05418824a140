// Throughput of lookups over TLS, beside OpenSSL on a bare socket and beside the same without TLS.
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <string>

#include "figures.h"
#include "raw_tls.h"
#include "report.h"
#include "sockets.h"
#include "work.h"

namespace hotrow::bench {

namespace {

// A key in a file of this run's own.
class KeyFile {
 public:
  KeyFile() {
    const int file = ::mkstemp(path_);
    constexpr char kLine[] = "bench:00112233445566778899aabbccddeeff\n";
    if (file < 0 || ::write(file, kLine, sizeof kLine - 1) < 0) fail("no file can be made");
    ::close(file);
  }
  ~KeyFile() { ::unlink(path_); }
  KeyFile(const KeyFile&) = delete;
  KeyFile& operator=(const KeyFile&) = delete;
  const char* path() const { return path_; }

 private:
  char path_[32] = "/tmp/hotrow-bench-XXXXXX";
};

void throughput(const NetSettings& settings) {
  const KeyFile key;
  constexpr uint64_t kCached = 1000;
  const OurShape plain_shape{.rows = kCached, .dim = kDim};
  OurShape shape = plain_shape;
  shape.server_tls.psk_file = key.path();
  shape.client_tls.psk_file = key.path();
  const auto server = start_ours(shape);
  const auto plain_server = start_ours(plain_shape);
  const Child raw_server([](const Child::Ready& ready) { serve_raw_tls(kDim, ready); });
  const OurStore ours = OurStore::connected(shape, server->port());
  const OurStore plain = OurStore::connected(plain_shape, plain_server->port());
  RawTlsClient raw(raw_server.port());
  const size_t row_bytes = kDim * sizeof(float);
  const size_t turn = (size_t{settings.turn_mib} << 20) / row_bytes / kCallKeys * kCallKeys;
  const auto keys = draw_keys(kCached, std::max(turn, kCallKeys));
  const double gigabytes = static_cast<double>(keys.size() * row_bytes) * 1e-9;
  std::vector<float> rows(kCallKeys * kDim);
  CpuTime our_time("hotrow over TLS, client and server", *server, gigabytes);
  CpuTime raw_time("OpenSSL on a bare socket, the same", raw_server, gigabytes);
  CpuTime unused("", raw_server, 1);
  const auto timed = [&](std::string name, auto work, CpuTime& time) {
    return contestant(std::move(name), keys.size(), work, time);
  };
  const auto lookups = [&](const OurStore& store) {
    return [&] { for_calls(keys, kCallKeys, [&](auto its) { store.lookup(its, rows); }); };
  };
  Team team(1);
  const auto samples =
      race(team,
           {timed("hotrow over TLS, 4 requests a call", lookups(ours), our_time),
            timed(
                "OpenSSL on a bare socket, 4 under way",
                [&] { keep_under_way(raw, keys, kRequestKeys, std::span<float>(rows)); }, raw_time),
            timed("hotrow without TLS", lookups(plain), unused)},
           settings.rounds, true);
  print_title(std::string("tls/cached: 1-MiB requests out of 1,000 rows over TLS 1.3, ") +
              raw.cipher() + ", beside OpenSSL on a bare socket that answers from a ready buffer" +
              ", congestion control " + congestion_control(raw.socket()));
  for (const Samples& each : samples) print_rates(each, row_bytes, "GB/s");
  print_ratio("hotrow over TLS ÷ OpenSSL on a bare socket", samples[1], samples[0],
              {.reach = 0.85});
  print_ratio("over TLS ÷ without", samples[2], samples[0]);
  print_values(our_time.samples(), 1, "CPU s/GB");
  print_values(raw_time.samples(), 1, "CPU s/GB");
  std::printf("\n");
}

}  // namespace

bool tls_figures(const NetSettings& settings) {
  if (!settings.wants("tls/cached")) return true;
  return run_apart([&] { throughput(settings); });
}

}  // namespace hotrow::bench
