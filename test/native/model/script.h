// A random script of calls on a store, made from a seed, run on the core and on plain twins.
#ifndef HOTROW_TEST_MODEL_SCRIPT_H_
#define HOTROW_TEST_MODEL_SCRIPT_H_

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "model/plain_optimizer.h"
#include "model/twin.h"
#include "support/random.h"

namespace hotrow::test {

/// Which options the tables of a script may have.
enum class Variety : uint8_t {
  kFirst,  ///< the six rules of the first release; the oldest golden digests were made so
  kAll,    ///< every rule, weight decay, clipping, groups, rates of single pushes
};

class Script {
 public:
  /// The same seed and variety give the same calls for every number of threads.
  Script(uint64_t seed, uint32_t threads, Variety variety = Variety::kAll);

  /// Makes `calls` random calls, comparing as it goes; stops at the first failure.
  void run(uint64_t calls);
  /// Digest of every row, of every counter and, by one more push, of every optimizer state.
  uint64_t digest();

 private:
  struct DenseTwin {
    std::shared_ptr<Dense> dense;
    std::vector<PlainRow> rows;
    uint64_t steps = 0;
  };

  void call();
  void push();
  void push_pooled();
  void update();
  void erase();
  void lookup();
  void lookup_pooled();
  void push_all();
  void lookup_all();
  void drop_or_create();
  void dense();
  void reopen();

  Twin& some_table();
  void create(size_t table);
  void create_dense();
  TableOptions some_options();
  InitializerOptions some_initializer();
  OptimizerOptions some_optimizer();
  std::vector<OptimizerGroup> some_groups(const OptimizerOptions& optimizer);
  PushOptions some_push_options();
  /// Mostly few keys of a small universe, now and then enough for several threads.
  std::vector<uint64_t> some_keys();
  Bags some_bags();
  /// Mostly finite.
  std::vector<float> some_gradients(size_t n);
  std::vector<float> dense_values() const;

  Random random_;
  Variety variety_;
  std::shared_ptr<Store> store_;
  std::vector<uint64_t> universe_;
  uint64_t wide_universe_;
  std::array<std::optional<Twin>, 3> tables_;
  DenseTwin dense_;
  OptimizerOptions dense_optimizer_;
};

}  // namespace hotrow::test

#endif  // HOTROW_TEST_MODEL_SCRIPT_H_
