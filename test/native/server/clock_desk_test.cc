// The desk between connections and clocks: who may call what, answers that wait and end in time.
// With workers over sockets: test/native/client/remote_worker_test.cc.
#include "server/clock_desk.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "support/stores.h"

namespace hotrow::test {
namespace {

using server::ClockDesk;
using server::Grant;
using server::Role;
using Text = Result<std::string>;

wire::ClockCall call(const char* name, uint32_t index = 0, uint32_t of = 1) {
  return {.call = name,
          .group = "job",
          .index = index,
          .of = of,
          .mode = ClockMode::kBulk,
          .lease_ms = 60'000,
          .step = 0,
          .wait_ms = 60'000};
}

class Desk : public testing::Test {
 protected:
  std::future<Text> ask(const std::string& owner, const wire::ClockCall& call,
                        Role role = Role::kTrainer) {
    auto promise = std::make_shared<std::promise<Text>>();
    desk_.answer(Grant(role), owner, call,
                 [promise](Text text) { promise->set_value(std::move(text)); });
    return promise->get_future();
  }
  wire::ClockReply reply(std::future<Text> text) {
    return must(wire::read_clock_reply(must(text.get())));
  }
  static bool waits(std::future<Text>& text) {
    return text.wait_for(std::chrono::milliseconds(0)) == std::future_status::timeout;
  }
  static wire::ClockCall tick(uint64_t step, uint64_t wait_ms = 60'000) {
    wire::ClockCall its = call("tick");
    its.step = step;
    its.wait_ms = wait_ms;
    return its;
  }

  std::shared_ptr<Store> store_ = private_store();
  ClockDesk desk_{store_, kMiB};
};

TEST_F(Desk, AReaderMayLookAndNoMore) {
  must(ask("a", call("join")).get());
  for (const char* name : {"join", "tick", "applyStep", "renew", "leave"}) {
    EXPECT_EQ(ask("b", call(name), Role::kReader).get().status().code(), StatusCode::kDenied)
        << name;
  }
  const auto figures = must(ask("b", call("clock"), Role::kReader).get());
  EXPECT_TRUE(must(wire::read_group_figures(figures)).workers.at(0).alive);
  EXPECT_EQ(desk_.figures().size(), 1U);
}

TEST_F(Desk, KnowsItsCallsOnly) {
  EXPECT_TRUE(ClockDesk::knows("tick"));
  EXPECT_FALSE(ClockDesk::knows("commit"));
  EXPECT_FALSE(ClockDesk::knows(""));
}

TEST_F(Desk, WhoIsNoWorkerIsToldSo) {
  for (const char* name : {"tick", "renew", "leave", "clock", "applyStep"}) {
    EXPECT_EQ(ask("a", call(name)).get().status().code(), StatusCode::kNotFound) << name;
  }
  EXPECT_EQ(desk_.hold("a", 1, {}).code(), StatusCode::kClosed);
  must(ask("a", call("join")).get());
  must(ask("a", call("leave")).get());
  EXPECT_EQ(ask("a", tick(1)).get().status().code(), StatusCode::kNotFound);
}

TEST_F(Desk, ATickWaitsForTheOthers) {
  must(ask("a", call("join", 0, 2)).get());
  auto first = ask("a", tick(1));
  EXPECT_TRUE(waits(first)) << "worker 1 has not come";
  must(ask("b", call("join", 1, 2)).get());
  EXPECT_TRUE(waits(first));
  const auto last = reply(ask("b", tick(1)));
  EXPECT_TRUE(last.done);
  EXPECT_EQ(last.step, 1);
  EXPECT_EQ(last.members, (std::vector<uint32_t>{0, 1}));
  EXPECT_TRUE(reply(std::move(first)).done);
}

TEST_F(Desk, AWaitEndsInTimeAndIsTakenUpAgain) {
  must(ask("a", call("join", 0, 2)).get());
  for (int i = 0; i < 3; ++i) {
    const auto waited = reply(ask("a", tick(1, 5)));
    EXPECT_FALSE(waited.done);
    EXPECT_EQ(waited.waits, "worker 1, which has not come yet");
  }
  // One tick of a worker waits: a second is in its place.
  auto first = ask("a", tick(1));
  auto second = ask("a", tick(1));
  EXPECT_FALSE(reply(std::move(first)).done);
  EXPECT_TRUE(waits(second));
  must(ask("a", call("leave")).get());
  EXPECT_EQ(second.get().status().code(), StatusCode::kNotFound);
}

// A machine that has no time for the one that renews its lease drops both: then once more.
TEST_F(Desk, ALeaseEndsAWait) {
  for (int attempt = 0; attempt < 50; ++attempt) {
    const auto of_group = [&](wire::ClockCall its) {
      its.group = "job" + std::to_string(attempt);
      its.lease_ms = 100;
      return its;
    };
    must(ask("b", of_group(call("join", 1, 2))).get());
    must(ask("a", of_group(call("join", 0, 2))).get());
    std::atomic<bool> done{false};
    std::thread renewing([&] {
      while (!done) {
        (void)ask("a", of_group(call("renew"))).get();
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
      }
    });
    auto ended = ask("a", of_group(tick(1))).get();
    done = true;
    renewing.join();
    if (!ended.ok()) continue;
    EXPECT_EQ(must(wire::read_clock_reply(ended.value())).members, std::vector<uint32_t>{0});
    EXPECT_EQ(ask("b", of_group(tick(1))).get().status().code(), StatusCode::kClosed);
    EXPECT_EQ(desk_.figures().back().dropped, 1);
    return;
  }
  FAIL() << "nobody's lease was ever renewed in time";
}

TEST_F(Desk, OnlyTheOpenStepOfABulkWorkerIsPushedTo) {
  must(ask("a", call("join", 0, 2)).get());
  must(ask("b", call("join", 1, 2)).get());
  const auto table = must(store_->table("t", sum_table(1)));
  const auto one = [&] {
    server::HeldPush push;
    push.tables.push_back({.table = table, .keys = {1}, .gradients = {1}, .options = {}});
    return push;
  };
  EXPECT_EQ(desk_.hold("a", 2, one()).code(), StatusCode::kConflict);
  must(desk_.hold("a", 1, one()));
  EXPECT_GT(desk_.figures().at(0).held_bytes, 0U);
  auto first = ask("a", tick(1));
  EXPECT_EQ(desk_.hold("a", 1, one()).code(), StatusCode::kConflict) << "it has ended the step";
  EXPECT_EQ(desk_.hold("a", 2, one()).code(), StatusCode::kConflict) << "which was not applied";
  EXPECT_EQ(lookup(*table, {1}), std::vector<float>{0});
  must(ask("b", tick(1)).get());
  EXPECT_EQ(lookup(*table, {1}), std::vector<float>{1});
  must(first.get());
  must(desk_.hold("a", 2, one()));
  EXPECT_EQ(desk_.hold("a", 1, one()).code(), StatusCode::kConflict);
  wire::ClockCall bounded = call("join");
  bounded.group = "other";
  bounded.mode = ClockMode::kBounded;
  must(ask("c", bounded).get());
  EXPECT_EQ(desk_.hold("c", 1, one()).code(), StatusCode::kInvalidArgument);
}

TEST_F(Desk, SaysWhetherAPushWouldBeHeldBeforeItIsMade) {
  EXPECT_EQ(desk_.may_hold("a", 1, 1).code(), StatusCode::kClosed);
  must(ask("a", call("join")).get());
  must(desk_.may_hold("a", 1, kMiB));
  EXPECT_EQ(desk_.may_hold("a", 2, 1).code(), StatusCode::kConflict);
  EXPECT_EQ(desk_.may_hold("a", 1, kMiB + 1).code(), StatusCode::kCapacity);
}

// What became of a step is no word about who is in the clock.
TEST_F(Desk, AStepWhoseTableWasDroppedIsNotAppliedAndTheNextBegins) {
  must(ask("a", call("join")).get());
  const auto table = must(store_->table("t", sum_table(1)));
  server::HeldPush push;
  push.tables.push_back({.table = table, .keys = {1}, .gradients = {1}, .options = {}});
  must(desk_.hold("a", 1, std::move(push)));
  must(store_->drop("t"));
  const auto ended = reply(ask("a", tick(1)));
  EXPECT_TRUE(ended.done);
  EXPECT_EQ(ended.code, static_cast<uint32_t>(StatusCode::kInvalidArgument));
  EXPECT_NE(ended.message.find("step 1 was not applied"), std::string::npos) << ended.message;
  EXPECT_EQ(reply(ask("a", tick(2))).code, 0U);
}

TEST_F(Desk, WhatALeaverPushedIsDroppedWhole) {
  must(ask("a", call("join", 0, 2)).get());
  must(ask("b", call("join", 1, 2)).get());
  const auto table = must(store_->table("t", sum_table(1)));
  server::HeldPush push;
  push.tables.push_back({.table = table, .keys = {1}, .gradients = {1}, .options = {}});
  must(desk_.hold("a", 1, std::move(push)));
  must(ask("a", call("leave")).get());
  EXPECT_EQ(desk_.figures().at(0).held_bytes, 0U);
  EXPECT_TRUE(reply(ask("b", tick(1))).done);
  EXPECT_EQ(lookup(*table, {1}), std::vector<float>{0});
}

}  // namespace
}  // namespace hotrow::test
