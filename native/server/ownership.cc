#include "server/ownership.h"

#include <algorithm>
#include <thread>
#include <utility>

namespace hotrow::server {

namespace {

constexpr std::chrono::milliseconds kLook{1};

Status slot_refused(uint32_t slot, const std::string& why) {
  return {StatusCode::kWrongOwner, "slot " + std::to_string(slot) + why};
}

}  // namespace

Status Owned::check(std::span<const uint64_t> keys, Use use) const {
  if (everything) return {};
  for (const uint64_t key : keys) {
    if (refuses(placement_slot(key), use)) return check_slot(placement_slot(key), use);
  }
  return {};
}

Status Owned::check_slot(uint32_t slot, Use use) const {
  if (everything || !refuses(slot, use)) return {};
  if (epoch == 0) {
    return slot_refused(slot, " is nobody's yet: the server waits for a placement");
  }
  const std::string of = " the server '" + self + "' in epoch " + std::to_string(epoch);
  return slots[slot] ? slot_refused(slot, " is leaving" + of)
                     : slot_refused(slot, " is not that of" + of);
}

Status Owned::check_expected(uint64_t lock, std::span<const uint64_t> keys) const {
  for (const uint64_t key : keys) {
    HOTROW_RETURN_IF_ERROR(check_expected_slot(lock, placement_slot(key)));
  }
  return {};
}

Status Owned::check_expected_slot(uint64_t lock, uint32_t slot) const {
  if (lock != 0 && lock == expected.lock && expected.slots[slot]) return {};
  return slot_refused(slot, " is not expected from the mover " + std::to_string(lock));
}

Status Ownership::set(std::string_view text, const std::string& self) {
  auto parsed = SlotMap::parse(text);
  if (!parsed.ok()) return parsed.status();
  const SlotMap map = std::move(parsed).value();
  const uint64_t digest = map.digest();
  SlotSet slots;
  for (uint32_t slot = 0; slot < kSlots; ++slot) {
    slots[slot] = map.servers[map.slots[slot]] == self;
  }
  std::string kept = map.to_text();
  const Changing change(*this);
  if (owned_.epoch != 0 && owned_.self != self) {
    return Status::invalid_argument("placement: the server is called '" + owned_.self +
                                    "', received '" + self + "'");
  }
  if (map.epoch < owned_.epoch) {
    return Status::conflict("placement: epoch " + std::to_string(map.epoch) +
                            " is older than the server's " + std::to_string(owned_.epoch));
  }
  if (map.epoch == owned_.epoch) {
    if (digest == digest_) return {};
    return Status::conflict("placement: the server has another one of epoch " +
                            std::to_string(map.epoch));
  }
  // Before the first one it may have been started on rows of anybody's slots.
  const SlotSet before = owned_.epoch == 0 ? SlotSet().set() : owned_.slots;
  owned_.everything = false;
  owned_.epoch = map.epoch;
  owned_.slots = slots;
  owned_.self = self;
  settle_moves(before);
  text_ = std::move(kept);
  digest_ = digest;
  epoch_.store(map.epoch, std::memory_order_release);
  return {};
}

void Ownership::settle_moves(const SlotSet& before) {
  owned_.left |= before;
  owned_.left &= ~owned_.slots;
  owned_.expected.slots &= ~owned_.slots;
  keep_frozen(owned_.slots);
}

void Ownership::keep_frozen(const SlotSet& slots) {
  owned_.frozen.slots &= slots;
  owned_.closed &= slots;
  if (owned_.frozen.slots.none()) owned_.frozen.lock = 0;
  frozen_by_.store(owned_.frozen.lock, std::memory_order_release);
}

Status Ownership::check_lock(uint64_t mover) {
  if (mover == 0) return Status::invalid_argument("number: expected the mover's lock, received 0");
  if (mover < newest_lock_) {
    return Status::conflict("slots: the mover " + std::to_string(newest_lock_) +
                            " has come after the mover " + std::to_string(mover));
  }
  newest_lock_ = mover;
  return {};
}

Status Ownership::freeze(uint64_t mover, const SlotSet& slots, bool closes) {
  const Changing change(*this);
  HOTROW_RETURN_IF_ERROR(check_lock(mover));
  Moving& frozen = owned_.frozen;
  if (frozen.lock != 0 && frozen.lock != mover) {
    return {StatusCode::kBusy, "slots: those that the mover " + std::to_string(frozen.lock) +
                                   " has frozen are not free yet"};
  }
  const auto foreign = next_slot(slots & ~owned_.slots, 0);
  if (owned_.everything || foreign) {
    return slot_refused(foreign.value_or(0), " cannot be frozen by a server that has it not");
  }
  frozen.lock = mover;
  frozen.slots |= slots;
  if (closes) owned_.closed |= slots;
  frozen_by_.store(mover, std::memory_order_release);
  return {};
}

void Ownership::thaw(uint64_t mover, const SlotSet& slots) {
  const Changing change(*this);
  newest_lock_ = std::max(newest_lock_, mover);
  if (owned_.frozen.lock == mover) keep_frozen(~slots);
}

Status Ownership::wait_for_thaw(std::chrono::milliseconds most) const {
  const auto end = Clock::now() + most;
  while (frozen_by() != 0) {
    if (Clock::now() >= end) {
      return {StatusCode::kBusy, "slots are being moved from this server"};
    }
    std::this_thread::sleep_for(kLook);
  }
  return {};
}

Status Ownership::expect(uint64_t mover, const SlotSet& slots) {
  const Changing change(*this);
  HOTROW_RETURN_IF_ERROR(check_lock(mover));
  if (owned_.everything || (slots & owned_.slots).any()) {
    return Status::conflict("slots: some are this server's already");
  }
  // What came of an earlier move that was given up is erased with what has left.
  owned_.left |= owned_.expected.slots;
  owned_.expected = {.lock = mover, .slots = slots};
  return {};
}

SlotSet Ownership::take_left(uint32_t epoch) {
  const Changing change(*this);
  if (owned_.epoch != epoch) return {};
  return std::exchange(owned_.left, {});
}

std::string Ownership::text() const {
  const SharedLock lock(mutex_);
  return text_;
}

Status Ownership::expired() const {
  return {StatusCode::kWrongOwner,
          "the server '" + owned_.self + "' has not reached etcd for so long that epoch " +
              std::to_string(owned_.epoch) + " of the placement may not hold any more"};
}

}  // namespace hotrow::server
