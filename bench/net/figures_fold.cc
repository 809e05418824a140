// What it brings, and costs, to send each key of a batch once.
#include <cstdio>

#include "client/fold.h"
#include "figures.h"
#include "report.h"
#include "work.h"
#include "workload.h"

namespace hotrow::bench {

namespace {

// 2,048 samples of 26 features, and a table of 128-byte rows.
constexpr size_t kBatch = size_t{2048} * 26;
constexpr uint32_t kRowValues = 32;

struct Drawn {
  std::string name;
  std::vector<uint64_t> keys;
};

double distinct_share(std::span<const uint64_t> keys) {
  client::Folds folds;
  const client::Fold fold = folds.of(keys);
  return static_cast<double>(fold.keys().size()) / static_cast<double>(keys.size());
}

/// Keys of which every batch has each once.
std::vector<uint64_t> distinct_keys(uint64_t rows, size_t n) {
  std::vector<uint64_t> keys(n);
  for (size_t i = 0; i < n; ++i) keys[i] = key_of(i % rows);
  return keys;
}

void beside_as_it_is(const NetSettings& settings, const Drawn& drawn, size_t servers) {
  const OurShape shape{.rows = settings.rows / 4, .dim = kRowValues};
  std::vector<std::unique_ptr<Child>> children;
  std::vector<uint16_t> ports;
  for (size_t i = 0; i < servers; ++i) {
    children.push_back(start_ours(shape));
    ports.push_back(children.back()->port());
  }
  const OurStore as_it_is = OurStore::connected_to_all(shape, ports);
  const OurStore folds = OurStore::connected_to_all(shape, ports);
  std::vector<float> rows(kBatch * kRowValues);
  const std::vector<float> gradients(kBatch * kRowValues, 1e-3F);
  const auto contestant = [&](std::string name, const OurStore& store, bool on, bool pushes) {
    return Contestant{.name = std::move(name),
                      .keys = drawn.keys.size(),
                      .work =
                          [&, pushes](uint32_t) {
                            for_calls(drawn.keys, kBatch, [&](auto its) {
                              if (pushes) store.push(its, gradients);
                              if (!pushes) store.lookup(its, rows);
                            });
                          },
                      .prepare = [on] { client::Folds::turn(on); }};
  };
  Team team(1);
  const auto samples = race(team,
                            {contestant("lookups, each key once", folds, true, false),
                             contestant("lookups, as they are", as_it_is, false, false),
                             contestant("pushes, each key once", folds, true, true),
                             contestant("pushes, as they are", as_it_is, false, true)},
                            settings.rounds, true);
  client::Folds::turn(true);
  print_title(
      "fold/" + drawn.name + ": batches of 53,248 keys, " +
      std::to_string(static_cast<int>(distinct_share(std::span(drawn.keys).first(kBatch)) * 100)) +
      " % distinct, 128-byte rows, " + std::to_string(servers) + " servers");
  client::Folds::turn(false);
  for (const Samples& each : samples) print_rates(each, 1e3, "M keys/s");
  print_ratio("lookups, each key once ÷ as they are", samples[1], samples[0]);
  print_ratio("pushes, each key once ÷ as they are", samples[3], samples[2]);
  std::printf("\n");
}

}  // namespace

bool fold_figures(const NetSettings& settings) {
  bool good = true;
  for (const char* name : {"zipf", "half", "distinct"}) {
    for (const size_t servers : {size_t{1}, size_t{2}}) {
      const std::string figure = "fold/" + std::string(name) + "/" + std::to_string(servers);
      if (!settings.wants(figure)) continue;
      good = run_apart([&] {
               const size_t n = kBatch * std::max<size_t>(settings.turn_mib / 16, 2);
               const uint64_t rows = settings.rows / 4;
               Drawn drawn{.name = figure.substr(5), .keys = {}};
               if (drawn.name[0] == 'z') {
                 drawn.keys = make_streams(Choice::kZipf105, {.rows = rows, .keys = n})[0].keys;
               } else if (drawn.name[0] == 'h') {
                 // Of so few rows that somewhat over half of a batch is distinct.
                 drawn.keys = draw_keys(kBatch, n);
               } else {
                 drawn.keys = distinct_keys(rows, n);
               }
               beside_as_it_is(settings, drawn, servers);
             }) &&
             good;
    }
  }
  return good;
}

}  // namespace hotrow::bench
