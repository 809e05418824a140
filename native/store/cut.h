// LocalStore::Cut: one instant of a store, on its way to become a version. Of this folder only.
#ifndef HOTROW_STORE_CUT_H_
#define HOTROW_STORE_CUT_H_

#include <memory>
#include <vector>

#include "store/local_store.h"

namespace hotrow {

/// What a commit writes.
struct LocalStore::Cut {
  struct TablePart {
    std::shared_ptr<SparseTable> table;
    TableId id;
  };
  struct DensePart {
    std::shared_ptr<DenseParameter> dense;
    uint32_t id;
    DenseParameter::Image image;
  };
  Manifest manifest;
  std::vector<TablePart> tables;
  std::vector<DensePart> dense;
  std::vector<TableId> dropped;
  uint64_t bytes = 0;
  bool kept = false;
};

}  // namespace hotrow

#endif  // HOTROW_STORE_CUT_H_
