// Dense parameters of several servers: the bits of a store in this process, even over the servers,
// one version of all chunks, and "not modified" only where nothing was modified.
#include "client/remote_dense.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "hotrow/connect.h"
#include "hotrow/server.h"
#include "hotrow/sync_worker.h"
#include "support/folder.h"
#include "support/placed_servers.h"
#include "support/plain_requests.h"
#include "support/random.h"
#include "support/scale.h"
#include "support/stores.h"

namespace hotrow::test {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// Servers of stores, in memory or on disk, that clients know by a list.
class DenseServers {
 public:
  explicit DenseServers(size_t servers, bool on_disk = false) : on_disk_(on_disk) {
    all_.resize(servers);
    for (size_t i = 0; i < servers; ++i) start(i);
  }
  /// As a process that is killed, and started again where it was.
  void restart(size_t i) {
    all_[i].server.reset();
    all_[i].store.reset();
    start(i);
  }
  void stop(size_t i) { all_[i].server.reset(); }
  Store& store(size_t i) { return *all_[i].store; }
  std::vector<std::string> addresses() const {
    std::vector<std::string> names;
    for (const auto& each : all_) names.push_back(each.address);
    return names;
  }
  std::shared_ptr<Store> connected(uint32_t timeout_ms = 10'000) const {
    return must(connect({.servers = addresses(), .timeout_ms = timeout_ms}));
  }
  std::shared_ptr<client::Cluster> cluster() const {
    std::vector<net::Address> parsed;
    for (const auto& each : all_) parsed.push_back(must(net::parse_address(each.address)));
    return std::make_shared<client::Cluster>(ConnectOptions{.servers = addresses()}, parsed,
                                             std::make_shared<const client::Credentials>());
  }

 private:
  struct One {
    std::shared_ptr<Store> store;
    std::unique_ptr<Server> server;
    std::string address;
  };
  void start(size_t i) {
    One& its = all_[i];
    const StoreOptions options{.memory_bytes = 256 * kMiB, .threads = 1, .sync = SyncMode::kOs};
    its.store =
        on_disk_ ? must(Store::open(folder_ / std::to_string(i), options)) : private_store();
    its.server = must(
        Server::start(its.store, {.listen = its.address.empty() ? "127.0.0.1:0" : its.address}));
    its.address = its.server->address();
  }

