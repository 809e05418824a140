// Slots that move between live servers (guarantee C5): nothing that was acknowledged is lost or
// applied twice, what the old server had in a version the new one has when it dies, and what a
// mover that is gone or late may do.
#include "hotrow/slot_mover.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>
#include <tuple>
#include <vector>

#include "base/hash.h"
#include "base/slot_set.h"
#include "support/comes_true.h"
#include "support/folder.h"
#include "support/placed_servers.h"
#include "support/plain_requests.h"
#include "support/scale.h"

namespace hotrow::test {
namespace {

class MovedSlots : public PlacedServers {
 protected:
  /// On disk, each with half of the slots.
  void start_two() {
    for (int i = 0; i < 2; ++i) {
      all_.push_back(std::make_unique<PlacedServer>(placed_, open(i)));
      map_.servers.push_back(all_.back()->address());
    }
    map_.slots.assign(kSlots, 0);
    for (uint32_t slot = kSlots / 2; slot < kSlots; ++slot) map_.slots[slot] = 1;
    map_.epoch = 1;
    tell();
  }
  std::shared_ptr<Store> open(size_t i) {
    return must(Store::open(folder_ / std::to_string(i), options_));
  }
  /// As a process that is killed and started again.
  void restart(size_t i) {
    const std::string address = map_.servers[i];
    all_[i].reset();
    tables_.clear();
    ServerOptions options = placed_;
    options.listen = address;
    all_[i] = std::make_unique<PlacedServer>(options, open(i));
    tell(i);
  }
  std::unique_ptr<SlotMover> mover() {
    return must(SlotMover::connect({.servers = map_.servers}, ++lock_));
  }
  SlotGroup group(size_t from, size_t to, const std::string& slots) const {
    return {.from = map_.servers[from], .to = map_.servers[to], .slots = slots};
  }
  void give(const SlotGroup& group) {
    const SlotSet slots = must(parse_slots(group.slots));
    const auto to = std::ranges::find(map_.servers, group.to) - map_.servers.begin();
    for (uint32_t slot = 0; slot < kSlots; ++slot) {
      if (slots[slot]) map_.slots[slot] = static_cast<uint16_t>(to);
    }
    ++map_.epoch;
  }
  /// The whole of a move; how long its freeze was.
  std::chrono::duration<double, std::milli> move(SlotMover& mover, const SlotGroup& group) {
    must(mover.pause_versions());
    must(mover.copy(group));
    const auto begun = std::chrono::steady_clock::now();
    must(mover.freeze());
    give(group);
    must(mover.tell(map_.to_text()));
    const auto took = std::chrono::steady_clock::now() - begun;
    mover.resume_versions();
    return took;
  }
  std::string half(size_t server) const { return server == 0 ? "0-8191" : "8192-16383"; }
  uint64_t rows_of(size_t server, const std::string& name = "t") {
    return stats_of(table_of(server, name)).rows;
  }

