// Lookups beside the raw gather and the peers.
#include "figures.h"
#include "ours.h"
#include "raw.h"

namespace hotrow::bench {

namespace {

constexpr size_t kBatch = 4096;
constexpr size_t kLargeBatch = 65536;

/// One dim: the table, the slab for limits and peers, and a buffer a thread.
struct Scene {
  Bench& bench;
  uint32_t dim;
  RowSlab slab;
  Ours ours;
  std::vector<std::unique_ptr<Buffer>> buffers;

  Scene(Bench& all, uint32_t its_dim, uint64_t rows)
      : bench(all),
        dim(its_dim),
        slab(rows, {.dim = its_dim}),
        ours({.dim = its_dim, .memory_bytes = 2 * rows * slab.stride() + (uint64_t{4} << 30)}) {
    bench.report.note("filling dim " + std::to_string(dim));
    slab.fill(0);
    ours.load(rows);
    for (uint32_t i = 0; i < bench.settings.most_threads(); ++i) {
      buffers.push_back(std::make_unique<Buffer>(kLargeBatch * dim));
    }
  }
};

struct Figure {
  std::string name;
  Choice choice;
  size_t batch;
  bool peers;
};

/// Every contender must give the rows of the raw gather.
void check_equal(Scene& scene, const Stream& stream, const std::string& who,
                 const std::function<void(std::span<const uint64_t>, float*)>& lookup) {
  const size_t n = std::min<size_t>(kBatch, stream.size());
  const Buffer expected(n * scene.dim);
  const Buffer received(n * scene.dim);
  raw_gather(scene.slab, {stream.rows.data(), n}, expected.data());
  lookup({stream.keys.data(), n}, received.data());
  if (std::equal(expected.data(), expected.data() + n * scene.dim, received.data())) return;
  std::fprintf(stderr, "bench:table: %s gives other rows than were stored\n", who.c_str());
  std::exit(1);
}

void one_figure(Scene& scene, const Figure& figure) {
  Bench& bench = scene.bench;
  bench.report.note(figure.name);
  const uint64_t keys = bench.keys_per_thread();
  const uint32_t most = bench.settings.most_threads();
  const std::vector<Stream> streams =
      make_streams(figure.choice, {.rows = scene.slab.rows(), .keys = keys, .threads = most});
  std::vector<Contestant> contestants;
  const auto enter = [&](const std::string& name, auto gather) {
    for (const uint32_t threads : bench.settings.threads) {
      contestants.push_back({name, threads, keys * most, [&, gather, threads](uint32_t thread) {
                               float* const out = scene.buffers[thread]->data();
                               for_share(streams, thread, threads, [&](const Stream& stream) {
                                 for_batches(stream, figure.batch, [&](auto rows, auto its_keys) {
                                   gather(rows, its_keys, out);
                                 });
                               });
                             }});
    }
  };
  check_equal(scene, streams[0], "hotrow",
              [&](auto its_keys, float* out) { scene.ours.lookup(its_keys, out); });
  enter("hotrow", [&](auto, auto its_keys, float* out) { scene.ours.lookup(its_keys, out); });
  enter("raw", [&](auto rows, auto, float* out) { raw_gather(scene.slab, rows, out); });
  if (figure.peers) {
    for (LoadedPeers::Loaded& each : bench.peers.over(scene.slab, bench.report)) {
      Peer* const peer = each.peer.get();
      check_equal(scene, streams[0], each.name,
                  [&](auto its_keys, float* out) { peer->lookup(its_keys, out); });
      enter(each.name, [peer](auto, auto its_keys, float* out) { peer->lookup(its_keys, out); });
    }
  }
  const std::vector<Samples> samples = race(bench.team, contestants, bench.settings.rounds, true);
  Params params = common_params(scene.slab.rows(), scene.dim, bench.settings.rounds);
  params.emplace_back("batch", std::to_string(figure.batch));
  params.emplace_back("keys", quoted(name_of(figure.choice)));
  bench.report.add_race(figure.name, params, samples);
  bench.report.add_scaling("scaling/" + figure.name, params, samples);
}

std::vector<Figure> figures_of(const Report& report, uint32_t dim) {
  const bool peers = dim == 16 || dim == 64;
  std::vector<Figure> figures;
  const auto offer = [&](Choice choice, size_t batch, bool with_peers) {
    const std::string name = "lookup/dim" + std::to_string(dim) + "/batch" + std::to_string(batch) +
                             "/" + name_of(choice);
    if (report.wants(name) || report.wants("scaling/" + name)) {
      figures.push_back({name, choice, batch, with_peers});
    }
  };
  offer(Choice::kUniform, kBatch, peers);
  offer(Choice::kZipf099, kBatch, false);
  offer(Choice::kZipf105, kBatch, false);
  if (dim >= 64) offer(Choice::kUniform, kLargeBatch, false);
  return figures;
}

}  // namespace

void lookup_figures(Bench& bench) {
  for (const uint32_t dim : bench.settings.dims) {
    const std::vector<Figure> figures = figures_of(bench.report, dim);
    if (figures.empty()) continue;
    const bool peers = std::any_of(figures.begin(), figures.end(),
                                   [](const Figure& figure) { return figure.peers; });
    if (dim > 64) bench.peers.drop();
    const uint64_t bytes = 2 * dim * sizeof(float) + kIndexBytes + (peers ? kPeerIndexBytes : 0);
    const uint64_t rows = bench.rows_that_fit(bytes, "lookup/dim" + std::to_string(dim));
    Scene scene(bench, dim, rows);
    for (const Figure& figure : figures) one_figure(scene, figure);
  }
  bench.peers.drop();
}

}  // namespace hotrow::bench
