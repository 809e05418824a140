// Lookups beside the raw gather and the peers.
#include <algorithm>

#include "figures.h"
#include "raw.h"
#include "scene.h"

namespace hotrow::bench {

namespace {

constexpr size_t kBatch = 4096;
constexpr size_t kLargeBatch = 65536;

struct Figure {
  std::string name;
  Choice choice;
  size_t batch;
  bool peers;
};

void one_figure(Scene& scene, const Figure& figure) {
  Bench& bench = scene.bench;
  bench.report.note(figure.name);
  const std::vector<Stream> streams = bench.streams(figure.choice, scene.shape.rows);
  std::vector<Contestant> contestants;
  const auto enter = [&](const std::string& name, const auto& turn) {
    scene.enter(contestants, name, streams, figure.batch, turn);
  };
  scene.check(streams[0], "hotrow", [&](auto keys, float* out) { scene.ours.lookup(keys, out); });
  enter("hotrow",
        [&](uint32_t thread, auto, auto keys) { scene.ours.lookup(keys, scene.buffer(thread)); });
  enter("raw", [&](uint32_t thread, auto rows, auto) {
    raw_gather(scene.slab, rows, scene.buffer(thread));
  });
  if (figure.peers) {
    for (LoadedPeers::Loaded& each : bench.peers.over(scene.slab, bench)) {
      Peer* const peer = each.peer.get();
      scene.check(streams[0], each.name,
                  [peer](auto keys, float* out) { peer->lookup(keys, out); });
      enter(each.name, [&scene, peer](uint32_t thread, auto, auto keys) {
        peer->lookup(keys, scene.buffer(thread));
      });
    }
  }
  const std::vector<Samples> samples = race(bench.team, contestants, bench.settings.rounds, true);
  Params params = common_params(scene.shape.rows, scene.shape.dim, bench.settings.rounds);
  params.emplace_back("batch", std::to_string(figure.batch));
  params.emplace_back("keys", quoted(name_of(figure.choice)));
  bench.report.add_race(figure.name, params, samples);
  bench.report.add_scaling("scaling/" + figure.name, params, samples);
}

std::vector<Figure> figures_of(const Report& report, uint32_t dim) {
  std::vector<Figure> figures;
  const auto offer = [&](Choice choice, size_t batch, bool peers) {
    const std::string name = "lookup/dim" + std::to_string(dim) + "/batch" + std::to_string(batch) +
                             "/" + name_of(choice);
    if (report.wants(name) || report.wants("scaling/" + name)) {
      figures.push_back({name, choice, batch, peers});
    }
  };
  offer(Choice::kUniform, kBatch, dim == 16 || dim == 64);
  offer(Choice::kZipf099, kBatch, false);
  offer(Choice::kZipf105, kBatch, false);
  if (dim >= 64) offer(Choice::kUniform, kLargeBatch, false);
  return figures;
}

/// Rows of half the bytes, converted on the way, beside f32 ones.
void half_figure(Bench& bench) {
  constexpr uint32_t kDim = 64;
  const std::string name = "f16/lookup/dim64/batch4096/uniform";
  if (!bench.report.wants(name)) return;
  const uint64_t bytes = kDim * (sizeof(float) + sizeof(uint16_t)) + 2 * kIndexBytes;
  const uint64_t rows = bench.rows_that_fit(bytes, name);
  bench.report.note(name);
  const uint64_t memory = 2 * rows * kDim * sizeof(float) + (uint64_t{4} << 30);
  Ours half({.dim = kDim, .optimizer = {}, .memory_bytes = memory, .value_type = ValueType::kF16});
  Ours whole({.dim = kDim, .optimizer = {}, .memory_bytes = memory});
  half.load(rows);
  whole.load(rows);
  const std::vector<Stream> streams = bench.streams(Choice::kUniform, rows);
  const Buffer out(kBatch * kDim);
  const auto enter = [&](const char* who, const Ours& ours) {
    return Contestant{who,
                      1,
                      streams[0].size(),
                      [&](uint32_t) {
                        for_batches(streams[0], kBatch,
                                    [&](auto, auto keys) { ours.lookup(keys, out.data()); });
                      },
                      {},
                      {}};
  };
  const std::vector<Contestant> contestants = {enter("hotrow", half), enter("f32", whole)};
  Params params = common_params(rows, kDim, bench.settings.rounds);
  params.emplace_back("batch", std::to_string(kBatch));
  bench.report.add_race(name, params, race(bench.team, contestants, bench.settings.rounds, true));
}

}  // namespace

void lookup_figures(Bench& bench) {
  for (const uint32_t dim : bench.settings.dims) {
    const std::vector<Figure> figures = figures_of(bench.report, dim);
    if (figures.empty()) continue;
    const bool peers = std::any_of(figures.begin(), figures.end(),
                                   [](const Figure& figure) { return figure.peers; });
    // The largest rows leave no room for the peers' maps.
    if (dim > 64) bench.peers.drop();
    const uint64_t bytes = scene_bytes(dim, {}) + (peers ? kPeerIndexBytes : 0);
    const uint64_t rows = bench.rows_that_fit(bytes, "lookup/dim" + std::to_string(dim));
    Scene scene(bench, {.dim = dim, .rows = rows, .batch = kLargeBatch});
    for (const Figure& figure : figures) one_figure(scene, figure);
  }
  half_figure(bench);
}

}  // namespace hotrow::bench
