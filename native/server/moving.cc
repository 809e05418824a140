#include "server/moving.h"

#include <algorithm>
#include <string>
#include <vector>

#include "base/guarded.h"
#include "base/hash.h"
#include "base/version_name.h"
#include "server/hub.h"

namespace hotrow::server {

namespace {

// Rows a look: beyond the last row of a slot so many of others are copied in vain.
constexpr size_t kLookRows = 256;
constexpr size_t kEraseRows = 4096;

// The first hash from `hash` on that a key of one of the slots can have.
std::optional<uint64_t> next_hash(const SlotSet& slots, uint64_t hash) {
  const uint32_t slot = slot_of_hash(hash);
  const auto next = next_slot(slots, slot);
  if (!next) return std::nullopt;
  return *next == slot ? hash : first_hash(*next);
}

void append(ScanPage& to, const ScanPage& from, size_t row) {
  const auto copy = [&](std::vector<float>& values, const std::vector<float>& its) {
    const size_t width = its.size() / from.keys.size();
    const auto first = its.begin() + static_cast<ptrdiff_t>(row * width);
    values.insert(values.end(), first, first + static_cast<ptrdiff_t>(width));
  };
  to.keys.push_back(from.keys[row]);
  copy(to.rows, from.rows);
  copy(to.state, from.state);
  if (!from.heats.empty()) to.heats.push_back(from.heats[row]);
}

// Erases the rows of these slots in one table; `erase(keys)` does.
template <class Erase>
Status erase_rows(Table& table, const SlotSet& slots, const Erase& erase) {
  std::optional<uint64_t> at = 0;
  while (at) {
    const auto page = scan_slots(table, slots, *at, kEraseRows, {});
    if (!page.ok()) return page.status();
    HOTROW_RETURN_IF_ERROR(erase(page.value().keys));
    at = page.value().next;
  }
  return {};
}

template <class Work>
Status each_table(Store& store, const Work& work) {
  const auto all = store.list();
  if (!all.ok()) return all.status();
  for (const ParameterInfo& info : all.value()) {
    if (info.kind != ParameterKind::kTable) continue;
    const auto table = store.table(info.name);
    // Dropped meanwhile.
    if (table.status().code() == StatusCode::kNotFound) continue;
    if (!table.ok()) return table.status();
    HOTROW_RETURN_IF_ERROR(work(*table.value()));
  }
  return {};
}

// What cannot be erased now stays until the slots come back, or until the next start.
void erase_left(Hub& hub, const SlotSet& left) {
  (void)guarded([&] {
    return each_table(*hub.store, [&](Table& table) {
      return erase_rows(table, left, [&](const std::vector<uint64_t>& keys) {
        return hub.ownership.hold([&](const Owned& owned) -> Status {
          std::vector<uint64_t> foreign;
          std::ranges::copy_if(keys, std::back_inserter(foreign), [&](uint64_t key) {
            const uint32_t slot = placement_slot(key);
            return !owned.slots[slot] && !owned.expected.slots[slot];
          });
          return foreign.empty() ? Status() : table.erase(foreign).status();
        });
      });
    });
  });
}

}  // namespace

Status slots_have_moved() {
  return {StatusCode::kBusy, "slots have moved to other servers meanwhile"};
}

Result<ScanPage> scan_slots(Table& table, const SlotSet& slots, uint64_t from, size_t rows,
                            const ScanOptions& options) {
  ScanPage all;
  std::optional<uint32_t> clock;
  auto at = next_hash(slots, from);
  while (at && all.keys.size() < rows) {
    const auto looked = table.scan(*at, std::min(kLookRows, rows - all.keys.size()), options);
    if (!looked.ok()) return looked.status();
    const ScanPage& page = looked.value();
    if (!page.heats.empty()) clock = page.heats.back();
    for (size_t i = 0; i < page.keys.size(); ++i) {
      if (slots[placement_slot(page.keys[i])]) append(all, page, i);
    }
    at = page.next ? next_hash(slots, *page.next) : std::nullopt;
  }
  all.next = at;
  if (clock) all.heats.push_back(*clock);
  return all;
}

Result<uint64_t> expect_slots(Hub& hub, uint64_t lock, std::string_view text) {
  const auto slots = parse_slots(text);
  if (!slots.ok()) return slots.status();
  HOTROW_RETURN_IF_ERROR(hub.ownership.expect(lock, slots.value()));
  uint64_t erased = 0;
  const Status done = each_table(*hub.store, [&](Table& table) {
    return erase_rows(table, slots.value(), [&](const std::vector<uint64_t>& keys) {
      return hub.ownership.hold([&](const Owned& owned) -> Status {
        HOTROW_RETURN_IF_ERROR(owned.check_expected(lock, keys));
        if (keys.empty()) return {};
        const auto count = table.erase(keys);
        if (count.ok()) erased += count.value();
        return count.status();
      });
    });
  });
  if (!done.ok()) return done;
  return erased;
}

Result<uint64_t> freeze_slots(Hub& hub, uint64_t lock, std::string_view text) {
  const auto slots = parse_slots(text);
  if (!slots.ok()) return slots.status();
  const auto newest = hub.store->version();
  if (newest.status().code() == StatusCode::kUnsupported) {  // in memory
    HOTROW_RETURN_IF_ERROR(hub.ownership.freeze(lock, slots.value(), false));
    return uint64_t{0};
  }
  if (!newest.ok()) return newest.status();
  // Whether or not it will exist: its cut was before the mover's copy, who knows its number.
  HOTROW_RETURN_IF_ERROR(hub.ownership.freeze(lock, slots.value(), false));
  return newest.value().version;
}

Status check_epoch_of(Hub& hub, std::string_view version) {
  const uint32_t epoch = hub.ownership.epoch();
  if (epoch == 0) return {};
  const auto all = hub.store->versions();
  if (!all.ok()) return {};
  const uint64_t number = version_number(version);
  for (const VersionInfo& info : all.value()) {
    const bool named = std::ranges::find(info.names, version) != info.names.end();
    if (info.version != number && !named) continue;
    const uint32_t its = info.cluster.epoch;
    // Of a server that had no placement yet, or of its own program. In the first epoch nothing has
    // moved.
    if (its == epoch || (its == 0 && epoch == 1)) return {};
    return Status::conflict("version " + std::to_string(info.version) + " is of epoch " +
                            std::to_string(its) + " of the placement, the server is in epoch " +
                            std::to_string(epoch) + ": slots have moved since");
  }
  return {};
}

void erase_left_later(Hub& hub, uint32_t epoch) {
  const SlotSet left = hub.ownership.take_left(epoch);
  if (left.none()) return;
  // Where there is too much to do it stays, as after an error.
  (void)hub.others.submit([&hub, left] { erase_left(hub, left); });
}

}  // namespace hotrow::server
