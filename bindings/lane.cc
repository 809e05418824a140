#include "lane.h"

#include <chrono>
#include <exception>
#include <system_error>
#include <utility>

#include "errors.h"

namespace hotrow::bindings {

namespace {

// Buffers kept for the next calls, and how large one may be: a burst of huge batches must not hold
// its memory for ever.
constexpr size_t kMostIdle = 4;
constexpr size_t kMostIdleBytes = 16 << 20;

/// Waits up to a fifth of a millisecond for `condition()` without sleeping. A trainer's next call
/// mostly comes that soon, and it is the JavaScript thread that would pay for waking a sleeping
/// one. First whoever was just woken on this core goes: that may be the JavaScript thread, with the
/// result that it waits for, and it would wait for the end of this.
template <class Condition>
void spin_briefly(const Condition& condition) {
  std::this_thread::yield();
  const auto end = std::chrono::steady_clock::now() + std::chrono::microseconds(200);
  do {
    for (int i = 0; i < 32; ++i) {
      if (condition()) return;
#if defined(__x86_64__)
      __builtin_ia32_pause();
#endif
    }
  } while (std::chrono::steady_clock::now() < end);
}

}  // namespace

struct Lane::Job {
  Job(Napi::Env env, Napi::Object kept)
      : deferred(Napi::Promise::Deferred::New(env)), keep(Napi::Persistent(kept)) {}

  Napi::Promise::Deferred deferred;
  Napi::ObjectReference keep;
  std::function<Status()> work;
  std::function<Napi::Value(Napi::Env)> finish;
  Status status;
};

Lane::Lane(Napi::Env env)
    : env_(env), idle_buffers_(std::make_shared<std::vector<std::unique_ptr<Buffers>>>()) {}

Lane::~Lane() { stop(); }

void Lane::start() {
  const Napi::String name = Napi::String::New(env_, "hotrow");
  if (napi_create_threadsafe_function(env_, nullptr, nullptr, name, 0, 1, nullptr, nullptr, this,
                                      deliver_from_node, &deliver_) != napi_ok) {
    throw_status(env_, {StatusCode::kInternal, "the runtime refused a thread-safe function"});
  }
  napi_unref_threadsafe_function(env_, deliver_);
  // Hooks run last in, first out: this one before the thread-safe function's own.
  napi_add_env_cleanup_hook(env_, stop_from_node, this);
  stopping_ = false;
  try {
    thread_ = std::thread([this] { loop(); });
  } catch (const std::system_error& error) {
    stop();
    throw_status(env_,
                 {StatusCode::kCapacity, std::string("no thread for the store: ") + error.what()});
  }
}

void Lane::stop_from_node(void* lane) { static_cast<Lane*>(lane)->stop(); }

void Lane::stop() {
  if (deliver_ == nullptr) return;
  std::deque<std::unique_ptr<Job>> dropped;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    called_.store(true, std::memory_order_relaxed);
    dropped.swap(todo_);
    wake_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
  napi_remove_env_cleanup_hook(env_, stop_from_node, this);
  napi_release_threadsafe_function(deliver_, napi_tsfn_abort);
  deliver_ = nullptr;
  done_.clear();
  pending_ = 0;
  delivery_announced_ = false;
  dropped.clear();
  idle_buffers_->clear();
}

void Lane::loop() {
  std::unique_lock lock(mutex_);
  for (;;) {
    if (todo_.empty() && !stopping_) {
      lock.unlock();
      spin_briefly([this] { return called_.load(std::memory_order_relaxed); });
      lock.lock();
      sleeping_ = true;
      wake_.wait(lock, [this] { return stopping_ || !todo_.empty(); });
      sleeping_ = false;
    }
    if (stopping_) return;
    std::unique_ptr<Job> job = std::move(todo_.front());
    todo_.pop_front();
    called_.store(!todo_.empty(), std::memory_order_relaxed);
    lock.unlock();
    try {
      job->status = job->work();
    } catch (const std::bad_alloc&) {
      job->status = Status::capacity("out of memory");
    } catch (const std::exception& error) {
      job->status = {StatusCode::kInternal, error.what()};
    }
    lock.lock();
    done_.push_back(std::move(job));
    if (!delivery_announced_ && !stopping_) {
      delivery_announced_ = true;
      napi_call_threadsafe_function(deliver_, nullptr, napi_tsfn_nonblocking);
    }
  }
}

void Lane::deliver_from_node(napi_env env, napi_value, void* context, void*) {
  // Without an environment the runtime is shutting down; stop() clears what is left.
  if (env != nullptr) static_cast<Lane*>(context)->deliver(env);
}

void Lane::deliver(Napi::Env env) {
  std::vector<std::unique_ptr<Job>> done;
  {
    const std::lock_guard lock(mutex_);
    done.swap(done_);
    delivery_announced_ = false;
  }
  pending_ -= done.size();
  if (pending_ == 0) napi_unref_threadsafe_function(env, deliver_);
  for (const std::unique_ptr<Job>& job : done) {
    const Napi::HandleScope scope(env);
    settle(env, *job);
    // `keep` may be the last reference to this lane's owner: not before the loop is over.
  }
  if (retired_ && pending_ == 0) stop();
}

// Concludes the promise exactly once: resolving may run the caller's code (a `then` getter), which
// may throw, and the deferred is gone by then.
void Lane::settle(Napi::Env env, Job& job) {
  Napi::Value value;
  bool resolved = job.status.ok();
  try {
    value = resolved ? job.finish(env) : store_error(env, job.status);
  } catch (const Napi::Error& error) {
    resolved = false;
    value = error.Value();
  } catch (const std::exception& error) {
    resolved = false;
    value = store_error(env, {StatusCode::kInternal, error.what()});
  }
  try {
    resolved ? job.deferred.Resolve(value) : job.deferred.Reject(value);
  } catch (const Napi::Error&) {
    // The runtime has rejected the promise with it.
  }
}

Napi::Promise Lane::submit(Napi::Object keep, std::function<Status()> work,
                           std::function<Napi::Value(Napi::Env)> finish) {
  if (deliver_ == nullptr) start();
  auto job = std::make_unique<Job>(env_, keep);
  job->work = std::move(work);
  job->finish = std::move(finish);
  const Napi::Promise promise = job->deferred.Promise();
  if (pending_++ == 0) napi_ref_threadsafe_function(env_, deliver_);
  bool asleep = false;
  {
    const std::lock_guard lock(mutex_);
    todo_.push_back(std::move(job));
    called_.store(true, std::memory_order_relaxed);
    asleep = sleeping_;
  }
  if (asleep) wake_.notify_one();
  return promise;
}

std::shared_ptr<Buffers> Lane::take_buffers() {
  std::unique_ptr<Buffers> buffers;
  if (idle_buffers_->empty()) {
    buffers = std::make_unique<Buffers>();
  } else {
    buffers = std::move(idle_buffers_->back());
    idle_buffers_->pop_back();
  }
  return {buffers.release(), [idle = idle_buffers_](Buffers* returned) {
            std::unique_ptr<Buffers> owned(returned);
            if (idle->size() < kMostIdle && owned->bytes() <= kMostIdleBytes) {
              idle->push_back(std::move(owned));
            }
          }};
}

}  // namespace hotrow::bindings
