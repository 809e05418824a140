// RemoteSlotMover: the SlotMover over connections to all servers.
//
// Rows go through this process, a page at a time, and of each row it keeps a digest: in the freeze
// only rows whose digest differs are sent again. What an eviction policy remembers of rows goes
// after them, in the freeze of those that were sent again or used since.
#ifndef HOTROW_CLIENT_SLOT_MOVER_H_
#define HOTROW_CLIENT_SLOT_MOVER_H_

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "client/cluster.h"
#include "hotrow/slot_mover.h"

namespace hotrow::client {

class RemoteSlotMover final : public SlotMover {
 public:
  /// `servers`: the names of the cluster's first positions.
  RemoteSlotMover(std::shared_ptr<Cluster> cluster, std::vector<std::string> servers, uint64_t lock)
      : cluster_(std::move(cluster)), servers_(std::move(servers)), lock_(lock) {}
  ~RemoteSlotMover() override;

  /// Connects to all of them.
  Status greet();

  Result<MovedRows> held(std::string_view server) override;
  Status pause_versions() override;
  void resume_versions() override;
  Result<MovedRows> copy(const SlotGroup& group) override;
  Result<MovedRows> freeze() override;
  Status thaw() override;
  Status tell(std::string_view placement) override;

 private:
  struct Digest {
    uint64_t row = 0;  // of a row and its state
    uint32_t heat = kNoHeat;
  };
  using Digests = std::unordered_map<uint64_t, Digest>;  // by key

  /// One table on both servers.
  struct OfTable {
    TableOptions options;
    uint64_t state_values = 0;
    uint32_t from = 0;  // its numbers there
    uint32_t to = 0;
    uint64_t steps = 0;
    Digests digests;  // what the new server has
  };
  Result<uint32_t> position(std::string_view server) const;
  Result<std::string> call(uint32_t server, wire::Call call, Effect effect = Effect::kReads);
  template <class T>
  Result<T> ask(uint32_t server, wire::Call call, Effect effect = Effect::kReads) {
    auto text = this->call(server, std::move(call), effect);
    if (!text.ok()) return text.status();
    return wire::from_text<T>(text.value());
  }
  /// The number of the newest version; 0: there is none, or the store is in memory.
  Result<uint64_t> version_of(uint32_t server);
  Result<OfTable> open(const std::string& name);
  /// Brings what differs from the digests, and erases what is gone.
  Status bring(OfTable& table, MovedRows& moved);
  Status bring_all(MovedRows& moved);
  /// Of one that is whole, or of a chunk of one; what the new server has already is not sent again.
  Status bring_dense(const ParameterInfo& info, MovedRows& moved);
  Result<ScanPage> read_page(const OfTable& table, uint64_t from);
  /// Ends a TAKE of the new server's parameter, and sends it.
  Status take(Exchange& exchange, uint32_t parameter, uint64_t steps);
  Status send_rows(const OfTable& table, const ScanPage& page, std::span<const uint32_t> rows);
  Status send_heats(const OfTable& table, const ScanPage& page, std::span<const uint32_t> rows);
  Status erase(const OfTable& table, std::span<const uint64_t> keys);
  /// Of which row `i` of a page is to be sent, and its heat, as far as the new server has others.
  struct Differs {
    bool row = false;
    bool heat = false;
  };
  static Differs note(OfTable& table, Digests& before, const ScanPage& page, uint32_t i);

  const std::shared_ptr<Cluster> cluster_;
  const std::vector<std::string> servers_;
  const uint64_t lock_;
  std::string pause_;    // id of the version that is begun and never made; empty: none
  uint32_t leader_ = 0;  // of pause_
  // Of the group:
  std::string slots_;
  uint32_t from_ = 0;
  uint32_t to_ = 0;
  uint64_t version_ = 0;  // of the old server before the copy
  std::unordered_map<std::string, OfTable> tables_;
  std::unordered_map<std::string, DenseStamp> stamps_;  // of what the new server has
};

}  // namespace hotrow::client

#endif  // HOTROW_CLIENT_SLOT_MOVER_H_
