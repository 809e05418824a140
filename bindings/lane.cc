#include "lane.h"

#include <utility>

#include "errors.h"

namespace hotrow::bindings {

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
    : env_(env),
      idle_buffers_(std::make_shared<std::vector<std::unique_ptr<Buffers>>>()) {}

Lane::~Lane() {
  if (deliver_ == nullptr) return;
  napi_remove_env_cleanup_hook(env_, stop_from_node, this);
  stop();
}

void Lane::start() {
  const Napi::String name = Napi::String::New(env_, "hotrow");
  if (napi_create_threadsafe_function(env_, nullptr, nullptr, name, 0, 1, nullptr, nullptr, this,
                                      deliver_from_node, &deliver_) != napi_ok) {
    throw_status(env_, {StatusCode::kInternal, "the runtime refused a thread-safe function"});
  }
  napi_unref_threadsafe_function(env_, deliver_);
  // Hooks run last in, first out: this one before the thread-safe function's own.
  napi_add_env_cleanup_hook(env_, stop_from_node, this);
  thread_ = std::thread([this] { loop(); });
}

void Lane::stop_from_node(void* lane) { static_cast<Lane*>(lane)->stop(); }

void Lane::stop() {
  if (!thread_.joinable()) return;
  std::deque<std::unique_ptr<Job>> dropped;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    dropped.swap(todo_);
    wake_.notify_one();
  }
  thread_.join();
  napi_release_threadsafe_function(deliver_, napi_tsfn_abort);
  done_.clear();
}

void Lane::loop() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return stopping_ || !todo_.empty(); });
    if (stopping_) return;
    std::unique_ptr<Job> job = std::move(todo_.front());
    todo_.pop_front();
    lock.unlock();
    try {
      job->status = job->work();
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
  for (std::unique_ptr<Job>& job : done) {
    const Napi::HandleScope scope(env);
    try {
      if (job->status.ok()) {
        job->deferred.Resolve(job->finish(env));
      } else {
        job->deferred.Reject(store_error(env, job->status));
      }
    } catch (const Napi::Error& error) {
      job->deferred.Reject(error.Value());
    }
    // `keep` may be the last reference to this lane's owner: not before the loop is over.
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
  {
    const std::lock_guard lock(mutex_);
    todo_.push_back(std::move(job));
  }
  wake_.notify_one();
  return promise;
}

std::shared_ptr<Buffers> Lane::take_buffers() {
  constexpr size_t kMostIdle = 8;
  std::unique_ptr<Buffers> buffers;
  if (idle_buffers_->empty()) {
    buffers = std::make_unique<Buffers>();
  } else {
    buffers = std::move(idle_buffers_->back());
    idle_buffers_->pop_back();
  }
  return {buffers.release(), [idle = idle_buffers_](Buffers* returned) {
            std::unique_ptr<Buffers> owned(returned);
            if (idle->size() < kMostIdle) idle->push_back(std::move(owned));
          }};
}

}  // namespace hotrow::bindings
