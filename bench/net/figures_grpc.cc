// Lookups beside gRPC in C++, whose server has the same table: plainly, and over TLS 1.3 where both
// sides have certificates.
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

#include "figures.h"
#include "grpc_peer.h"
#include "report.h"
#include "sockets.h"
#include "support/certificates.h"
#include "support/folder.h"
#include "work.h"
#include "workload.h"

namespace hotrow::bench {

namespace {

struct GrpcShape {
  std::string name;
  uint64_t rows = 0;
  bool tls = false;
  double reach = 0;
};

std::string text_of(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

/// Certificates of both sides, in files.
struct Certificates {
  test::Folder folder;
  test::Authority authority{folder.path(), "bench"};
  test::Issued server =
      authority.issue("server", {.names = "DNS:localhost,IP:127.0.0.1", .use = "serverAuth"});
  test::Issued client = authority.issue("client", {.names = "DNS:bench"});

  GrpcTls grpc(const test::Issued& its) const {
    return {.ca = text_of(authority.ca_file()),
            .cert = text_of(its.cert_file),
            .key = text_of(its.key_file)};
  }
  void use(OurShape& shape) const {
    shape.server_tls = {
        .cert_file = server.cert_file, .key_file = server.key_file, .ca_file = authority.ca_file()};
    shape.client_tls = {
        .ca_file = authority.ca_file(), .cert_file = client.cert_file, .key_file = client.key_file};
  }
  /// gRPC has no option for the ciphers of TLS 1.3, but its OpenSSL reads this: ours begins with
  /// the same one.
  void set_cipher_of_grpc() const {
    const std::string settings = test::write_file(folder / "openssl.cnf",
                                                  "openssl_conf = all\n[all]\nssl_conf = ssl\n"
                                                  "[ssl]\nsystem_default = both\n[both]\n"
                                                  "Ciphersuites = TLS_AES_128_GCM_SHA256\n");
    ::setenv("OPENSSL_CONF", settings.c_str(), 1);
  }
};

/// The first call of each; then the servers' sockets are as they will be.
void check(const OurStore& ours, GrpcClient& grpc, std::span<const uint64_t> keys) {
  std::vector<float> rows(kCallKeys * kDim);
  std::vector<float> its_rows(kCallKeys * kDim);
  ours.lookup(keys.first(kCallKeys), rows);
  keep_under_way(grpc, keys.first(kCallKeys), kRequestKeys, std::span(its_rows));
  if (rows != its_rows) fail("gRPC gives other rows than expected");
}

void beside_grpc(const NetSettings& settings, const GrpcShape& its_shape) {
  const Certificates certificates;
  OurShape shape{.rows = its_shape.rows, .dim = kDim};
  GrpcTls server_tls;
  GrpcTls client_tls;
  if (its_shape.tls) {
    certificates.use(shape);
    certificates.set_cipher_of_grpc();
    server_tls = certificates.grpc(certificates.server);
    client_tls = certificates.grpc(certificates.client);
  }
  const auto server = start_ours(shape);
  const auto grpc_server = start_grpc(GrpcStyle::kCallbacks, shape, server_tls);
  const auto queue_server = start_grpc(GrpcStyle::kQueues, shape, server_tls);
  const bool tuned = tune_listener_of(grpc_server->pid()) && tune_listener_of(queue_server->pid());
  const OurStore ours = OurStore::connected(shape, server->port());
  GrpcClient grpc(GrpcStyle::kCallbacks, grpc_server->port(), client_tls);
  GrpcClient queues(GrpcStyle::kQueues, queue_server->port(), client_tls);
  const size_t row_bytes = kDim * sizeof(float);
  const size_t turn = (size_t{settings.turn_mib} << 20) / row_bytes / kCallKeys * kCallKeys;
  const auto keys = draw_keys(shape.rows, std::max(turn, kCallKeys));
  const double gigabytes = static_cast<double>(keys.size() * row_bytes) * 1e-9;
  check(ours, grpc, keys);
  check(ours, queues, keys);
  std::vector<float> rows(kCallKeys * kDim);
  CpuTime our_time("hotrow, client and server", *server, gigabytes);
  CpuTime its_time("gRPC's callback API, the same", *grpc_server, gigabytes);
  CpuTime queue_time("gRPC's completion queues, the same", *queue_server, gigabytes);
  Team team(1);
  const auto samples = race(
      team,
      {contestant(
           "hotrow, 4 requests a call", keys.size(),
           [&] { for_calls(keys, kCallKeys, [&](auto its) { ours.lookup(its, rows); }); },
           our_time),
       contestant(
           "gRPC's callback API, 4 calls under way", keys.size(),
           [&] { keep_under_way(grpc, keys, kRequestKeys, std::span<float>(rows)); }, its_time),
       contestant(
           "gRPC's completion queues, the same", keys.size(),
           [&] { keep_under_way(queues, keys, kRequestKeys, std::span<float>(rows)); },
           queue_time)},
      settings.rounds, true);
  print_title(its_shape.name + ": 1-MiB replies out of " + std::to_string(shape.rows) +
              " rows of 256 bytes, beside gRPC C++ " + grpc_version() +
              " (protobuf bytes) in front of the same table" +
              (its_shape.tls ? ", TLS 1.3 with certificates of both sides" : "") +
              "; congestion control of gRPC's replies: " + (tuned ? "as ours" : "the system's"));
  for (const Samples& each : samples) print_rates(each, row_bytes, "GB/s");
  print_ratio("hotrow ÷ gRPC's callback API", samples[1], samples[0], {.reach = its_shape.reach});
  print_ratio("hotrow ÷ gRPC's completion queues", samples[2], samples[0],
              {.reach = its_shape.reach});
  for (const CpuTime* const time : {&our_time, &its_time, &queue_time}) {
    print_values(time->samples(), 1, "CPU s/GB");
  }
  print_ratio("processor time, hotrow ÷ callback API", our_time.samples(), its_time.samples());
  print_ratio("processor time, hotrow ÷ completion queues", our_time.samples(),
              queue_time.samples());
  std::printf("\n");
}

}  // namespace

bool grpc_figures(const NetSettings& settings) {
  const GrpcShape shapes[] = {
      {.name = "grpc/256b", .rows = settings.rows, .reach = 3},
      {.name = "grpc/cached", .rows = 1000, .reach = 3},
      {.name = "grpc/mtls", .rows = 1000, .tls = true, .reach = 2},
  };
  bool good = true;
  for (const GrpcShape& shape : shapes) {
    if (!settings.wants(shape.name)) continue;
    if (!has_grpc()) {
      std::printf("%s: skipped, built without gRPC (libgrpc++-dev, protobuf-compiler-grpc)\n",
                  shape.name.c_str());
      continue;
    }
    good = run_apart([&] { beside_grpc(settings, shape); }) && good;
  }
  return good;
}

}  // namespace hotrow::bench
