// A lane: one worker thread that does a Store object's asynchronous calls in the order they were
// made, and hands each result back to the JavaScript thread.
//
// Everything but the worker's loop runs on the JavaScript thread of one environment. A job holds
// copies of its inputs, so nothing the caller does to its buffers can matter; it holds JavaScript
// references only between submit and finish, both on the JavaScript thread. When the environment
// ends (a terminated worker, the natural end of the process) the lane finishes the job under way,
// drops the others, and is joined before the environment goes. A closed store retires its lane, so
// that no thread waits for the garbage collector.
#ifndef HOTROW_BINDINGS_LANE_H_
#define HOTROW_BINDINGS_LANE_H_

#include <napi.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "hotrow/status.h"

namespace hotrow::bindings {

/// The arrays of one job, reused from job to job because they are as large as batches.
struct Buffers {
  std::vector<uint64_t> keys;
  std::vector<uint32_t> offsets;
  std::vector<float> weights;
  std::vector<float> values;

  size_t bytes() const {
    return keys.capacity() * sizeof(uint64_t) + offsets.capacity() * sizeof(uint32_t) +
           (weights.capacity() + values.capacity()) * sizeof(float);
  }
};

class Lane {
 public:
  explicit Lane(Napi::Env env);
  ~Lane();
  Lane(const Lane&) = delete;
  Lane& operator=(const Lane&) = delete;

  /// Runs `work` on the lane's thread; then, on the JavaScript thread, resolves the returned
  /// promise with `finish(env)` or rejects it with the StoreError of the status. `keep` stays
  /// alive until then.
  Napi::Promise submit(Napi::Object keep, std::function<Status()> work,
                       std::function<Napi::Value(Napi::Env)> finish);

  /// As submit(), for work that gives a Result<T>: resolves with `finish(env, T&)`.
  template <class Work, class Finish>
  Napi::Promise answer(Napi::Object keep, Work work, Finish finish) {
    auto value = std::make_shared<std::decay_t<decltype(work().value())>>();
    return submit(
        keep,
        [work = std::move(work), value]() -> Status {
          auto result = work();
          if (!result.ok()) return result.status();
          *value = std::move(result).value();
          return {};
        },
        [finish = std::move(finish), value](Napi::Env env) -> Napi::Value {
          return finish(env, *value);
        });
  }

  /// Buffers that return to the lane when the last copy of the pointer goes, on the JavaScript
  /// thread.
  std::shared_ptr<Buffers> take_buffers();

  /// Ends the thread whenever no job is left, from now on; a later submit() starts another.
  void retire() { retired_ = true; }

 private:
  struct Job;

  void start();
  void stop();
  void loop();
  void deliver(Napi::Env env);
  static void settle(Napi::Env env, Job& job);
  static void deliver_from_node(napi_env env, napi_value, void* context, void*);
  static void stop_from_node(void* lane);

  Napi::Env env_;
  napi_threadsafe_function deliver_ = nullptr;
  std::thread thread_;
  bool retired_ = false;
  size_t pending_ = 0;  // jobs submitted and not finished; the event loop stays alive for them
  std::shared_ptr<std::vector<std::unique_ptr<Buffers>>> idle_buffers_;

  // Is there something to do? A hint for the thread while it spins; publishes nothing.
  std::atomic<bool> called_{false};
  std::mutex mutex_;
  std::condition_variable wake_;
  // Guarded by mutex_.
  bool stopping_ = false;
  bool sleeping_ = false;  // the thread waits for wake_
  bool delivery_announced_ = false;
  std::deque<std::unique_ptr<Job>> todo_;
  std::vector<std::unique_ptr<Job>> done_;
};

}  // namespace hotrow::bindings

#endif  // HOTROW_BINDINGS_LANE_H_
