// Batches that repeat themselves go out with each key once, and nobody can tell by what comes of
// it: rows, states, figures and errors are those of a store in this process, bit by bit.
#include "client/fold.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "hotrow/connect.h"
#include "hotrow/server.h"
#include "support/bits.h"
#include "support/loopback.h"
#include "support/placed_servers.h"
#include "support/plain_requests.h"
#include "support/random.h"
#include "support/scale.h"
#include "support/stores.h"

namespace hotrow::test {
namespace {

constexpr uint64_t kLastKey = UINT64_MAX;

/// Keys of which few come often and many once or twice, 0 and the last one too.
std::vector<uint64_t> skewed_keys(Random& random, size_t n) {
  std::vector<uint64_t> keys(n);
  for (uint64_t& key : keys) {
    const uint64_t drawn = random.below(random.one_in(2) ? 30 : 700);
    key = drawn == 1 ? kLastKey : drawn;
  }
  return keys;
}

TEST(Fold, RowsComeBackToWhereTheirKeysWere) {
  client::Folds folds;
  Random random(31);
  for (uint64_t round = 0; round < scaled(50); ++round) {
    const std::vector<uint64_t> keys = round == 0 ? std::vector<uint64_t>(1000, kLastKey)
                                                  : skewed_keys(random, 512 + random.below(3000));
    const client::Fold fold = folds.of(keys);
    ASSERT_TRUE(fold.folded());
    const size_t width = random.below(5);
    std::vector<float> rows(keys.size() * width, -7.0F);
    std::vector<uint8_t> bits((keys.size() + 7) / 8, 0xff);
    uint64_t times = 0;
    for (size_t id = 0; id < fold.keys().size(); ++id) {
      const uint64_t key = fold.keys()[id];
      for (size_t d = 0; d < width; ++d) rows[id * width + d] = static_cast<float>(key % 1000 + d);
      const auto mask = static_cast<uint8_t>(1U << (id % 8));
      bits[id / 8] =
          static_cast<uint8_t>(key % 3 == 0 ? bits[id / 8] | mask : bits[id / 8] & ~mask);
      times += fold.times()[id];
    }
    EXPECT_EQ(times, keys.size());
    fold.spread(rows, width);
    fold.spread_bits(bits);
    for (size_t i = 0; i < keys.size(); ++i) {
      for (size_t d = 0; d < width; ++d) {
        ASSERT_EQ(rows[i * width + d], static_cast<float>(keys[i] % 1000 + d)) << i;
      }
      ASSERT_EQ(bits[i / 8] >> (i % 8) & 1, keys[i] % 3 == 0 ? 1 : 0) << i;
    }
    for (size_t i = keys.size(); i < bits.size() * 8; ++i) {
      // Those past the last key, where the distinct keys' last byte is not theirs.
      if (i / 8 >= (fold.keys().size() + 7) / 8) ASSERT_EQ(bits[i / 8] >> (i % 8) & 1, 0);
    }
  }
}

TEST(Fold, WhatDoesNotRepeatItselfIsLeftAloneAndSeldomLookedAt) {
  client::Folds folds;
  const auto few = std::vector<uint64_t>(511, 1);
  EXPECT_FALSE(folds.of(few).folded());
  const auto distinct = range(0, 1000);
  const auto same = std::vector<uint64_t>(1000, 1);
  const client::Fold as_it_is = folds.of(distinct);
  EXPECT_FALSE(as_it_is.folded());
  EXPECT_EQ(as_it_is.keys().data(), distinct.data());
  EXPECT_TRUE(as_it_is.times().empty());
  for (int i = 0; i < 15; ++i) EXPECT_FALSE(folds.of(same).folded()) << i;
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(folds.of(same).folded());
}

/// A table with servers and one in this process.
struct Both {
  std::shared_ptr<Table> remote;
  std::shared_ptr<Table> local;

