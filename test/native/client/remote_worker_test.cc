// Workers of a training job over servers: in ClockMode::kBulk the bits are those of one process
// that pushes the workers' gradients in their order, whoever comes when and dies when; in kBounded
// nobody is further ahead than it may be. The clock itself: test/native/server/clocks_test.cc.
#include "client/remote_worker.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <limits>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "hotrow/connect.h"
#include "hotrow/server.h"
#include "net/address.h"
#include "support/random.h"
#include "support/scale.h"
#include "support/stores.h"
#include "support/threads.h"

namespace hotrow::test {
namespace {

using std::chrono::milliseconds;

constexpr uint32_t kLongMs = 60'000;
// Long enough that a busy machine does not drop who lives.
constexpr uint32_t kShortMs = 1500;

struct WorkersServer {
  explicit WorkersServer(const ServerOptions& options = {})
      : store(private_store()), server(must(Server::start(store, options))) {}
  std::shared_ptr<Store> store;
  std::unique_ptr<Server> server;
};

/// Servers of stores in memory, and workers of them.
class Crews {
 public:
  explicit Crews(int servers, const ServerOptions& options = {}) {
    for (int i = 0; i < servers; ++i) {
      addresses_.push_back(
          all_.emplace_back(std::make_unique<WorkersServer>(options))->server->address());
    }
  }
  std::shared_ptr<Store> connected() const { return must(connect({.servers = addresses_})); }
  const std::vector<std::string>& addresses() const { return addresses_; }
  std::vector<std::unique_ptr<WorkersServer>>& all() { return all_; }

 private:
  std::vector<std::unique_ptr<WorkersServer>> all_;
  std::vector<std::string> addresses_;
};

WorkerOptions bulk(uint32_t index, uint32_t of, uint32_t lease_ms = kLongMs) {
  return {.group = "job", .index = index, .of = of, .mode = ClockMode::kBulk, .lease_ms = lease_ms};
}

/// A worker in the plain words of the wire, whose lease is renewed by its pushes only and which
/// tells nobody anything: one that may die at any moment.
class Raw {
 public:
  explicit Raw(const std::vector<std::string>& servers) {
    std::vector<net::Address> addresses;
    for (const std::string& each : servers) addresses.push_back(must(net::parse_address(each)));
    cluster_ = std::make_unique<client::Cluster>(ConnectOptions{.servers = servers}, addresses,
                                                 std::make_shared<const client::Credentials>());
    for (size_t i = 1; i < servers.size(); ++i) {
      if (servers[i] < servers[leader_]) leader_ = i;
    }
  }

  Result<wire::ClockReply> ask(size_t server, const wire::ClockCall& call) {
    client::TextReply reply;
    client::Exchange exchange(wire::Verb::kCall, client::Effect::kReads);
    exchange.request.add_text(wire::to_text(call));
    HOTROW_RETURN_IF_ERROR(cluster_->peer(server).run(exchange, reply, cluster_->deadline()));
    if (reply.text.empty()) return wire::ClockReply{};
    return wire::read_clock_reply(reply.text);
  }
  wire::ClockCall call(const char* name) const {
    return {.call = name,
            .group = "job",
            .id = id_,
            .index = options_.index,
            .of = options_.of,
            .mode = options_.mode,
            .lease_ms = options_.lease_ms};
  }
  void join(const WorkerOptions& options) {
    options_ = options;
    id_.clear();
    const auto joined = must(ask(leader_, call("join")));
    id_ = joined.id;
    for (size_t server = 0; server < cluster_->members().size(); ++server) {
      wire::ClockCall follows = call("join");
      follows.step = joined.clock;
      if (server != leader_) must(ask(server, follows));
    }
  }
  Result<wire::ClockReply> tick(uint64_t step, uint64_t wait_ms = kLongMs) {
    wire::ClockCall its = call("tick");
    its.step = step;
    its.wait_ms = wait_ms;
    return ask(leader_, its);
  }
  /// One row of table `t`, of dim 1, to the server that has the key.
  Status push(uint64_t key, float gradient, uint32_t step) {
    (void)ask(leader_, call("renew"));
    const size_t server = cluster_->view()->placement.server_of(key);
    wire::Call opens{.call = "table", .name = "t"};
    auto opened = cluster_->ask<wire::OpenedTable>(server, opens, cluster_->deadline());
    if (!opened.ok()) return opened.status();
    client::CountReply reply;
    client::Exchange exchange(wire::Verb::kPush, client::Effect::kChanges);
    const std::array keys{key};
    const std::array gradients{gradient};
    exchange.request.header().clock = step;
    exchange.request.add(0, opened.value().parameter, wire::Kind::kKeys,
                         std::span<const uint64_t>(keys));
    exchange.request.add(0, opened.value().parameter, wire::Kind::kGradients,
                         std::span<const float>(gradients));
    return cluster_->peer(server).run(exchange, reply, cluster_->deadline());
  }

