// Lookups that a server's followers answer where the server is late or gone: only those that may,
// with rows of one of the two alone, and seldom in vain.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "client/hedge.h"
#include "hotrow/connect.h"
#include "hotrow/server.h"
#include "support/folder.h"
#include "support/random.h"
#include "support/relay.h"
#include "support/stores.h"
#include "support/threads.h"

namespace hotrow::test {
namespace {

using client::Hedge;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr uint64_t kOld = 3'600'000;  // ms

TEST(Hedge, WaitsAsLongAsNineteenOfTwentyRepliesTake) {
  Hedge hedge({7});
  Random random(1);
  // From .8 to 1.2 ms, one in fifty 50 ms.
  for (int i = 0; i < 4000; ++i) {
    hedge.came(random.one_in(50) ? microseconds(50'000) : microseconds(800 + random.below(400)));
  }
  size_t later = 0;
  for (int i = 0; i < 1000; ++i) {
    const bool slow = random.one_in(50);
    const auto its = slow ? microseconds(50'000) : microseconds(800 + random.below(400));
    later += its > hedge.patience() ? 1 : 0;
    hedge.came(its);
  }
  EXPECT_LE(later, 120U);
  EXPECT_GE(later, 15U);
  EXPECT_LT(hedge.patience(), milliseconds(5));
}

TEST(Hedge, IsPatientWithinLimits) {
  Hedge hedge({7});
  for (int i = 0; i < 2000; ++i) hedge.came(seconds(9));
  EXPECT_EQ(hedge.patience(), milliseconds(100));
  for (int i = 0; i < 2000; ++i) hedge.came(microseconds(1));
  EXPECT_EQ(hedge.patience(), milliseconds(1));
}

TEST(Hedge, AsksInVainForATenthOfRepliesAtMost) {
  Hedge hedge({7});
  const auto now = Hedge::Clock::now();
  size_t asked = 0;
  for (int i = 0; i < 1000; ++i) {
    if (hedge.ask(now, true, {})) ++asked;
    hedge.came(milliseconds(1));
  }
  EXPECT_LE(asked, 111U);
  EXPECT_GE(asked, 90U);
  // Those that are answered cost nothing.
  while (hedge.ask(now, true, {})) continue;
  for (int i = 0; i < 20; ++i) hedge.came(milliseconds(1));
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(hedge.ask(now, true, {})) << i;
    hedge.won(now);
  }
  EXPECT_EQ(hedge.sent_and_won().second, 100U);
}

TEST(Hedge, AsksWhereTheServerCannotAnswerWhateverTheBudget) {
  Hedge hedge({7});
  const auto now = Hedge::Clock::now();
  while (hedge.ask(now, true, {})) continue;
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(hedge.ask(now, false, {})) << i;
  EXPECT_FALSE(hedge.ask(now, true, {}));
  // Time fills the budget, too.
  EXPECT_TRUE(hedge.ask(now + milliseconds(250), true, {}));
}

TEST(Hedge, LeavesASilentServerAloneButForNowAndThen) {
  Hedge hedge({7});
  auto now = Hedge::Clock::now();
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(hedge.try_server(now)) << i;
    hedge.won(now);
  }
  EXPECT_FALSE(hedge.try_server(now));
  size_t tries = 0;
  for (int i = 0; i < 10'000; ++i) tries += hedge.try_server(now += milliseconds(1)) ? 1 : 0;
  EXPECT_GE(tries, 5U);
  EXPECT_LE(tries, 12U);
  hedge.came(milliseconds(1));
  EXPECT_TRUE(hedge.try_server(now));
  EXPECT_TRUE(hedge.try_server(now));
  hedge.gone(now);
  EXPECT_FALSE(hedge.try_server(now));
  EXPECT_TRUE(hedge.try_server(now + milliseconds(100)));
}

TEST(Hedge, TakesFollowersInTurnAndLeavesAloneWhoCannotBeReached) {
  Hedge hedge({3, 5});
  const auto now = Hedge::Clock::now();
  const auto ask = [&] { return hedge.ask(now, true, {}); };
  std::set<uint32_t> both{ask().value(), ask().value()};
  EXPECT_EQ(both, (std::set<uint32_t>{3, 5}));
  const std::vector<uint32_t> asked{5};
  for (int i = 0; i < 2; ++i) EXPECT_EQ(hedge.ask(now, true, asked), 3U);
  hedge.unreachable(3, now);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(ask(), 5U);
  EXPECT_EQ(hedge.ask(now, false, asked), std::nullopt);
  hedge.unreachable(5, now);
  EXPECT_EQ(ask(), std::nullopt);
  EXPECT_TRUE(hedge.ask(now + seconds(2), true, {}));
  // What did not go out does not count.
  EXPECT_EQ(hedge.sent_and_won(), (std::pair<uint64_t, uint64_t>(7, 0)));
}

// A server behind a relay with rows of ones in its version and of threes since then, and its
// follower.
class Hedged : public testing::Test {
 protected:
  static constexpr uint32_t kDim = 8;

  void SetUp() override {
    store_ = must(Store::open(folder_ / "s", {.memory_bytes = 64 * kMiB, .threads = 1}));
    table_ = must(store_->table("t", sum_table(kDim)));
    const std::vector<float> ones(keys_.size() * kDim, 1.0F);
    must(table_->push(keys_, ones, {}));
    must(store_->commit());
    reading_ = must(Store::open(folder_ / "s", {.memory_bytes = 64 * kMiB, .read_only = true}));
    const std::vector<float> twos(keys_.size() * kDim, 2.0F);
    must(table_->push(keys_, twos, {}));
    server_ = must(Server::start(store_, {}));
    follower_ = must(Server::start(reading_, {}));
    its_follower_ = follower_->address();
    relay_ = std::make_unique<Relay>(server_->address());
    connect_again();
  }

  ConnectOptions options() const {
    return {.servers = {relay_->address()},
            .timeout_ms = 5'000,
            .followers = {{.of = relay_->address(), .servers = {its_follower_}}}};
  }
  void connect_again() {
    client_ = must(connect(options()));
    remote_ = must(client_->table("t", sum_table(kDim)));
  }
  std::vector<float> all(float value) const {
    return std::vector<float>(keys_.size() * kDim, value);
  }
  Status look_up(std::vector<float>& rows, uint64_t max_age_ms, std::span<uint8_t> found = {}) {
    rows.assign(keys_.size() * kDim, -7.0F);
    LookupOptions wishes{.found = found};
    wishes.max_age_ms = max_age_ms;
    return remote_->lookup(keys_, rows, wishes);
  }

  Folder folder_;
  std::vector<uint64_t> keys_ = range(1, 300);
  std::shared_ptr<Store> store_;
  std::shared_ptr<Table> table_;
  std::shared_ptr<Store> reading_;
  std::unique_ptr<Server> server_;
  std::unique_ptr<Server> follower_;
  std::string its_follower_;
  std::unique_ptr<Relay> relay_;
  std::shared_ptr<Store> client_;
  std::shared_ptr<Table> remote_;
};

TEST_F(Hedged, AFollowerAnswersWhileTheServerIsSilent) {
  std::vector<float> rows;
  must(look_up(rows, kOld));
  EXPECT_EQ(rows, all(3));
  relay_->silence(true);
  std::vector<uint8_t> found((keys_.size() + 7) / 8);
  keys_.back() = 999'999;
  for (int i = 0; i < 30; ++i) {
    std::ranges::fill(found, uint8_t{0});
    must(look_up(rows, kOld, found));
    auto expected = all(1);
    std::fill(expected.end() - kDim, expected.end(), 0.0F);
    EXPECT_EQ(rows, expected) << i;
    std::vector<uint8_t> but_the_last(found.size(), 0xFF);
    but_the_last.back() = (1U << ((keys_.size() - 1) % 8)) - 1;
    EXPECT_EQ(found, but_the_last);
  }
  // What the server says at last comes over nobody's rows.
  const std::vector<float> before = rows;
  relay_->silence(false);
  std::vector<float> own(rows.size());
  must(remote_->lookup(keys_, own, {}));
  EXPECT_EQ(rows, before);
  EXPECT_EQ(own.front(), 3.0F);
  const RemoteStats stats = stats_of(*client_).remote.value();
  EXPECT_EQ(stats.hedges_won, 30U);
  EXPECT_GE(stats.hedged, 30U);
}

TEST_F(Hedged, OnlyLookupsThatSayHowOldRowsMayBe) {
  client_.reset();
  remote_.reset();
  auto brief = options();
  brief.timeout_ms = 300;
  client_ = must(connect(brief));
  remote_ = must(client_->table("t", sum_table(kDim)));
  relay_->silence(true);
  std::vector<float> rows;
  EXPECT_TRUE(fails(look_up(rows, 0), StatusCode::kTimeout));
  // A version that is older than that is not asked for.
  std::this_thread::sleep_for(milliseconds(5));
  EXPECT_TRUE(fails(look_up(rows, 1), StatusCode::kTimeout));
  must(look_up(rows, kOld));
  EXPECT_EQ(rows, all(1));
}

TEST_F(Hedged, AFollowerAnswersForAServerThatIsGone) {
  std::vector<float> rows;
  must(look_up(rows, kOld));
  relay_.reset();
  for (int i = 0; i < 3; ++i) {
    must(look_up(rows, kOld));
    EXPECT_EQ(rows, all(1));
  }
}

TEST_F(Hedged, AFollowerThatIsGoneHoldsNobodyUp) {
  follower_.reset();
  connect_again();
  std::vector<float> rows;
  for (int i = 0; i < 200; ++i) {
    must(look_up(rows, kOld));
    EXPECT_EQ(rows, all(3));
  }
}

// Each batch has the rows of one of the two, whoever is first, and however often.
TEST_F(Hedged, RowsAreOfOneServerAlone) {
  constexpr size_t kFromFollower = 20;
  std::atomic<bool> going{true};
  std::thread flickering([&] {
    for (bool silent = true; going; silent = !silent) {
      relay_->silence(silent);
      std::this_thread::sleep_for(milliseconds(silent ? 15 : 5));
    }
    relay_->silence(false);
  });
  std::atomic<size_t> ones{0};
  in_threads(3, [&](uint32_t) {
    std::vector<float> rows(keys_.size() * kDim);
    LookupOptions wishes;
    wishes.max_age_ms = kOld;
    for (size_t i = 0; i < 100 || (ones < kFromFollower && i < 20'000); ++i) {
      std::ranges::fill(rows, -7.0F);
      must(remote_->lookup(keys_, rows, wishes));
      ASSERT_EQ(rows, all(rows.front()));
      ASSERT_TRUE(rows.front() == 1.0F || rows.front() == 3.0F);
      ones += rows.front() == 1.0F ? 1 : 0;
    }
  });
  going = false;
  flickering.join();
  EXPECT_GE(ones, kFromFollower);
  const RemoteStats stats = stats_of(*client_).remote.value();
  EXPECT_EQ(stats.hedges_won, ones.load());
}

TEST_F(Hedged, ManyAtOnceWhileTheServerIsSilent) {
  relay_->silence(true);
  in_threads(24, [&](uint32_t) {
    std::vector<float> rows(keys_.size() * kDim);
    LookupOptions wishes;
    wishes.max_age_ms = kOld;
    for (int i = 0; i < 10; ++i) {
      must(remote_->lookup(keys_, rows, wishes));
      EXPECT_EQ(rows, all(1));
    }
  });
}

// Those who ask for rows that are newer than any spend what there is to be spent in vain.
TEST_F(Hedged, AfterManyWereAskedInVain) {
  auto brief = options();
  brief.timeout_ms = 100;
  const auto client = must(connect(brief));
  const auto table = must(client->table("t", sum_table(kDim)));
  std::vector<float> rows(keys_.size() * kDim);
  relay_->silence(true);
  in_threads(12, [&](uint32_t) {
    std::vector<float> its(keys_.size() * kDim);
    LookupOptions wishes;
    wishes.max_age_ms = 1;
    EXPECT_TRUE(fails(table->lookup(keys_, its, wishes), StatusCode::kTimeout));
  });
  LookupOptions wishes;
  wishes.max_age_ms = kOld;
  std::this_thread::sleep_for(milliseconds(150));
  must(table->lookup(keys_, rows, wishes));
  EXPECT_EQ(rows, all(1));
}

TEST_F(Hedged, OneFollowerOfTwoIsEnough) {
  auto its = options();
  its.followers.front().servers.insert(its.followers.front().servers.begin(), "127.0.0.1:1");
  const auto client = must(connect(its));
  const auto table = must(client->table("t", sum_table(kDim)));
  std::vector<float> rows(keys_.size() * kDim);
  relay_.reset();
  for (int i = 0; i < 10; ++i) {
    LookupOptions wishes;
    wishes.max_age_ms = kOld;
    must(table->lookup(keys_, rows, wishes));
    EXPECT_EQ(rows, all(1));
  }
}

TEST_F(Hedged, AFollowerThatWasStartedAnewIsAskedAgain) {
  relay_->silence(true);
  std::vector<float> rows;
  must(look_up(rows, kOld));
  const std::string address = follower_->address();
  follower_.reset();
  follower_ = must(Server::start(reading_, {.listen = address}));
  must(look_up(rows, kOld));
  EXPECT_EQ(rows, all(1));
}

// Several requests a batch, none of which waits for the server.
TEST_F(Hedged, LargeBatchesToo) {
  keys_ = range(1, 200'000);
  std::vector<float> rows;
  relay_.reset();
  must(look_up(rows, kOld));
  EXPECT_EQ(std::count(rows.begin(), rows.end(), 1.0F), ptrdiff_t{300 * kDim});
  EXPECT_EQ(std::count(rows.begin(), rows.end(), 0.0F), ptrdiff_t{(200'000 - 300) * kDim});
}

// A server that cannot be reached for a while is asked again, though its follower says nothing.
TEST_F(Hedged, TheServerIsAskedAgainWhereTheFollowerIsSilent) {
  auto silent = std::make_unique<Relay>(follower_->address());
  auto its = options();
  its.followers.front().servers = {silent->address()};
  const auto client = must(connect(its));
  const auto table = must(client->table("t", sum_table(kDim)));
  std::vector<float> rows(keys_.size() * kDim);
  LookupOptions wishes;
  wishes.max_age_ms = kOld;
  silent->silence(true);
  relay_->cut();
  must(table->lookup(keys_, rows, wishes));
  EXPECT_EQ(rows, all(3));
  silent->silence(false);
}

// Who is impatient does not end a connection on which answers come slowly.
TEST_F(Hedged, AnswersThatComeInPiecesEndNoConnection) {
  std::vector<float> rows;
  const size_t before = relay_->taken();
  relay_->trickle(true);
  for (int i = 0; i < 5; ++i) {
    must(look_up(rows, kOld));
    EXPECT_TRUE(rows == all(1) || rows == all(3));
    must(look_up(rows, 0));
    EXPECT_EQ(rows, all(3));
  }
  relay_->trickle(false);
  EXPECT_EQ(relay_->taken(), before);
}

TEST_F(Hedged, OfServersThatShareTheKeysToo) {
  Folder other;
  const auto store = must(Store::open(other / "s", {.memory_bytes = 64 * kMiB, .threads = 1}));
  const auto server = must(Server::start(store, {}));
  auto both = options();
  both.servers.push_back(server->address());
  const auto client = must(connect(both));
  const auto table = must(client->table("u", sum_table(kDim)));
  const std::vector<float> gradients(keys_.size() * kDim, 5.0F);
  must(table->push(keys_, gradients, {}));
  must(client->commit());
  // Rows of the first server's store, as of that version.
  auto newest = must(Store::open(folder_ / "s", {.memory_bytes = 64 * kMiB, .read_only = true}));
  const auto follower = must(Server::start(newest, {}));
  both.followers = {{.of = relay_->address(), .servers = {follower->address()}}};
  const auto hedged = must(connect(both));
  const auto its = must(hedged->table("u", sum_table(kDim)));
  relay_->silence(true);
  std::vector<float> rows(keys_.size() * kDim);
  std::vector<uint8_t> found((keys_.size() + 7) / 8);
  LookupOptions wishes{.found = found};
  wishes.max_age_ms = kOld;
  must(its->lookup(keys_, rows, wishes));
  EXPECT_EQ(rows, gradients);
  for (size_t i = 0; i < keys_.size(); ++i) EXPECT_NE(found[i / 8] >> (i % 8) & 1, 0) << i;
  relay_->silence(false);
}

TEST_F(Hedged, WhoFollowsAnotherStoreIsNotBelieved) {
  Folder other;
  const auto store = must(Store::open(other / "s", {.memory_bytes = 64 * kMiB, .threads = 1}));
  auto its = options();
  const auto server = must(Server::start(store, {}));
  its.followers.front().servers = {server->address()};
  EXPECT_TRUE(fails(connect(its), StatusCode::kInvalidArgument)) << "no versions at all";
  must(store->table("t", sum_table(kDim)));
  std::this_thread::sleep_for(milliseconds(3));
  must(store->commit());
  EXPECT_TRUE(fails(connect(its), StatusCode::kInvalidArgument));
  for (int i = 0; i < 3; ++i) must(store->commit());
  EXPECT_TRUE(fails(connect(its), StatusCode::kInvalidArgument)) << "of later versions";
}

TEST_F(Hedged, FollowersAreServersOfTheirOwn) {
  const std::string server = relay_->address();
  const auto refused = [&](std::vector<Followers> followers) {
    auto its = options();
    its.followers = std::move(followers);
    return fails(connect(its), StatusCode::kInvalidArgument);
  };
  EXPECT_TRUE(refused({{.of = "127.0.0.1:1", .servers = {follower_->address()}}}));
  EXPECT_TRUE(refused({{.of = server, .servers = {}}}));
  EXPECT_TRUE(refused({{.of = server, .servers = {"nowhere"}}}));
  EXPECT_TRUE(refused({{.of = server, .servers = {"10.0.0.1:700"}}}));
  EXPECT_TRUE(refused({{.of = server, .servers = {server}}}));
  EXPECT_TRUE(refused({{.of = server, .servers = {follower_->address(), follower_->address()}}}));
  EXPECT_TRUE(refused(
      {{.of = server, .servers = {"127.0.0.1:2"}}, {.of = server, .servers = {"127.0.0.1:3"}}}));
}

}  // namespace
}  // namespace hotrow::test
