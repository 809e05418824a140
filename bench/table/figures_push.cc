// Pushes beside the raw fused update; lookups and pushes mixed, beside the peers; the fused update
// beside the bytes it must move.
#include <algorithm>

#include "figures.h"
#include "raw.h"
#include "scene.h"

namespace hotrow::bench {

namespace {

constexpr size_t kBatch = 4096;
constexpr size_t kMixedBatch = 1024;
// Rows of the figures without a table: far beyond any cache.
constexpr uint64_t kFusedRows = uint64_t{1} << 22;
// Adam's push number that constants are computed for.
constexpr uint64_t kStep = 1000;

struct PushFigure {
  uint32_t dim;
  OptimizerKind optimizer;
  Choice choice;
};

void one_push(Bench& bench, const PushFigure& figure) {
  const std::string name = "push/dim" + std::to_string(figure.dim) + "/" +
                           name_of(figure.optimizer) + "/batch" + std::to_string(kBatch) + "/" +
                           name_of(figure.choice);
  if (!bench.report.wants(name)) return;
  bench.peers.drop();
  const OptimizerOptions options{.kind = figure.optimizer};
  const uint64_t rows = bench.rows_that_fit(scene_bytes(figure.dim, options), name);
  Scene scene(bench, {.dim = figure.dim, .optimizer = options, .rows = rows, .batch = kBatch});
  bench.report.note(name);
  const std::vector<Stream> streams = bench.streams(figure.choice, rows);
  const UpdateRow update = scene.optimizer.update_row();
  const UpdateStep step = scene.optimizer.step(kStep);
  std::vector<Contestant> contestants;
  scene.enter(contestants, "hotrow", streams, kBatch, [&](uint32_t thread, auto, auto keys) {
    scene.ours.push(keys, scene.gradients(thread));
  });
  scene.enter(contestants, "raw", streams, kBatch, [&](uint32_t thread, auto numbers, auto) {
    raw_update(scene.slab, numbers, scene.gradients(thread), update, step);
  });
  const std::vector<Samples> samples = race(bench.team, contestants, bench.settings.rounds, true);
  Params params = common_params(rows, figure.dim, bench.settings.rounds);
  params.emplace_back("batch", std::to_string(kBatch));
  params.emplace_back("keys", quoted(name_of(figure.choice)));
  params.emplace_back("optimizer", quoted(name_of(figure.optimizer)));
  bench.report.add_race(name, params, samples);
  bench.report.add_scaling("scaling/" + name, params, samples);
}

void one_fused(Bench& bench, uint32_t dim, OptimizerKind kind) {
  const std::string name = "fused/dim" + std::to_string(dim) + "/" + name_of(kind);
  if (!bench.report.wants(name)) return;
  const Optimizer optimizer({.kind = kind});
  const uint64_t rows = std::min(bench.settings.rows, kFusedRows);
  RowSlab slab(rows, {.dim = dim, .state = static_cast<uint32_t>(optimizer.state_values(dim))});
  slab.fill(0.1F);
  bench.report.note(name);
  const std::vector<Stream> streams = bench.streams(Choice::kUniform, rows);
  const Buffer gradients(kBatch * dim);
  const UpdateStep step = optimizer.step(kStep);
  std::vector<Contestant> contestants;
  for (const uint32_t threads : bench.settings.threads) {
    const auto enter = [&](const char* who, const auto& turn) {
      const uint64_t keys = streams[0].size() * streams.size();
      contestants.push_back({who, threads, keys, [&streams, threads, turn](uint32_t thread) {
                               for_share(streams, thread, threads, [&](const Stream& stream) {
                                 for_batches(stream, kBatch,
                                             [&](auto numbers, auto) { turn(numbers); });
                               });
                             }});
    };
    enter("hotrow", [&](auto numbers) {
      raw_update(slab, numbers, gradients.data(), optimizer.update_row(), step);
    });
    enter("bytes floor", [&](auto numbers) { raw_touch(slab, numbers); });
  }
  Params params = common_params(rows, dim, bench.settings.rounds);
  params.emplace_back("optimizer", quoted(name_of(kind)));
  bench.report.add_race(name, params, race(bench.team, contestants, bench.settings.rounds, true));
}

}  // namespace

void push_figures(Bench& bench) {
  one_push(bench, {32, OptimizerKind::kAdagrad, Choice::kUniform});
  one_push(bench, {64, OptimizerKind::kAdam, Choice::kUniform});
}

void mixed_figures(Bench& bench) {
  constexpr uint32_t kDim = 32;
  const std::string name = "mixed/dim32/adagrad/batch1024/zipf1.05";
  if (!bench.report.wants(name)) return;
  const OptimizerOptions options{.kind = OptimizerKind::kAdagrad};
  const uint64_t rows = bench.rows_that_fit(scene_bytes(kDim, options) + kPeerIndexBytes, name);
  Scene scene(bench, {.dim = kDim, .optimizer = options, .rows = rows, .batch = kMixedBatch});
  bench.report.note(name);
  const std::vector<Stream> streams = bench.streams(Choice::kZipf105, rows);
  const UpdateRow update = scene.optimizer.update_row();
  const UpdateStep step = scene.optimizer.step(kStep);
  std::vector<Contestant> contestants;
  const auto enter = [&](const std::string& who, const auto& turn) {
    scene.enter(contestants, who, streams, kMixedBatch, turn);
  };
  enter("hotrow", [&](uint32_t thread, auto, auto keys) {
    scene.ours.lookup(keys, scene.buffer(thread));
    scene.ours.push(keys, scene.gradients(thread));
  });
  enter("raw", [&](uint32_t thread, auto numbers, auto) {
    raw_gather(scene.slab, numbers, scene.buffer(thread));
    raw_update(scene.slab, numbers, scene.gradients(thread), update, step);
  });
  for (LoadedPeers::Loaded& each : bench.peers.over(scene.slab, bench)) {
    enter(each.name, [&, peer = each.peer.get()](uint32_t thread, auto, auto keys) {
      peer->lookup(keys, scene.buffer(thread));
      peer->push(keys, scene.gradients(thread), update, step);
    });
  }
  Params params = common_params(rows, kDim, bench.settings.rounds);
  params.emplace_back("batch", std::to_string(kMixedBatch));
  params.emplace_back("keys", quoted(name_of(Choice::kZipf105)));
  params.emplace_back("optimizer", quoted("adagrad"));
  bench.report.add_race(name, params, race(bench.team, contestants, bench.settings.rounds, true));
}

void fused_figures(Bench& bench) {
  for (auto kind = size_t{0}; kind <= static_cast<size_t>(OptimizerKind::kLion); ++kind) {
    one_fused(bench, 64, static_cast<OptimizerKind>(kind));
  }
}

}  // namespace hotrow::bench