 private:
  std::unique_ptr<client::Cluster> cluster_;
  size_t leader_ = 0;
  WorkerOptions options_;
  std::string id_;
};

class BulkWorkers : public testing::TestWithParam<int> {
 protected:
  Crews crews_{GetParam()};
};

// What one worker does in one step.
struct Work {
  struct Push {
    std::vector<uint64_t> keys;
    std::vector<float> t;
    std::vector<float> u;
  };
  std::vector<Push> pushes;
  std::vector<float> dense;
};

constexpr size_t kDimT = 3;
constexpr size_t kDimU = 2;
constexpr size_t kDense = 5;

Work random_work(Random& random) {
  Work work;
  for (uint64_t n = random.between(0, 2); n > 0; --n) {
    auto& push = work.pushes.emplace_back();
    push.keys = random.keys(random.between(40, 80), 150);
    push.t = random.reals(push.keys.size() * kDimT, -1e3F, 1e3F);
    push.u = random.reals(push.keys.size() * kDimU, -1e3F, 1e3F);
  }
  if (!random.one_in(3)) work.dense = random.reals(kDense, -1e3F, 1e3F);
  return work;
}

struct JobModel {
  explicit JobModel(Store& its_store)
      : store(&its_store),
        t(must(its_store.table("t", {.dim = kDimT,
                                     .optimizer = optimizer(OptimizerKind::kAdagrad),
                                     .initializer = uniform(0.5F)}))),
        u(must(its_store.table("u", {.dim = kDimU,
                                     .optimizer = optimizer(OptimizerKind::kFtrl),
                                     .initializer = uniform(0.5F)}))),
        dense(must(its_store.dense(
            "d", DenseOptions{.shape = {kDense}, .optimizer = optimizer(OptimizerKind::kAdam)}))) {}

  /// Everything there is to see, state included.
  std::vector<float> all() const {
    const auto keys = range(0, 150);
    std::vector<float> values = lookup(*t, keys);
    const auto append = [&](const std::vector<float>& more) {
      values.insert(values.end(), more.begin(), more.end());
    };
    append(lookup(*u, keys));
    for (Table* table : {t.get(), u.get()}) {
      std::vector<float> state(keys.size() * table->state_values());
      must(table->lookup_state(keys, state, {}));
      append(state);
    }
    std::vector<float> of_dense(kDense);
    std::vector<float> state(dense->state_values());
    must(dense->pull_state(of_dense, state));
    append(of_dense);
    append(state);
    return values;
  }
  void push(const Work::Push& push) const {
    const std::vector<TablePush> both{{.table = t.get(), .keys = push.keys, .gradients = push.t},
                                      {.table = u.get(), .keys = push.keys, .gradients = push.u}};
    must(store->push_all(both));
  }