  const bool on_disk_;
  Folder folder_;
  std::vector<One> all_;
};

struct DenseState {
  std::vector<float> values;
  std::vector<float> state;
  uint64_t steps = 0;
  bool operator==(const DenseState&) const = default;
};

DenseState state_of(Dense& dense) {
  DenseState its{.values = std::vector<float>(dense.size()),
                 .state = std::vector<float>(dense.state_values())};
  its.steps = must(dense.pull_state(its.values, its.state));
  return its;
}

std::vector<float> dense_values(Dense& dense) {
  std::vector<float> values(dense.size());
  must(dense.pull(values));
  return values;
}

std::vector<float> filled(const Dense& dense, float value) {
  return std::vector<float>(dense.size(), value);
}

DenseOptions of_sum(std::vector<uint64_t> shape) {
  return {.shape = std::move(shape), .optimizer = {.kind = OptimizerKind::kSum}};
}

uint64_t dense_bytes_of(Store& store) {
  uint64_t bytes = 0;
  for (const ParameterInfo& info : must(store.list())) {
    if (info.kind == ParameterKind::kDense) bytes += values_of(info.shape) * sizeof(float);
  }
  return bytes;
}

void expect_same_after_everything(Dense& actual, Dense& expected, Random& random) {
  EXPECT_EQ(actual.options(), expected.options());
  EXPECT_EQ(actual.size(), expected.size());
  ASSERT_EQ(actual.state_values(), expected.state_values());
  EXPECT_EQ(dense_values(actual), dense_values(expected));
  const auto both = [&](const auto& call) {
    must(call(actual));
    must(call(expected));
  };
  for (int i = 0; i < 2; ++i) {
    const auto gradient = random.reals(expected.size(), -2, 2);
    both([&](Dense& its) { return its.push(gradient, {.learning_rate = i == 0 ? 0.0F : 0.25F}); });
  }
  EXPECT_TRUE(state_of(actual) == state_of(expected));
  const auto values = random.reals(expected.size(), -2, 2);
  const auto state = random.reals(expected.state_values(), 0, 2);
  both([&](Dense& its) { return its.update(values, {.state = state, .steps = 9}); });
  const auto gradient = random.reals(expected.size(), -2, 2);
  both([&](Dense& its) { return its.push(gradient); });
  EXPECT_TRUE(state_of(actual) == state_of(expected));
  EXPECT_EQ(dense_values(actual), dense_values(expected));
}

class RemoteDenseOver : public testing::TestWithParam<size_t> {};
INSTANTIATE_TEST_SUITE_P(Servers, RemoteDenseOver, testing::Values(1, 2, 3));

TEST_P(RemoteDenseOver, HasTheBitsOfAStoreInThisProcess) {
  DenseServers servers(GetParam());
  const auto remote = servers.connected();
  const auto local = private_store();
  Random random(GetParam());
  // Of one shape after the other: there are three.
  const int one_in = test_scale() > 1 ? 1 : kSlowdown > 1 ? 16 : 4;
  int n = 0;
  for (const OptimizerOptions& rule : every_optimizer()) {
    for (const OptimizerOptions& its : every_preparation(rule)) {
      // By rows, pieces of one row, pieces of some rows.
      for (const std::vector<uint64_t>& shape :
           {std::vector<uint64_t>{300, 1000}, {270'001}, {3, 90'001}}) {
        if (++n % one_in != 0) continue;
        SCOPED_TRACE(describe(its) + " " + testing::PrintToString(shape));
        const std::string name = "w" + std::to_string(n);
        const DenseOptions options{.shape = shape, .optimizer = its, .initializer = uniform(0.5F)};
        const auto actual = must(remote->dense(name, options));
        const auto expected = must(local->dense(name, options));
        expect_same_after_everything(*actual, *expected, random);
        must(remote->drop(name));
        must(local->drop(name));
        ASSERT_FALSE(HasFailure());
      }
    }
  }
}

TEST(RemoteDense, ServersHaveTheSameBytesWithinATenth) {
  for (const size_t count : {2, 3, 4, 5}) {
    DenseServers servers(count);
    const auto remote = servers.connected();
    const std::vector<std::vector<uint64_t>> shapes = {
        {270'000}, {1000, 300}, {3, 200'000}, {4, 5, 30'000}, {700'001}};
    for (size_t i = 0; i < shapes.size(); ++i) {
      must(remote->dense("w" + std::to_string(i), of_sum(shapes[i])));
    }
    uint64_t least = UINT64_MAX;
    uint64_t most = 0;
    for (size_t i = 0; i < count; ++i) {
      const uint64_t bytes = dense_bytes_of(servers.store(i));
      least = std::min(least, bytes);
      most = std::max(most, bytes);
    }
    EXPECT_LE(static_cast<double>(most), 1.1 * static_cast<double>(least)) << count;
    EXPECT_EQ(stats_of(*remote).dense, shapes.size());
  }
}

TEST(RemoteDense, OneParameterByEveryName) {
  DenseServers servers(3);
  const auto remote = servers.connected();
  const DenseOptions options = of_sum({1000, 600});
  const auto dense = must(remote->dense("w", options));
  must(dense->push(filled(*dense, 1)));
  const auto other = servers.connected();
  EXPECT_EQ(dense_values(*must(other->dense("w"))), filled(*dense, 1));
  EXPECT_EQ(dense_values(*must(other->dense("w", options))), filled(*dense, 1));
  EXPECT_EQ(must(other->dense("w"))->options().shape, options.shape);
  EXPECT_FALSE(must(other->dense("w"))->options().chunk.used());
  EXPECT_TRUE(fails(other->dense("w", of_sum({600, 1000})), StatusCode::kConflict, "'w'"));
  EXPECT_TRUE(fails(other->dense("w", of_sum({2})), StatusCode::kConflict, "'w'"));
  EXPECT_TRUE(fails(other->dense("none"), StatusCode::kNotFound, "none"));
  const auto all = must(other->list());
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].name, "w");
  EXPECT_EQ(all[0].shape, options.shape);
  must(other->drop("w"));
  EXPECT_EQ(must(other->list()).size(), 0U);
  EXPECT_TRUE(fails(dense->push(filled(*dense, 1)), StatusCode::kClosed, "w"));
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(must(servers.store(i).list()).size(), 0U);
  EXPECT_TRUE(fails(other->drop("w"), StatusCode::kNotFound, "w"));
  EXPECT_EQ(dense_values(*must(other->dense("w", options))), filled(*dense, 0));
}

