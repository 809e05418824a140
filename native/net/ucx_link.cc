// UCX calls back while it is told to progress or to send: what it calls keeps what came, and the
// work is done after it has returned.
#ifdef HOTROW_UCX
#include "net/ucx_link.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <exception>
#include <utility>

#include "base/random_id.h"
#include "base/sync.h"

namespace hotrow::net {

namespace {

constexpr int kMostAtOnce = 64;
constexpr size_t kMostAddressBytes = 8192;
constexpr size_t kMostSpares = 8;
constexpr std::chrono::seconds kLastFetchTime{2};

bool is_to_fetch(const ucp_am_recv_param_t* param) {
  return (param->recv_attr & UCP_AM_RECV_ATTR_FLAG_RNDV) != 0;
}

// No exception may pass through a C library.
template <class Work>
bool without_throwing(const Work& work) {
  try {
    work();
    return true;
  } catch (const std::exception&) {
    return false;
  }
}

// Aligned or not, as it lies in a message.
bool read_head(const void* bytes, size_t size, UcxLink::Head& head) {
  if (size != sizeof head) return false;
  std::memcpy(&head, bytes, sizeof head);
  return true;
}

/// Workers that can be neither used nor destroyed. Known, so that checks for leaks tell them from
/// what was lost.
void keep_for_ever(ucp_worker_h worker) {
  static Mutex mutex;
  static auto* const all = new std::vector<ucp_worker_h>;
  const MutexLock lock(mutex);
  all->push_back(worker);
}

}  // namespace

UcxLink::UcxLink(const UcxCalls& calls, const Options& options)
    : calls_(calls), options_(options), key_(random_id()) {}

UcxLink::~UcxLink() {
  if (worker_ == nullptr) return;
  // UCX ends the process when a worker goes that has something under way. Over shared memory a
  // fetch from an honest peer is this process's own work, and done soon, and sends are not waited
  // for; over RDMA both are given up. A worker for which that takes too long stays, and is never
  // called again.
  bool stays = gives_up_unheard();
  while (!stays && !settle()) stays = std::chrono::steady_clock::now() > *last_;
  if (stays) {
    keep_for_ever(worker_);
    return;
  }
  for (auto& [number, arrived] : arrived_) {
    if (arrived.descriptor != nullptr) calls_.am_data_release(worker_, arrived.descriptor);
  }
  // It may call on_sent() of what has not been sent.
  calls_.worker_destroy(worker_);
}

// An endpoint may not be given up over RDMA whose other side has not answered yet.
bool UcxLink::gives_up_unheard() const {
  return endpoint_ != nullptr && options_.transport == Transport::kRdma && !heard_;
}

bool UcxLink::settle() {
  if (worker_ == nullptr || gives_up_unheard()) return true;
  if (!last_) {
    fail("it was given up");
    last_ = std::chrono::steady_clock::now() + kLastFetchTime;
    if (endpoint_ != nullptr && options_.transport == Transport::kRdma) {
      ucp_request_param_t param{};
      param.op_attr_mask = UCP_OP_ATTR_FIELD_FLAGS;
      param.flags = UCP_EP_CLOSE_FLAG_FORCE;
      closing_ = calls_.ep_close_nbx(endpoint_, &param);
      if (UCS_PTR_IS_ERR(closing_)) closing_ = nullptr;
    }
  }
  if (fetch_ == nullptr && closing_ == nullptr) return true;
  (void)calls_.worker_progress(worker_);
  look_at_fetch();
  if (closing_ != nullptr && calls_.request_check_status(closing_) != UCS_INPROGRESS) {
    calls_.request_free(std::exchange(closing_, nullptr));
  }
  return fetch_ == nullptr && closing_ == nullptr;
}

Status UcxLink::start(ucp_context_h context) {
  const Status none(StatusCode::kUnavailable, "UCX has no room for one more connection");
  ucp_worker_params_t params{};
  params.field_mask = UCP_WORKER_PARAM_FIELD_THREAD_MODE;
  params.thread_mode = UCS_THREAD_MODE_SERIALIZED;
  if (calls_.worker_create(context, &params, &worker_) != UCS_OK) {
    worker_ = nullptr;
    return none;
  }
  ucp_address_t* address = nullptr;
  size_t bytes = 0;
  if (calls_.worker_get_address(worker_, &address, &bytes) != UCS_OK) return none;
  address_.assign(reinterpret_cast<const char*>(address), bytes);
  calls_.worker_release_address(worker_, address);
  if (calls_.worker_get_efd(worker_, &wake_fd_) != UCS_OK) return none;
  for (const auto& [id, callback] : {std::pair<Id, ucp_am_recv_callback_t>(kAsk, on_ask),
                                     {kOpened, on_opened},
                                     {kPiece, on_piece},
                                     {kRead, on_read}}) {
    ucp_am_handler_param_t handler{};
    handler.field_mask = UCP_AM_HANDLER_PARAM_FIELD_ID | UCP_AM_HANDLER_PARAM_FIELD_CB |
                         UCP_AM_HANDLER_PARAM_FIELD_ARG;
    handler.id = id;
    handler.cb = callback;
    handler.arg = this;
    if (calls_.worker_set_am_recv_handler(worker_, &handler) != UCS_OK) return none;
  }
  return {};
}

void UcxLink::fail(const char* why, StatusCode code) {
  ++changes_;
  if (!failed_.ok()) return;
  // From what UCX calls nothing may be thrown; so short a text needs no memory.
  if (!without_throwing([&] { failed_ = Status(code, why); })) failed_ = Status(code, "no memory");
}

bool UcxLink::knows(const Head& head, std::string_view key) const {
  if (key.size() != kKeyBytes) return false;
  // As long for a wrong guess as for a right one.
  unsigned differs = 0;
  for (size_t i = 0; i < kKeyBytes; ++i) differs |= static_cast<uint8_t>(head.key[i] ^ key[i]);
  return differs == 0;
}

ucs_status_t UcxLink::on_ask(void* link, const void* head, size_t head_bytes, void* data,
                             size_t bytes, const ucp_am_recv_param_t* param) {
  auto& self = *static_cast<UcxLink*>(link);
  Head its{};
  if (is_to_fetch(param) || !read_head(head, head_bytes, its) || its.value != kVersion ||
      bytes <= kKeyBytes || bytes > kKeyBytes + kMostAddressBytes ||
      !self.knows(its, self.ticket_)) {
    ++self.refused_;
    ++self.changes_;
    return UCS_OK;
  }
  self.ticket_.clear();
  const bool kept = without_throwing([&] {
    const std::string_view all(static_cast<const char*>(data), bytes);
    self.peer_key_ = all.substr(0, kKeyBytes);
    self.peer_address_ = all.substr(kKeyBytes);
  });
  if (!kept) self.fail("no memory for a connection");
  ++self.changes_;
  return UCS_OK;
}

ucs_status_t UcxLink::on_opened(void* link, const void* head, size_t head_bytes, void* data,
                                size_t bytes, const ucp_am_recv_param_t* param) {
  auto& self = *static_cast<UcxLink*>(link);
  Head its{};
  if (is_to_fetch(param) || !read_head(head, head_bytes, its) || its.value != kVersion ||
      bytes != kKeyBytes || self.open_ || !self.knows(its, self.key_)) {
    ++self.refused_;
    return UCS_OK;
  }
  if (!without_throwing([&] { self.peer_key_.assign(static_cast<const char*>(data), bytes); })) {
    self.fail("no memory for a connection");
  }
  self.open_ = self.heard_ = true;
  ++self.changes_;
  return UCS_OK;
}

ucs_status_t UcxLink::on_read(void* link, const void* head, size_t head_bytes, void* /*data*/,
                              size_t /*bytes*/, const ucp_am_recv_param_t* /*param*/) {
  auto& self = *static_cast<UcxLink*>(link);
  Head its{};
  if (!self.open_ || !read_head(head, head_bytes, its) || !self.knows(its, self.key_)) {
    ++self.refused_;
    return UCS_OK;
  }
  if (its.value > self.sent_pieces_) {
    self.fail("fabric: more was read than sent", StatusCode::kProtocol);
  }
  self.read_by_peer_ = std::max(self.read_by_peer_, its.value);
  ++self.changes_;
  return UCS_OK;
}

ucs_status_t UcxLink::on_piece(void* link, const void* head, size_t head_bytes, void* data,
                               size_t bytes, const ucp_am_recv_param_t* param) {
  auto& self = *static_cast<UcxLink*>(link);
  Head its{};
  if (!self.open_ || !read_head(head, head_bytes, its) || !self.knows(its, self.key_)) {
    ++self.refused_;
    return UCS_OK;
  }
  ++self.changes_;
  self.heard_ = true;
  if (!self.failed_.ok()) return UCS_OK;
  ucs_status_t kept = UCS_OK;
  if (!without_throwing([&] { kept = self.take(its, data, bytes, is_to_fetch(param)); })) {
    self.fail("no memory for what has come");
  }
  return kept;
}

ucs_status_t UcxLink::take(const Head& head, void* data, size_t bytes, bool to_fetch) {
  const bool in_window = head.value >= read_pieces_ && head.value < read_pieces_ + kWindow;
  const size_t most = to_fetch ? kMostPieceBytes : kEagerBytes;
  if (!in_window || arrived_.contains(head.value) || bytes == 0 || bytes > most) {
    fail("fabric: a piece that may not come", StatusCode::kProtocol);
    return UCS_OK;
  }
  Arrived& arrived = arrived_[head.value];
  arrived.size = bytes;
  if (to_fetch) {
    arrived.descriptor = data;
    return UCS_INPROGRESS;
  }
  arrived.bytes.resize(bytes);
  std::memcpy(arrived.bytes.data(), data, bytes);
  return UCS_OK;
}

Status UcxLink::ask(std::string_view server_address, std::string_view ticket) {
  peer_address_ = server_address;
  HOTROW_RETURN_IF_ERROR(connect());
  say(kAsk, ticket, kVersion, key_ + address_);
  return failed_;
}

Status UcxLink::connect() {
  ucp_ep_params_t params{};
  params.field_mask = UCP_EP_PARAM_FIELD_REMOTE_ADDRESS | UCP_EP_PARAM_FIELD_ERR_HANDLING_MODE |
                      UCP_EP_PARAM_FIELD_ERR_HANDLER;
  params.address = reinterpret_cast<const ucp_address_t*>(peer_address_.data());
  // Shared memory does not know of peers that die; its connection over TCP does.
  params.err_mode = options_.transport == Transport::kShm ? UCP_ERR_HANDLING_MODE_NONE
                                                          : UCP_ERR_HANDLING_MODE_PEER;
  params.err_handler.cb = [](void* link, ucp_ep_h, ucs_status_t) {
    static_cast<UcxLink*>(link)->fail("the connection is gone: its peer cannot be reached");
  };
  params.err_handler.arg = this;
  const ucs_status_t made = calls_.ep_create(worker_, &params, &endpoint_);
  if (made == UCS_OK) return {};
  endpoint_ = nullptr;
  const bool shm = options_.transport == Transport::kShm;
  return {StatusCode::kUnavailable,
          std::string(shm ? "the other side cannot be reached over shared memory (is it on this "
                            "machine, and of the same user?): "
                          : "the other side cannot be reached over RDMA: ") +
              calls_.status_string(made)};
}

void UcxLink::say(Id id, std::string_view key, uint64_t value, std::string_view data) {
  Outgoing& its = going_.emplace_back();
  its.link = this;
  its.id = id;
  its.head.value = value;
  std::copy_n(key.begin(), std::min(key.size(), kKeyBytes), its.head.key.begin());
  its.self = std::prev(going_.end());
  if (!data.empty()) {
    its.frame = std::make_shared<Frame>();
    its.frame->bytes.resize(data.size());
    std::memcpy(its.frame->bytes.data(), data.data(), data.size());
    its.data = its.frame->bytes.bytes();
  }
  post(its.self);
}

void UcxLink::send(AlignedBuffer bytes, size_t head) {
  const auto frame = std::make_shared<Frame>();
  frame->bytes = std::move(bytes);
  const size_t size = frame->bytes.size();
  queued_bytes_ += size;
  const bool apart = size > kEagerBytes && head < size;
  if (apart) add(frame, 0, head);
  add(frame, apart ? head : 0, size);
  send_waiting();
}

void UcxLink::add(const std::shared_ptr<Frame>& frame, size_t begin, size_t end) {
  while (begin < end) {
    const size_t bytes = std::min(end - begin, kMostPieceBytes);
    ++frame->pieces;
    Outgoing& its = waiting_.emplace_back();
    its.link = this;
    its.frame = frame;
    its.data = frame->bytes.bytes().subspan(begin, bytes);
    its.self = std::prev(waiting_.end());
    begin += bytes;
  }
}

void UcxLink::send_waiting() {
  while (!waiting_.empty() && failed_.ok() && sent_pieces_ < read_by_peer_ + kWindow) {
    const auto next = waiting_.begin();
    going_.splice(going_.end(), waiting_, next);
    std::copy_n(peer_key_.begin(), kKeyBytes, next->head.key.begin());
    next->head.value = sent_pieces_++;
    post(next);
  }
}

void UcxLink::post(std::list<Outgoing>::iterator outgoing) {
  ucp_request_param_t param{};
  param.op_attr_mask =
      UCP_OP_ATTR_FIELD_CALLBACK | UCP_OP_ATTR_FIELD_USER_DATA | UCP_OP_ATTR_FIELD_FLAGS;
  param.cb.send = on_sent;
  param.user_data = &*outgoing;
  const bool large = outgoing->id == kPiece && outgoing->data.size() > kEagerBytes;
  param.flags = large ? UCP_AM_SEND_FLAG_RNDV : UCP_AM_SEND_FLAG_EAGER;
  void* const request =
      calls_.am_send_nbx(endpoint_, outgoing->id, &outgoing->head, sizeof outgoing->head,
                         outgoing->data.data(), outgoing->data.size(), &param);
  if (UCS_PTR_IS_ERR(request)) {
    fail("the connection is gone");
  } else if (request == nullptr) {
    done(outgoing);
  }
}

void UcxLink::on_sent(void* request, ucs_status_t status, void* outgoing) {
  Outgoing& its = *static_cast<Outgoing*>(outgoing);
  UcxLink& self = *its.link;
  if (status == UCS_OK) {
    self.done(its.self);
  } else {
    self.fail("the connection is gone");
  }
  self.calls_.request_free(request);
}

void UcxLink::done(std::list<Outgoing>::iterator outgoing) {
  ++changes_;
  const std::shared_ptr<Frame> frame = std::move(outgoing->frame);
  if (outgoing->id == kRead) telling_ = false;
  going_.erase(outgoing);
  if (frame == nullptr || frame->pieces == 0) return;
  --frame->pieces;
  if (frame->pieces > 0) return;
  queued_bytes_ -= frame->bytes.size();
  const bool fits = spares_.size() < kMostSpares && frame->bytes.capacity() <= kMostPieceBytes * 2;
  if (fits) without_throwing([&] { spares_.push_back(std::move(frame->bytes)); });
}

AlignedBuffer UcxLink::take(size_t bytes) {
  for (AlignedBuffer& spare : spares_) {
    if (spare.capacity() < bytes) continue;
    std::swap(spare, spares_.back());
    AlignedBuffer taken = std::move(spares_.back());
    spares_.pop_back();
    taken.resize(bytes);
    return taken;
  }
  return AlignedBuffer(bytes);
}

bool UcxLink::progress() {
  bool did = false;
  for (int i = 0; i < kMostAtOnce && calls_.worker_progress(worker_) != 0; ++i) did = true;
  if (endpoint_ == nullptr && !peer_address_.empty() && failed_.ok()) {
    if (Status connected = connect(); !connected.ok()) {
      failed_ = std::move(connected);
      return true;
    }
    open_ = true;
    say(kOpened, peer_key_, kVersion, key_);
  }
  look_at_fetch();
  if (!waiting_.empty()) send_waiting();
  tell_read();
  return did;
}

bool UcxLink::arm() {
  if (calls_.worker_arm(worker_) != UCS_OK) return false;
  // Verbs tell of what completes after they were armed, and need not of what did just before:
  // Soft-RoCE does not. Such a message would wait for the next one.
  if (options_.transport != Transport::kRdma) return true;
  const uint64_t before = changes_;
  return calls_.worker_progress(worker_) == 0 && changes_ == before;
}

bool UcxLink::at_hand() const {
  if (!failed_.ok() || fetching() || arrived_.empty()) return false;
  const auto& [number, arrived] = *arrived_.begin();
  return number == read_pieces_ && arrived.descriptor == nullptr;
}

bool UcxLink::readable() const {
  if (!failed_.ok() || fetched_) return true;
  return fetch_ == nullptr && !arrived_.empty() && arrived_.begin()->first == read_pieces_;
}

void UcxLink::fetch(Arrived& arrived, std::byte* target) {
  target_ = target;
  if (target == nullptr) {
    arrived.bytes.resize(arrived.size);
    target = arrived.bytes.data();
  }
  ucp_request_param_t param{};
  void* const request = calls_.am_recv_data_nbx(worker_, std::exchange(arrived.descriptor, nullptr),
                                                target, arrived.size, &param);
  if (request == nullptr) return end_fetch(UCS_OK);
  if (UCS_PTR_IS_ERR(request)) return end_fetch(UCS_PTR_STATUS(request));
  fetch_ = request;
  look_at_fetch();
}

void UcxLink::look_at_fetch() {
  if (fetch_ == nullptr) return;
  const ucs_status_t status = calls_.request_check_status(fetch_);
  if (status == UCS_INPROGRESS) return;
  calls_.request_free(std::exchange(fetch_, nullptr));
  end_fetch(status);
}

void UcxLink::end_fetch(ucs_status_t status) {
  ++changes_;
  ++fetches_;
  fetched_ = true;
  if (status != UCS_OK) fail("the connection is gone: what it has sent cannot be fetched");
}

// The next piece is read.
void UcxLink::consumed() {
  arrived_.erase(read_pieces_);
  ++read_pieces_;
  tell_read();
}

// One at a time, so that a peer which takes none has one of them.
void UcxLink::tell_read() {
  if (telling_ || !failed_.ok() || read_pieces_ - told_pieces_ < kWindow / 4) return;
  told_pieces_ = read_pieces_;
  telling_ = true;
  say(kRead, peer_key_, read_pieces_, {});
}

Result<size_t> UcxLink::receive(std::span<std::byte> first, std::span<std::byte> second) {
  size_t total = 0;
  while (true) {
    if (!failed_.ok()) return failed_;
    if (fetch_ != nullptr) return total;
    const auto next = arrived_.find(read_pieces_);
    if (next == arrived_.end()) return total;
    Arrived& arrived = next->second;
    if (fetched_ && target_ != nullptr) {
      // It lies where the caller wants it.
      const size_t bytes = arrived.size;
      fetched_ = false;
      consumed();
      return bytes;
    }
    if (fetched_) fetched_ = false;
    if (arrived.descriptor != nullptr) {
      if (total > 0) return total;
      const bool direct = options_.direct && first.size() >= arrived.size;
      fetch(arrived, direct ? first.data() : nullptr);
      continue;
    }
    while (arrived.begin < arrived.size && !(first.empty() && second.empty())) {
      if (first.empty()) std::swap(first, second);
      const size_t n = std::min(first.size(), arrived.size - arrived.begin);
      std::memcpy(first.data(), arrived.bytes.data() + arrived.begin, n);
      first = first.subspan(n);
      arrived.begin += n;
      total += n;
    }
    if (arrived.begin < arrived.size) return total;
    consumed();
  }
}

}  // namespace hotrow::net
#endif  // HOTROW_UCX
