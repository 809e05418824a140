// A long random run of everything that a cache can do, on several devices at once and on the model:
// every answer is predicted, and the whole state is compared from time to time, so that all devices
// hold the same bytes.
#ifndef HOTROW_TEST_CUDA_RANDOM_RUN_H_
#define HOTROW_TEST_CUDA_RANDOM_RUN_H_

#include <memory>
#include <set>
#include <vector>

#include "cuda/model.h"
#include "cuda/subject.h"
#include "support/random.h"
#include "table/row_rules.h"

namespace hotrow::test {

struct RunShape {
  uint32_t dim = 8;
  ValueType type = ValueType::kF32;
  TierPolicy policy = TierPolicy::kAgeingLfu;
  OptimizerKind optimizer = OptimizerKind::kAdagrad;
  Rounding rounding = Rounding::kNearest;
  uint64_t buckets = 61;
  int steps = 60;
};

std::string describe(const RunShape& shape);
/// Options of a table with such rows.
TableOptions table_options(const RunShape& shape);
TierSpec tier_spec(const RunShape& shape, const RowRules& rules);

using Subjects = std::vector<std::unique_ptr<Subject>>;
/// All lane orders and thread counts of the CPU, and the device where there is one.
Subjects every_subject(const CacheShape& shape);

class RandomRun {
 public:
  RandomRun(const RunShape& shape, uint64_t seed);
  /// Stops at the first failure.
  void go();

 private:
  using Step = void (RandomRun::*)();

  void step_insert();
  void step_lookup();
  void step_find();
  void step_gather();
  void step_pin();
  void step_hold();
  void step_pool();
  void step_push();
  void step_assign();
  void step_read();
  void step_erase();
  void step_flush();
  void step_clear();
  void step_dedupe();
  void step_state();

  /// check(subject) for each, under its name.
  template <class Check>
  void each(const Check& check);

  bool serves() const { return has_coefficients(shape_.type); }
  Use use() { return {moment_, !random_.one_in(3)}; }
  RowForm form();
  /// Most often those that were used often before.
  uint64_t key();
  Keys any_keys(uint64_t most);
  Keys distinct_keys(uint64_t most);
  Bytes random_bytes(size_t n);
  CacheRows random_rows(const Keys& keys);
  std::vector<float> pooled(const PoolBatch& batch) const;

  const RunShape shape_;
  Random random_;
  const RowRules rules_;
  const TierSpec spec_;
  Subjects subjects_;
  Model model_;
  Keys universe_;
  std::vector<Numbers> pinned_;
  TierMoment moment_;
  uint64_t pushes_ = 0;
};

}  // namespace hotrow::test

#endif  // HOTROW_TEST_CUDA_RANDOM_RUN_H_
