#include "server/ownership.h"

#include <utility>

namespace hotrow::server {

Status Owned::check(std::span<const uint64_t> keys) const {
  if (everything) return {};
  for (const uint64_t key : keys) {
    if (!slots[placement_slot(key)]) return check_slot(placement_slot(key));
  }
  return {};
}

Status Owned::check_slot(uint32_t slot) const {
  if (everything || slots[slot]) return {};
  if (epoch == 0) {
    return {StatusCode::kWrongOwner,
            "slot " + std::to_string(slot) + " is nobody's yet: the server waits for a placement"};
  }
  return {StatusCode::kWrongOwner, "slot " + std::to_string(slot) + " is not that of the server '" +
                                       self + "' in epoch " + std::to_string(epoch)};
}

Status Ownership::set(std::string_view text, const std::string& self) {
  auto parsed = SlotMap::parse(text);
  if (!parsed.ok()) return parsed.status();
  const SlotMap map = std::move(parsed).value();
  const uint64_t digest = map.digest();
  Owned owned{.everything = false, .epoch = map.epoch, .slots = {}, .self = self};
  for (uint32_t slot = 0; slot < kSlots; ++slot) {
    owned.slots[slot] = map.servers[map.slots[slot]] == self;
  }
  std::string kept = map.to_text();
  const MutexLock turn(turn_);
  setting_.store(true, std::memory_order_release);
  const ExclusiveLock lock(mutex_);
  setting_.store(false, std::memory_order_release);
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
  owned_ = std::move(owned);
  text_ = std::move(kept);
  digest_ = digest;
  epoch_.store(map.epoch, std::memory_order_release);
  return {};
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
