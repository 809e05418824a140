// A table from empty: the time a key, the index's bytes a key on the way, and the longest call.
#include <algorithm>
#include <atomic>
#include <cstring>

#include "figures.h"
#include "ours.h"

namespace hotrow::bench {

namespace {

constexpr uint32_t kDim = 64;
constexpr uint64_t kBatch = 4096;
// A race from empty takes minutes with all rows.
constexpr uint32_t kMostRounds = 2;

struct Range {
  uint64_t first = 0;
  uint64_t last = 0;
};

Range share_of(uint64_t rows, uint32_t thread, uint32_t threads) {
  return {rows * thread / threads, rows * (thread + 1) / threads};
}

/// Calls use(first row, keys) for the keys of the range's rows, in batches.
template <class Use>
void for_new_keys(Range range, uint64_t batch, const Use& use) {
  std::vector<uint64_t> keys;
  for (uint64_t first = range.first; first < range.last; first += batch) {
    keys.resize(std::min(batch, range.last - first));
    for (uint64_t i = 0; i < keys.size(); ++i) keys[i] = key_of(first + i);
    use(static_cast<uint32_t>(first), std::span<const uint64_t>(keys));
  }
}

/// A fresh contender for each turn: a table, or a slab with a map or nothing beside it. Memory is
/// touched by the process for the first time while the clock runs, for all alike.
struct Fresh {
  std::unique_ptr<Ours> ours;
  std::unique_ptr<RowSlab> slab;
  std::unique_ptr<Peer> peer;
};

Ours::Shape our_shape(uint32_t dim, uint64_t rows) {
  return {.dim = dim,
          .optimizer = {},
          .memory_bytes = 2 * rows * dim * sizeof(float) + (uint64_t{4} << 30)};
}

/// Takes memory and gives it back. A virtual machine's host may have taken away what nobody used
/// for a while, and getting that again is no contender's work.
void warm_memory(uint64_t bytes) {
  const Buffer buffer(bytes / sizeof(float));
  std::memset(buffer.data(), 1, bytes);
}

using Insert = std::function<void(Fresh&, uint32_t first, std::span<const uint64_t> keys)>;

class InsertRace {
 public:
  InsertRace(Bench& bench, uint64_t rows) : bench_(bench), rows_(rows), values_(kBatch * kDim) {}

  void enter(const std::string& name, const std::function<void()>& prepare, const Insert& insert) {
    for (const uint32_t threads : bench_.settings.threads) {
      const auto work = [this, threads, insert](uint32_t thread) {
        for_new_keys(share_of(rows_, thread, threads), kBatch,
                     [&](uint32_t first, auto keys) { insert(fresh_, first, keys); });
      };
      const auto warm = [this, prepare] {
        warm_memory(rows_ * (kDim * sizeof(float) + kPeerIndexBytes / 2));
        prepare();
      };
      contestants_.push_back({name, threads, rows_, work, warm, [this] { fresh_ = {}; }});
    }
  }

  void enter_all() {
    enter(
        "hotrow", [this] { fresh_.ours = std::make_unique<Ours>(our_shape(kDim, rows_)); },
        [this](Fresh& fresh, uint32_t, auto keys) { fresh.ours->update(keys, values_.data()); });
    const auto make_slab = [this] {
      fresh_.slab = std::make_unique<RowSlab>(rows_, RowSlab::Shape{.dim = kDim});
    };
    enter("raw", make_slab, [this](Fresh& fresh, uint32_t first, auto keys) {
      for (uint32_t i = 0; i < keys.size(); ++i) {
        std::memcpy(fresh.slab->row(first + i), values_.data() + i * kDim, kDim * sizeof(float));
      }
    });
    for (const PeerKind& kind : bench_.settings_peers()) {
      enter(
          kind.name,
          [this, make_slab, kind] {
            make_slab();
            fresh_.peer = kind.make();
            fresh_.peer->attach(*fresh_.slab);
          },
          [this](Fresh& fresh, uint32_t first, auto keys) {
            fresh.peer->insert(keys, first, values_.data());
          });
    }
  }

  std::vector<Samples> run(uint32_t rounds) const {
    return race(bench_.team, contestants_, rounds, false);
  }

 private:
  Bench& bench_;
  uint64_t rows_;
  Buffer values_;
  Fresh fresh_;
  std::vector<Contestant> contestants_;
};

/// The index's bytes a key while a table grows, key and handle included.
void index_bytes(Bench& bench) {
  constexpr uint32_t kSmallDim = 16;
  // Below, the shards' first buckets are all there is.
  constexpr uint64_t kFewest = 100'000;
  const uint64_t rows = bench.rows_that_fit(kSmallDim * sizeof(float) + kIndexBytes, "index-bytes");
  bench.report.note("index-bytes");
  const Ours ours(our_shape(kSmallDim, rows));
  const Buffer values(kBatch * kSmallDim);
  constexpr uint64_t kMany = 1'000'000;
  double worst = 0;
  double worst_of_many = 0;
  double last = 0;
  for_new_keys({0, rows}, kBatch, [&](uint32_t first, auto keys) {
    ours.update(keys, values.data());
    const uint64_t now = first + keys.size();
    if (now < std::min(kFewest, rows)) return;
    last = static_cast<double>(ours.stats().index_memory_bytes) / static_cast<double>(now);
    worst = std::max(worst, last);
    if (now >= kMany) worst_of_many = std::max(worst_of_many, last);
  });
  const Params params = {{"rows", std::to_string(rows)}};
  bench.report.add({"index-bytes", params, worst, "bytes/key at most", {{"20 bytes", 20 / worst}}});
  bench.report.add({"index-bytes/from-a-million",
                    params,
                    worst_of_many,
                    "bytes/key at most",
                    {{"20 bytes", 20 / worst_of_many}}});
  bench.report.add({"index-bytes/end", params, last, "bytes/key", {{"20 bytes", 20 / last}}});
}

}  // namespace

void insert_figures(Bench& bench) {
  const std::string name = "insert/dim" + std::to_string(kDim);
  if (bench.report.wants("index-bytes")) index_bytes(bench);
  if (!bench.report.wants(name) && !bench.report.wants("scaling/" + name)) return;
  bench.peers.drop();
  const uint64_t rows = bench.rows_that_fit(kDim * sizeof(float) + kPeerIndexBytes / 2, name);
  bench.report.note(name);
  InsertRace inserts(bench, rows);
  inserts.enter_all();
  const uint32_t rounds = std::min(bench.settings.rounds, kMostRounds);
  const std::vector<Samples> samples = inserts.run(rounds);
  Params params = common_params(rows, kDim, rounds);
  params.emplace_back("batch", std::to_string(kBatch));
  bench.report.add_race(name, params, samples);
  bench.report.add_scaling("scaling/" + name, params, samples);
}

}  // namespace hotrow::bench
