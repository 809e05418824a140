#include "model/script.h"

#include <algorithm>
#include <limits>

#include "hotrow/keys.h"
#include "support/hash_inverse.h"

namespace hotrow::test {

namespace {

constexpr uint64_t kDenseRows = 3;
constexpr const char* kNames[] = {"a", "b", "c"};

std::vector<uint64_t> make_universe(Random& random) {
  std::vector<uint64_t> keys = {0, 1, UINT64_MAX, uint64_t{1} << 63};
  for (uint64_t i = random.between(10, 60); i > 0; --i) keys.push_back(random.next());
  const auto shard = static_cast<uint32_t>(random.below(IndexShards::kCount));
  for (const auto& colliding : {keys_of_first_home(shard, 9), keys_of_last_home(shard, 9)}) {
    if (random.one_in(2)) keys.insert(keys.end(), colliding.begin(), colliding.end());
  }
  return keys;
}

}  // namespace

Script::Script(uint64_t seed, uint32_t threads, Variety variety)
    : random_(seed),
      variety_(variety),
      store_(private_store(threads)),
      universe_(make_universe(random_)),
      wide_universe_(random_.between(100, 4000)) {
  for (size_t table = 0; table < tables_.size(); ++table) create(table);
  create_dense();
}

InitializerOptions Script::some_initializer() {
  switch (random_.below(5)) {
    case 0:
      return {};
    case 1:
      return {.kind = InitializerKind::kConstant, .value = random_.real()};
    case 2:
      return {.kind = InitializerKind::kNormal, .mean = random_.real(), .stddev = 0.5F};
    case 3:
      return {.kind = InitializerKind::kTruncatedNormal, .stddev = 0.5F};
    default:
      return uniform(random_.real(0.01F, 1.0F));
  }
}

OptimizerOptions Script::some_optimizer() {
  const std::vector<OptimizerOptions> all = every_optimizer();
  if (variety_ == Variety::kFirst) return all[random_.below(6)];
  const OptimizerOptions& chosen = all[random_.below(all.size())];
  if (random_.one_in(2)) return chosen;
  const std::vector<OptimizerOptions> prepared = every_preparation(chosen);
  return prepared[random_.below(prepared.size())];
}

// Slots that the universe of keys has: small keys are in slot 0, the largest in the last slot, and
// random ones in between.
std::vector<OptimizerGroup> Script::some_groups(const OptimizerOptions& optimizer) {
  if (variety_ == Variety::kFirst || random_.one_in(2)) return {};
  std::vector<OptimizerGroup> groups;
  uint32_t next = 0;
  while (next <= kMaxSlot && groups.size() < kMaxGroups) {
    OptimizerGroup group{.first_slot = next};
    const uint64_t width = random_.one_in(2) ? 0 : random_.below(kMaxSlot / 4);
    group.last_slot = static_cast<uint32_t>(std::min<uint64_t>(next + width, kMaxSlot));
    group.frozen = random_.one_in(4);
    if (optimizer.kind != OptimizerKind::kSum) {
      if (random_.one_in(2)) group.rate_scale = random_.real(0.1F, 2.0F);
      if (random_.one_in(3)) group.weight_decay = random_.one_in(2) ? 0.0F : 0.04F;
    }
    groups.push_back(group);
    next = group.last_slot + 1 + static_cast<uint32_t>(random_.below(kMaxSlot / 8));
  }
  if (random_.one_in(2)) std::reverse(groups.begin(), groups.end());
  return groups;
}

PushOptions Script::some_push_options() {
  if (variety_ == Variety::kFirst || !random_.one_in(3)) return {};
  return {.learning_rate = random_.real(0.01F, 0.2F)};
}

TableOptions Script::some_options() {
  constexpr uint32_t kDims[] = {1, 1, 2, 3, 4, 5, 8, 9, 16, 17, 24, 33};
  TableOptions options{.dim = kDims[random_.below(std::size(kDims))]};
  options.optimizer = some_optimizer();
  options.initializer = some_initializer();
  options.missing = random_.one_in(3) ? Missing::kZeros : Missing::kInitial;
  options.non_finite = random_.one_in(3) ? NonFinite::kSkip : NonFinite::kReject;
  options.seed = random_.one_in(2) ? 0 : random_.next();
  options.groups = some_groups(options.optimizer);
  return options;
}

void Script::create(size_t table) {
  tables_[table].emplace(*store_, some_options(), kNames[table]);
}

void Script::create_dense() {
  const auto columns = random_.between(1, 20);
  dense_optimizer_ = some_optimizer();
  dense_.dense = must(store_->dense(
      "d",
      {.shape = {kDenseRows, columns}, .optimizer = dense_optimizer_, .initializer = uniform(1)}));
  dense_.rows.clear();
  dense_.steps = 0;
  std::vector<float> values(kDenseRows * columns);
  must(dense_.dense->pull(values));
  for (auto first = values.begin(); first != values.end(); first += static_cast<int64_t>(columns)) {
    const std::vector<float> row(first, first + static_cast<int64_t>(columns));
    dense_.rows.push_back(PlainOptimizer(dense_optimizer_).fresh(row));
  }
}

Twin& Script::some_table() {
  size_t table = random_.below(tables_.size());
  if (!tables_[table]) create(table);
  return *tables_[table];
}

std::vector<uint64_t> Script::some_keys() {
  if (random_.one_in(250)) {
    std::vector<uint64_t> keys = random_.keys(random_.between(4000, 17000), wide_universe_);
    for (uint64_t& key : keys) key *= 0x9e3779b97f4a7c15U;
    return keys;
  }
  std::vector<uint64_t> keys(random_.one_in(20) ? 0 : random_.between(1, 24));
  for (uint64_t& key : keys) key = universe_[random_.below(universe_.size())];
  return keys;
}

Bags Script::some_bags() {
  Bags bags{.keys = some_keys(), .offsets = {0}, .weights = {}};
  while (bags.offsets.back() < bags.keys.size()) {
    const uint64_t left = bags.keys.size() - bags.offsets.back();
    const uint64_t n = random_.one_in(4) ? 0 : std::min<uint64_t>(left, random_.between(1, 9));
    bags.offsets.push_back(bags.offsets.back() + static_cast<uint32_t>(n));
  }
  if (random_.one_in(5)) bags.offsets.push_back(bags.offsets.back());
  if (random_.one_in(2)) bags.weights = random_.reals(bags.keys.size(), -0.5F, 2.0F);
  bags.pooling = static_cast<Pooling>(random_.below(3));
  return bags;
}

std::vector<float> Script::some_gradients(size_t n) {
  std::vector<float> gradients = random_.reals(n, -2.0F, 2.0F);
  if (n > 0 && random_.one_in(25)) {
    const float bad[] = {std::numeric_limits<float>::quiet_NaN(),
                         std::numeric_limits<float>::infinity(),
                         -std::numeric_limits<float>::infinity()};
    gradients[random_.below(n)] = bad[random_.below(3)];
  }
  return gradients;
}

void Script::push() {
  Twin& twin = some_table();
  const std::vector<uint64_t> keys = some_keys();
  const std::vector<float> gradients = some_gradients(keys.size() * twin.dim());
  twin.push(keys, gradients, some_push_options());
}

void Script::push_pooled() {
  Twin& twin = some_table();
  const Bags bags = some_bags();
  const std::vector<float> gradients = random_.reals(bags.count() * twin.dim());
  twin.push_pooled(bags, gradients, some_push_options());
}

void Script::update() {
  Twin& twin = some_table();
  const std::vector<uint64_t> keys = some_keys();
  std::vector<float> rows = random_.reals(keys.size() * twin.dim());
  if (!rows.empty() && random_.one_in(25)) rows.back() = std::numeric_limits<float>::infinity();
  twin.update(keys, rows);
}

void Script::erase() {
  const std::vector<uint64_t> keys = some_keys();
  some_table().erase(keys);
}

void Script::lookup() {
  const std::vector<uint64_t> keys = some_keys();
  some_table().lookup(keys);
}

void Script::lookup_pooled() {
  const Bags bags = some_bags();
  some_table().lookup_pooled(bags);
}

void Script::push_all() {
  Twin* const twins[] = {&some_table(), &some_table()};
  if (twins[0] == twins[1]) return;
  std::vector<uint64_t> keys[2];
  std::vector<float> gradients[2];
  std::vector<TablePush> pushes;
  bool rejected = false;
  for (int i = 0; i < 2; ++i) {
    keys[i] = some_keys();
    gradients[i] = some_gradients(keys[i].size() * twins[i]->dim());
    rejected |= twins[i]->plain().rejects(gradients[i]);
    pushes.push_back({&twins[i]->table(), keys[i], gradients[i], some_push_options()});
  }
  const Status status = store_->push_all(pushes);
  EXPECT_EQ(status.code(), rejected ? StatusCode::kInvalidArgument : StatusCode::kOk);
  if (rejected) return;
  for (int i = 0; i < 2; ++i) {
    EXPECT_TRUE(twins[i]->plain().push(keys[i], gradients[i], pushes[i].options));
  }
}

void Script::lookup_all() {
  Twin* const twins[] = {&some_table(), &some_table()};
  const std::vector<uint64_t> keys = some_keys();
  std::vector<float> rows[2];
  std::vector<TableLookup> lookups;
  for (int i = 0; i < 2; ++i) {
    rows[i].resize(keys.size() * twins[i]->dim());
    lookups.push_back({&twins[i]->table(), keys, rows[i]});
  }
  EXPECT_TRUE(ok(store_->lookup_all(lookups)));
  for (int i = 0; i < 2; ++i) {
    EXPECT_TRUE(same_bits(rows[i], twins[i]->plain().lookup(keys)));
  }
}

void Script::drop_or_create() {
  const size_t table = random_.below(tables_.size());
  if (!tables_[table]) return create(table);
  EXPECT_TRUE(ok(store_->drop(kNames[table])));
  EXPECT_TRUE(fails(tables_[table]->table().stats(), StatusCode::kClosed));
  tables_[table].reset();
}

void Script::reopen() {
  Twin& twin = some_table();
  const auto again = store_->table(twin.table().name(), twin.table().options());
  ASSERT_TRUE(ok(again));
  EXPECT_EQ(again.value().get(), &twin.table());
  twin.compare(universe_);
}

std::vector<float> Script::dense_values() const {
  std::vector<float> values(dense_.dense->size());
  must(dense_.dense->pull(values));
  return values;
}

void Script::dense() {
  const size_t columns = dense_.rows[0].w.size();
  const std::vector<float> values = random_.reals(kDenseRows * columns);
  const bool assign = random_.one_in(4);
  const PushOptions options = assign ? PushOptions() : some_push_options();
  EXPECT_TRUE(ok(assign ? dense_.dense->update(values) : dense_.dense->push(values, options)));
  dense_.steps += assign ? 0 : 1;
  std::vector<float> expected;
  for (size_t row = 0; row < kDenseRows; ++row) {
    const std::span<const float> part(values.data() + row * columns, columns);
    PlainRow& plain = dense_.rows[row];
    if (assign) {
      plain.w.assign(part.begin(), part.end());
    } else {
      PlainOptimizer(dense_optimizer_).step(plain, part, dense_.steps, options.learning_rate);
    }
    expected.insert(expected.end(), plain.w.begin(), plain.w.end());
  }
  EXPECT_TRUE(same_bits(dense_values(), expected));
}

void Script::call() {
  // Shares out of 100.
  const std::pair<uint64_t, void (Script::*)()> calls[] = {
      {32, &Script::push},    {12, &Script::push_pooled}, {10, &Script::update},
      {10, &Script::erase},   {12, &Script::lookup},      {8, &Script::lookup_pooled},
      {5, &Script::push_all}, {3, &Script::lookup_all},   {1, &Script::drop_or_create},
      {6, &Script::dense},    {1, &Script::reopen}};
  uint64_t share = random_.below(100);
  for (const auto& [weight, function] : calls) {
    if (share < weight) return (this->*function)();
    share -= weight;
  }
}

void Script::run(uint64_t calls) {
  for (uint64_t i = 0; i < calls; ++i) {
    call();
    ASSERT_FALSE(testing::Test::HasFailure()) << "at call " << i;
  }
  for (auto& twin : tables_) {
    if (twin) twin->compare_state(universe_);
  }
}

uint64_t Script::digest() {
  Digest digest;
  for (auto& twin : tables_) {
    if (!twin) continue;
    std::vector<uint64_t> keys = twin->plain().keys();
    must(twin->table().push(keys, std::vector<float>(keys.size() * twin->dim(), 0.5F)));
    keys.insert(keys.end(), universe_.begin(), universe_.end());
    digest.add(test::lookup(twin->table(), keys));
    const TableStats stats = stats_of(twin->table());
    for (const uint64_t counter :
         {stats.rows, stats.hits, stats.created, stats.skipped_gradients}) {
      digest.add64(counter);
    }
  }
  digest.add(dense_values());
  return digest.value();
}

}  // namespace hotrow::test
