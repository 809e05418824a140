// Calls that wait for their answer: few keys, and many tables with few keys each.
#include <algorithm>
#include <cstdio>

#include "figures.h"
#include "raw.h"
#include "report.h"
#include "work.h"

namespace hotrow::bench {

namespace {

constexpr uint64_t kRows = 100'000;

const char* mode_of(Wait wait) { return wait == Wait::kSpins ? "/spin" : "/sleep"; }

/// p50 and p99 of a contestant's calls, a value a round, in ns.
struct Percentiles {
  Samples p50;
  Samples p99;

  explicit Percentiles(const std::string& name) : p50{.name = name}, p99{.name = name} {}
  void add(std::vector<double>& seconds) {
    std::ranges::sort(seconds);
    p50.values.push_back(seconds[seconds.size() / 2] * 1e9);
    p99.values.push_back(seconds[seconds.size() * 99 / 100] * 1e9);
  }
};

/// Seconds of each call for the next `n` keys.
template <class Call>
std::vector<double> time_calls(std::span<const uint64_t> keys, size_t n, const Call& call) {
  std::vector<double> seconds;
  double before = now_seconds();
  for_calls(keys, n, [&](auto its) {
    call(its);
    const double after = now_seconds();
    seconds.push_back(after - before);
    before = after;
  });
  return seconds;
}

void print_percentile(const char* which, const Samples& ours, const Samples& raw) {
  std::printf("  %s\n", which);
  print_values(ours, 1e-3, "us");
  print_values(raw, 1e-3, "us");
  print_ratio("hotrow ÷ bare socket", ours, raw, {.reach = 1.15, .at_most = true});
}

void latency(const NetSettings& settings, size_t n, Wait wait) {
  const uint32_t spin_us = wait == Wait::kSpins ? settings.spin_us : 0;
  const OurShape shape{.rows = kRows, .dim = kDim, .spin_us = spin_us};
  const auto server = start_ours(shape);
  const Child raw_server([&](const Child::Ready& ready) {
    serve_raw({.rows = 0, .dim = kDim, .spin_us = spin_us}, ready);
  });
  const OurStore ours = OurStore::connected(shape, server->port());
  RawClient raw(raw_server.port(), wait);
  const auto keys = draw_keys(kRows, settings.calls * n);
  std::vector<float> rows(n * kDim);
  Percentiles our_times("hotrow");
  Percentiles raw_times("bare ping-pong");
  CpuTime our_cpu("hotrow", *server, settings.calls);
  CpuTime raw_cpu("bare ping-pong", raw_server, settings.calls);
  for (uint32_t round = 0; round <= settings.rounds; ++round) {
    our_cpu.start();
    auto our_calls = time_calls(keys, n, [&](auto its) { ours.lookup(its, rows); });
    our_cpu.stop();
    raw_cpu.start();
    auto raw_calls = time_calls(keys, n, [&](auto its) {
      raw.send(its);
      raw.receive(rows);
    });
    raw_cpu.stop();
    if (round == 0) continue;  // warms up
    our_times.add(our_calls);
    raw_times.add(raw_calls);
  }
  print_title("latency/" + std::to_string(n) + mode_of(wait) + ": a lookup of " +
              std::to_string(n) + " keys, both sides " +
              (wait == Wait::kSpins ? "spinning" : "sleeping") +
              ", beside a bare socket's ping-pong of as many bytes");
  print_percentile("p50", our_times.p50, raw_times.p50);
  print_percentile("p99", our_times.p99, raw_times.p99);
  if (wait == Wait::kSleeps) {
    std::printf("  processor time, client and server\n");
    print_values(our_cpu.samples(), 1e6, "CPU us/call");
    print_values(raw_cpu.samples(), 1e6, "CPU us/call");
    print_ratio("hotrow ÷ bare socket", our_cpu.samples(), raw_cpu.samples());
  }
  std::printf("\n");
}

void together(const NetSettings& settings, Wait wait, uint32_t dim) {
  constexpr uint32_t kTables = 26;
  constexpr size_t kKeys = 64;
  const OurShape shape{.rows = 10'000,
                       .dim = dim,
                       .tables = kTables,
                       .spin_us = wait == Wait::kSpins ? settings.spin_us : 0};
  const auto server = start_ours(shape);
  const OurStore ours = OurStore::connected(shape, server->port());
  const size_t calls = std::max<size_t>(settings.calls / 10, 1);
  const auto keys = draw_keys(shape.rows, calls * kTables * kKeys);
  std::vector<float> rows(kTables * kKeys * dim);
  const auto one_by_one = [&](std::span<const uint64_t> its) {
    for (size_t i = 0; i < kTables; ++i) {
      ours.lookup_of(i, its.subspan(i * kKeys, kKeys),
                     std::span(rows).subspan(i * kKeys * dim, kKeys * dim));
    }
  };
  const auto contestant = [&](const char* name, auto call) {
    return Contestant{.name = name, .keys = calls, .work = [&keys, call](uint32_t) {
                        for_calls(keys, kTables * kKeys, call);
                      }};
  };
  Team team(1);
  const auto samples =
      race(team,
           {contestant("one message", [&](auto its) { ours.lookup_all(its, rows); }),
            contestant("26 messages", one_by_one)},
           settings.rounds, true);
  print_title("tables26/dim" + std::to_string(dim) + mode_of(wait) +
              ": 26 tables, 64 keys each, in one message beside one message a table");
  for (const Samples& each : samples) print_rates(each, 1e9, "steps/s");
  print_ratio("one message ÷ 26 messages", samples[1], samples[0], {.reach = 3});
  std::printf("\n");
}

}  // namespace

bool latency_figures(const NetSettings& settings) {
  bool good = true;
  for (const size_t n : {1, 16}) {
    for (const Wait wait : {Wait::kSleeps, Wait::kSpins}) {
      if (!settings.wants("latency/" + std::to_string(n) + mode_of(wait))) continue;
      good = run_apart([&] { latency(settings, n, wait); }) && good;
    }
  }
  return good;
}

bool together_figures(const NetSettings& settings) {
  bool good = true;
  for (const uint32_t dim : {16U, kDim}) {
    for (const Wait wait : {Wait::kSleeps, Wait::kSpins}) {
      if (!settings.wants("tables26/dim" + std::to_string(dim) + mode_of(wait))) continue;
      good = run_apart([&] { together(settings, wait, dim); }) && good;
    }
  }
  return good;
}

}  // namespace hotrow::bench
