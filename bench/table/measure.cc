#include "measure.h"

#include <sched.h>

#include <algorithm>
#include <chrono>

namespace hotrow::bench {

namespace {

/// Processors this process may run on, as it was started.
std::vector<int> allowed_processors() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<int> processors;
  if (::sched_getaffinity(0, sizeof set, &set) != 0) return {0};
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &set)) processors.push_back(cpu);
  }
  return processors;
}

void pin_to(int processor) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(processor, &set);
  // Where it is refused, the figures are noisier and just as right.
  (void)::sched_setaffinity(0, sizeof set, &set);
}

void relax() { __builtin_ia32_pause(); }

}  // namespace

double now_seconds() {
  using Clock = std::chrono::steady_clock;
  return std::chrono::duration<double>(Clock::now().time_since_epoch()).count();
}

Team::Team(uint32_t threads) : spans_(threads) {
  const std::vector<int> processors = allowed_processors();
  pin_to(processors[0]);
  for (uint32_t i = 1; i < threads; ++i) {
    helpers_.emplace_back([this, i, cpu = processors[i % processors.size()]] {
      pin_to(cpu);
      serve(i);
    });
  }
}

Team::~Team() {
  stopping_.store(true, std::memory_order_relaxed);
  generation_.fetch_add(1, std::memory_order_release);
  generation_.notify_all();
  for (std::thread& helper : helpers_) helper.join();
}

void Team::serve(uint32_t thread) {
  for (uint64_t seen = 0;;) {
    generation_.wait(seen, std::memory_order_acquire);
    seen = generation_.load(std::memory_order_acquire);
    if (stopping_.load(std::memory_order_relaxed)) return;
    take_part(thread);
  }
}

void Team::take_part(uint32_t thread) {
  if (thread < active_) {
    // All start together: a thread that has to be woken would otherwise miss the beginning.
    arrived_.fetch_add(1, std::memory_order_acq_rel);
    while (arrived_.load(std::memory_order_acquire) < active_) relax();
    spans_[thread].start = now_seconds();
    (*work_)(thread);
    spans_[thread].end = now_seconds();
  }
  finished_.fetch_add(1, std::memory_order_release);
}

double Team::run(uint32_t threads, const std::function<void(uint32_t)>& work) {
  work_ = &work;
  active_ = std::min(threads, size());
  arrived_.store(0, std::memory_order_relaxed);
  finished_.store(0, std::memory_order_relaxed);
  generation_.fetch_add(1, std::memory_order_release);
  generation_.notify_all();
  take_part(0);
  while (finished_.load(std::memory_order_acquire) < size()) relax();
  double start = spans_[0].start;
  double end = spans_[0].end;
  for (uint32_t i = 1; i < active_; ++i) {
    start = std::min(start, spans_[i].start);
    end = std::max(end, spans_[i].end);
  }
  return end - start;
}

double Samples::median() const {
  std::vector<double> sorted = values;
  std::sort(sorted.begin(), sorted.end());
  const size_t middle = sorted.size() / 2;
  return sorted.size() % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

double Samples::lowest() const { return *std::min_element(values.begin(), values.end()); }

double Samples::highest() const { return *std::max_element(values.begin(), values.end()); }

std::vector<Samples> race(Team& team, const std::vector<Contestant>& contestants, uint32_t rounds,
                          bool warm_up) {
  std::vector<Samples> samples;
  for (const Contestant& each : contestants) samples.push_back({each.name, each.threads, {}});
  for (uint32_t round = 0; round < rounds + (warm_up ? 1 : 0); ++round) {
    for (size_t i = 0; i < contestants.size(); ++i) {
      const Contestant& each = contestants[i];
      if (each.prepare) each.prepare();
      const double seconds = team.run(each.threads, each.work);
      if (each.tidy_up) each.tidy_up();
      if (warm_up && round == 0) continue;
      samples[i].values.push_back(seconds * 1e9 / static_cast<double>(each.keys));
    }
  }
  return samples;
}

}  // namespace hotrow::bench
