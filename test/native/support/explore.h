// Every interleaving of two short pieces of code, one after the other: at each operation of an
// ExploredAtom on watched memory either of them may go on, and the explorer tries both.
//
// The two run as contexts of one thread, so that a switch costs little and a run repeats exactly.
// An operation on memory that is not watched is no choice: watch what both touch. Nor is a load by
// the second piece beside a first one that only reads: nothing it loads can change.
#ifndef HOTROW_TEST_SUPPORT_EXPLORE_H_
#define HOTROW_TEST_SUPPORT_EXPLORE_H_

#include <ucontext.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

namespace hotrow::test {

class Explorer {
 public:
  /// Calls `scenario` for each run, which returns the run's two pieces of code, and `check` after
  /// each run; returns the number of runs. Ends early when `stop()` says so.
  template <class Scenario, class Check>
  uint64_t explore(const Scenario& scenario, const Check& check) {
    choices_.clear();
    uint64_t runs = 0;
    do {
      depth_ = 0;
      switches_ = 0;
      watched_.clear();
      const std::array<std::function<void()>, 2> work = scenario(*this);
      run(work);
      ++runs;
      check();
    } while (!stop_ && next_schedule());
    return runs;
  }
  void stop() { stop_ = true; }
  /// Of long pieces only interleavings with so many switches that nobody waited for.
  void at_most(size_t switches) { most_switches_ = switches; }

  /// The first piece of code stores nothing.
  void first_only_reads() { first_only_reads_ = true; }
  /// Operations on [begin, end) are choices from now on, in this run.
  void watch(const void* begin, const void* end) {
    watched_.push_back({reinterpret_cast<uintptr_t>(begin), reinterpret_cast<uintptr_t>(end)});
  }

  enum class Operation : uint8_t { kLoad, kStore };
  /// Before an operation on `memory`.
  static void point(const void* memory, Operation operation) {
    Explorer* const explorer = current();
    if (explorer == nullptr || !explorer->is_watched(memory)) return;
    if (operation == Operation::kLoad && explorer->active_ == 1 && explorer->first_only_reads_) {
      return;
    }
    explorer->choose();
  }
  /// The code that runs waits for the other.
  static void wait_point() {
    Explorer* const explorer = current();
    if (explorer != nullptr) explorer->give_way();
  }

 private:
  struct Range {
    uintptr_t begin;
    uintptr_t end;
  };
  static constexpr size_t kStackBytes = size_t{1} << 18;

  static Explorer*& current() {
    static Explorer* explorer = nullptr;
    return explorer;
  }
  bool is_watched(const void* memory) const {
    const auto address = reinterpret_cast<uintptr_t>(memory);
    for (const Range& range : watched_) {
      if (address >= range.begin && address < range.end) return true;
    }
    return false;
  }

  /// A choice of the schedule: false stays, true switches. Beyond what was planned: stay.
  void choose() {
    if (done_[1 - active_] || switches_ == most_switches_) return;
    if (depth_ == choices_.size()) choices_.push_back(false);
    if (!choices_[depth_++]) return;
    ++switches_;
    give_way();
  }
  void give_way() {
    if (done_[1 - active_]) return;
    const size_t here = active_;
    active_ = 1 - here;
    swapcontext(&contexts_[here], &contexts_[active_]);
  }
  /// The next schedule in the order of binary counting, the last choice first.
  bool next_schedule() {
    choices_.resize(depth_);
    while (!choices_.empty() && choices_.back()) choices_.pop_back();
    if (choices_.empty()) return false;
    choices_.back() = true;
    return true;
  }

  void run(const std::array<std::function<void()>, 2>& work) {
    work_ = &work;
    done_ = {false, false};
    active_ = 0;
    for (size_t i = 0; i < 2; ++i) {
      if (!stacks_[i]) stacks_[i] = std::make_unique<std::byte[]>(kStackBytes);
      getcontext(&contexts_[i]);
      contexts_[i].uc_stack.ss_sp = stacks_[i].get();
      contexts_[i].uc_stack.ss_size = kStackBytes;
      contexts_[i].uc_link = nullptr;
      makecontext(&contexts_[i], &Explorer::enter, 0);
    }
    current() = this;
    swapcontext(&main_, &contexts_[0]);
    current() = nullptr;
  }
  static void enter() {
    Explorer* const explorer = current();
    const size_t me = explorer->active_;
    (*explorer->work_)[me]();
    explorer->done_[me] = true;
    if (explorer->done_[1 - me]) {
      setcontext(&explorer->main_);
    } else {
      explorer->active_ = 1 - me;
      setcontext(&explorer->contexts_[1 - me]);
    }
  }

  std::vector<bool> choices_;
  size_t depth_ = 0;
  size_t switches_ = 0;
  size_t most_switches_ = SIZE_MAX;
  bool stop_ = false;
  bool first_only_reads_ = false;
  std::vector<Range> watched_;
  const std::array<std::function<void()>, 2>* work_ = nullptr;
  std::array<bool, 2> done_ = {};
  size_t active_ = 0;
  std::array<ucontext_t, 2> contexts_;
  ucontext_t main_;
  std::array<std::unique_ptr<std::byte[]>, 2> stacks_;
};

/// std::atomic with a choice before every operation.
template <class T>
class ExploredAtom {
 public:
  ExploredAtom() = default;
  ExploredAtom(T value) : value_(value) {}  // NOLINT(google-explicit-constructor)

  static void wait_point() { Explorer::wait_point(); }

  T load(std::memory_order order = std::memory_order_seq_cst) const {
    Explorer::point(this, Explorer::Operation::kLoad);
    return value_.load(order);
  }
  void store(T value, std::memory_order order = std::memory_order_seq_cst) {
    Explorer::point(this, Explorer::Operation::kStore);
    value_.store(value, order);
  }
  bool compare_exchange_weak(T& expected, T desired, std::memory_order success,
                             std::memory_order failure) {
    Explorer::point(this, Explorer::Operation::kStore);
    return value_.compare_exchange_strong(expected, desired, success, failure);
  }

 private:
  std::atomic<T> value_;
};

}  // namespace hotrow::test

#endif  // HOTROW_TEST_SUPPORT_EXPLORE_H_