TEST(RemoteDense, TheLongestNameHasChunks) {
  DenseServers servers(2);
  const std::string name(kMaxNameBytes, 'n');
  const auto remote = servers.connected();
  const auto dense = must(remote->dense(name, of_sum({300'000})));
  must(dense->push(filled(*dense, 2)));
  const auto other = servers.connected();
  EXPECT_EQ(dense_values(*must(other->dense(name))), filled(*dense, 2));
  EXPECT_TRUE(fails(other->dense(name + "n", of_sum({300'000})), kInvalid, "name"));
}

TEST(RemoteDense, WhatIsNotFiniteChangesNoChunk) {
  DenseServers servers(3);
  const auto remote = servers.connected();
  DenseOptions options = of_sum({600'000});
  const auto rejects = must(remote->dense("rejects", options));
  options.non_finite = NonFinite::kSkip;
  const auto skips = must(remote->dense("skips", options));
  for (const size_t at : {size_t{0}, size_t{299'999}, size_t{599'999}}) {
    auto bad = filled(*rejects, 1);
    bad[at] = at == 0 ? kNan : kInfinity;
    EXPECT_TRUE(fails(rejects->push(bad), kInvalid, "gradient: expected finite"));
    EXPECT_TRUE(fails(rejects->update(bad), kInvalid, "values: expected finite"));
    must(skips->push(bad));
    must(skips->update(bad));
  }
  for (Dense* const each : {rejects.get(), skips.get()}) {
    EXPECT_EQ(dense_values(*each), filled(*each, 0));
    EXPECT_EQ(state_of(*each).steps, 0U);
  }
  EXPECT_TRUE(fails(rejects->push(std::vector<float>(3)), kInvalid, "gradient: expected 600000"));
  EXPECT_TRUE(fails(rejects->push(filled(*rejects, 1), {.learning_rate = -1}), kInvalid, "Rate"));
  EXPECT_EQ(dense_values(*rejects), filled(*rejects, 0));
}

// What an earlier program has made: it stays as it is and is read and changed where it is.
TEST(RemoteDense, AParameterThatIsWholeStaysWhole) {
  DenseServers servers(3);
  const DenseOptions options = of_sum({500, 1000});
  const auto cluster = servers.cluster();
  const size_t owner = cluster->view()->placement.server_of_slot(slot_of_name("w"));
  const auto whole = must(servers.store(owner).dense("w", options));
  must(whole->push(filled(*whole, 1)));
  const auto remote = servers.connected();
  for (const auto& dense : {must(remote->dense("w")), must(remote->dense("w", options))}) {
    EXPECT_EQ(dense_values(*dense), dense_values(*whole));
    must(dense->push(filled(*dense, 1)));
    EXPECT_EQ(dense_values(*dense), dense_values(*whole));
  }
  EXPECT_EQ(dense_values(*whole), filled(*whole, 3));
  EXPECT_TRUE(fails(remote->dense("w", of_sum({500, 1001})), StatusCode::kConflict, "shape"));
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(must(servers.store(i).list()).size(), i == owner);
}

TEST(RemoteDense, AClientOfBeforeThereWereChunksIsRefused) {
  DenseServers servers(2);
  const auto remote = servers.connected();
  must(remote->table("t", sum_table(1)));
  const DenseOptions options = of_sum({500, 1000});
  must(remote->dense("w", options));
  const auto cluster = servers.cluster();
  Plain plain(servers.addresses()[cluster->view()->placement.server_of_slot(slot_of_name("w"))]);
  EXPECT_TRUE(
      fails(plain.call({.call = "dense", .name = "w"}), StatusCode::kUnsupported, "chunks"));
  EXPECT_TRUE(fails(plain.call({.call = "dense", .name = "w", .flag = true, .dense = options}),
                    StatusCode::kUnsupported, "chunks"));
}

TEST(RemoteDense, ChunksThatCannotBeAreRefused) {
  DenseServers servers(1);
  must(servers.connected()->table("t", sum_table(1)));
  Plain plain(servers.addresses()[0]);
  DenseOptions whole = of_sum({500, 1000});
  whole.seed = 7;
  const DenseCut cut = cut_for(whole, 2);
  const auto slots = spread("w", whole.shape, cut, std::vector<uint16_t>(kSlots));
  wire::Call call{.call = "dense", .name = "w", .flag = true, .chunks = true};
  call.dense = chunk_options(whole, cut, 0, slots);
  call.dense.chunk.slot = (call.dense.chunk.slot + 1) % kSlots;
  call.dense.chunk.slots =
      slots_text(std::vector<uint16_t>(slots.size(), static_cast<uint16_t>(call.dense.chunk.slot)));
  EXPECT_TRUE(fails(plain.call(call), kInvalid, "the slot of the name"));
  call.dense = chunk_options(whole, cut, 0, slots);
  call.dense.seed = 0;
  EXPECT_TRUE(fails(plain.call(call), kInvalid, "seed"));
  call.dense = chunk_options(whole, cut, 1, slots);
  for (const std::string name : {"w", "w\x1f",
                                 "w\x1f"
                                 "2",
                                 "\x1f"
                                 "1",
                                 ""}) {
    call.name = name;
    EXPECT_TRUE(fails(plain.call(call), kInvalid, "name")) << name;
  }
  call.name = chunk_name("w", 1);
  call.dense.chunk.count = 1u << 31;
  EXPECT_TRUE(fails(plain.call(call), kInvalid, "chunk"));
  call.dense = chunk_options(whole, cut, 1, slots);
  must(plain.call(call));
  call.dense.chunk.slot = (call.dense.chunk.slot + 1) % kSlots;
  EXPECT_TRUE(fails(plain.call(call), StatusCode::kConflict, "'w'"));
  EXPECT_EQ(must(servers.store(0).list()).size(), 2U);
}

TEST(RemoteDense, AVersionHasAllChunks) {
  DenseServers servers(3, true);
  std::vector<float> expected;
  {
    const auto remote = servers.connected();
    const auto dense = must(remote->dense("w", {.shape = {3, 300'001},
                                                .optimizer = optimizer(OptimizerKind::kAdam),
                                                .initializer = uniform(1)}));
    must(dense->push(filled(*dense, 1)));
    const uint64_t first = must(remote->commit({.cursor = "one"})).version;
    const DenseState then = state_of(*dense);
    must(dense->push(filled(*dense, -3)));
    must(remote->commit({.cursor = "two"}));
    EXPECT_FALSE(state_of(*dense) == then);
    // Read twice more, so that this client has copies.
    dense_values(*dense);
    dense_values(*dense);
    must(remote->rollback(std::to_string(first)));
    EXPECT_EQ(dense_values(*dense), then.values);
    EXPECT_TRUE(state_of(*dense) == then);
    must(dense->push(filled(*dense, 2)));
    must(remote->commit({.cursor = "three"}));
    expected = dense_values(*dense);
    must(dense->push(filled(*dense, 5)));
  }
  for (size_t i = 0; i < 3; ++i) servers.restart(i);
  const auto remote = servers.connected();
  EXPECT_EQ(must(remote->version()).cursor, "three");
  EXPECT_EQ(dense_values(*must(remote->dense("w"))), expected);
}

// A client that has copies of everything: what it is told about.
class UnchangedDense : public testing::Test {
 protected:
  uint64_t copied() const { return cluster_->dense_copies().bytes(); }
  std::shared_ptr<Dense> open() {
    return must(client::RemoteDense::open(
        cluster_, {.call = "dense", .name = "w", .flag = true, .chunks = true, .dense = options_}));
  }

  const DenseOptions options_ = of_sum({600, 1000});
  const uint64_t bytes_ = 600'000 * sizeof(float);
  DenseServers servers_{2, true};
  std::shared_ptr<client::Cluster> cluster_ = servers_.cluster();
};

TEST_F(UnchangedDense, OnlyWhatWasTheSameTwiceIsCopied) {
  auto dense = open();
  dense_values(*dense);
  EXPECT_EQ(copied(), 0U);
  dense_values(*dense);
  EXPECT_EQ(copied(), bytes_);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(dense_values(*dense), filled(*dense, 0));
  EXPECT_EQ(copied(), bytes_);
  must(dense->push(filled(*dense, 1)));
  EXPECT_EQ(dense_values(*dense), filled(*dense, 1));
  EXPECT_EQ(copied(), 0U);
  EXPECT_EQ(dense_values(*dense), filled(*dense, 1));
  EXPECT_EQ(dense_values(*dense), filled(*dense, 1));
  EXPECT_EQ(copied(), bytes_);
  dense.reset();
  EXPECT_EQ(copied(), 0U);
}

TEST_F(UnchangedDense, CopiesAreBounded) {
  client::DenseCopies copies;
  const std::vector<float> most(client::DenseCopies::kMostBytes / sizeof(float) - 10);
  auto first = copies.copy(most);
  ASSERT_NE(first, nullptr);
  EXPECT_EQ(copies.copy(std::vector<float>(11)), nullptr);
  EXPECT_NE(copies.copy(std::vector<float>(10)), nullptr);
  first.reset();
  EXPECT_EQ(copies.bytes(), 0U);
}

TEST_F(UnchangedDense, WhatAnotherTrainerPushesIsSeen) {
  const auto dense = open();
  const auto remote = servers_.connected();
  const auto other = must(remote->dense("w"));
  for (int i = 0; i < 3; ++i) dense_values(*dense);
  must(other->push(filled(*other, 1)));
  EXPECT_EQ(dense_values(*dense), filled(*dense, 1));
  for (int i = 0; i < 3; ++i) dense_values(*dense);
  must(other->update(filled(*other, 7)));
  EXPECT_EQ(dense_values(*dense), filled(*dense, 7));
}

// A counter alone would begin anew with the process, and come to the same number again.
TEST_F(UnchangedDense, ServersThatWereStartedAnewAreNotBelieved) {
  const auto dense = open();
  const auto other = servers_.connected();
  const auto its = must(other->dense("w"));
  must(other->commit({}));
  must(its->push(filled(*its, 1)));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(dense_values(*dense), filled(*dense, 1));
  EXPECT_EQ(copied(), bytes_);
  for (size_t i = 0; i < 2; ++i) servers_.restart(i);
  EXPECT_EQ(dense_values(*dense), filled(*dense, 0));
  const auto remote = servers_.connected();
  const auto again = must(remote->dense("w"));
  for (const float value : {2.0F, 4.0F, 6.0F}) {
    must(again->push(filled(*again, 2)));
    EXPECT_EQ(dense_values(*dense), filled(*dense, value));
  }
}

TEST_F(UnchangedDense, ServersThatWentBackAreNotBelieved) {
  const auto dense = open();
  const auto other = servers_.connected();
  const auto its = must(other->dense("w"));
  const uint64_t empty = must(other->commit({})).version;
  must(its->push(filled(*its, 1)));
  must(other->commit({}));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(dense_values(*dense), filled(*dense, 1));
  must(other->rollback(std::to_string(empty)));
  EXPECT_EQ(dense_values(*dense), filled(*dense, 0));
  // As many changes as before, to other values.
  must(its->push(filled(*its, 3)));
  EXPECT_EQ(dense_values(*dense), filled(*dense, 3));
}

TEST_F(UnchangedDense, OneThatWasDroppedAndMadeAnewIsAnother) {
  auto dense = open();
  for (int i = 0; i < 3; ++i) dense_values(*dense);
  const auto other = servers_.connected();
  must(other->drop("w"));
  must(must(other->dense("w", options_))->update(filled(*dense, 4)));
  dense = open();
  EXPECT_EQ(dense_values(*dense), filled(*dense, 4));
}

// The bytes of the protocol: PULL with a stamp.
class PulledByStamp : public testing::Test {
 protected:
  struct Answer {
    Status status;
    bool values = false;
    std::vector<uint64_t> stamp;
  };
  PulledByStamp() {
    must(remote_->table("t", sum_table(1)));
    dense_ = must(remote_->dense("w", of_sum({5})));
    plain_ = std::make_unique<Plain>(servers_.addresses()[0]);
    client::Request open(wire::Verb::kCall);
    open.add_text(wire::to_text(wire::Call{.call = "dense", .name = "w"}));
    client::TextReply opened;
    must(plain_->connection->send(open, opened, Plain::soon()));
    must(plain_->connection->wait(opened, Plain::soon()));
    number_ = must(wire::from_text<wire::OpenedDense>(opened.text)).parameter;
  }
  template <class T>
  Answer pull(const std::vector<T>& stamp, bool state = false) {
    Answer answer;
    std::vector<float> values(5);
    client::Reply reply([&](const wire::Section& section) -> std::span<std::byte> {
      if (section.kind == wire::Kind::kValues) {
        answer.values = true;
        return std::as_writable_bytes(std::span(values));
      }
      if (section.kind != wire::Kind::kStamp) return {};
      answer.stamp.resize(2);
      return std::as_writable_bytes(std::span(answer.stamp));
    });
    client::Request pull(wire::Verb::kPull);
    wire::CallOptions options;
    if (state) options.flags = wire::kWantsState;
    pull.add(0, number_, options);
    pull.add<T>(0, number_, wire::Kind::kStamp, stamp);
    must(plain_->connection->send(pull, reply, Plain::soon()));
    must(plain_->connection->wait(reply, Plain::soon()));
    answer.status = reply.status;
    return answer;
  }

  DenseServers servers_{1};
  std::shared_ptr<Store> remote_ = servers_.connected();
  std::shared_ptr<Dense> dense_;
  std::unique_ptr<Plain> plain_;
  uint32_t number_ = 0;
};

TEST_F(PulledByStamp, AShortAnswerWhereNothingHasChanged) {
  const Answer first = pull(std::vector<uint64_t>{0, 0});
  EXPECT_TRUE(first.values);
  ASSERT_EQ(first.stamp.size(), 2U);
  EXPECT_NE(first.stamp[0], 0U);
  for (const bool state : {false, true}) {
    const Answer same = pull(first.stamp, state);
    EXPECT_FALSE(same.values);
    EXPECT_EQ(same.stamp, first.stamp);
  }
  must(dense_->push(filled(*dense_, 0)));
  const Answer changed = pull(first.stamp, true);
  EXPECT_TRUE(changed.values);
  EXPECT_EQ(changed.stamp, (std::vector<uint64_t>{first.stamp[0], first.stamp[1] + 1}));
}

// Of several parameters in one request: what is wrong with one is its request's, and no more.
TEST_F(PulledByStamp, PartsOfOneRequest) {
  const auto run = [&](client::Request& request, client::Reply& reply) {
    must(plain_->connection->send(request, reply, Plain::soon()));
    must(plain_->connection->wait(reply, Plain::soon()));
    return reply.status;
  };
  const std::vector<float> ones(5, 1.0F);
  const std::vector<float> few(4, 1.0F);
  client::CountReply reply;
  client::Request update(wire::Verb::kUpdate);
  update.add<float>(0, number_, wire::Kind::kValues, ones);
  update.add<float>(1, number_, wire::Kind::kValues, few);
  EXPECT_TRUE(fails(run(update, reply), kInvalid, "values: expected 5"));
  client::CountReply none;
  client::Request without(wire::Verb::kUpdate);
  without.add<float>(0, number_, wire::Kind::kValues, ones);
  without.add(1, number_, wire::CallOptions());
  EXPECT_TRUE(fails(run(without, none), kInvalid, "values: expected 5"));
  size_t values = 0;
  std::vector<float> landed(5);
  const auto place = [&](const wire::Section& section) -> std::span<std::byte> {
    if (section.kind != wire::Kind::kValues) return {};
    ++values;
    return std::as_writable_bytes(std::span(landed));
  };
  client::Reply of_many(place);
  client::Request many(wire::Verb::kPull);
  for (uint16_t part = 0; part < 1000; ++part) many.add(part, number_, wire::CallOptions());
  must(run(many, of_many));
  EXPECT_EQ(values, 1000U);
  client::Reply of_unknown(place);
  client::Request unknown(wire::Verb::kPull);
  unknown.add(0, number_, wire::CallOptions());
  unknown.add(1, number_ + 77, wire::CallOptions());
  EXPECT_TRUE(fails(run(unknown, of_unknown), StatusCode::kNotFound, "number"));
  EXPECT_EQ(dense_values(*dense_), ones);
}

TEST_F(PulledByStamp, StampsThatAreNoneAreRefused) {
  const auto known = pull(std::vector<uint64_t>{0, 0}).stamp;
  for (const std::vector<uint64_t>& wrong :
       {std::vector<uint64_t>{1}, {known[0], known[1], 0}, std::vector<uint64_t>(1000)}) {
    EXPECT_TRUE(fails(pull(wrong).status, kInvalid, "a stamp is two numbers"));
  }
  EXPECT_TRUE(fails(pull(std::vector<float>{1, 2, 3, 4}).status, StatusCode::kProtocol, "type"));
  for (const std::vector<uint64_t>& other : {std::vector<uint64_t>{0, known[1]},
                                             {known[0] + 1, known[1]},
                                             {known[0], known[1] + 1},
                                             {UINT64_MAX, UINT64_MAX}}) {
    EXPECT_TRUE(pull(other).values);
  }
}

// Every value has had the push once or not at all, and the client says that it does not know.
TEST(RemoteDense, AServerThatDiesDuringPushesAppliesNoneTwice) {
  DenseServers servers(3);
  const auto remote = servers.connected(1500);
  const auto dense = must(remote->dense("w", of_sum({600, 1000})));
  must(dense->push(filled(*dense, 1)));
  servers.stop(1);
  const Status failed = dense->push(filled(*dense, 1));
  ASSERT_FALSE(failed.ok());
  EXPECT_EQ(status_traits(failed.code()).outcome, "unknown") << describe(failed);
  for (const size_t server : {0, 2}) {
    for (const ParameterInfo& info : must(servers.store(server).list())) {
      const auto chunk = must(servers.store(server).dense(info.name));
      const auto values = dense_values(*chunk);
      EXPECT_TRUE(values[0] == 1 || values[0] == 2) << values[0];
      EXPECT_EQ(values, filled(*chunk, values[0]));
    }
  }
}

// Each chunk has each push once, whoever comes first.
TEST(RemoteDense, TwoTrainersPushAtOnce) {
  DenseServers servers(2);
  const auto remote = servers.connected();
  const auto dense = must(remote->dense("w", of_sum({700, 1000})));
  const auto other_remote = servers.connected();
  const auto other = must(other_remote->dense("w"));
  constexpr int kPushes = 8;
  std::thread pushes([&] {
    for (int i = 0; i < kPushes; ++i) must(other->push(filled(*other, 1)));
  });
  for (int i = 0; i < kPushes; ++i) must(dense->push(filled(*dense, 1)));
  pushes.join();
  EXPECT_EQ(dense_values(*dense), filled(*dense, 2 * kPushes));
  EXPECT_EQ(state_of(*dense).steps, uint64_t{2 * kPushes});
}

// Sums are those of the servers, in the order of the workers.
TEST(RemoteDense, AStepOfWorkersHasTheBitsOfTheirSum) {
  constexpr uint32_t kWorkers = 3;
  DenseServers servers(2);
  const DenseOptions options{.shape = {2, 200'000}, .optimizer = optimizer(OptimizerKind::kAdam)};
  const auto local = private_store();
  const auto expected = must(local->dense("w", options));
  std::vector<std::shared_ptr<Store>> stores;
  std::vector<std::shared_ptr<Dense>> theirs;
  std::vector<std::shared_ptr<SyncWorker>> workers;
  for (uint32_t i = 0; i < kWorkers; ++i) {
    stores.push_back(servers.connected());
    theirs.push_back(must(stores[i]->dense("w", options)));
    workers.push_back(must(
        stores[i]->worker({.group = "job", .index = i, .of = kWorkers, .mode = ClockMode::kBulk})));
  }
  Random random(5);
  for (int step = 0; step < 3; ++step) {
    std::vector<float> sum(expected->size());
    std::vector<std::vector<float>> gradients;
    for (uint32_t i = 0; i < kWorkers; ++i) {
      gradients.push_back(random.reals(sum.size(), -1e3F, 1e3F));
      for (size_t d = 0; d < sum.size(); ++d) {
        sum[d] = i == 0 ? gradients[i][d] : sum[d] + gradients[i][d];
      }
    }
    std::vector<std::thread> threads;
    for (uint32_t i = 0; i < kWorkers; ++i) {
      threads.emplace_back([&, i] {
        // In any order of arrival.
        std::this_thread::sleep_for(std::chrono::milliseconds((kWorkers - i) * 10));
        must(theirs[i]->push(gradients[i]));
        must(workers[i]->tick(60'000));
      });
    }
    for (std::thread& each : threads) each.join();
    must(expected->push(sum));
    EXPECT_TRUE(state_of(*theirs[step]) == state_of(*expected));
  }
}

TEST_F(PlacedServers, ChunksOfADenseParameterAreSpreadByThePlacement) {
  start(3);
  const auto remote = client();
  const DenseOptions options{.shape = {700, 1000}, .optimizer = optimizer(OptimizerKind::kAdam)};
  const auto dense = must(remote->dense("w", options));
  std::vector<uint64_t> bytes;
  for (const auto& each : all_) bytes.push_back(dense_bytes_of(*each->store));
  const auto [least, most] = std::ranges::minmax(bytes);
  EXPECT_LE(static_cast<double>(most), 1.1 * static_cast<double>(least));
  const auto local = private_store();
  const auto expected = must(local->dense("w", options));
  Random random(3);
  expect_same_after_everything(*dense, *expected, random);
  // Another client knows another placement: what was cut stays cut as it was.
  ++map_.epoch;
  all_.push_back(std::make_unique<PlacedServer>());
  map_.servers.push_back(all_.back()->address());
  tell();
  const auto other_remote = client();
  const auto other = must(other_remote->dense("w", options));
  EXPECT_EQ(dense_values(*other), dense_values(*expected));
  EXPECT_EQ(dense_bytes_of(*all_.back()->store), 0U);
}

// One server: large parameters are cut all the same, as others may come.
TEST_F(PlacedServers, ADenseParameterOfOneServerIsCutWhereOthersMayCome) {
  start(1);
  must(client()->dense("w", of_sum({700, 1000})));
  EXPECT_EQ(must(all_[0]->store->list()).size(), 3U);
}

}  // namespace
}  // namespace hotrow::test
