// An index with the calls of a map, and the map it must equal.
#ifndef HOTROW_TEST_SUPPORT_INDEX_MAP_H_
#define HOTROW_TEST_SUPPORT_INDEX_MAP_H_

#include <gtest/gtest.h>

#include <unordered_map>
#include <vector>

#include "memory/epoch.h"
#include "support/status.h"
#include "table/index.h"

namespace hotrow::test {

/// Calls `index` as a table's push and erase do.
template <template <class> class Atom = std::atomic>
class IndexMap {
 public:
  explicit IndexMap(uint64_t limit = uint64_t{1} << 30) : budget(limit), index(budget) {
    must(index.open());
  }
  // What was retired refers to the index.
  ~IndexMap() { EpochDomain::instance().synchronize(); }

  /// False when the key was there. A shard that is full grows for `more` keys at once.
  bool insert(uint64_t key, uint32_t handle, uint64_t more = 1) {
    const EpochGuard guard;
    const uint64_t hash = mix64(key);
    auto hold = index.lock(key, hash);
    if (!hold.found() && index.wants_growth(hold.shard)) {
      index.unlock(hold);
      EXPECT_TRUE(index.grow(hold.shard, more, false, Index_::Growth::kAlways));
      hold = index.lock(key, hash);
    }
    while (!hold.found()) {
      if (index.insert(hold, key, handle)) {
        index.unlock(hold);
        return true;
      }
      index.unlock(hold);
      EXPECT_TRUE(index.grow(hold.shard, 1, true, Index_::Growth::kAlways));
      hold = index.lock(key, hash);
    }
    index.unlock(hold);
    return false;
  }

  bool erase(uint64_t key) {
    const EpochGuard guard;
    auto hold = index.lock(key, mix64(key));
    const bool found = hold.found();
    if (found) index.erase(hold);
    index.unlock(hold);
    return found;
  }

  /// kNoHandle when there is none.
  uint32_t find(uint64_t key) const {
    const EpochGuard guard;
    return index.probe(key, mix64(key)).handle;
  }

  using Index_ = BasicIndex<Atom>;
  static constexpr uint32_t kNone = Index_::kNoHandle;

  MemoryBudget budget;
  Index_ index;
};

template <template <class> class Atom>
testing::AssertionResult same_keys(const IndexMap<Atom>& index,
                                   const std::unordered_map<uint64_t, uint32_t>& expected) {
  if (index.index.size() != expected.size()) {
    return testing::AssertionFailure()
           << "size " << index.index.size() << ", expected " << expected.size();
  }
  for (const auto& [key, handle] : expected) {
    if (index.find(key) == handle) continue;
    return testing::AssertionFailure()
           << "key " << key << " has handle " << index.find(key) << ", expected " << handle;
  }
  return testing::AssertionSuccess();
}

}  // namespace hotrow::test

#endif  // HOTROW_TEST_SUPPORT_INDEX_MAP_H_
