// LocalStore::Cut: one instant of a store, on its way to become a version. Of this folder only.
#ifndef HOTROW_STORE_CUT_H_
#define HOTROW_STORE_CUT_H_

#include <memory>
#include <optional>
#include <vector>

#include "store/local_store.h"

namespace hotrow {

struct LocalStore::CutTable {
  std::shared_ptr<SparseTable> table;
  TableId id;
  std::optional<uint64_t> rows;  // where all of them are in memory
};

/// What a commit writes.
struct LocalStore::Cut {
  struct DensePart {
    std::shared_ptr<DenseParameter> dense;
    uint32_t id;
    DenseParameter::Image image;
  };
  Manifest manifest;
  std::vector<CutTable> tables;
  std::vector<DensePart> dense;
  std::vector<TableId> dropped;
  uint64_t bytes = 0;
  bool kept = false;
};

}  // namespace hotrow

#endif  // HOTROW_STORE_CUT_H_
