// UcxLink: a stream's half as one UCX worker with one endpoint. docs/FORMATS.md, "Fabric", has the
// messages. UCX calls back only from progress() and send(); what it calls records and returns.
#ifndef HOTROW_NET_UCX_LINK_H_
#define HOTROW_NET_UCX_LINK_H_

#include <ucp/api/ucp.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "net/fabric.h"
#include "net/ucx_library.h"

namespace hotrow::net {

class UcxLink final : public FabricLink {
 public:
  /// Of active messages.
  enum Id : unsigned { kAsk = 1, kOpened = 2, kPiece = 3, kRead = 4 };
  static constexpr size_t kKeyBytes = 32;
  /// Before each message's data: the key, ticket or secret that its receiver has given out, and the
  /// version, a piece's number, or how many pieces were read.
  struct Head {
    std::array<char, kKeyBytes> key;
    uint64_t value;
  };
  static_assert(sizeof(Head) == 40);
  static constexpr uint64_t kVersion = 1;

  UcxLink(const UcxCalls& calls, const Options& options);
  ~UcxLink() override;
  bool settle() override;
  Status start(ucp_context_h context);

  const std::string& address() const override { return address_; }
  int wake_fd() const override { return wake_fd_; }
  void expect(std::string ticket) override { ticket_ = std::move(ticket); }
  Status ask(std::string_view server_address, std::string_view ticket) override;
  bool open() const override { return open_; }
  const Status& failed() const override { return failed_; }
  uint64_t refused() const override { return refused_; }
  bool progress() override;
  bool arm() override;
  uint64_t changes() const override { return changes_; }
  void send(AlignedBuffer bytes, size_t head) override;
  uint64_t queued_bytes() const override { return queued_bytes_; }
  AlignedBuffer take(size_t bytes) override;
  bool readable() const override;
  bool fetching() const override { return fetch_ != nullptr || fetched_; }
  bool at_hand() const override;
  uint64_t fetches() const override { return fetches_; }
  Result<size_t> receive(std::span<std::byte> first, std::span<std::byte> second) override;

 private:
  // What send() was given; goes in pieces.
  struct Frame {
    AlignedBuffer bytes;
    size_t pieces = 0;  // not sent yet
  };
  struct Outgoing {
    UcxLink* link = nullptr;
    Id id = kPiece;
    Head head{};
    std::shared_ptr<Frame> frame;  // null: a message without data
    std::span<const std::byte> data;
    std::list<Outgoing>::iterator self;
  };
  struct Arrived {
    void* descriptor = nullptr;  // of what is to be fetched
    AlignedBuffer bytes;
    size_t begin = 0;
    size_t size = 0;
  };

  static ucs_status_t on_ask(void* link, const void* head, size_t head_bytes, void* data,
                             size_t bytes, const ucp_am_recv_param_t* param);
  static ucs_status_t on_opened(void* link, const void* head, size_t head_bytes, void* data,
                                size_t bytes, const ucp_am_recv_param_t* param);
  static ucs_status_t on_piece(void* link, const void* head, size_t head_bytes, void* data,
                               size_t bytes, const ucp_am_recv_param_t* param);
  static ucs_status_t on_read(void* link, const void* head, size_t head_bytes, void* data,
                              size_t bytes, const ucp_am_recv_param_t* param);
  static void on_sent(void* request, ucs_status_t status, void* outgoing);

  bool knows(const Head& head, std::string_view key) const;
  ucs_status_t take(const Head& head, void* data, size_t bytes, bool to_fetch);
  Status connect();
  void say(Id id, std::string_view key, uint64_t value, std::string_view data);
  void add(const std::shared_ptr<Frame>& frame, size_t begin, size_t end);
  void send_waiting();
  void post(std::list<Outgoing>::iterator outgoing);
  void done(std::list<Outgoing>::iterator outgoing);
  void fetch(Arrived& arrived, std::byte* target);
  void look_at_fetch();
  void end_fetch(ucs_status_t status);
  bool gives_up_unheard() const;
  void consumed();
  void tell_read();
  void fail(const char* why, StatusCode code = StatusCode::kUnavailable);

  const UcxCalls& calls_;
  const Options options_;
  ucp_worker_h worker_ = nullptr;
  ucp_ep_h endpoint_ = nullptr;
  int wake_fd_ = -1;
  std::string address_;
  const std::string key_;     // that the other side's messages must have
  std::string ticket_;        // of a server; empty: used, or none was given out
  std::string peer_key_;      // that ours must have
  std::string peer_address_;  // of a client that has shown the ticket
  bool open_ = false;
  bool heard_ = false;  // something of the other side since our endpoint was made
  Status failed_;
  uint64_t refused_ = 0;
  uint64_t changes_ = 0;

  std::list<Outgoing> waiting_;  // for room in the window
  std::list<Outgoing> going_;
  std::vector<AlignedBuffer> spares_;
  uint64_t queued_bytes_ = 0;
  uint64_t sent_pieces_ = 0;
  uint64_t read_by_peer_ = 0;

  std::map<uint64_t, Arrived> arrived_;  // by number: they may come in another order
  uint64_t read_pieces_ = 0;             // also the number of the next one to read
  uint64_t told_pieces_ = 0;             // that the other side knows of
  bool telling_ = false;                 // a kRead is on its way
  uint64_t fetches_ = 0;
  void* fetch_ = nullptr;  // the request under way
  bool fetched_ = false;
  std::byte* target_ = nullptr;  // of a fetch; null: the piece's own memory

  // Once it is given up.
  std::optional<std::chrono::steady_clock::time_point> last_;
  void* closing_ = nullptr;  // of the endpoint, over RDMA
};

}  // namespace hotrow::net

#endif  // HOTROW_NET_UCX_LINK_H_
