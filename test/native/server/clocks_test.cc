// The clock of a group of workers as a state machine, with time passed in: who is let in, who waits
// for whom, what a lease ends; and random histories of it beside a plain model.
#include "server/clocks.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "support/random.h"
#include "support/scale.h"
#include "support/status.h"

namespace hotrow::test {
namespace {

using server::Clocks;
using std::chrono::milliseconds;

constexpr Clocks::Time kStart{};

Clocks::Time at(int64_t ms) { return kStart + milliseconds(ms); }

WorkerOptions worker(uint32_t index, uint32_t of, ClockMode mode, uint64_t staleness = 0) {
  return {.group = "job",
          .index = index,
          .of = of,
          .mode = mode,
          .staleness = staleness,
          .lease_ms = 1000};
}

std::string owner(uint32_t index) { return "owner" + std::to_string(index); }

/// A group whose workers have all come.
struct Group {
  Group(uint32_t of, ClockMode mode, uint64_t staleness = 0) : size(of), its_mode(mode) {
    for (uint32_t i = 0; i < of; ++i) {
      must(clocks.join(owner(i), worker(i, of, mode, staleness), "", 0, kStart));
    }
  }
  void end(uint32_t index, uint64_t step, int64_t ms = 0) {
    must(clocks.end_step(owner(index), "job", step, at(ms)));
  }
  bool passes(uint32_t index, uint64_t step) {
    return must(clocks.passes(owner(index), "job", step));
  }
  GroupFigures look(int64_t ms = 0) { return must(clocks.look("job", at(ms))); }
  std::vector<uint32_t> decided() {
    const auto decision = clocks.decide();
    if (!decision) return {};
    clocks.finish(*decision, {});
    return decision->members;
  }

