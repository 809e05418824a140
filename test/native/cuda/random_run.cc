#include "cuda/random_run.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "support/bits.h"

namespace hotrow::test {

namespace {

const char* type_name(ValueType type) {
  static constexpr const char* kNames[] = {"f32", "f16", "bf16", "i8", "i4"};
  return kNames[static_cast<size_t>(type)];
}

/// Bytes of `expected` and `got` are the same; says where not.
testing::AssertionResult same_bytes(const Bytes& got, const Bytes& expected) {
  if (got == expected) return testing::AssertionSuccess();
  if (got.size() != expected.size()) {
    return testing::AssertionFailure() << got.size() << " bytes, expected " << expected.size();
  }
  size_t at = 0;
  while (got[at] == expected[at]) ++at;
  return testing::AssertionFailure()
         << "byte " << at << " of " << got.size() << " is " << std::to_integer<int>(got[at])
         << ", expected " << std::to_integer<int>(expected[at]);
}

void expect_rows(const CacheRows& got, const CacheRows& expected) {
  const CacheRows a = by_key(got);
  const CacheRows b = by_key(expected);
  EXPECT_EQ(a.keys, b.keys);
  EXPECT_TRUE(same_bytes(a.values, b.values)) << "values";
  EXPECT_TRUE(same_bytes(a.state, b.state)) << "state";
}

/// A list of misses in any order, each position once.
void expect_misses(Numbers got, const Numbers& expected) {
  std::sort(got.begin(), got.end());
  EXPECT_EQ(got, expected) << "misses";
}

}  // namespace

std::string describe(const RunShape& shape) {
  return std::string(type_name(shape.type)) + " dim " + std::to_string(shape.dim) + ", policy " +
         std::to_string(static_cast<int>(shape.policy)) + ", optimizer " +
         std::to_string(static_cast<int>(shape.optimizer)) + ", " + std::to_string(shape.buckets) +
         " buckets";
}

TableOptions table_options(const RunShape& shape) {
  TableOptions table;
  table.dim = shape.dim;
  table.value_type = shape.type;
  table.rounding = shape.rounding;
  table.optimizer.kind = shape.optimizer;
  table.optimizer.learning_rate = 0.05F;
  table.seed = 1;
  return table;
}

TierSpec tier_spec(const RunShape& shape, const RowRules& rules) {
  const auto state = has_coefficients(shape.type) ? 0 : static_cast<uint32_t>(rules.state_values());
  return {.device = 0,
          .value_type = shape.type,
          .rounding = shape.rounding,
          .optimizer = shape.optimizer,
          .policy = shape.policy,
          .dim = shape.dim,
          .state_values = state,
          .bytes = 0};
}

Subjects every_subject(const CacheShape& shape) {
  Subjects all;
  for (const bool rising : {true, false}) {
    for (const unsigned threads : {1U, 4U}) all.push_back(host_subject(shape, rising, threads));
  }
  if (device_found().yes) all.push_back(device_subject(shape));
  return all;
}

RandomRun::RandomRun(const RunShape& shape, uint64_t seed)
    : shape_(shape),
      random_(seed),
      rules_(table_options(shape)),
      spec_(tier_spec(shape, rules_)),
      subjects_(every_subject({spec_, shape.buckets})),
      model_(spec_, subjects_[0]->layout, &rules_) {
  const CacheLayout& layout = subjects_[0]->layout;
  universe_ = {0,          uint64_t{1} << 63,    UINT64_MAX - 1,
               UINT64_MAX, layout.empty_keys[0], layout.empty_keys[1]};
  std::set<uint64_t> distinct(universe_.begin(), universe_.end());
  universe_.assign(distinct.begin(), distinct.end());
  const uint64_t wanted = shape.buckets * Model::kWays * 5 / 2 + 40;
  while (universe_.size() < wanted) {
    const uint64_t key = random_.one_in(2) ? random_.next() : random_.below(4 * wanted);
    if (distinct.insert(key).second) universe_.push_back(key);
  }
  for (size_t i = universe_.size() - 1; i > 0; --i) {
    std::swap(universe_[i], universe_[random_.below(i + 1)]);
  }
  // Close to where clocks and epochs wrap, in some runs.
  moment_.clock = random_.one_in(3) ? UINT32_MAX - 20 : static_cast<uint32_t>(random_.below(1000));
  moment_.epoch = random_.one_in(2) ? UINT32_MAX - 3 : static_cast<uint32_t>(random_.below(400));
}

void RandomRun::go() {
  const CacheLayout& layout = subjects_[0]->layout;
  ASSERT_EQ(layout.buckets, shape_.buckets);
  ASSERT_NE(gpu::bucket_of(layout.empty_keys[0], layout.buckets),
            gpu::bucket_of(layout.empty_keys[1], layout.buckets));
  // As often as they stand here.
  static constexpr Step kSteps[] = {
      &RandomRun::step_insert, &RandomRun::step_insert, &RandomRun::step_insert,
      &RandomRun::step_insert, &RandomRun::step_lookup, &RandomRun::step_lookup,
      &RandomRun::step_find,   &RandomRun::step_gather, &RandomRun::step_pin,
      &RandomRun::step_pin,    &RandomRun::step_hold,   &RandomRun::step_pool,
      &RandomRun::step_push,   &RandomRun::step_push,   &RandomRun::step_assign,
      &RandomRun::step_read,   &RandomRun::step_erase,  &RandomRun::step_flush,
      &RandomRun::step_dedupe,
  };
  for (int i = 0; i < shape_.steps; ++i) {
    SCOPED_TRACE("step " + std::to_string(i));
    ++moment_.clock;
    if (random_.one_in(8)) moment_.epoch += random_.one_in(6) ? 200 : 1;
    if (i < 2) {
      step_insert();
    } else if (random_.one_in(80)) {
      step_clear();
    } else {
      (this->*kSteps[random_.below(std::size(kSteps))])();
    }
    if (i % 8 == 7 || i + 1 == shape_.steps) step_state();
    if (testing::Test::HasFailure()) return;
  }
}

template <class Check>
void RandomRun::each(const Check& check) {
  for (const auto& subject : subjects_) {
    SCOPED_TRACE(subject->name);
    check(*subject);
  }
}

RowForm RandomRun::form() {
  const CacheLayout& layout = subjects_[0]->layout;
  if (random_.one_in(2)) return {true, layout.value_stride + 16 * random_.below(3)};
  return {false, sizeof(float) * (shape_.dim + random_.below(6))};
}

uint64_t RandomRun::key() {
  const uint64_t n = universe_.size();
  return universe_[std::min(random_.below(n), random_.below(n))];
}

Keys RandomRun::any_keys(uint64_t most) {
  Keys keys(random_.below(most + 1));
  for (uint64_t& each : keys) each = key();
  return keys;
}

Keys RandomRun::distinct_keys(uint64_t most) {
  std::set<uint64_t> seen;
  Keys keys;
  for (const uint64_t each : any_keys(most)) {
    if (seen.insert(each).second) keys.push_back(each);
  }
  return keys;
}

Bytes RandomRun::random_bytes(size_t n) {
  Bytes bytes(n);
  for (std::byte& each : bytes) each = static_cast<std::byte>(random_.next());
  return bytes;
}

CacheRows RandomRun::random_rows(const Keys& keys) {
  const CacheLayout& layout = subjects_[0]->layout;
  CacheRows rows{.keys = keys,
                 .values = random_bytes(keys.size() * layout.value_stride),
                 .state = random_bytes(keys.size() * layout.state_stride)};
  const RowCodec& codec = rules_.codec();
  std::vector<float> row(codec.bytes() / sizeof(float));
  for (size_t i = 0; i < keys.size(); ++i) {
    const std::vector<float> values = random_.reals(shape_.dim, -2, 2);
    codec.encode(values.data(), reinterpret_cast<std::byte*>(row.data()), 0);
    std::memcpy(rows.values.data() + i * layout.value_stride, row.data(), codec.bytes());
    if (rows.state.empty()) continue;
    const std::vector<float> state = random_.reals(spec_.state_values, 0, 2);
    std::memcpy(rows.state.data() + i * layout.state_stride, state.data(),
                state.size() * sizeof(float));
  }
  return rows;
}

void RandomRun::step_insert() {
  InsertBatch batch{.rows = random_rows(distinct_keys(300)), .moment = moment_};
  const size_t n = batch.rows.keys.size();
  if (!random_.one_in(3)) {
    for (size_t i = 0; i < n; ++i) {
      batch.uses.push_back(static_cast<uint32_t>(random_.one_in(9) ? UINT32_MAX - random_.below(3)
                                                                   : random_.below(12)));
    }
  }
  if (random_.one_in(2)) {
    for (size_t i = 0; i < n; ++i) {
      batch.wishes.push_back(random_.one_in(16)  ? TierWish::kAwaited
                             : random_.one_in(2) ? TierWish::kHesitant
                                                 : TierWish::kUsual);
    }
  }
  const CacheRows evicted = model_.insert(batch);
  each([&](Subject& subject) {
    expect_rows(subject.insert(batch), evicted);
    EXPECT_EQ(subject.counts(), model_.counts());
  });
}

void RandomRun::step_lookup() {
  const Keys keys = any_keys(500);
  const RowForm form = this->form();
  const Use use = this->use();
  Bytes expected(keys.size() * form.stride, kPoison);
  model_.gather(model_.handles(keys), form, expected);
  model_.touch(keys, use);
  each([&](Subject& subject) {
    Bytes out(keys.size() * form.stride, kPoison);
    expect_misses(subject.lookup(keys, form, use, out), model_.misses(keys));
    EXPECT_TRUE(same_bytes(out, expected)) << (form.raw ? "raw" : "f32") << " at " << form.stride;
  });
}

void RandomRun::step_find() {
  const Keys keys = any_keys(300);
  const Use use = this->use();
  model_.touch(keys, use);
  each([&](Subject& subject) {
    Numbers handles;
    expect_misses(subject.find(keys, use, handles), model_.misses(keys));
    EXPECT_EQ(handles, model_.handles(keys));
  });
}

void RandomRun::step_gather() {
  const Numbers handles = model_.handles(any_keys(200));
  const RowForm form = this->form();
  Bytes expected(handles.size() * form.stride, kPoison);
  model_.gather(handles, form, expected);
  each([&](Subject& subject) {
    Bytes out(handles.size() * form.stride, kPoison);
    subject.gather(handles, form, out);
    EXPECT_TRUE(same_bytes(out, expected)) << (form.raw ? "raw" : "f32") << " at " << form.stride;
  });
}

void RandomRun::step_pin() {
  const bool pinned = pinned_.empty() || (pinned_.size() < 4 && random_.one_in(2));
  if (pinned) pinned_.push_back(model_.handles(distinct_keys(shape_.buckets * 4)));
  const Numbers handles = pinned_.back();
  if (!pinned) pinned_.pop_back();
  model_.pin(handles, pinned ? 1 : -1);
  each([&](Subject& subject) { subject.pin(handles, pinned); });
}

// Rows are let go more often than held, and at times all: else there would be no victims.
void RandomRun::step_hold() {
  if (random_.one_in(6)) {
    model_.let_go();
    return each([](Subject& subject) { subject.let_go(); });
  }
  constexpr TierHolding kHow[] = {TierHolding::kOnceMore, TierHolding::kOnceLess,
                                  TierHolding::kNoMore};
  const TierHolding how = kHow[random_.below(std::size(kHow))];
  const Keys keys = distinct_keys(how == TierHolding::kOnceMore ? 40 : 300);
  const uint64_t expected = model_.hold(keys, how);
  each([&](Subject& subject) {
    uint64_t changed = 0;
    expect_misses(subject.hold(keys, how, changed), model_.misses(keys));
    EXPECT_EQ(changed, expected);
  });
}

std::vector<float> RandomRun::pooled(const PoolBatch& batch) const {
  const size_t bags = batch.offsets.size() - 1;
  std::vector<float> out(bags * batch.stride, -77.0F);
  for (size_t bag = 0; bag < bags; ++bag) {
    std::vector<float> sum(shape_.dim);
    double divisor = 0;
    for (size_t at = batch.offsets[bag]; at < batch.offsets[bag + 1]; ++at) {
      std::vector<float> row(shape_.dim);
      if (batch.handles[at] != kNone) {
        const Bytes values = model_.as_f32(model_.values(batch.handles[at]));
        std::memcpy(row.data(), values.data(), values.size());
      } else {
        const auto place =
            std::find(batch.missed_positions.begin(), batch.missed_positions.end(), at);
        const auto first = (place - batch.missed_positions.begin()) * ptrdiff_t{shape_.dim};
        std::copy_n(batch.missed_rows.begin() + first, shape_.dim, row.begin());
      }
      const float u = batch.weights.empty() ? 1.0F : batch.weights[at];
      for (size_t i = 0; i < shape_.dim; ++i) sum[i] += u * row[i];
      divisor += batch.pooling == Pooling::kSqrtn ? double{u} * u : u;
    }
    if (batch.pooling == Pooling::kSqrtn) divisor = std::sqrt(divisor);
    const float scale = divisor == 0 ? 0.0F : static_cast<float>(1 / divisor);
    for (size_t i = 0; i < shape_.dim; ++i) {
      out[bag * batch.stride + i] = batch.pooling == Pooling::kSum ? sum[i] : scale * sum[i];
    }
  }
  return out;
}

void RandomRun::step_pool() {
  const Keys keys = any_keys(200);
  PoolBatch batch{.handles = model_.handles(keys), .offsets = {0}};
  while (batch.offsets.back() < keys.size()) {
    const uint64_t left = keys.size() - batch.offsets.back();
    batch.offsets.push_back(
        static_cast<uint32_t>(batch.offsets.back() + std::min<uint64_t>(left, random_.below(12))));
  }
  if (random_.one_in(2)) {
    // Sums of zero, too.
    for (size_t i = 0; i < keys.size(); ++i) {
      batch.weights.push_back(random_.one_in(2) ? static_cast<float>(random_.below(3)) - 1
                                                : random_.real());
    }
  }
  batch.pooling = static_cast<Pooling>(random_.below(3));
  batch.missed_positions = model_.misses(keys);
  batch.missed_rows = random_.reals(batch.missed_positions.size() * shape_.dim);
  batch.stride = shape_.dim + random_.below(3);
  const std::vector<float> expected = pooled(batch);
  each([&](Subject& subject) {
    EXPECT_TRUE(same_bits(subject.pool(batch), expected))
        << "pooling " << static_cast<int>(batch.pooling);
  });
}

void RandomRun::step_push() {
  if (serves()) return;
  const Numbers handles = model_.handles(distinct_keys(200));
  PushBatch batch{.handles = handles, .gradients = random_.reals(handles.size() * shape_.dim)};
  const uint64_t t = ++pushes_;
  UpdateStep frozen;
  frozen.way = RowWay::kFrozen;
  batch.steps = {rules_.optimizer().step(t), rules_.optimizer().step(t, 0.5F), frozen};
  if (random_.one_in(2)) {
    for (size_t i = 0; i < handles.size(); ++i) {
      batch.step_of.push_back(static_cast<uint8_t>(random_.below(3)));
    }
  }
  if (shape_.rounding == Rounding::kStochastic) {
    for (size_t i = 0; i < handles.size(); ++i) batch.random.push_back(random_.next());
  }
  model_.push(batch);
  each([&](Subject& subject) { subject.push(batch); });
}

void RandomRun::step_assign() {
  CacheRows rows = random_rows(distinct_keys(200));
  if (random_.one_in(2)) rows.state.clear();
  const bool dirty = random_.one_in(2);
  model_.assign(rows, dirty);
  each([&](Subject& subject) {
    expect_misses(subject.assign(rows, dirty), model_.misses(rows.keys));
  });
}

void RandomRun::step_read() {
  const CacheLayout& layout = subjects_[0]->layout;
  const Keys keys = distinct_keys(200);
  const CacheRows poison{
      .keys = keys,
      .values = Bytes(keys.size() * layout.value_stride, kPoison),
      .state = Bytes(random_.one_in(3) ? 0 : keys.size() * layout.state_stride, kPoison)};
  CacheRows expected = poison;
  model_.read(expected);
  each([&](Subject& subject) {
    CacheRows rows = poison;
    expect_misses(subject.read(rows), model_.misses(keys));
    EXPECT_TRUE(same_bytes(rows.values, expected.values)) << "values";
    EXPECT_TRUE(same_bytes(rows.state, expected.state)) << "state";
  });
}

void RandomRun::step_erase() {
  const Keys keys = distinct_keys(60);
  model_.erase(keys);
  each([&](Subject& subject) {
    subject.erase(keys);
    EXPECT_EQ(subject.counts(), model_.counts());
  });
}

void RandomRun::step_flush() {
  const uint64_t first = random_.below(shape_.buckets);
  const uint64_t last = random_.one_in(2) ? shape_.buckets : random_.between(first, shape_.buckets);
  const uint64_t dirty = model_.dirty();
  const CacheRows flushed = model_.flush({first, last});
  each([&](Subject& subject) {
    EXPECT_EQ(subject.count_dirty(), dirty);
    expect_rows(subject.flush({first, last}), flushed);
    EXPECT_EQ(subject.count_dirty(), model_.dirty());
  });
}

void RandomRun::step_clear() {
  pinned_.clear();
  model_.clear();
  each([&](Subject& subject) {
    subject.clear();
    EXPECT_EQ(subject.counts(), model_.counts());
  });
}

void RandomRun::step_dedupe() {
  Keys keys = any_keys(400);
  keys.push_back(key());
  DistinctKeys expected;
  for (const uint64_t each : keys) {
    const auto place = std::find(expected.keys.begin(), expected.keys.end(), each);
    expected.numbers.push_back(static_cast<uint32_t>(place - expected.keys.begin()));
    if (place == expected.keys.end()) expected.keys.push_back(each);
  }
  each([&](Subject& subject) { EXPECT_EQ(subject.dedupe(keys), expected); });
}

void RandomRun::step_state() {
  const CacheState expected = model_.state();
  each([&](Subject& subject) {
    const CacheState got = subject.state();
    EXPECT_EQ(got.keys, expected.keys);
    EXPECT_EQ(got.scores, expected.scores);
    EXPECT_EQ(got.dirty, expected.dirty);
    EXPECT_EQ(got.pins, expected.pins);
    EXPECT_TRUE(same_bytes(got.values, expected.values)) << "values";
    EXPECT_TRUE(same_bytes(got.state, expected.state)) << "state";
  });
}

}  // namespace hotrow::test