  Store* store;
  std::shared_ptr<Table> t;
  std::shared_ptr<Table> u;
  std::shared_ptr<Dense> dense;
};

/// As one process would: all workers' gradients in their order, pushed once.
void push_whole_step(const JobModel& model, const std::vector<Work>& workers) {
  Work::Push whole;
  std::vector<float> dense;
  for (const Work& work : workers) {
    for (const Work::Push& push : work.pushes) {
      whole.keys.insert(whole.keys.end(), push.keys.begin(), push.keys.end());
      whole.t.insert(whole.t.end(), push.t.begin(), push.t.end());
      whole.u.insert(whole.u.end(), push.u.begin(), push.u.end());
    }
    for (size_t i = 0; i < work.dense.size(); ++i) {
      if (dense.size() < kDense) {
        dense.push_back(work.dense[i]);
      } else {
        dense[i] += work.dense[i];
      }
    }
  }
  if (!whole.keys.empty()) model.push(whole);
  if (!dense.empty()) must(model.dense->push(dense));
}

TEST_P(BulkWorkers, BitsAreThoseOfOneProcessWhoeverIsFirst) {
  constexpr uint32_t kWorkers = 3;
  const auto steps = static_cast<size_t>(scaled(25));
  const uint64_t seed = 91;
  Random random(seed);
  const auto local = private_store();
  const JobModel alone(*local);
  std::vector<std::vector<Work>> work(steps);
  std::vector<std::vector<float>> after{alone.all()};
  for (auto& step : work) {
    for (uint32_t i = 0; i < kWorkers; ++i) step.push_back(random_work(random));
    push_whole_step(alone, step);
    after.push_back(alone.all());
  }
  std::atomic<int> wrong{0};
  in_threads(kWorkers, [&](uint32_t index) {
    Random pause(index);
    const auto store = crews_.connected();
    const JobModel model(*store);
    const auto worker = must(store->worker(bulk(index, kWorkers)));
    for (size_t step = 0; step < steps; ++step) {
      std::this_thread::sleep_for(milliseconds(pause.below(4)));
      const Work& its = work[step][index];
      for (const Work::Push& push : its.pushes) model.push(push);
      if (!its.dense.empty()) must(model.dense->push(its.dense));
      // What others have pushed already is not to be seen yet.
      if (pause.one_in(2) && model.all() != after[step]) ++wrong;
      must(worker->tick(kLongMs));
      if (model.all() != after[step + 1]) ++wrong;
    }
    must(worker->leave());
  });
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(JobModel(*crews_.connected()).all(), after.back());
  for (const auto& each : crews_.all()) EXPECT_TRUE(each->server->stats().groups.empty());
}

TEST_P(BulkWorkers, OneThatDiesTakesItsUnfinishedStepWithIt) {
  const auto store = crews_.connected();
  const auto table = must(store->table("t", sum_table(1)));
  Raw dies(crews_.addresses());
  dies.join(bulk(1, 2, kShortMs));
  const auto worker = must(store->worker(bulk(0, 2, kShortMs)));
  const auto keys = range(0, 40);
  for (const uint64_t key : keys) must(dies.push(key, 100, 1));
  must(table->push(keys, std::vector<float>(40, 1)));
  must(worker->tick(kLongMs));
  EXPECT_EQ(lookup(*table, keys), std::vector<float>(40, 1));
  const GroupClock clock = must(worker->clock());
  EXPECT_EQ(clock.mine, 1);
  EXPECT_FALSE(clock.workers.at(1).alive);
  // It was only slow, and goes on as if nothing was.
  EXPECT_EQ(dies.tick(1).status().code(), StatusCode::kClosed);
  uint64_t held = 0;
  for (const uint64_t key : keys) held += dies.push(key, 100, 2).ok() ? 1 : 0;
  must(table->push(keys, std::vector<float>(40, 1)));
  must(worker->tick(kLongMs));
  EXPECT_EQ(lookup(*table, keys), std::vector<float>(40, 2)) << held << " were held somewhere";
}

TEST_P(BulkWorkers, OneThatComesBackIsWaitedForAgain) {
  const auto store = crews_.connected();
  const auto table = must(store->table("t", sum_table(1)));
  const auto keys = range(0, 40);
  {
    Raw dies(crews_.addresses());
    dies.join(bulk(1, 2, kShortMs));
    for (const uint64_t key : keys) must(dies.push(key, 100, 1));
  }
  const auto worker = must(store->worker(bulk(0, 2, kShortMs)));
  must(worker->tick(kLongMs));
  must(worker->tick(kLongMs));
  const auto other = crews_.connected();
  const auto of_other = must(other->table("t"));
  const auto back = must(other->worker(bulk(1, 2, kShortMs)));
  EXPECT_EQ(must(back->clock()).mine, 2);
  EXPECT_EQ(worker->tick(0).code(), StatusCode::kBusy);
  must(of_other->push(keys, std::vector<float>(40, 3)));
  EXPECT_EQ(table->push(keys, std::vector<float>(40, 1)).code(), StatusCode::kConflict)
      << "its tick has not returned";
  in_threads(2, [&](uint32_t i) { must((i == 0 ? worker : back)->tick(kLongMs)); });
  EXPECT_EQ(lookup(*table, keys), std::vector<float>(40, 3));
}

// All that knew of a decision are dead: who comes next tells those who do not know.
TEST_P(BulkWorkers, ADecidedStepIsAppliedEverywhereEvenIfAllDieBeforeTheyTell) {
  const auto store = crews_.connected();
  const auto table = must(store->table("t", sum_table(1)));
  const auto keys = range(0, 40);
  Raw dies(crews_.addresses());
  dies.join(bulk(0, 1, kShortMs));
  for (const uint64_t key : keys) must(dies.push(key, 7, 1));
  EXPECT_TRUE(must(dies.tick(1)).done);
  std::shared_ptr<SyncWorker> back;
  while (back == nullptr) {
    auto joined = store->worker(bulk(0, 1, kShortMs));
    if (!joined.ok()) {
      ASSERT_EQ(joined.status().code(), StatusCode::kConflict) << joined.status().message();
      std::this_thread::sleep_for(milliseconds(20));
      continue;
    }
    back = joined.value();
  }
  EXPECT_EQ(must(back->clock()).mine, 1);
  EXPECT_EQ(lookup(*table, keys), std::vector<float>(40, 7));
}

TEST_P(BulkWorkers, WhatALeaverPushedIsInNoStep) {
  const auto a = crews_.connected();
  const auto b = crews_.connected();
  const auto of_a = must(a->table("t", sum_table(1)));
  const auto of_b = must(b->table("t"));
  const auto keys = range(0, 40);
  const auto first = must(a->worker(bulk(0, 2)));
  const auto second = must(b->worker(bulk(1, 2)));
  must(of_a->push(keys, std::vector<float>(40, 1)));
  must(of_b->push(keys, std::vector<float>(40, 10)));
  must(second->leave());
  must(second->leave());
  EXPECT_EQ(second->tick(0).code(), StatusCode::kClosed);
  EXPECT_EQ(second->clock().status().code(), StatusCode::kClosed);
  must(of_b->push(keys, std::vector<float>(40, 100)));  // its own now
  EXPECT_EQ(lookup(*of_a, keys), std::vector<float>(40, 100));
  must(first->tick(kLongMs));
  EXPECT_EQ(lookup(*of_a, keys), std::vector<float>(40, 101));
  a->close();  // leaves, too
  for (const auto& each : crews_.all()) EXPECT_TRUE(each->server->stats().groups.empty());
}

TEST_P(BulkWorkers, WhatCannotBeAppliedFailsForAllAndTheNextStepBegins) {
  const auto keys = range(0, 40);
  std::array<StatusCode, 2> codes{};
  in_threads(2, [&](uint32_t index) {
    const auto store = crews_.connected();
    const auto table = must(store->table("t", sum_table(1)));
    const auto worker = must(store->worker(bulk(index, 2)));
    must(table->push(keys, std::vector<float>(40, std::numeric_limits<float>::max())));
    codes[index] = worker->tick(kLongMs).code();
    must(table->push(keys, std::vector<float>(40, 1)));
    must(worker->tick(kLongMs));
    EXPECT_EQ(must(worker->clock()).mine, 2);
  });
  EXPECT_EQ(codes[0], StatusCode::kInvalidArgument);
  EXPECT_EQ(codes[1], StatusCode::kInvalidArgument);
  const auto store = crews_.connected();
  EXPECT_EQ(lookup(*must(store->table("t")), keys), std::vector<float>(40, 2));
}

TEST_P(BulkWorkers, BagsAreHeldToo) {
  const auto store = crews_.connected();
  const auto local = private_store();
  const TableOptions options{.dim = 2, .optimizer = optimizer(OptimizerKind::kAdagrad)};
  const auto table = must(store->table("t", options));
  const auto reference = must(local->table("t", options));
  Random random(4);
  const auto worker = must(store->worker(bulk(0, 1)));
  for (int step = 0; step < 5; ++step) {
    const auto keys = random.keys(12, 10);
    const auto weights = random.reals(12);
    const auto gradients = random.reals(6);
    const std::vector<uint32_t> offsets{0, 5, 5, 12};
    const BagBatch bags{
        .keys = keys, .offsets = offsets, .weights = weights, .pooling = Pooling::kMean};
    const auto before = lookup(*table, keys);
    must(table->push_pooled(bags, gradients));
    EXPECT_EQ(lookup(*table, keys), before);
    must(worker->tick(kLongMs));
    must(reference->push_pooled(bags, gradients));
    EXPECT_EQ(lookup(*table, range(0, 10)), lookup(*reference, range(0, 10)));
  }
}

INSTANTIATE_TEST_SUITE_P(OneAndTwo, BulkWorkers, testing::Values(1, 2));

TEST(Workers, NobodyIsFurtherAheadThanItMayBe) {
  constexpr uint32_t kWorkers = 4;
  Crews crews(2);
  for (const uint64_t staleness : {0, 1, 3}) {
    const auto steps = scaled(40);
    std::array<std::atomic<uint64_t>, kWorkers> begun{};  // ticks that were called
    std::atomic<int> wrong{0};
    in_threads(kWorkers, [&](uint32_t index) {
      Random random(staleness * 10 + index);
      const auto store = crews.connected();
      const auto worker = must(store->worker({.group = "job" + std::to_string(staleness),
                                              .index = index,
                                              .of = kWorkers,
                                              .mode = ClockMode::kBounded,
                                              .staleness = staleness,
                                              .lease_ms = kLongMs}));
      for (uint64_t step = 1; step <= steps; ++step) {
        if (random.one_in(1 + index)) std::this_thread::sleep_for(milliseconds(random.below(5)));
        begun[index] = step;
        must(worker->tick(kLongMs));
        for (const auto& other : begun) {
          if (other + staleness < step) ++wrong;
        }
      }
    });
    EXPECT_EQ(wrong, 0) << "staleness " << staleness;
  }
}

TEST(Workers, TheSlowOneIsNamed) {
  Crews crews(1);
  const auto fast = crews.connected();
  const auto slow = crews.connected();
  const auto options = [](uint32_t index) {
    return WorkerOptions{.group = "job", .index = index, .of = 2, .mode = ClockMode::kAsync};
  };
  const auto first = must(fast->worker(options(0)));
  const auto second = must(slow->worker(options(1)));
  must(first->tick(0));
  must(first->tick(0));
  must(second->tick(0));
  std::this_thread::sleep_for(milliseconds(2));
  const GroupClock clock = must(second->clock());
  EXPECT_EQ(clock.mine, 1);
  EXPECT_EQ(clock.slowest, 1);
  EXPECT_EQ(clock.workers.at(0).behind_ms, 0);
  EXPECT_GE(clock.workers.at(1).behind_ms, 2);
  const auto groups = crews.all().front()->server->stats().groups;
  ASSERT_EQ(groups.size(), 1U);
  EXPECT_EQ(groups[0].group, "job");
  EXPECT_TRUE(groups[0].leads);
  EXPECT_EQ(groups[0].workers.at(0).clock, 2);
}

TEST(Workers, AStoreIsOneWorkerAtATime) {
  Crews crews(1);
  const auto store = crews.connected();
  const auto worker = must(store->worker(bulk(0, 1)));
  EXPECT_EQ(store->worker(bulk(0, 1)).status().code(), StatusCode::kConflict);
  must(worker->leave());
  must(must(store->worker(bulk(0, 1)))->leave());
  EXPECT_EQ(private_store()->worker(bulk(0, 1)).status().code(), StatusCode::kUnsupported);
}

TEST(Workers, LeavingEndsATickThatWaits) {
  Crews crews(2);
  const auto store = crews.connected();
  const auto worker = must(store->worker(bulk(0, 2)));
  std::atomic<StatusCode> ended{StatusCode::kOk};
  std::thread ticking([&] { ended = worker->tick(kLongMs).code(); });
  while (must(worker->clock()).mine < 1) std::this_thread::sleep_for(milliseconds(1));
  const auto begun = std::chrono::steady_clock::now();
  // Whoever leaves second waits for the first: then the store can be a worker again.
  in_threads(2, [&](uint32_t) {
    must(worker->leave());
    EXPECT_NE(store->worker(bulk(5, 5)).status().code(), StatusCode::kConflict);
  });
  ticking.join();
  EXPECT_LT(std::chrono::steady_clock::now() - begun, milliseconds(kLongMs / 2));
  EXPECT_EQ(ended, StatusCode::kClosed);
  must(must(store->worker(bulk(0, 1)))->tick(kLongMs));
}

// Bags are short on the wire and long when they are held: that is refused before it is done.
TEST(Workers, BagsBeyondTheBoundAreRefused) {
  Crews crews(1, {.most_held_bytes = uint64_t{64} << 10});
  const auto store = crews.connected();
  const auto table = must(store->table("t", sum_table(64)));
  const auto worker = must(store->worker(bulk(0, 1)));
  const auto keys = range(0, 1000);
  const std::vector<uint32_t> offsets{0, 1000};
  const BagBatch bags{.keys = keys, .offsets = offsets};
  const std::vector<float> gradient(64, 1);
  EXPECT_EQ(table->push_pooled(bags, gradient).code(), StatusCode::kCapacity);
  must(worker->tick(kLongMs));
}

TEST(Workers, PushesBeyondTheBoundAreRefused) {
  Crews crews(1, {.most_held_bytes = uint64_t{64} << 10});
  const auto store = crews.connected();
  const auto table = must(store->table("t", sum_table(1)));
  const auto worker = must(store->worker(bulk(0, 1)));
  const auto keys = range(0, 4000);
  must(table->push(keys, std::vector<float>(4000, 1)));
  EXPECT_EQ(table->push(keys, std::vector<float>(4000, 1)).code(), StatusCode::kCapacity);
  must(worker->tick(kLongMs));
  EXPECT_EQ(lookup(*table, {7}), std::vector<float>{1});
  must(table->push(keys, std::vector<float>(4000, 1)));
}

// One of two servers has no room for its part: what the other holds must not be the step.
TEST(Workers, AStepWhosePushReachedSomeServersOnlyCannotEnd) {
  WorkersServer large;
  WorkersServer small({.most_held_bytes = uint64_t{64} << 10});
  const std::vector<std::string> servers{large.server->address(), small.server->address()};
  const auto store = must(connect({.servers = servers}));
  const auto other = must(connect({.servers = servers}));
  const auto table = must(store->table("t", sum_table(1)));
  const auto worker = must(store->worker(bulk(0, 2)));
  const auto beside = must(other->worker(bulk(1, 2)));
  const auto keys = range(0, 40'000);
  EXPECT_EQ(table->push(keys, std::vector<float>(40'000, 1)).code(), StatusCode::kCapacity);
  EXPECT_EQ(worker->tick(0).code(), StatusCode::kConflict);
  must(worker->leave());
  must(beside->tick(kLongMs));
  EXPECT_EQ(lookup(*table, keys), std::vector<float>(40'000, 0));
  const auto again = must(store->worker(bulk(0, 2)));
  EXPECT_EQ(must(again->clock()).mine, 1);
  must(table->push(range(0, 10), std::vector<float>(10, 1)));
  in_threads(2, [&](uint32_t i) { must((i == 0 ? again : beside)->tick(kLongMs)); });
  EXPECT_EQ(lookup(*table, range(0, 10)), std::vector<float>(10, 1));
}

TEST(Workers, AServerStartedAnewKnowsNoWorkers) {
  Crews crews(1);
  const auto store = crews.connected();
  const auto worker = must(store->worker(bulk(0, 1)));
  WorkersServer& its = *crews.all().front();
  its.server.reset();
  its.server = must(Server::start(its.store, {.listen = crews.addresses().front()}));
  EXPECT_EQ(worker->tick(kLongMs).code(), StatusCode::kNotFound);
  must(worker->leave());
  must(must(store->worker(bulk(0, 1)))->tick(kLongMs));
}

}  // namespace
}  // namespace hotrow::test
