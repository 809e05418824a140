#include "table/indexed_rows.h"

namespace hotrow {

template <class IndexT>
Status IndexedRows<IndexT>::open() {
  HOTROW_RETURN_IF_ERROR(rows_.open(rules_.limit_rows()));
  if (rules_.admission().kind == AdmissionKind::kBloom) {
    auto bloom = CountingBloom::create(rules_.admission().capacity, budget_);
    if (!bloom.ok()) return bloom.status();
    bloom_ = std::move(bloom).value();
  }
  return index_.open();
}

Result<std::unique_ptr<RowMap>> make_row_map(const RowRules& rules, MemoryBudget& budget) {
  std::unique_ptr<RowMap> map;
  if (HeatRule::needed(rules.eviction().policy)) {
    map = std::make_unique<IndexedRows<HeatIndex>>(rules, budget);
  } else {
    map = std::make_unique<IndexedRows<PlainIndex>>(rules, budget);
  }
  HOTROW_RETURN_IF_ERROR(map->open());
  return map;
}

template class IndexedRows<PlainIndex>;
template class IndexedRows<HeatIndex>;

}  // namespace hotrow
