// The longest call while a table grows: one thread adds keys, another looks keys up, a few a call.
//
// The machine pauses threads too, and longer than growth does. So a call is timed by the processor
// time of its thread, which counts page faults and waiting by spinning, but neither the time
// another program had the core nor sleeping for a lock. Wall-clock times stand beside it, and each
// turn of growth is followed by the same calls on the table that has grown, where nothing but the
// machine makes a call long.
#include <time.h>

#include <algorithm>
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

/// The longest of some calls, in microseconds.
struct Longest {
  double busy = 0;  // processor time of the calling thread
  double wall = 0;
};

struct LongestOfTurn {
  Longest write;
  Longest read;
};

double busy_seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

template <class Call>
void time_call(Longest& longest, const Call& call) {
  const double start = now_seconds();
  const double busy_start = busy_seconds();
  call();
  longest.busy = std::max(longest.busy, (busy_seconds() - busy_start) * 1e6);
  longest.wall = std::max(longest.wall, (now_seconds() - start) * 1e6);
}

struct Turn {
  const Ours& ours;
  uint64_t rows;
  bool growing;
};

Longest write_all(const Turn& turn, std::atomic<uint64_t>& written) {
  const Buffer values(kBatch * kDim);
  std::vector<uint64_t> keys(kBatch);
  Longest longest;
  for (uint64_t first = 0; first + kBatch <= turn.rows; first += kBatch) {
    for (uint64_t i = 0; i < kBatch; ++i) keys[i] = key_of(first + i);
    time_call(longest, [&] { turn.ours.update(keys, values.data()); });
    written.store(first + kBatch, std::memory_order_relaxed);
  }
  return longest;
}

Longest read_until(const Turn& turn, const std::atomic<uint64_t>& written,
                   const std::atomic<bool>& done) {
  const Buffer out(kBatch * kDim);
  std::vector<uint64_t> keys(kBatch);
  Random random(5);
  Longest longest;
  while (!done.load(std::memory_order_relaxed)) {
    const uint64_t there = turn.growing ? written.load(std::memory_order_relaxed) : turn.rows;
    for (uint64_t& key : keys) key = key_of(random.below(there + 1));
    time_call(longest, [&] { turn.ours.lookup(keys, out.data()); });
  }
  return longest;
}

LongestOfTurn one_turn(Bench& bench, const Turn& turn) {
  LongestOfTurn longest;
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
  struct Pauses {
    Samples growing, grown, growing_wall, grown_wall;
    void add(const Longest& before, const Longest& after) {
      growing.values.push_back(before.busy);
      grown.values.push_back(after.busy);
      growing_wall.values.push_back(before.wall);
      grown_wall.values.push_back(after.wall);
    }
  };
  Pauses writes;
  Pauses reads;
  for (uint32_t round = 0; round < rounds; ++round) {
    const Ours ours({.dim = kDim, .optimizer = {}, .memory_bytes = memory});
    const LongestOfTurn growing = one_turn(bench, {ours, rows, true});
    const LongestOfTurn grown = one_turn(bench, {ours, rows, false});
    writes.add(growing.write, grown.write);
    reads.add(growing.read, grown.read);
  }
  const Params params = common_params(rows, kDim, rounds);
  const auto add = [&](const char* kind, const Pauses& of) {
    const auto one = [&](const std::string& what, const Samples& growing, const Samples& grown) {
      const double control = grown.median();
      bench.report.add({what + name + kind,
                        params,
                        growing.median(),
                        "us, longest call while growing",
                        {{"without growth", control / growing.median()}}});
      bench.report.add(
          {"without growth/" + what + name + kind, params, control, "us, longest call", {}});
    };
    one("", of.growing, of.grown);
    one("wall clock/", of.growing_wall, of.grown_wall);
  };
  add("/write", writes);
  add("/read", reads);
}

}  // namespace hotrow::bench