  Folder folder_;
  const ServerOptions placed_{.placed = true};
  const StoreOptions options_{.memory_bytes = 64 * kMiB, .threads = 1, .sync = SyncMode::kOs};
  uint64_t lock_ = 10;
};

TEST_F(MovedSlots, RowsComeWithTheirStateAndDenseParametersWithTheirs) {
  start_two();
  const auto remote = client();
  const auto table =
      must(remote->table("t", {.dim = 3, .optimizer = optimizer(OptimizerKind::kAdam)}));
  const auto dense =
      must(remote->dense("w", {.shape = {5}, .optimizer = optimizer(OptimizerKind::kAdam)}));
  const auto keys = range(0, 2000);
  std::vector<float> gradients(keys.size() * 3);
  for (size_t i = 0; i < gradients.size(); ++i) gradients[i] = static_cast<float>(i % 97) - 40;
  const std::vector<float> of_dense = {1, -2, 3, -4, 5};
  const auto push = [&] {
    must(table->push(keys, gradients));
    must(dense->push(of_dense));
  };
  const auto twin_store = private_store();
  const auto twin = must(twin_store->table("t", table->options()));
  const auto twin_dense = must(twin_store->dense("w", dense->options()));
  const auto push_twin = [&] {
    must(twin->push(keys, gradients));
    must(twin_dense->push(of_dense));
  };
  push();
  push_twin();
  const auto moves = mover();
  for (const auto& [from, to] : {std::pair<size_t, size_t>{0, 1}, {1, 0}, {0, 1}}) {
    move(*moves, group(from, to, half(0)));
    // A client that has not heard of it would push its batch in two requests, which are two steps.
    lookup(*table, keys);
    // Adam's t came too: the next step has the same bits as without a move.
    push();
    push_twin();
    EXPECT_EQ(lookup(*table, keys), lookup(*twin, keys));
    std::vector<float> state(keys.size() * table->state_values());
    std::vector<float> expected(state.size());
    must(table->lookup_state(keys, state, {}));
    must(twin->lookup_state(keys, expected, {}));
    EXPECT_EQ(state, expected);
    std::vector<float> values(5);
    std::vector<float> its(5);
    must(dense->pull(values));
    must(twin_dense->pull(its));
    EXPECT_EQ(values, its);
  }
  EXPECT_EQ(rows_of(1), 2000U);
  EXPECT_EQ(must(table->scan(0, 10'000)).keys.size(), 2000U);
}

TEST_F(MovedSlots, ScatteredSlotsMoveAloneAndWhatIsGoneIsGone) {
  start_two();
  const auto remote = client();
  const auto table = must(remote->table("t", sum_table(1)));
  const auto keys = range(0, 20'000);
  must(table->push(keys, std::vector<float>(keys.size(), 1.0F)));
  SlotSet odd;
  for (uint32_t slot = 1; slot < kSlots / 2; slot += 2) odd.set(slot);
  const auto moves = mover();
  const SlotGroup odds = group(0, 1, to_text(odd));
  must(moves->pause_versions());
  const auto copied = must(moves->copy(odds));
  const auto of_odd = static_cast<uint64_t>(
      std::ranges::count_if(keys, [&](uint64_t key) { return odd[placement_slot(key)]; }));
  EXPECT_EQ(copied.rows, of_odd);
  // Between copy and freeze: one is changed, one is new, one is erased.
  std::vector<uint64_t> theirs;
  for (uint64_t key = 0; theirs.size() < 3; ++key) {
    if (odd[placement_slot(key)] && (theirs.size() < 2 || key >= 20'000)) theirs.push_back(key);
    if (theirs.size() == 2 && key < 20'000) key = 19'999;
  }
  must(table->push(std::vector{theirs[0], theirs[2]}, std::vector<float>{1, 1}));
  EXPECT_EQ(must(table->erase(std::vector{theirs[1]})), 1U);
  EXPECT_EQ(must(moves->freeze()).rows, 3U);
  give(odds);
  must(moves->tell(map_.to_text()));
  EXPECT_EQ(lookup(*table, theirs), (std::vector<float>{2, 0, 1}));
  EXPECT_EQ(must(table->scan(0, 100'000)).keys.size(), 20'000U);
  std::vector<float> expected(keys.size(), 1.0F);
  expected[theirs[0]] = 2;
  expected[theirs[1]] = 0;
  EXPECT_EQ(lookup(*table, keys), expected);
}

/// The keys that go when so many must, least remembered first.
std::vector<uint64_t> evicted(Table& table, uint64_t rows) {
  must(table.evict(rows));
  std::vector<uint64_t> keys;
  for (const EvictedKey& each : must(table.take_evicted(10'000))) keys.push_back(each.key);
  std::ranges::sort(keys);
  return keys;
}

// What goes afterwards is what would have gone without the move, of every policy that remembers.
TEST_F(MovedSlots, WhatEvictionRemembersOfRowsComesWithThem) {
  start_two();
  const auto remote = client();
  const auto twin_store = private_store();
  // Of one shard few rows: a sample of an eviction has them all.
  std::vector<uint64_t> keys;
  for (uint64_t key = 0; keys.size() < 60; ++key) {
    if (placement_slot(key) < kSlots / 2) keys.push_back(key);
  }
  const std::vector<uint64_t> warm(keys.begin(), keys.begin() + 30);
  std::vector<std::pair<std::shared_ptr<Table>, std::shared_ptr<Table>>> tables;
  for (const auto policy : {EvictionPolicy::kLru, EvictionPolicy::kLfu, EvictionPolicy::kAgeingLfu,
                            EvictionPolicy::kLowestScore}) {
    TableOptions options = sum_table(2);
    options.eviction = {.policy = policy, .max_rows = 4000, .log = 10'000};
    const std::string name = "t" + std::to_string(static_cast<int>(policy));
    tables.emplace_back(must(remote->table(name, options)), must(twin_store->table(name, options)));
  }
  const auto both = [&](const auto& work) {
    for (const auto& [table, twin] : tables) {
      work(*table);
      work(*twin);
    }
  };
  both([&](Table& table) {
    must(table.push(keys, std::vector<float>(keys.size() * 2, 1.0F)));
    if (table.options().eviction.policy == EvictionPolicy::kLowestScore) {
      std::vector<float> scores(keys.size());
      for (size_t i = 0; i < keys.size(); ++i) scores[i] = i < 30 ? 5.0F : -5.0F;
      must(table.set_scores(keys, scores));
    }
    for (int i = 0; i < 5; ++i) lookup(table, warm);
  });
  const auto moves = mover();
  const SlotGroup all = group(0, 1, half(0));
  must(moves->pause_versions());
  must(moves->copy(all));
  // Only used, after the copy: the rows are as they were.
  both([&](Table& table) {
    for (int i = 0; i < 40; ++i) lookup(table, {keys[40], keys[41]});
  });
  must(moves->freeze());
  give(all);
  must(moves->tell(map_.to_text()));
  moves->resume_versions();
  for (const auto& [table, twin] : tables) {
    const EvictionPolicy policy = table->options().eviction.policy;
    EXPECT_EQ(lookup(*table, {keys[0]}), (std::vector<float>{1, 1}));
    lookup(*twin, {keys[0]});
    // The cold ones, and of those with a score the two that were used later as well.
    const uint64_t rows = policy == EvictionPolicy::kLowestScore ? 30 : 28;
    const auto gone = evicted(*twin, rows);
    EXPECT_EQ(gone.size(), rows);
    EXPECT_FALSE(std::ranges::binary_search(gone, keys[0]));
    // The old server has its rows still, until there is a version.
    EXPECT_EQ(evicted(table_of(1, table->name()), rows), gone) << static_cast<int>(policy);
  }
}

TEST(Heats, OfWrongLengthOrOfATableWithoutAreRefused) {
  const auto store = private_store();
  TableOptions options = sum_table(1);
  const std::vector<uint64_t> keys = {1, 2};
  const std::vector<uint32_t> heats = {7, kNoHeat};
  const auto plain = must(store->table("plain", options));
  EXPECT_TRUE(fails(plain->set_heats(keys, heats), StatusCode::kUnsupported, "heats"));
  must(plain->push(keys, std::vector<float>(2)));
  EXPECT_TRUE(must(plain->scan(0, 10, {.heats = true})).heats.empty());
  options.eviction = {.policy = EvictionPolicy::kLfu, .max_rows = 4000};
  const auto table = must(store->table("lfu", options));
  must(table->push(keys, std::vector<float>(2)));
  EXPECT_TRUE(fails(table->set_heats(keys, heats), StatusCode::kInvalidArgument,
                    "heats: expected 3 values, one a key and a clock, received 2"));
  must(table->set_heats(keys, std::vector<uint32_t>{70, kNoHeat, 1000}));
  must(table->set_heats(std::vector<uint64_t>{99}, std::vector<uint32_t>{70, 1000}));
  const ScanPage page = must(table->scan(0, 10, {.heats = true}));
  ASSERT_EQ(page.keys.size(), 2U);
  for (size_t i = 0; i < 2; ++i) EXPECT_EQ(page.heats[i], page.keys[i] == 1 ? 70U : 1U);
}

// Each client has a lane of its own, so that a row says what was lost and what was done twice.
TEST_F(MovedSlots, WhileClientsPushAndReadNothingIsLostOrDoubled) {
  start_two();
  constexpr size_t kClients = 3;
  constexpr size_t kKeys = 400;
  const auto keys = range(0, kKeys);
  must(client()->table("t", sum_table(kClients)));
  std::atomic<bool> done{false};
  std::vector<uint64_t> pushes(kClients);
  std::vector<std::thread> threads;
  for (size_t lane = 0; lane < kClients; ++lane) {
    threads.emplace_back([&, lane] {
      const auto store = client();
      const auto table = must(store->table("t"));
      std::vector<float> gradients(kKeys * kClients);
      for (size_t i = 0; i < kKeys; ++i) gradients[i * kClients + lane] = 1;
      while (!done) {
        must(table->push(keys, gradients));
        const auto pushed = static_cast<float>(++pushes[lane]);
        // What it has pushed it reads, wherever the slot is by then.
        const auto rows = lookup(*table, keys);
        for (size_t i = 0; i < kKeys; ++i) ASSERT_EQ(rows[i * kClients + lane], pushed) << i;
        if (pushes[lane] % 16 == 0) must(store->commit({.keep_cursor = true}));
      }
    });
  }
  const auto moves = mover();
  std::vector<double> freezes;
  for (uint64_t round = 0; round < scaled(30); ++round) {
    const size_t from = round % 2;
    freezes.push_back(move(*moves, group(from, 1 - from, half(0))).count());
  }
  done = true;
  for (std::thread& thread : threads) thread.join();
  std::ranges::sort(freezes);
  std::printf("freeze of %zu rows: median %.2f ms, longest %.2f ms of %zu\n", kKeys / 2,
              freezes[freezes.size() / 2], freezes.back(), freezes.size());
  const auto remote = client();
  const auto rows = lookup(*must(remote->table("t")), keys);
  for (size_t i = 0; i < rows.size(); ++i) {
    ASSERT_EQ(rows[i], static_cast<float>(pushes[i % kClients])) << i;
  }
}

TEST_F(MovedSlots, AFrozenSlotIsReadAndAChangeOfItWaits) {
  start_two();
  const auto remote = client();
  const auto table = must(remote->table("t", sum_table(1)));
  const uint64_t key = key_of(0);
  must(table->push(std::vector{key}, std::vector<float>{1}));
  Plain plain(map_.servers[0]);
  must(plain.push(1, key));
  must(plain.call({.call = "freezeSlots", .other = half(0), .number = 50}));
  EXPECT_EQ(lookup(*table, {key}), std::vector<float>{2});
  // What was applied before comes again: it has its outcome, and is not sent elsewhere.
  must(plain.push(1, key));
  EXPECT_TRUE(fails(plain.push(2, key), kWrongOwner, "is leaving"));
  std::atomic<bool> pushed{false};
  std::thread waits([&] {
    must(table->push(std::vector{key}, std::vector<float>{1}));
    pushed = true;
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_FALSE(pushed);
  must(plain.call({.call = "thawSlots", .other = half(0), .number = 50}));
  waits.join();
  EXPECT_TRUE(fails(plain.push(2, key), kWrongOwner, "is leaving"));
  must(plain.push(3, key));
  EXPECT_EQ(lookup(*table, {key}), std::vector<float>{4});
}

TEST_F(MovedSlots, AVersionBetweenCopyAndFreezeAsksForAnotherCopy) {
  start_two();
  const auto remote = client();
  const auto table = must(remote->table("t", sum_table(1)));
  must(table->push(range(0, 100), std::vector<float>(100, 1.0F)));
  const auto moves = mover();
  const SlotGroup all = group(0, 1, half(0));
  must(moves->copy(all));
  must(remote->commit({}));
  EXPECT_TRUE(fails(moves->freeze().status(), StatusCode::kBusy, "has made a version"));
  must(table->push(range(0, 100), std::vector<float>(100, 1.0F)));
  must(moves->copy(all));
  must(moves->freeze());
  // In the freeze no version is made: it waits.
  std::atomic<bool> committed{false};
  std::thread commits([&] {
    must(remote->commit({}));
    committed = true;
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_FALSE(committed);
  give(all);
  must(moves->tell(map_.to_text()));
  commits.join();
  EXPECT_EQ(lookup(*table, range(0, 100)), std::vector<float>(100, 2.0F));
}

TEST_F(MovedSlots, WhileAMoverPausesThemVersionsWaitAndGoOnWhenItIsGone) {
  start_two();
  const auto remote = client();
  must(remote->table("t", sum_table(1)));
  auto moves = mover();
  must(moves->pause_versions());
  std::atomic<bool> committed{false};
  std::thread commits([&] {
    must(remote->commit({}));
    committed = true;
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_FALSE(committed);
  moves.reset();
  commits.join();
}

// Each with its slot, and in the freeze only those that have changed.
TEST_F(MovedSlots, ChunksOfDenseParametersMoveWithTheirSlots) {
  start_two();
  const auto remote = client();
  const DenseOptions options{.shape = {4, 250'000}, .optimizer = optimizer(OptimizerKind::kAdam)};
  const auto dense = must(remote->dense("w", options));
  const auto twin_store = private_store();
  const auto twin = must(twin_store->dense("w", options));
  const auto push = [&](float value) {
    const std::vector<float> gradient(dense->size(), value);
    must(dense->push(gradient));
    must(twin->push(gradient));
  };
  const auto expect_same = [&] {
    std::vector<float> values(dense->size());
    std::vector<float> state(dense->state_values());
    std::vector<float> its_values(values.size());
    std::vector<float> its_state(state.size());
    EXPECT_EQ(must(dense->pull_state(values, state)),
              must(twin->pull_state(its_values, its_state)));
    EXPECT_TRUE(values == its_values && state == its_state);
    must(dense->pull(values));
    EXPECT_TRUE(values == its_values);
  };
  push(1);
  const uint64_t bytes = 3 * dense->size() * sizeof(float);
  const auto moves = mover();
  for (const auto& [from, to, slots] : {std::tuple<size_t, size_t, std::string>{0, 1, "0-4095"},
                                        {1, 0, "0-12000"},
                                        {0, 1, "1000-12000"},
                                        {1, 0, "0-16383"}}) {
    SCOPED_TRACE(slots);
    std::string theirs;
    for (uint32_t slot = 0; slot < kSlots; ++slot) {
      if (must(parse_slots(slots))[slot] && map_.slots[slot] == from) {
        theirs += (theirs.empty() ? "" : ",") + std::to_string(slot);
      }
    }
    must(moves->pause_versions());
    const uint64_t copied = must(moves->copy(group(from, to, theirs))).bytes;
    EXPECT_GT(copied, 0U);
    EXPECT_LE(copied, bytes);
    const bool changes = from == 0;
    if (changes) push(-0.5F);
    const uint64_t frozen = must(moves->freeze()).bytes;
    EXPECT_EQ(frozen, changes ? copied : 0U);
    give(group(from, to, theirs));
    must(moves->tell(map_.to_text()));
    moves->resume_versions();
    expect_same();
    push(0.25F);
    expect_same();
  }
  must(remote->commit({}));
  const auto other = client();
  EXPECT_EQ(must(other->dense("w"))->options(), dense->options());
  restart(0);
  restart(1);
  const auto later = client();
  std::vector<float> values(dense->size());
  std::vector<float> expected(dense->size());
  must(must(later->dense("w"))->pull(values));
  must(twin->pull(expected));
  EXPECT_TRUE(values == expected);
}

// Of a new server that dies before the next version of all: what was in one is there.
TEST_F(MovedSlots, WhatWasCommittedIsThereAfterTheNewServerDies) {
  start_two();
  const auto keys = range(0, 500);
  {
    const auto remote = client();
    const auto table = must(remote->table("t", sum_table(1)));
    must(table->push(keys, std::vector<float>(keys.size(), 1.0F)));
    for (const char* name : {"a", "b", "c", "d"}) {
      const DenseOptions of_three{.shape = {3}, .optimizer = optimizer(OptimizerKind::kSum)};
      must(must(remote->dense(name, of_three))->push(std::vector<float>{1, 2, 3}));
    }
    must(remote->commit({.cursor = "here"}));
    const auto moves = mover();
    move(*moves, group(0, 1, half(0)));
    restart(1);
    // What this client had pushed and nobody has committed might be gone: it is told so.
    const auto next = client();
    EXPECT_EQ(lookup(*must(next->table("t")), keys), std::vector<float>(keys.size(), 1.0F));
    for (const char* name : {"a", "b", "c", "d"}) {
      std::vector<float> values(3);
      must(must(next->dense(name))->pull(values));
      EXPECT_EQ(values, (std::vector<float>{1, 2, 3})) << name;
    }
  }
  EXPECT_EQ(must(all_[1]->store->version()).cursor, "here");
  restart(0);
  EXPECT_EQ(lookup(*must(client()->table("t")), keys), std::vector<float>(keys.size(), 1.0F));
}

TEST_F(MovedSlots, AClientIsToldWhenTheNewServerLosesWhatTheOldOneHadAcknowledged) {
  start_two();
  const auto remote = client();
  const auto table = must(remote->table("t", sum_table(1)));
  must(table->push(range(0, 100), std::vector<float>(100, 1.0F)));
  must(remote->commit({}));
  const uint64_t key = key_of(0);
  const auto moves = mover();
  const SlotGroup all = group(0, 1, half(0));
  must(moves->copy(all));
  must(table->push(std::vector{key}, std::vector<float>{1}));
  must(moves->freeze());
  give(all);
  must(moves->tell(map_.to_text()));
  EXPECT_EQ(lookup(*table, {key}), std::vector<float>{key < 100 ? 2.0F : 1.0F});
  restart(1);
  std::vector<float> row(1);
  EXPECT_TRUE(fails(table->lookup(std::vector{key}, row), StatusCode::kSessionExpired, "lost"));
}

TEST_F(MovedSlots, TheOldServerKeepsItsRowsUntilAVersionOfAllIsMade) {
  start_two();
  const auto remote = client();
  const auto table = must(remote->table("t", sum_table(1)));
  const auto keys = range(0, 3000);
  must(table->push(keys, std::vector<float>(keys.size(), 1.0F)));
  must(remote->commit({.name = "before"}));
  const uint64_t had = rows_of(0);
  const auto moves = mover();
  move(*moves, group(0, 1, half(0)));
  EXPECT_EQ(rows_of(0), had);
  EXPECT_TRUE(fails(remote->rollback("before").status(), StatusCode::kConflict, "epoch 1"));
  must(remote->commit({.name = "after"}));
  EXPECT_TRUE(comes_true([&] { return rows_of(0) == 0; }));
  must(table->push(keys, std::vector<float>(keys.size(), 1.0F)));
  must(remote->rollback("after"));
  EXPECT_EQ(lookup(*table, keys), std::vector<float>(keys.size(), 1.0F));
  EXPECT_TRUE(fails(remote->rollback("before").status(), StatusCode::kConflict, "epoch 1"));
}

// Whoever asks, and whatever it knew of the placement when it asked.
TEST_F(MovedSlots, NoServerGoesBackToAVersionOfOtherSlots) {
  start_two();
  {
    const auto remote = client();
    const auto table = must(remote->table("t", sum_table(1)));
    must(table->push(range(0, 500), std::vector<float>(500, 1.0F)));
    must(remote->commit({.name = "before"}));
  }
  move(*mover(), group(0, 1, half(0)));
  const uint64_t before = must(all_[1]->store->versions()).front().version;
  Plain plain(map_.servers[1]);
  wire::Call call{.call = "prepare", .name = std::string(32, '1'), .number = before};
  EXPECT_TRUE(fails(plain.call(call), StatusCode::kConflict, "is of epoch 1 of the placement"));
  call = {.call = "rollback", .name = std::to_string(before)};
  EXPECT_TRUE(fails(plain.call(call), StatusCode::kConflict, "is of epoch 1 of the placement"));
  // The copy that the mover had written is no version to go back to either.
  call.name = std::to_string(must(all_[1]->store->version()).version);
  EXPECT_TRUE(fails(plain.call(call), StatusCode::kConflict, "is of epoch 1 of the placement"));
  EXPECT_EQ(lookup(*must(client()->table("t")), range(0, 500)), std::vector<float>(500, 1.0F));
}

TEST_F(MovedSlots, WhatAnEarlierTryLeftIsForgotten) {
  start_two();
  const auto remote = client();
  const auto table = must(remote->table("t", sum_table(1)));
  const auto keys = range(0, 300);
  must(table->push(keys, std::vector<float>(keys.size(), 1.0F)));
  const SlotGroup all = group(0, 1, half(0));
  must(mover()->copy(all));
  EXPECT_EQ(rows_of(1), 300U);
  std::vector<uint64_t> gone;
  std::ranges::copy_if(keys, std::back_inserter(gone),
                       [&](uint64_t key) { return owner(key) == 0; });
  EXPECT_EQ(must(table->erase(gone)), gone.size());
  move(*mover(), all);
  EXPECT_EQ(rows_of(1), 300U - gone.size());
  EXPECT_EQ(must(table->scan(0, 1000)).keys.size(), 300U - gone.size());
}

TEST_F(MovedSlots, AMoverThatIsLateChangesNothing) {
  start_two();
  const auto remote = client();
  const auto table = must(remote->table("t", sum_table(1)));
  must(table->push(range(0, 100), std::vector<float>(100, 1.0F)));
  const SlotGroup all = group(0, 1, half(0));
  const auto late = mover();
  must(late->copy(all));
  const auto next = mover();
  must(next->copy(all));
  EXPECT_TRUE(fails(late->freeze().status(), StatusCode::kConflict, "has come after"));
  EXPECT_TRUE(fails(late->copy(all).status(), StatusCode::kConflict, "has come after"));
  must(next->freeze());
  must(late->thaw());
  EXPECT_TRUE(fails(late->freeze().status(), StatusCode::kConflict, "has come after"));
  Plain plain(map_.servers[0]);
  EXPECT_TRUE(fails(plain.push(1, key_of(0)), kWrongOwner, "is leaving"));
  give(all);
  must(next->tell(map_.to_text()));
  EXPECT_EQ(lookup(*table, range(0, 100)), std::vector<float>(100, 1.0F));
  EXPECT_TRUE(fails(mover()->copy(group(0, 1, "x")).status(), StatusCode::kInvalidArgument, "'x"));
  EXPECT_TRUE(fails(mover()->copy({.from = "1.1.1.1:1", .to = all.to, .slots = "1"}).status(),
                    StatusCode::kInvalidArgument, "1.1.1.1:1"));
  EXPECT_TRUE(
      fails(mover()->copy(group(0, 1, half(0))).status(), StatusCode::kConflict, "already"));
}

}  // namespace
}  // namespace hotrow::test
