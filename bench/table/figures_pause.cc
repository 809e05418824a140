// The longest call while a table grows: one thread adds keys, another looks keys up, a few a call.
//
// The machine pauses threads too. So each turn of growth is followed by the same calls on the table
// that has grown, where nothing but the machine makes a call long: the two are to be compared.
#include <algorithm>
#include <array>
#include <atomic>

#include "figures.h"
#include "ours.h"

namespace hotrow::bench {

namespace {

constexpr uint32_t kDim = 16;
constexpr uint64_t kBatch = 16;
// Of the rows of other figures: 50 million.
constexpr uint64_t kTimes = 3;
// A turn takes half a minute.
constexpr uint32_t kMostRounds = 2;

/// The longest calls, in microseconds.
struct Longest {
  double write = 0;
  double read = 0;
};

template <class Call>
double timed_us(const Call& call) {
  const double start = now_seconds();
  call();
  return (now_seconds() - start) * 1e6;
}

struct Turn {
  const Ours& ours;
  uint64_t rows;
  bool growing;
};

double write_all(const Turn& turn, std::atomic<uint64_t>& written) {
  const Buffer values(kBatch * kDim);
  std::vector<uint64_t> keys(kBatch);
  double longest = 0;
  for (uint64_t first = 0; first + kBatch <= turn.rows; first += kBatch) {
    for (uint64_t i = 0; i < kBatch; ++i) keys[i] = key_of(first + i);
    longest = std::max(longest, timed_us([&] { turn.ours.update(keys, values.data()); }));
    written.store(first + kBatch, std::memory_order_relaxed);
  }
  return longest;
}

double read_until(const Turn& turn, const std::atomic<uint64_t>& written,
                  const std::atomic<bool>& done) {
  const Buffer out(kBatch * kDim);
  std::vector<uint64_t> keys(kBatch);
  Random random(5);
  double longest = 0;
  while (!done.load(std::memory_order_relaxed)) {
    const uint64_t there = turn.growing ? written.load(std::memory_order_relaxed) : turn.rows;
    for (uint64_t& key : keys) key = key_of(random.below(there + 1));
    longest = std::max(longest, timed_us([&] { turn.ours.lookup(keys, out.data()); }));
  }
  return longest;
}

Longest one_turn(Bench& bench, const Turn& turn) {
  Longest longest;
  std::atomic<uint64_t> written{0};
  std::atomic<bool> done{false};
  bench.team.run(2, [&](uint32_t thread) {
    if (thread == 0) {
      longest.write = write_all(turn, written);
      done.store(true, std::memory_order_relaxed);
    } else {
      longest.read = read_until(turn, written, done);
    }
  });
  return longest;
}

}  // namespace

void pause_figures(Bench& bench) {
  const std::string name = "pause/dim" + std::to_string(kDim);
  if (!bench.report.wants(name + "/write") && !bench.report.wants(name + "/read")) return;
  if (bench.team.size() < 2) {
    bench.report.note(name + ": left out, it takes two threads");
    return;
  }
  bench.report.note(name);
  const uint64_t rows = std::min(kTimes * bench.settings.rows,
                                 (bench.settings.memory_gib << 30) / (kDim * sizeof(float) + 64));
  const uint32_t rounds = std::min(bench.settings.rounds, kMostRounds);
  const uint64_t memory = 2 * rows * kDim * sizeof(float) + (uint64_t{4} << 30);
  // Writes while growing and after, reads while growing and after.
  std::array<Samples, 4> samples;
  for (uint32_t round = 0; round < rounds; ++round) {
    const Ours ours({.dim = kDim, .optimizer = {}, .memory_bytes = memory});
    const Longest growing = one_turn(bench, {ours, rows, true});
    const Longest after = one_turn(bench, {ours, rows, false});
    samples[0].values.push_back(growing.write);
    samples[1].values.push_back(after.write);
    samples[2].values.push_back(growing.read);
    samples[3].values.push_back(after.read);
  }
  const Params params = common_params(rows, kDim, rounds);
  const auto add = [&](const char* kind, const Samples& growing, const Samples& after) {
    const double control = after.median();
    bench.report.add({name + kind,
                      params,
                      growing.median(),
                      "us, longest call while growing",
                      {{"without growth", control / growing.median()}}});
    bench.report.add({"without growth/" + name + kind, params, control, "us, longest call", {}});
  };
  add("/write", samples[0], samples[1]);
  add("/read", samples[2], samples[3]);
}

}  // namespace hotrow::bench
