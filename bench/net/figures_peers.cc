// Pushes beside a local store's, and lookups beside Redis.
#include <algorithm>
#include <cstdio>

#include "figures.h"
#include "redis.h"
#include "report.h"
#include "work.h"
#include "workload.h"

namespace hotrow::bench {

namespace {

void push(const NetSettings& settings) {
  const OurShape shape{.rows = settings.rows / 4, .dim = kDim};
  const auto server = start_ours(shape);
  const OurStore remote = OurStore::connected(shape, server->port());
  const OurStore local = OurStore::local(shape);
  const size_t row_bytes = kDim * sizeof(float);
  const size_t turn = (size_t{settings.turn_mib} << 20) / row_bytes / kRequestKeys * kRequestKeys;
  const auto keys = draw_keys(shape.rows, turn);
  const std::vector<float> gradients(kRequestKeys * kDim, 1e-3F);
  const auto contestant = [&](const char* name, const OurStore& store) {
    return Contestant{.name = name, .keys = turn, .work = [&](uint32_t) {
                        for_calls(keys, kRequestKeys,
                                  [&](auto its) { store.push(its, gradients); });
                      }};
  };
  Team team(1);
  const auto samples = race(
      team, {contestant("hotrow over TCP", remote), contestant("hotrow in this process", local)},
      settings.rounds, true);
  print_title("push: 4,096 keys of 256 bytes a call, SGD, one call at a time, out of " +
              std::to_string(shape.rows * row_bytes >> 20) + " MiB");
  for (const Samples& each : samples) print_rates(each, 1e3, "M rows/s");
  print_ratio("over TCP ÷ in this process", samples[1], samples[0]);
  std::printf("\n");
}

void fill_redis(RedisClient& redis, uint64_t rows, uint32_t dim) {
  constexpr uint64_t kBatch = 1024;
  std::vector<uint64_t> keys;
  std::vector<float> values;
  for (uint64_t first = 0; first < rows; first += kBatch) {
    keys.resize(std::min(kBatch, rows - first));
    values.resize(keys.size() * dim);
    for (uint64_t i = 0; i < keys.size(); ++i) {
      keys[i] = key_of(first + i);
      fill_values(static_cast<uint32_t>(first + i), std::span(values).subspan(i * dim, dim));
    }
    redis.set(keys, values);
  }
}

struct RedisShape {
  uint32_t dim = 0;
  size_t keys = 0;  // of a MGET; four are under way
  double reach = 0;

  std::string name() const {
    return "redis/" + std::to_string(dim * sizeof(float)) + "b/" + std::to_string(keys);
  }
};

void beside_redis(const NetSettings& settings, const RedisShape& its_shape) {
  const uint32_t dim = its_shape.dim;
  const size_t call_keys = kUnderWay * its_shape.keys;
  const OurShape shape{.rows = settings.rows / 8, .dim = dim};
  const auto server = start_ours(shape);
  const auto redis_server = start_redis();
  const OurStore ours = OurStore::connected(shape, server->port());
  // Before the connection that is measured: Redis accepts it from a listener that is tuned.
  {
    const RedisClient waits_until_it_is_up(redis_server->port(), dim);
  }
  const bool tuned = tune_listener_of(redis_server->pid());
  RedisClient redis(redis_server->port(), dim);
  fill_redis(redis, shape.rows, dim);
  const size_t row_bytes = dim * sizeof(float);
  const size_t calls = (size_t{settings.turn_mib} << 19) / row_bytes / call_keys;
  const size_t turn = std::max<size_t>(calls, 1) * call_keys;
  const auto keys = draw_keys(shape.rows, turn);
  std::vector<float> rows(call_keys * dim);
  std::vector<float> redis_rows(call_keys * dim);
  ours.lookup(std::span(keys).first(call_keys), rows);
  keep_under_way(redis, std::span(keys).first(call_keys), its_shape.keys, std::span(redis_rows));
  if (rows != redis_rows) fail("Redis gives other rows than expected");
  Team team(1);
  const auto samples =
      race(team,
           {{.name = "hotrow, " + std::to_string(call_keys) + " keys a call",
             .keys = turn,
             .work =
                 [&](uint32_t) {
                   for_calls(keys, call_keys, [&](auto its) { ours.lookup(its, rows); });
                 }},
            {.name = "Redis, MGET of " + std::to_string(its_shape.keys) + " keys, 4 pipelined",
             .keys = turn,
             .work = [&](uint32_t) { keep_under_way(redis, keys, its_shape.keys, redis_rows); }}},
           settings.rounds, true);
  print_title(its_shape.name() + ": lookups out of " + std::to_string(shape.rows) + " rows of " +
              std::to_string(row_bytes) + " bytes; congestion control of Redis's replies: " +
              (tuned ? congestion_control(redis.socket()) : "the system's"));
  for (const Samples& each : samples) print_rates(each, 1e3, "M rows/s");
  print_ratio("hotrow ÷ Redis", samples[1], samples[0], {.reach = its_shape.reach});
  std::printf("\n");
}

}  // namespace

bool push_figures(const NetSettings& settings) {
  return !settings.wants("push") || run_apart([&] { push(settings); });
}

bool redis_figures(const NetSettings& settings) {
  if (!settings.redis) return true;
  if (!has_redis()) {
    std::printf("redis: skipped, redis-server is not installed\n");
    return true;
  }
  bool good = true;
  // 4,096 keys a MGET; and replies of 16 MiB.
  for (const RedisShape& its : {RedisShape{kDim, kRequestKeys, 3}, RedisShape{128, kRequestKeys, 6},
                                RedisShape{128, 32'768, 6}}) {
    if (!settings.wants(its.name())) continue;
    good = run_apart([&] { beside_redis(settings, its); }) && good;
  }
  return good;
}

}  // namespace hotrow::bench
