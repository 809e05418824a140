// Throughput of lookups over the wire, beside bare sockets.
#include <cstdio>

#include "figures.h"
#include "raw.h"
#include "report.h"
#include "work.h"
#include "workload.h"

namespace hotrow::bench {

namespace {

struct Shape {
  std::string name;
  std::string title;
  uint64_t rows = 0;
  RawShape raw;
  const char* raw_name = nullptr;
  double reach = 0;
};

/// The first keys of the stream, looked up by each.
void check(const OurStore& ours, RawClient& raw, const Shape& shape) {
  constexpr size_t kChecked = 1000;
  Random random(1);
  std::vector<uint64_t> numbers(kChecked);
  std::vector<uint64_t> keys(kChecked);
  for (size_t i = 0; i < kChecked; ++i) {
    numbers[i] = random.below(shape.rows);
    keys[i] = key_of(numbers[i]);
  }
  std::vector<float> rows(kChecked * kDim);
  ours.lookup(keys, rows);
  check_rows(numbers, rows, kDim, "hotrow");
  raw.send(keys);
  raw.receive(rows);
  if (shape.raw.rows == 0) return;
  for (size_t i = 0; i < kChecked; ++i) numbers[i] = raw_row_of(keys[i], shape.rows);
  check_rows(numbers, rows, kDim, "the bare socket");
}

void throughput(const NetSettings& settings, const Shape& shape) {
  const OurShape our_shape{.rows = shape.rows, .dim = kDim};
  const auto server = start_ours(our_shape);
  const Child raw_server([&](const Child::Ready& ready) { serve_raw(shape.raw, ready); });
  const OurStore ours = OurStore::connected(our_shape, server->port());
  RawClient raw(raw_server.port(), Wait::kSleeps);
  check(ours, raw, shape);
  const size_t row_bytes = kDim * sizeof(float);
  const size_t long_call = 8 * kCallKeys;
  const size_t turn = (size_t{settings.turn_mib} << 20) / row_bytes / long_call * long_call;
  const auto keys = draw_keys(shape.rows, std::max(turn, long_call));
  const double gigabytes = static_cast<double>(keys.size() * row_bytes) * 1e-9;
  const Buffer memory(long_call * kDim);
  const std::span<float> rows(memory.data(), long_call * kDim);
  const auto call = rows.first(kCallKeys * kDim);
  CpuTime our_time("hotrow, client and server", *server, gigabytes);
  CpuTime raw_time(std::string(shape.raw_name) + ", the same", raw_server, gigabytes);
  const auto timed = [&](std::string name, auto work, CpuTime& time) {
    return contestant(std::move(name), keys.size(), work, time);
  };
  CpuTime unused("", raw_server, 1);
  Team team(1);
  const auto samples = race(
      team,
      {timed(
           "hotrow, 4 requests a call",
           [&] { for_calls(keys, kCallKeys, [&](auto its) { ours.lookup(its, call); }); },
           our_time),
       timed(
           std::string(shape.raw_name) + ", 4 under way",
           [&] { keep_under_way(raw, keys, kRequestKeys, call); }, raw_time),
       timed(
           "hotrow, 32 requests a call, 8 under way",
           [&] { for_calls(keys, long_call, [&](auto its) { ours.lookup(its, rows); }); }, unused),
       timed(
           std::string(shape.raw_name) + ", 4 requests a call",
           [&] {
             for_calls(keys, kCallKeys,
                       [&](auto its) { keep_under_way(raw, its, kRequestKeys, call); });
           },
           unused)},
      settings.rounds, true);
  print_title(shape.title + ", congestion control " + congestion_control(raw.socket()));
  for (const Samples& each : samples) print_rates(each, row_bytes, "GB/s");
  print_ratio("hotrow ÷ bare socket, 4 requests", samples[1], samples[0], {.reach = shape.reach});
  print_ratio("hotrow ÷ bare socket, both call by call", samples[3], samples[0]);
  print_ratio("hotrow, 32 requests a call ÷ bare socket", samples[1], samples[2]);
  print_values(our_time.samples(), 1, "CPU s/GB");
  print_values(raw_time.samples(), 1, "CPU s/GB");
  print_ratio("processor time, hotrow ÷ bare socket", our_time.samples(), raw_time.samples());
  std::printf("\n");
}

}  // namespace

bool lookup_figures(const NetSettings& settings) {
  const Shape large{.name = "lookup/256b",
                    .title = "lookup/256b: 1-MiB requests of 256-byte rows out of " +
                             std::to_string(settings.rows * kDim * sizeof(float) >> 20) +
                             " MiB, beside a bare epoll server with a plain gather",
                    .rows = settings.rows,
                    .raw = {.rows = settings.rows, .dim = kDim},
                    .raw_name = "bare gather",
                    .reach = 0.65};
  const Shape cached{.name = "lookup/cached",
                     .title =
                         "lookup/cached: 1-MiB requests out of 1,000 rows, beside a bare "
                         "epoll server that answers from a ready buffer (echo)",
                     .rows = 1000,
                     .raw = {.rows = 0, .dim = kDim},
                     .raw_name = "bare echo",
                     .reach = 0.75};
  bool good = true;
  for (const Shape& shape : {large, cached}) {
    if (!settings.wants(shape.name)) continue;
    good = run_apart([&] { throughput(settings, shape); }) && good;
  }
  return good;
}

}  // namespace hotrow::bench
