// The clock of the table's benchmark: pinned threads, interleaved rounds, medians.
//
// A race lets its contestants take turns: in every round each does its whole work once, so that a
// drift of the machine's speed meets all of them, and only what raced together may be divided.
#ifndef HOTROW_BENCH_TABLE_MEASURE_H_
#define HOTROW_BENCH_TABLE_MEASURE_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <thread>
#include <vector>

namespace hotrow::bench {

/// Threads that each stay on one processor for the whole run; the creator is thread 0.
class Team {
 public:
  explicit Team(uint32_t threads);
  ~Team();
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

  uint32_t size() const { return static_cast<uint32_t>(spans_.size()); }
  /// Runs work(0) … work(threads - 1) side by side; seconds from the first start to the last end.
  double run(uint32_t threads, const std::function<void(uint32_t thread)>& work);

 private:
  struct alignas(64) Span {
    double start = 0;
    double end = 0;
  };

  void serve(uint32_t thread);
  void take_part(uint32_t thread);

  std::vector<Span> spans_;
  std::vector<std::thread> helpers_;
  // What a run is about; written before generation_ is raised, constant until all have finished.
  const std::function<void(uint32_t)>* work_ = nullptr;
  uint32_t active_ = 0;
  std::atomic<uint32_t> arrived_{0};
  std::atomic<uint32_t> finished_{0};    // release by each thread, acquire by run()
  std::atomic<uint64_t> generation_{0};  // release by run(), acquire by the helpers
  std::atomic<bool> stopping_{false};
};

struct Contestant {
  std::string name;  ///< "hotrow", "raw", a peer's name
  uint32_t threads = 1;
  uint64_t keys = 0;  ///< keys of one turn, all threads together
  std::function<void(uint32_t thread)> work;
  std::function<void()> prepare = nullptr;  ///< before each turn, not timed
  std::function<void()> tidy_up = nullptr;  ///< after each turn, not timed
};

/// The ns a key of one contestant, a value a round.
struct Samples {
  std::string name;
  uint32_t threads = 1;
  std::vector<double> values;

  double median() const;
  double lowest() const;
  double highest() const;
};

/// One turn for each to warm up (where `warm_up`), then `rounds` rounds that count.
std::vector<Samples> race(Team& team, const std::vector<Contestant>& contestants, uint32_t rounds,
                          bool warm_up);

double now_seconds();

}  // namespace hotrow::bench

#endif  // HOTROW_BENCH_TABLE_MEASURE_H_
