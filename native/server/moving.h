// What a server does while slots move from it or to it (docs/ARCHITECTURE.md, "Slots that move").
//
// The server knows of no other server: a mover, which is a client, brings rows from one to another.
#ifndef HOTROW_SERVER_MOVING_H_
#define HOTROW_SERVER_MOVING_H_

#include <chrono>
#include <cstdint>
#include <string_view>

#include "base/slot_set.h"
#include "hotrow/store.h"

namespace hotrow::server {

struct Hub;

/// A version waits so long for the end of a freeze, which takes milliseconds unless its mover died.
inline constexpr std::chrono::seconds kMostFreeze{20};

/// Of a version during which the placement changed.
Status slots_have_moved();

/// A page of the rows of some slots, as Table::scan(): it costs what these rows and about 256
/// others a gap between slots do.
Result<ScanPage> scan_slots(Table& table, const SlotSet& slots, uint64_t from, size_t rows,
                            const ScanOptions& options);

/// Expects slots from the mover with that lock, after what the store has of them was erased: it is
/// of an earlier time. Returns how many rows that were.
Result<uint64_t> expect_slots(Hub& hub, uint64_t lock, std::string_view slots);
/// As Ownership::freeze(); returns the number of the newest version. One thread writes versions and
/// does this, so none is made between its return and the end of the freeze.
Result<uint64_t> freeze_slots(Hub& hub, uint64_t lock, std::string_view slots);
/// ERR_CONFLICT when that version, by its number or a name, is of another epoch than the server's
/// placement: its rows are those of other slots. What is no version is for the rollback to say.
Status check_epoch_of(Hub& hub, std::string_view version);
/// Erases, on another thread, the rows of slots that have left under the placement of that epoch or
/// before, of which a version of all servers exists.
void erase_left_later(Hub& hub, uint32_t epoch);

}  // namespace hotrow::server

#endif  // HOTROW_SERVER_MOVING_H_