  uint32_t size;
  ClockMode its_mode;
  Clocks clocks;
};

TEST(Clocks, NobodyWaitsInAsync) {
  Group group(2, ClockMode::kAsync);
  for (uint64_t step = 1; step <= 5; ++step) {
    group.end(0, step);
    EXPECT_TRUE(group.passes(0, step));
  }
  EXPECT_EQ(group.look().slowest, 0);
  EXPECT_EQ(group.look().workers[0].clock, 5);
}

TEST(Clocks, BoundedWaitsForTheSlowest) {
  Group group(3, ClockMode::kBounded, 2);
  group.end(0, 1);
  group.end(0, 2);
  EXPECT_TRUE(group.passes(0, 2));
  group.end(0, 3);
  EXPECT_FALSE(group.passes(0, 3));
  EXPECT_EQ(group.clocks.waits_for("job"), "worker 1 at clock 0, worker 2 at clock 0");
  group.end(1, 1);
  EXPECT_FALSE(group.passes(0, 3));
  group.end(2, 1);
  EXPECT_TRUE(group.passes(0, 3));
}

TEST(Clocks, BulkDecidesWhenAllHaveEndedTheStep) {
  Group group(2, ClockMode::kBulk);
  group.end(1, 1);
  EXPECT_FALSE(group.clocks.decide().has_value());
  group.end(0, 1);
  const auto decision = group.clocks.decide();
  ASSERT_TRUE(decision.has_value());
  EXPECT_EQ(decision->step, 1);
  EXPECT_EQ(decision->members, (std::vector<uint32_t>{0, 1}));
  EXPECT_FALSE(group.clocks.decide().has_value()) << "it is being applied";
  EXPECT_FALSE(group.passes(0, 1));
  EXPECT_EQ(
      group.clocks.join("late", worker(1, 2, ClockMode::kBulk), "", 0, kStart).status().code(),
      StatusCode::kBusy);
  group.clocks.finish(*decision, Status::capacity("full"));
  EXPECT_TRUE(group.passes(0, 1));
  EXPECT_EQ(group.clocks.outcome("job").code(), StatusCode::kCapacity);
}

TEST(Clocks, ThoseThatHaveNotComeAreWaitedForOnce) {
  for (const ClockMode mode : {ClockMode::kBounded, ClockMode::kBulk}) {
    Clocks clocks;
    must(clocks.join(owner(0), worker(0, 2, mode), "", 0, kStart));
    must(clocks.end_step(owner(0), "job", 1, kStart));
    EXPECT_FALSE(clocks.decide().has_value());
    EXPECT_FALSE(must(clocks.passes(owner(0), "job", 1)));
    EXPECT_EQ(clocks.waits_for("job"), "worker 1, which has not come yet");
    const auto joined = must(clocks.join(owner(1), worker(1, 2, mode), "", 0, kStart));
    EXPECT_EQ(joined.clock, 0);
    EXPECT_FALSE(must(clocks.passes(owner(0), "job", 1)));
  }
}

TEST(Clocks, ALeaseThatRunsOutEndsTheWait) {
  Group group(3, ClockMode::kBulk);
  group.end(0, 1, 900);
  group.end(1, 1, 900);
  EXPECT_EQ(group.clocks.next_expiry(), at(1000));
  EXPECT_TRUE(group.clocks.expire(at(999)).empty());
  EXPECT_FALSE(group.clocks.decide().has_value());
  const auto dropped = group.clocks.expire(at(1000));
  ASSERT_EQ(dropped.size(), 1U);
  EXPECT_EQ(dropped[0].index, 2);
  EXPECT_EQ(group.decided(), (std::vector<uint32_t>{0, 1}));
  EXPECT_EQ(group.look().dropped, 1);
  EXPECT_FALSE(group.look().workers[2].alive);
  EXPECT_EQ(group.clocks.end_step(owner(2), "job", 1, at(1000)).code(), StatusCode::kClosed);
  EXPECT_EQ(group.clocks.renew(owner(2), "job", at(1000)).code(), StatusCode::kClosed);
}

TEST(Clocks, OneThatEndedItsStepAndDiesBeforeItIsDecidedIsNotInIt) {
  Group group(3, ClockMode::kBulk);
  group.end(2, 1, 0);
  must(group.clocks.renew(owner(0), "job", at(900)));
  must(group.clocks.renew(owner(1), "job", at(900)));
  ASSERT_EQ(group.clocks.expire(at(1100)).size(), 1U);
  group.end(0, 1, 1100);
  group.end(1, 1, 1100);
  EXPECT_EQ(group.decided(), (std::vector<uint32_t>{0, 1}));
}

TEST(Clocks, OneThatComesBackJoinsAtTheSlowest) {
  Group group(3, ClockMode::kBounded, 100);
  for (uint64_t step = 1; step <= 7; ++step) group.end(0, step, 900);
  for (uint64_t step = 1; step <= 4; ++step) group.end(1, step, 900);
  group.end(2, 1, 0);
  EXPECT_EQ(group.look().slowest, 1);
  ASSERT_EQ(group.clocks.expire(at(1000)).size(), 1U);
  EXPECT_EQ(group.look().slowest, 4);
  const auto back =
      must(group.clocks.join("another", worker(2, 3, ClockMode::kBounded, 100), "", 0, at(1000)));
  EXPECT_EQ(back.clock, 4);
  EXPECT_EQ(group.look().workers[2].clock, 4);
  EXPECT_EQ(group.clocks.renew(owner(2), "job", at(1000)).code(), StatusCode::kNotFound);
}

TEST(Clocks, TheSlowOneIsNamed) {
  Group group(2, ClockMode::kBounded, 5);
  group.end(0, 1, 100);
  group.end(0, 2, 200);
  EXPECT_EQ(group.look(350).workers[1].behind_ms, 250) << "since it was first left behind";
  EXPECT_EQ(group.look(350).workers[0].behind_ms, 0);
  group.end(1, 1, 400);
  EXPECT_EQ(group.look(450).workers[1].behind_ms, 350) << "it is still behind";
  group.end(1, 2, 500);
  EXPECT_EQ(group.look(600).workers[1].behind_ms, 0);
}

TEST(Clocks, LeavingEndsTheWaitAndTheLastEndsTheGroup) {
  Group group(2, ClockMode::kBulk);
  group.end(0, 1);
  EXPECT_FALSE(must(group.clocks.leave(owner(1), "job", kStart)).over);
  EXPECT_EQ(group.decided(), std::vector<uint32_t>{0});
  EXPECT_EQ(group.clocks.leave(owner(1), "job", kStart).status().code(), StatusCode::kNotFound);
  EXPECT_TRUE(must(group.clocks.leave(owner(0), "job", kStart)).over);
  EXPECT_EQ(group.clocks.look("job", kStart).status().code(), StatusCode::kNotFound);
  const auto anew =
      must(group.clocks.join(owner(0), worker(0, 1, ClockMode::kAsync), "", 0, kStart));
  EXPECT_EQ(anew.clock, 0);
}

TEST(Clocks, WhoMayNotJoin) {
  Group group(2, ClockMode::kBounded, 1);
  const auto refused = [&](const std::string& who, WorkerOptions options) {
    return group.clocks.join(who, options, "", 0, at(10)).status();
  };
  const WorkerOptions right = worker(1, 2, ClockMode::kBounded, 1);
  EXPECT_EQ(refused("x", right).code(), StatusCode::kConflict) << "somebody else is it";
  EXPECT_EQ(refused(owner(0), right).code(), StatusCode::kConflict) << "it is another already";
  for (const WorkerOptions& other :
       {worker(1, 2, ClockMode::kAsync), worker(1, 3, ClockMode::kBounded, 1),
        worker(1, 2, ClockMode::kBounded, 2)}) {
    EXPECT_EQ(refused("x", other).code(), StatusCode::kConflict);
  }
  WorkerOptions lease = right;
  lease.lease_ms = 999;
  EXPECT_NE(refused("x", lease).message().find("leaseMs: 1000, and this worker 999"),
            std::string::npos);
  for (const WorkerOptions& wrong :
       {worker(2, 2, ClockMode::kAsync), worker(0, 0, ClockMode::kAsync),
        worker(0, kMostGroupWorkers + 1, ClockMode::kAsync), worker(0, 1, ClockMode::kBulk, 1),
        worker(0, 1, ClockMode::kBounded, kMostStaleness + 1), WorkerOptions{.group = "", .of = 1},
        WorkerOptions{.group = std::string(256, 'x')},
        WorkerOptions{.group = "g", .lease_ms = 49}}) {
    EXPECT_EQ(refused("x", wrong).code(), StatusCode::kInvalidArgument);
  }
}

TEST(Clocks, StepsEndOneAfterTheOther) {
  Group group(1, ClockMode::kAsync);
  EXPECT_EQ(group.clocks.end_step(owner(0), "job", 2, kStart).code(), StatusCode::kConflict);
  group.end(0, 1);
  group.end(0, 1);  // said again
  EXPECT_EQ(group.look().workers[0].clock, 1);
  EXPECT_EQ(group.clocks.end_step(owner(0), "job", 0, kStart).code(), StatusCode::kConflict);
  EXPECT_EQ(group.clocks.end_step(owner(0), "other", 2, kStart).code(), StatusCode::kNotFound);
  EXPECT_EQ(group.clocks.end_step("nobody", "job", 2, kStart).code(), StatusCode::kNotFound);
}

TEST(Clocks, GroupsAreBoundedAndIdleOnesMakeRoom) {
  Clocks clocks;
  WorkerOptions options = worker(0, 1, ClockMode::kAsync);
  for (size_t i = 0; i < Clocks::kMostGroups; ++i) {
    options.group = "g" + std::to_string(i);
    must(clocks.join("o" + std::to_string(i), options, "", 0, at(static_cast<int64_t>(i))));
  }
  options.group = "one more";
  EXPECT_EQ(clocks.join("x", options, "", 0, at(500)).status().code(), StatusCode::kCapacity);
  clocks.expire(at(1000));  // the first of them
  EXPECT_EQ(must(clocks.join("x", options, "", 0, at(1000))).forgotten.size(), 1U);
  EXPECT_EQ(clocks.names().size(), Clocks::kMostGroups);
}

TEST(Clocks, AFollowerAppliesEachStepOnce) {
  Clocks clocks;
  must(clocks.join(owner(0), worker(0, 2, ClockMode::kBulk), "life", 4, kStart));
  must(clocks.join(owner(1), worker(1, 2, ClockMode::kBulk), "life", 4, kStart));
  EXPECT_EQ(clocks.join("x", worker(1, 2, ClockMode::kBulk), "life", 3, kStart).status().code(),
            StatusCode::kConflict)
      << "it would begin where the group is not";
  EXPECT_EQ(clocks.end_step(owner(0), "job", 5, kStart).code(), StatusCode::kConflict);
  const Clocks::Decision five{"life", 5, {0, 1}};
  EXPECT_EQ(clocks.told("job", {"other", 5, {0}}).status().code(), StatusCode::kNotFound);
  EXPECT_EQ(clocks.told("job", {"life", 7, {0}}).status().code(), StatusCode::kClosed);
  EXPECT_EQ(clocks.told("job", {"life", 5, {0, 2}}).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(clocks.told("job", {"life", 5, {1, 0}}).status().code(), StatusCode::kInvalidArgument);
  EXPECT_TRUE(must(clocks.told("job", five)));
  EXPECT_FALSE(must(clocks.told("job", five))) << "it is being applied";
  clocks.finish(five, {});
  EXPECT_FALSE(must(clocks.told("job", five))) << "it was";
  EXPECT_EQ(clocks.told("job", {"life", 4, {0}}).status().code(), StatusCode::kClosed);
  EXPECT_EQ(must(clocks.place(owner(1), "job")).clock, 5);
  EXPECT_TRUE(clocks.expire(at(100'000)).empty()) << "leases are the leader's";
  // The leader has begun anew: so does this one.
  const auto anew = must(clocks.join("x", worker(0, 3, ClockMode::kAsync), "next", 0, kStart));
  EXPECT_EQ(anew.forgotten, std::vector<std::string>{"life"});
  EXPECT_EQ(clocks.place(owner(1), "job").status().code(), StatusCode::kNotFound);
}

TEST(Clocks, OneWhoseOldPlaceIsTakenStaysWhatItHasBecome) {
  Clocks clocks;
  WorkerOptions first = worker(0, 1, ClockMode::kAsync);
  WorkerOptions second = first;
  second.group = "another job";
  must(clocks.join("s", first, "", 0, kStart));
  EXPECT_EQ(clocks.expire(at(1000)).size(), 1U);
  must(clocks.join("s", second, "", 0, at(1000)));
  must(clocks.join("t", first, "", 0, at(1000)));
  EXPECT_EQ(must(clocks.place("s", "another job")).index, 0U);
  must(clocks.end_step("s", "another job", 1, at(1000)));
  EXPECT_EQ(must(clocks.place("t", "job")).clock, 0U);
}

TEST(Clocks, WhoFollowsEndsNoGroupThatIsLedHere) {
  Group group(2, ClockMode::kBulk);
  const auto follows = [&](const std::string& id) {
    return group.clocks.join("x", worker(0, 2, ClockMode::kBulk), id, 7, kStart).status();
  };
  EXPECT_EQ(follows("life").code(), StatusCode::kConflict);
  EXPECT_EQ(group.look().leads, true);
  for (uint32_t i = 0; i < 2; ++i) must(group.clocks.leave(owner(i), "job", kStart));
  EXPECT_EQ(follows(std::string(Clocks::kMostIdBytes + 1, 'x')).code(),
            StatusCode::kInvalidArgument);
  must(follows(std::string(Clocks::kMostIdBytes, 'x')));
}

TEST(Clocks, AnIdIsOneGroups) {
  Clocks clocks;
  WorkerOptions options = worker(0, 1, ClockMode::kBulk);
  must(clocks.join("a", options, "life", 0, kStart));
  options.group = "another job";
  EXPECT_EQ(clocks.join("b", options, "life", 0, kStart).status().code(), StatusCode::kConflict);
  must(clocks.join("b", options, "another life", 0, kStart));
  EXPECT_EQ(must(clocks.applied("another job")), 0U);
  EXPECT_EQ(clocks.applied("none").status().code(), StatusCode::kNotFound);
}

// It joined at the leader, could not join elsewhere, and left: it is still to come.
TEST(Clocks, OneThatLeavesBeforeAnyStepHasNotCome) {
  Group group(0, ClockMode::kBulk);
  const auto join = [&](uint32_t i) {
    must(group.clocks.join(owner(i), worker(i, 2, ClockMode::kBulk), "", 0, kStart));
  };
  join(0);
  join(1);
  must(group.clocks.leave(owner(1), "job", kStart));
  group.end(0, 1);
  EXPECT_EQ(group.decided(), std::vector<uint32_t>{0}) << "all had come";
  must(group.clocks.leave(owner(0), "job", kStart));
  must(group.clocks.join(owner(1), worker(1, 3, ClockMode::kBulk), "", 0, kStart));
  must(group.clocks.join(owner(0), worker(0, 3, ClockMode::kBulk), "", 0, kStart));
  must(group.clocks.leave(owner(1), "job", kStart));
  group.end(0, 1);
  EXPECT_TRUE(group.decided().empty());
  must(group.clocks.join(owner(2), worker(2, 3, ClockMode::kBulk), "", 0, kStart));
  group.end(2, 1);
  EXPECT_TRUE(group.decided().empty()) << "worker 1 has not come";
  must(group.clocks.join(owner(1), worker(1, 3, ClockMode::kBulk), "", 0, kStart));
  group.end(1, 1);
  EXPECT_EQ(group.decided(), (std::vector<uint32_t>{0, 1, 2}));
}

TEST(Clocks, TimeThatTheServerDidNotRunIsNobodysLease) {
  Group group(2, ClockMode::kBulk);
  group.clocks.extend_leases(milliseconds(5000));
  EXPECT_TRUE(group.clocks.expire(at(5999)).empty());
  EXPECT_EQ(group.clocks.expire(at(6000)).size(), 2U);
}

// What a group is, said as plainly as can be, beside the one under test.
class History {
 public:
  explicit History(uint64_t seed)
      : random_(seed),
        of_(static_cast<uint32_t>(random_.between(1, 5))),
        bulk_(random_.one_in(2)),
        staleness_(bulk_ ? 0 : random_.below(4)),
        all_(of_) {}

  void call() {
    now_ += static_cast<int64_t>(random_.below(120));
    expire();
    const auto i = static_cast<uint32_t>(random_.below(of_));
    Each& each = all_[i];
    const uint64_t what = random_.below(10);
    if (what == 0 && !each.live) {
      join(i);
    } else if (what == 1 && each.live && random_.one_in(4)) {
      leave(i);
    } else if (what < 4) {
      EXPECT_EQ(clocks_.renew(owner(i), "job", at(now_)).ok(), each.live);
      if (each.live) each.expires = now_ + kLease;
    } else if (each.live && (!bulk_ || each.clock == floor_)) {
      must(clocks_.end_step(owner(i), "job", ++each.clock, at(now_)));
      each.expires = now_ + kLease;
    }
    settle();
    decide();
    for (uint32_t j = 0; j < of_; ++j) {
      if (!all_[j].live) continue;
      EXPECT_EQ(must(clocks_.passes(owner(j), "job", all_[j].clock)),
                all_[j].clock <= floor_ + staleness_);
    }
  }

 private:
  static constexpr int64_t kLease = 1000;
  struct Each {
    bool came = false;
    bool live = false;
    uint64_t clock = 0;
    int64_t expires = 0;
  };

  void settle() {
    std::optional<uint64_t> least;
    for (const Each& each : all_) {
      if (!each.came) return;
      if (each.live) least = std::min(least.value_or(each.clock), each.clock);
    }
    if (!bulk_) floor_ = std::max(floor_, least.value_or(0));
  }
  void expire() {
    size_t expired = 0;
    for (Each& each : all_) {
      if (!each.live || each.expires > now_) continue;
      each.live = false;
      ++expired;
    }
    EXPECT_EQ(clocks_.expire(at(now_)).size(), expired);
    settle();
  }
  void join(uint32_t i) {
    const ClockMode mode = bulk_ ? ClockMode::kBulk : ClockMode::kBounded;
    const auto joined =
        must(clocks_.join(owner(i), worker(i, of_, mode, staleness_), "", 0, at(now_)));
    EXPECT_EQ(joined.clock, floor_);
    all_[i] = {true, true, floor_, now_ + kLease};
  }
  void leave(uint32_t i) {
    const bool over = must(clocks_.leave(owner(i), "job", at(now_))).over;
    all_[i].live = false;
    const bool gathering = !std::ranges::all_of(all_, &Each::came);
    if (gathering && all_[i].clock == 0) all_[i].came = false;
    settle();
    EXPECT_EQ(over, std::ranges::none_of(all_, &Each::live));
    if (!over) return;
    all_.assign(of_, {});
    floor_ = 0;
  }
  void decide() {
    std::vector<uint32_t> members;
    bool all = bulk_;
    for (uint32_t j = 0; j < of_ && all; ++j) {
      if (all_[j].came && !all_[j].live) continue;
      all = all_[j].live && all_[j].clock == floor_ + 1;
      members.push_back(j);
    }
    const auto decision = clocks_.decide();
    ASSERT_EQ(decision.has_value(), all && !members.empty());
    if (!decision) return;
    EXPECT_EQ(decision->members, members);
    EXPECT_EQ(decision->step, ++floor_);
    clocks_.finish(*decision, {});
  }

  Random random_;
  const uint32_t of_;
  const bool bulk_;
  const uint64_t staleness_;
  Clocks clocks_;
  std::vector<Each> all_;
  uint64_t floor_ = 0;
  int64_t now_ = 0;
};

TEST(Clocks, RandomHistoriesAreThoseOfAPlainModel) {
  for (uint64_t seed = 1; seed <= scaled(60) && !HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    History history(seed);
    for (int call = 0; call < 400 && !HasFailure(); ++call) history.call();
  }
}

}  // namespace
}  // namespace hotrow::test