  void push(const std::vector<uint64_t>& keys, const std::vector<float>& gradients) const {
    must(remote->push(keys, gradients));
    must(local->push(keys, gradients));
  }
  void expect_same(const std::vector<uint64_t>& keys) const {
    const size_t dim = local->options().dim;
    std::vector<float> a(keys.size() * dim, -1.0F);
    std::vector<float> b(keys.size() * dim, -2.0F);
    std::vector<uint8_t> found_a((keys.size() + 7) / 8, 0xff);
    std::vector<uint8_t> found_b((keys.size() + 7) / 8, 0x55);
    must(remote->lookup(keys, a, {.found = found_a, .missing = 3.0F}));
    must(local->lookup(keys, b, {.found = found_b, .missing = 3.0F}));
    ASSERT_TRUE(same_bits(a, b));
    ASSERT_EQ(found_a, found_b);
    a.assign(keys.size() * local->state_values(), -1.0F);
    b.assign(a.size(), -2.0F);
    std::ranges::fill(found_a, uint8_t{0xff});
    must(remote->lookup_state(keys, a, {.found = found_a}));
    must(local->lookup_state(keys, b, {.found = found_b}));
    ASSERT_TRUE(same_bits(a, b));
    ASSERT_EQ(found_a, found_b);
  }
  void expect_same_figures() const {
    const TableStats a = stats_of(*remote);
    const TableStats b = stats_of(*local);
    EXPECT_EQ(a.rows, b.rows);
    EXPECT_EQ(a.lookups, b.lookups);
    EXPECT_EQ(a.hits, b.hits);
    EXPECT_EQ(a.pushes, b.pushes);
    EXPECT_EQ(a.created, b.created);
    EXPECT_EQ(a.skipped_gradients, b.skipped_gradients);
    EXPECT_EQ(a.candidates, b.candidates);
  }
};

/// One server or three, without a placement that changes.
class Folded : public testing::TestWithParam<int> {
 protected:
  Folded() {
    std::vector<std::string> addresses;
    for (int i = 0; i < GetParam(); ++i) {
      stores_.push_back(private_store(2));
      servers_.push_back(must(Server::start(stores_.back(), ServerOptions{})));
      addresses.push_back(servers_.back()->address());
    }
    remote_ = must(connect({.servers = addresses, .timeout_ms = 20'000}));
  }
  Both both(const std::string& name, const TableOptions& options) const {
    return {must(remote_->table(name, options)), must(local_->table(name, options))};
  }
  uint64_t requests() const {
    uint64_t sum = 0;
    const StoreStats stats = must(remote_->stats());
    for (const ServerFigures& each : stats.remote->servers) sum += each.requests;
    return sum;
  }

  std::vector<std::shared_ptr<Store>> stores_;
  std::vector<std::unique_ptr<Server>> servers_;
  std::shared_ptr<Store> local_ = private_store(2);
  std::shared_ptr<Store> remote_;
};

TEST_P(Folded, EveryRuleAndTypeGivesTheBitsOfAStoreHere) {
  int number = 0;
  Random random(41);
  for (const OptimizerOptions& rule : every_optimizer()) {
    for (const ValueType type : {ValueType::kF32, ValueType::kF16, ValueType::kBf16}) {
      for (const uint32_t dim : {1U, 5U, 20U}) {
        const std::string name = "t" + std::to_string(number++);
        const Both its =
            both(name,
                 {.dim = dim, .value_type = type, .optimizer = rule, .initializer = uniform(0.5F)});
        for (uint64_t round = 0; round < scaled(3); ++round) {
          const auto keys = skewed_keys(random, 1500 + random.below(1500));
          its.push(keys, random.reals(keys.size() * dim));
          its.expect_same(skewed_keys(random, 2000));
        }
        its.expect_same({});
        its.expect_same_figures();
        must(remote_->drop(name));
        must(local_->drop(name));
        if (HasFatalFailure() || HasFailure()) FAIL() << describe(rule) << ", dim " << dim;
      }
    }
  }
}

TEST_P(Folded, RowsThatOnlyServeAreLookedUpAlike) {
  Random random(43);
  for (const ValueType type : {ValueType::kI8, ValueType::kI4}) {
    const Both its = both("t" + std::to_string(static_cast<int>(type)),
                          {.dim = 9, .value_type = type, .initializer = uniform(1)});
    const auto keys = range(0, 400);
    const auto rows = random.reals(keys.size() * 9);
    must(its.remote->update(keys, rows));
    must(its.local->update(keys, rows));
    for (int i = 0; i < 3; ++i) its.expect_same(skewed_keys(random, 3000));
  }
}

TEST_P(Folded, EveryGradientCountsForAdmission) {
  Random random(47);
  for (const AdmissionKind kind : {AdmissionKind::kCount, AdmissionKind::kBloom}) {
    TableOptions options = sum_table(4);
    options.admission = {.kind = kind, .min_count = 4};
    if (kind == AdmissionKind::kBloom) options.admission.capacity = 100'000;
    const Both its = both("t" + std::to_string(static_cast<int>(kind)), options);
    for (int round = 0; round < 8; ++round) {
      const auto keys = skewed_keys(random, 600);
      its.push(keys, random.reals(keys.size() * 4));
      its.expect_same(skewed_keys(random, 600));
    }
    EXPECT_GT(stats_of(*its.local).rows, 30U);
    EXPECT_LT(stats_of(*its.local).rows, 700U) << "some are not admitted yet";
    its.expect_same_figures();
  }
}

TEST_P(Folded, WhatIsNotFiniteIsLeftOutOrRefusedAsHere) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  Random random(53);
  TableOptions skips = sum_table(2);
  skips.non_finite = NonFinite::kSkip;
  const Both its = both("skips", skips);
  const Both rejects = both("rejects", sum_table(2));
  for (int round = 0; round < 6; ++round) {
    const auto keys = skewed_keys(random, 900);
    auto gradients = random.reals(keys.size() * 2);
    for (size_t i = 0; i < 20; ++i) gradients[random.below(gradients.size())] = nan;
    if (round % 2 == 0) {
      // Only their sum is infinite.
      gradients = random.reals(keys.size() * 2, 1e38F, 3e38F);
    }
    its.push(keys, gradients);
    const Status here = rejects.local->push(keys, gradients);
    const Status there = rejects.remote->push(keys, gradients);
    EXPECT_EQ(here.code(), StatusCode::kInvalidArgument);
    EXPECT_EQ(there.code(), StatusCode::kInvalidArgument);
    if (GetParam() == 1) {
      EXPECT_EQ(there.message(), here.message());
    }
    its.expect_same(range(0, 700));
    rejects.expect_same(range(0, 700));
  }
  EXPECT_GT(stats_of(*its.local).skipped_gradients, 100U);
  its.expect_same_figures();
}

TEST_P(Folded, SeveralTablesAndBagsInOneCall) {
  Random random(59);
  const TableOptions of_a = {.dim = 3, .optimizer = optimizer(OptimizerKind::kAdagrad)};
  const TableOptions of_b = {.dim = 18, .optimizer = optimizer(OptimizerKind::kAdam)};
  const Both a = both("a", of_a);
  const Both b = both("b", of_b);
  for (uint64_t round = 0; round < scaled(5); ++round) {
    const auto keys_a = skewed_keys(random, 800);
    const auto keys_b = skewed_keys(random, round == 0 ? 100 : 1200);
    const auto to_a = random.reals(keys_a.size() * 3);
    const auto to_b = random.reals(keys_b.size() * 18);
    std::array<std::vector<float>, 2> outputs;
    for (int here = 0; here < 2; ++here) {
      Table* const table_a = (here == 1 ? a.local : a.remote).get();
      Table* const table_b = (here == 1 ? b.local : b.remote).get();
      Store& store = here == 1 ? *local_ : *remote_;
      const TablePush pushes[] = {{.table = table_a, .keys = keys_a, .gradients = to_a},
                                  {.table = table_b, .keys = keys_b, .gradients = to_b}};
      must(store.push_all(pushes));
      std::vector<float>& out = outputs[here];
      out.assign(keys_a.size() * 2 * 4 + keys_b.size() * 18, -1.0F);
      const TableLookup lookups[] = {{.table = table_a,
                                      .keys = keys_a,
                                      .rows = std::span(out).first(keys_a.size() * 2 * 4),
                                      .stride = 4,
                                      .repeat = 2},
                                     {.table = table_b,
                                      .keys = keys_b,
                                      .rows = std::span(out).subspan(keys_a.size() * 2 * 4)}};
      must(store.lookup_all(lookups));
      std::vector<uint32_t> offsets;
      for (uint32_t at = 0; at <= keys_a.size(); at += 8) offsets.push_back(at);
      const BagBatch bags{.keys = keys_a, .offsets = offsets, .pooling = Pooling::kMean};
      std::vector<float> pooled(keys_a.size() / 8 * 3);
      must(table_a->lookup_pooled(bags, pooled));
      must(table_a->push_pooled(bags, pooled));
      out.insert(out.end(), pooled.begin(), pooled.end());
    }
    ASSERT_TRUE(same_bits(outputs[0], outputs[1]));
    a.expect_same(skewed_keys(random, 700));
    b.expect_same(skewed_keys(random, 700));
  }
  a.expect_same_figures();
}

TEST_P(Folded, HotKeysAndSizesOfMessagesShowThatTheyWereFolded) {
  TableOptions options = sum_table(64);
  options.hot_keys = 4;
  const Both its = both("t", options);
  // 10 MB of rows, of 500 keys: of a server one request instead of several.
  std::vector<uint64_t> keys(40'000);
  for (size_t i = 0; i < keys.size(); ++i) keys[i] = i % 4 == 0 ? 7 : i % 500 + 1000;
  its.push(keys, std::vector<float>(keys.size() * 64, 0.5F));
  const uint64_t before = requests();
  its.expect_same(keys);
  // Both lookups, and the figures before.
  EXPECT_LE(requests() - before, 4U * static_cast<uint64_t>(GetParam()));
  const auto hot = must(its.remote->hot_keys(1));
  ASSERT_EQ(hot.size(), 1U);
  EXPECT_EQ(hot.front().key, 7U);
  EXPECT_NEAR(static_cast<double>(hot.front().count), 20'000, 6'000);
  its.expect_same_figures();
}

TEST_P(Folded, ErrorsAreAboutTheCallersBatch) {
  const Both its = both("t", sum_table(2));
  const std::vector<uint64_t> keys(2000, 5);
  std::vector<float> rows(3999);
  const auto same_failure = [](const Status& there, const Status& here) {
    EXPECT_FALSE(here.ok());
    EXPECT_EQ(there.message(), here.message());
  };
  same_failure(its.remote->lookup(keys, rows), its.local->lookup(keys, rows));
  same_failure(its.remote->push(keys, rows), its.local->push(keys, rows));
  rows.resize(4000);
  std::vector<uint8_t> found(249);
  same_failure(its.remote->lookup(keys, rows, {.found = found}),
               its.local->lookup(keys, rows, {.found = found}));
  TableOptions full = sum_table(2);
  full.eviction = {.policy = EvictionPolicy::kLru, .max_rows = 600};
  const Both small = both("small", full);
  std::vector<uint64_t> many(4096);
  for (size_t i = 0; i < many.size(); ++i) many[i] = i % 2048;
  const std::vector<float> gradients(many.size() * 2, 1.0F);
  const Status here = small.local->push(many, gradients);
  const Status there = small.remote->push(many, gradients);
  EXPECT_EQ(here.code(), StatusCode::kCapacity);
  EXPECT_EQ(there.code(), StatusCode::kCapacity);
  if (GetParam() == 1) {
    EXPECT_EQ(there.message(), here.message());
  }
}

INSTANTIATE_TEST_SUITE_P(OneAndThree, Folded, testing::Values(1, 3));

TEST_F(PlacedServers, OnlyTheRefusedKeysOfAFoldedBatchAreSentAgain) {
  start(3);
  const auto remote = client();
  const auto table = must(remote->table("t", sum_table(1)));
  Random random(61);
  std::vector<float> sums(701);
  for (uint64_t round = 0; round < scaled(12); ++round) {
    const auto keys = skewed_keys(random, 2500);
    std::vector<float> expected;
    for (const uint64_t key : keys) ++sums[std::min<uint64_t>(key, 700)];
    must(table->push(keys, std::vector<float>(keys.size(), 1.0F)));
    for (const uint64_t key : keys) expected.push_back(sums[std::min<uint64_t>(key, 700)]);
    ASSERT_EQ(lookup(*table, keys), expected);
    // Slots of the first server go to the second, with their rows; the client does not know.
    ++map_.epoch;
    const size_t from = round % 3;
    const size_t to = (round + 1) % 3;
    std::vector<uint64_t> moved;
    for (uint64_t i = 0; i <= 700; ++i) {
      const uint64_t key = i == 700 ? kLastKey : i;
      if (owner(key) == from) moved.push_back(key);
    }
    const auto page = lookup(table_of(from), moved);
    std::vector<uint64_t> keep;
    std::vector<float> rows;
    for (size_t i = 0; i < moved.size(); ++i) {
      if (page[i] == 0) continue;
      keep.push_back(moved[i]);
      rows.push_back(page[i]);
    }
    for (uint16_t& server : map_.slots) {
      if (server == from) server = static_cast<uint16_t>(to);
    }
    must(table_of(to).update(keep, rows));
    must(table_of(from).erase(moved));
    tell();
  }
}

/// Sends a request and gives what the server says of it.
Status told(const Plain& plain, client::Request& request) {
  client::Reply reply([](const wire::Section&) { return std::span<std::byte>(); });
  must(plain.connection->send(request, reply, Plain::soon()));
  must(plain.connection->wait(reply, Plain::soon()));
  return reply.status;
}

TEST(Times, WrongOnesAreRefusedByName) {
  const auto store = private_store();
  const auto server = must(Server::start(store, ServerOptions{}));
  const auto table = must(store->table("t", sum_table(1)));
  const Plain plain(server->address());
  const std::vector<uint64_t> keys = {1, 2};
  const std::vector<float> ones = {1, 1};
  const auto ask = [&](wire::Verb verb, const std::vector<uint32_t>& times, uint32_t clock = 0) {
    client::Request request(verb);
    request.header().clock = clock;
    request.add<uint64_t>(0, plain.number, wire::Kind::kKeys, keys);
    request.add<uint32_t>(0, plain.number, wire::Kind::kTimes, times);
    if (verb == wire::Verb::kPush) {
      request.add<float>(0, plain.number, wire::Kind::kGradients, ones);
    }
    return told(plain, request);
  };
  for (const wire::Verb verb : {wire::Verb::kLookup, wire::Verb::kPush}) {
    constexpr auto kInvalid = StatusCode::kInvalidArgument;
    EXPECT_TRUE(fails(ask(verb, {1}), kInvalid, "times: expected 2 values, one a key, received 1"));
    EXPECT_TRUE(fails(ask(verb, {1, 2, 3}), kInvalid, "received 3"));
    EXPECT_TRUE(fails(ask(verb, {3, 0}), kInvalid, "received 0 at 1"));
    EXPECT_TRUE(fails(ask(verb, {UINT32_MAX, UINT32_MAX}), kInvalid, "a sum of at most 2^28"));
    must(ask(verb, {3, 4}));
  }
  EXPECT_TRUE(fails(ask(wire::Verb::kPush, {1, 1}, 1), StatusCode::kInvalidArgument, "times"));
  client::Request floats(wire::Verb::kLookup);
  floats.add<uint64_t>(0, plain.number, wire::Kind::kKeys, keys);
  floats.add<float>(0, plain.number, wire::Kind::kTimes, ones);
  EXPECT_FALSE(told(plain, floats).ok());
  const TableStats stats = stats_of(*table);
  EXPECT_EQ(stats.lookups, 7U);
  EXPECT_EQ(stats.pushes, 7U);
  EXPECT_EQ(stats.rows, 2U);
}

TEST(Times, OfARemoteStoreAreItsOwn) {
  const auto store = private_store();
  const auto server = must(Server::start(store, ServerOptions{}));
  const auto remote = must(connect({.servers = {server->address()}}));
  const auto table = must(remote->table("t", sum_table(1)));
  const std::vector<uint64_t> keys = {1};
  std::vector<float> row = {1};
  const std::vector<uint32_t> times = {2};
  const TablePush push{.table = table.get(), .keys = keys, .gradients = row, .times = times};
  EXPECT_TRUE(fails(remote->push_all({&push, 1}), StatusCode::kUnsupported, "times"));
  const TableLookup its{.table = table.get(), .keys = keys, .rows = row, .times = times};
  EXPECT_TRUE(fails(remote->lookup_all({&its, 1}), StatusCode::kUnsupported, "times"));
}

/// A server of before there were features: between a client and one of now, it leaves them out of
/// what the server says first, and counts what it hands on to it.
class OlderServer {
 public:
  explicit OlderServer(const std::string& server) : server_(must(net::parse_address(server))) {
    sockaddr_in any = loopback(0);
    socklen_t length = sizeof any;
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&any), sizeof any), 0);
    EXPECT_EQ(::listen(listener_, 8), 0);
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&any), &length);
    address_ = "127.0.0.1:" + std::to_string(ntohs(any.sin_port));
    thread_ = std::thread([this] { serve(); });
  }
  ~OlderServer() {
    ended_ = true;
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
  }
  OlderServer(const OlderServer&) = delete;
  OlderServer& operator=(const OlderServer&) = delete;

  const std::string& address() const { return address_; }
  uint64_t sent() const { return sent_; }

 private:
  void serve() {
    const int client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (client < 0) return;
    const int server = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_in to = loopback(server_.port);
    if (::connect(server, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0) {
      while (!ended_ && hand_on(client, server)) {
      }
    }
    ::close(client);
    ::close(server);
  }
  bool hand_on(int client, int server) {
    std::array<pollfd, 2> both{pollfd{client, POLLIN, 0}, pollfd{server, POLLIN, 0}};
    ::poll(both.data(), both.size(), 10);
    std::array<char, 1 << 16> space;
    for (const auto& [from, events, ready] : both) {
      if (ready == 0) continue;
      const ssize_t came = ::recv(from, space.data(), space.size(), 0);
      if (came <= 0) return false;
      std::string bytes(space.data(), static_cast<size_t>(came));
      if (from == server) bytes = older(std::move(bytes));
      if (from == client) sent_ += bytes.size();
      for (size_t at = 0; at < bytes.size();) {
        const ssize_t gone = ::send(from == client ? server : client, bytes.data() + at,
                                    bytes.size() - at, MSG_NOSIGNAL);
        if (gone <= 0) return false;
        at += static_cast<size_t>(gone);
      }
    }
    return true;
  }
  /// The first frame, once it is whole, with another text.
  std::string older(std::string bytes) {
    if (known_) return bytes;
    first_ += bytes;
    if (first_.size() < wire::kHeaderBytes) return "";
    auto header = must(
        wire::decode(std::span<const std::byte, wire::kHeaderBytes>(
                         reinterpret_cast<const std::byte*>(first_.data()), wire::kHeaderBytes),
                     wire::kMostHelloBytes));
    if (first_.size() < header.bytes()) return "";
    known_ = true;
    const size_t at = first_.find("\"features\":");
    EXPECT_NE(at, std::string::npos);
    first_.replace(at, 4, "\"was");
    header.body_sum = xxh3(std::string_view(first_).substr(wire::kHeaderBytes, header.body_bytes));
    wire::encode(header, std::span<std::byte, wire::kHeaderBytes>(
                             reinterpret_cast<std::byte*>(first_.data()), wire::kHeaderBytes));
    return first_;
  }

  const net::Address server_;
  std::string address_;
  int listener_ = -1;
  bool known_ = false;
  std::string first_;
  std::atomic<bool> ended_{false};
  std::atomic<uint64_t> sent_{0};
  std::thread thread_;
};

TEST(Times, AServerThatDoesNotKnowThemGetsBatchesAsTheyAre) {
  const auto store = private_store();
  const auto server = must(Server::start(store, ServerOptions{}));
  const std::vector<uint64_t> keys(4000, 3);
  const std::vector<float> ones(4000 * 8, 1.0F);
  const auto bytes_of_a_push = [&](const std::string& address, const OlderServer* between) {
    const auto remote = must(connect({.servers = {address}, .timeout_ms = 20'000}));
    const auto table = must(remote->table("t", sum_table(8)));
    const uint64_t before = between == nullptr ? 0 : between->sent();
    must(table->push(keys, ones));
    EXPECT_EQ(lookup(*table, keys).size(), ones.size());
    return between == nullptr ? 0 : between->sent() - before;
  };
  const OlderServer older(server->address());
  EXPECT_GT(bytes_of_a_push(older.address(), &older), 4000U * (8 + 32 + 8));
  bytes_of_a_push(server->address(), nullptr);
  const auto table = must(store->table("t"));
  EXPECT_EQ(lookup(*table, {3}), std::vector<float>(8, 8000.0F));
  EXPECT_EQ(stats_of(*table).pushes, 8000U);
  EXPECT_EQ(stats_of(*table).lookups, 8001U);
}

}  // namespace
}  // namespace hotrow::test
