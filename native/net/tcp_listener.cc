// Listener over standalone Asio. Bytes are read and written by its reactor in pieces as large as
// the buffers are: its composed operations stop at 64 KiB a call.
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <asio.hpp>
#include <atomic>
#include <deque>
#include <exception>
#include <optional>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "base/random_id.h"
#include "net/fabric.h"
#include "net/listener.h"
#include "net/tuning.h"

namespace hotrow::net {

namespace {

using Clock = std::chrono::steady_clock;
using asio::ip::tcp;

class TcpConnection;

// One event loop and its thread.
struct Loop {
  asio::io_context context{1};
  std::optional<asio::executor_work_guard<asio::io_context::executor_type>> work{
      asio::make_work_guard(context)};
  asio::steady_timer timer{context};
  std::set<std::shared_ptr<TcpConnection>> connections;  // on the loop's thread
  std::vector<TcpConnection*> fabric;                    // of these, those with a link
  std::vector<std::unique_ptr<FabricLink>> leaving;      // given up, with something under way
  std::thread thread;
};

struct Shared {
  ListenOptions options;
  // Counts; they publish nothing.
  std::atomic<uint64_t> connections{0};
  std::atomic<uint64_t> refused{0};
  std::atomic<uint64_t> fabric{0};
};

class TcpConnection final : public Connection {
 public:
  TcpConnection(Loop& loop, Shared& shared, tcp::socket socket, std::string peer)
      : loop_(loop), shared_(shared), socket_(std::move(socket)), peer_(std::move(peer)) {
    ++shared_.connections;
  }
  ~TcpConnection() override { --shared_.connections; }

  void start(const Listener::Accept& accept) {
    accept_ = &accept;
    if (shared_.options.tls == nullptr) return open();
    wait_for(tcp::socket::wait_read, &TcpConnection::begin_handshake);
  }

  void send(AlignedBuffer frame, size_t head) override {
    if (on_fabric()) {
      link_->send(std::move(frame), head);
      return handler_->sent(Clock::now());
    }
    if (queue_.empty()) progress_ = Clock::now();
    queued_bytes_ += frame.size();
    queue_.push_back(std::move(frame));
    if (!in_handler_) flush();
  }

  bool full() const override {
    return (on_fabric() ? link_->queued_bytes() : queued_bytes_) >
           shared_.options.most_queued_bytes;
  }

  AlignedBuffer take(size_t bytes) override {
    if (on_fabric()) return link_->take(bytes);
    for (AlignedBuffer& spare : spares_) {
      if (spare.capacity() < bytes) continue;
      std::swap(spare, spares_.back());
      AlignedBuffer taken = std::move(spares_.back());
      spares_.pop_back();
      return taken;
    }
    return AlignedBuffer(bytes);
  }

  void post(std::function<void(Handler&)> work) override {
    asio::post(loop_.context, [self = std::static_pointer_cast<TcpConnection>(shared_from_this()),
                               work = std::move(work)] {
      if (self->handler_ == nullptr) return;
      self->in_handler_ = true;
      self->guard([&] { work(*self->handler_); });
      self->in_handler_ = false;
      self->flush();
      self->read();
    });
  }

  const std::string& peer() const override { return peer_; }
  const std::string& identity() const override {
    static const std::string kNobody;
    return tls_ == nullptr ? kNobody : tls_->identity();
  }

  Result<FabricOffer> offer(Transport transport) override {
    if (link_ != nullptr) return Status(StatusCode::kUnsupported, "only once a connection");
    if (loop_.leaving.size() >= kMostLeaving) {
      return Status(StatusCode::kUnavailable, "too many links of before have not ended yet");
    }
    // So that giving a link up needs no memory.
    loop_.leaving.reserve(kMostLeaving + loop_.fabric.size() + 1);
    loop_.fabric.reserve(loop_.fabric.size() + 1);
    auto made = FabricLink::make({.transport = transport});
    if (!made.ok()) return made.status();
    asio::error_code error;
    wake_.assign(made.value()->wake_fd(), error);
    if (error) return Status(StatusCode::kUnavailable, error.message());
    link_ = std::move(made).value();
    loop_.fabric.push_back(this);
    FabricOffer offer{.ticket = random_id(), .address = link_->address()};
    link_->expect(offer.ticket);
    offered_ = Clock::now();
    wait_for_fabric();
    return offer;
  }

  // Does what there is to do; false: nothing.
  bool serve_fabric() {
    const auto here = self();  // whatever is closed
    bool did = false;
    for (int turn = 0; turn < kMostTurns && link_ != nullptr; ++turn) {
      const uint64_t before = link_->changes();
      bool went_on = false;
      guard([&] {
        did = link_->progress() || did;
        went_on = true;
      });
      if (!went_on) {  // no memory
        close();
        return true;
      }
      note_fabric();
      if (!link_->failed().ok()) {
        close();
        return true;
      }
      if (!link_->open()) break;
      if (ending_) {
        if (link_->queued_bytes() == 0) close();
        break;
      }
      if (full()) break;
      size_t bytes = 0;
      if (!handler_->waiting()) {
        const auto came = receive_fabric();
        if (!came.ok()) {
          close();
          return true;
        }
        bytes = came.value();
        if (bytes == 0 && link_->changes() == before) break;
        if (bytes == 0) continue;
      }
      did = true;
      arrived(bytes);
    }
    return did;
  }
  // Before its thread sleeps: will it be woken?
  bool arm_fabric() {
    if (link_ == nullptr) return true;
    // What has been taken from UCX already it will not tell of again.
    const bool more =
        on_fabric() && !ending_ && !full() && (link_->readable() || handler_->waiting());
    return !more && link_->arm();
  }

  void close() {
    if (!socket_.is_open()) return;
    asio::error_code ignored;
    if (tls_ != nullptr) tls_->finish();
    socket_.shutdown(tcp::socket::shutdown_both, ignored);
    // After it, so that whoever fetches from freed memory finds the end before it believes that.
    drop_fabric();
    socket_.close(ignored);
    queue_.clear();
    handler_.reset();
    loop_.connections.erase(std::static_pointer_cast<TcpConnection>(shared_from_this()));
  }

  void look(Clock::time_point now) {
    const ListenOptions& options = shared_.options;
    if (on_fabric() && link_->queued_bytes() == 0) progress_ = now;
    const bool waits = on_fabric() || !queue_.empty();
    const bool stuck = waits && now - progress_ > options.write_timeout;
    if (link_ != nullptr && !link_->open() && now - offered_ > kTicketTime) drop_fabric();
    if (handler_ == nullptr && now - begun_ > options.handshake_timeout) return refuse();
    if (stuck || (handler_ != nullptr && handler_->overdue(now))) close();
  }

 private:
  static constexpr size_t kMostPieces = 64;
  static constexpr size_t kMostSpares = 8;
  static constexpr size_t kMostSpareBytes = size_t{4} << 20;
  static constexpr int kMostUnreadPieces = 64;
  // Of one connection before others have theirs.
  static constexpr int kMostTurns = 16;
  // Of a loop: while there are so many no link is offered.
  static constexpr size_t kMostLeaving = 8;

  std::shared_ptr<TcpConnection> self() {
    return std::static_pointer_cast<TcpConnection>(shared_from_this());
  }

  // Calls `then` when the socket is ready, unless the connection is closed by then.
  void wait_for(tcp::socket::wait_type what, void (TcpConnection::*then)()) {
    socket_.async_wait(what, [self = self(), then](const asio::error_code& error) {
      if (error) return self->close();
      (self.get()->*then)();
    });
  }

  bool on_fabric() const { return link_ != nullptr && link_->open(); }

  void wait_for_fabric() {
    if (!arm_fabric()) {
      return asio::post(loop_.context, [self = self()] { self->fabric_woke(); });
    }
    wake_.async_wait(asio::posix::stream_descriptor::wait_read,
                     [self = self()](const asio::error_code& error) {
                       if (!error) self->fabric_woke();
                     });
  }

  void fabric_woke() {
    if (link_ == nullptr) return;
    serve_fabric();
    if (link_ != nullptr) wait_for_fabric();
  }

  Result<size_t> receive_fabric() {
    Result<size_t> came(size_t{0});
    guard([&] { came = link_->receive(handler_->space(), {}); });
    if (ending_) return Status(StatusCode::kBusy, "no memory for what has come");
    return came;
  }

  // Counts what strangers have sent, and when the link opens.
  void note_fabric() {
    shared_.refused += link_->refused() - refused_;
    refused_ = link_->refused();
    const uint64_t queued = link_->queued_bytes();
    if (std::exchange(fabric_queued_, queued) != queued) progress_ = Clock::now();
    if (!link_->open() || counted_) return;
    counted_ = true;
    ++shared_.fabric;
  }

  void drop_fabric() {
    if (link_ == nullptr) return;
    wake_.release();  // the link's own
    std::erase(loop_.fabric, this);
    if (!link_->settle()) loop_.leaving.push_back(std::move(link_));
    link_.reset();
    if (std::exchange(counted_, false)) --shared_.fabric;
  }

  void open() {
    guard([&] { handler_ = (*accept_)(*this); });
    if (handler_ == nullptr) return close();
    read();
  }

  // What begins is looked at before OpenSSL takes it: who speaks plainly is told so plainly.
  void begin_handshake() {
    constexpr char kHandshake = 22;  // the first byte of all that TLS begins with
    char first = 0;
    const ssize_t came = ::recv(socket_.native_handle(), &first, 1, MSG_PEEK);
    if (came < 0 && (errno == EAGAIN || errno == EINTR)) {
      return wait_for(tcp::socket::wait_read, &TcpConnection::begin_handshake);
    }
    if (came <= 0) return refuse();
    if (first != kHandshake) {
      const auto& answer = shared_.options.plain_answer;
      (void)::send(socket_.native_handle(), answer.data(), answer.size(), MSG_NOSIGNAL);
      return refuse();
    }
    guard([&] {
      auto made = TlsStream::make(shared_.options.tls, socket_.native_handle(), {});
      if (made.ok()) tls_ = std::move(made).value();
    });
    if (tls_ == nullptr) return close();  // no memory
    shake();
  }

  void shake() {
    if (!socket_.is_open()) return;
    const auto need = tls_->handshake();
    if (!need.ok()) return refuse();
    switch (need.value()) {
      case TlsStream::Need::kNothing:
        return open();
      case TlsStream::Need::kToRead:
        return wait_for(tcp::socket::wait_read, &TcpConnection::shake);
      case TlsStream::Need::kToWrite:
        return wait_for(tcp::socket::wait_write, &TcpConnection::shake);
    }
  }

  // A peer that was refused hears why only when nothing that it has sent is left unread.
  void refuse() {
    ++shared_.refused;
    if (!socket_.is_open()) return;
    asio::error_code ignored;
    socket_.shutdown(tcp::socket::shutdown_send, ignored);
    std::array<std::byte, 4096> unread;
    for (int i = 0; i < kMostUnreadPieces; ++i) {
      if (::recv(socket_.native_handle(), unread.data(), unread.size(), 0) <= 0) break;
    }
    close();
  }

  void read() {
    if (reading_ || !socket_.is_open() || ending_) return;
    if (!on_fabric()) {
      if (full()) return;  // flush() reads again
      if (handler_->waiting()) return arrived(0);
    }
    reading_ = true;
    if (tls_ != nullptr) {
      if (tls_->drained()) return wait_to_read();
      // Not at once: others have their turn first.
      return asio::post(loop_.context, [self = self()] { self->read_tls(); });
    }
    if (link_ != nullptr) return wait_for(tcp::socket::wait_read, &TcpConnection::read_beside);
    const std::span<std::byte> space = handler_->space();
    socket_.async_receive(asio::buffer(space.data(), space.size()),
                          [self = self()](const asio::error_code& error, size_t bytes) {
                            self->reading_ = false;
                            if (error || bytes == 0) return self->close();
                            self->arrived(bytes);
                          });
  }

  // Where the bytes that come over TCP go: nowhere once there is something better, where their end
  // is all that is waited for.
  std::span<std::byte> space_beside() {
    return on_fabric() ? std::span<std::byte>(unwanted_) : handler_->space();
  }

  void read_beside() {
    if (!socket_.is_open()) return;
    const std::span<std::byte> space = space_beside();
    const ssize_t came = ::recv(socket_.native_handle(), space.data(), space.size(), 0);
    if (came < 0 && (errno == EAGAIN || errno == EINTR)) {
      return wait_for(tcp::socket::wait_read, &TcpConnection::read_beside);
    }
    if (came <= 0 || on_fabric()) return close();
    reading_ = false;
    arrived(static_cast<size_t>(came));
  }

  void wait_to_read() {
    const bool to_write = tls_->read_need() == TlsStream::Need::kToWrite;
    wait_for(to_write ? tcp::socket::wait_write : tcp::socket::wait_read, &TcpConnection::read_tls);
  }

  void read_tls() {
    if (!socket_.is_open()) return;
    const auto came = tls_->read(space_beside(), {});
    if (!came.ok()) return close();
    if (came.value() == 0) return wait_to_read();
    if (on_fabric()) return close();
    reading_ = false;
    arrived(came.value());
  }

  // Where there is no memory for a peer it loses its connection, and nobody else anything.
  template <class Work>
  void guard(const Work& work) {
    try {
      work();
    } catch (const std::exception&) {
      ending_ = true;
    }
  }

  void arrived(size_t bytes) {
    if (handler_ == nullptr) return;
    in_handler_ = true;
    guard([&] { ending_ = !handler_->received(bytes); });
    in_handler_ = false;
    flush();
    read();
  }

  // Sends what waits, as far as the socket takes it.
  void flush() {
    while (!queue_.empty() && socket_.is_open() && !waiting_) {
      std::array<iovec, kMostPieces> pieces;
      size_t count = 0;
      for (AlignedBuffer& frame : queue_) {
        if (count == kMostPieces) break;
        const size_t skip = count == 0 ? sent_ : 0;
        pieces[count++] = {frame.data() + skip, frame.size() - skip};
      }
      ssize_t sent = 0;
      bool tried = false;
      guard([&] {
        sent = transmit({pieces.data(), count});
        tried = true;
      });
      if (!tried) return close();
      if (sent < 0 && errno == EINTR) continue;
      if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return wait_for_room();
      if (sent < 0) return close();
      progress_ = Clock::now();
      went(static_cast<size_t>(sent));
    }
    const bool fetched = !on_fabric() || link_->queued_bytes() == 0;
    if (ending_ && queue_.empty() && fetched) close();
  }

  // As sendmsg(): -1 and errno.
  ssize_t transmit(std::span<iovec> pieces) {
    if (tls_ != nullptr) {
      const auto sent = tls_->write(pieces);
      errno = sent.ok() ? EAGAIN : EPIPE;
      return sent.ok() && sent.value() > 0 ? static_cast<ssize_t>(sent.value()) : -1;
    }
    msghdr message{};
    message.msg_iov = pieces.data();
    message.msg_iovlen = pieces.size();
    return ::sendmsg(socket_.native_handle(), &message, MSG_NOSIGNAL);
  }

  void went(size_t bytes) {
    queued_bytes_ -= bytes;
    sent_ += bytes;
    while (!queue_.empty() && sent_ >= queue_.front().size()) {
      sent_ -= queue_.front().size();
      AlignedBuffer& gone = queue_.front();
      if (spares_.size() < kMostSpares && gone.capacity() <= kMostSpareBytes) {
        spares_.push_back(std::move(gone));
      }
      queue_.pop_front();
      if (handler_ != nullptr) handler_->sent(progress_);
    }
  }

  void wait_for_room() {
    waiting_ = true;
    wait_for(tcp::socket::wait_write, &TcpConnection::has_room);
  }
  void has_room() {
    waiting_ = false;
    flush();
    read();
  }

  Loop& loop_;
  Shared& shared_;
  tcp::socket socket_;
  const std::string peer_;
  const Listener::Accept* accept_ = nullptr;  // the listener's
  std::unique_ptr<TlsStream> tls_;
  std::unique_ptr<Handler> handler_;
  std::unique_ptr<FabricLink> link_;                    // from its offer on
  asio::posix::stream_descriptor wake_{loop_.context};  // of the link
  Clock::time_point offered_;
  uint64_t refused_ = 0;        // by the link, as far as it is counted
  uint64_t fabric_queued_ = 0;  // when it was last looked at
  bool counted_ = false;        // as one with a link that is open
  std::array<std::byte, 64> unwanted_;
  std::deque<AlignedBuffer> queue_;
  std::vector<AlignedBuffer> spares_;
  size_t sent_ = 0;  // of the first in the queue
  uint64_t queued_bytes_ = 0;
  const Clock::time_point begun_ = Clock::now();
  Clock::time_point progress_ = Clock::now();
  bool reading_ = false;
  bool waiting_ = false;
  bool in_handler_ = false;
  bool ending_ = false;
};

class TcpListener final : public Listener {
 public:
  TcpListener(const ListenOptions& options, Accept accept)
      : accept_(std::move(accept)), loops_(make_loops(options.threads)) {
    shared_.options = options;
  }
  ~TcpListener() override { stop(); }

  Status start() {
    asio::error_code error;
    tcp::resolver resolver(loops_[0]->context);
    address_ = shared_.options.address;
    const auto found = resolver.resolve(address_.host, std::to_string(address_.port),
                                        tcp::resolver::passive, error);
    if (error || found.empty()) return refused(error);
    const tcp::endpoint endpoint = found.begin()->endpoint();
    tcp::acceptor& acceptor = acceptor_.emplace(loops_[0]->context);
    acceptor.open(endpoint.protocol(), error);
    if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor.bind(endpoint, error);
    if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
    if (error) return refused(error);
    address_.port = acceptor.local_endpoint(error).port();
    accept_next();
    for (auto& loop : loops_) {
      watch(*loop);
      loop->thread = std::thread([this, &loop = *loop] { run(loop); });
    }
    return {};
  }

  const Address& address() const override { return address_; }
  uint64_t connections() const override { return shared_.connections; }
  uint64_t refused() const override { return shared_.refused; }
  uint64_t fabric_connections() const override { return shared_.fabric; }

  void stop_accepting() override {
    asio::post(loops_[0]->context, [this] {
      asio::error_code ignored;
      retry_.cancel();
      if (acceptor_) acceptor_->close(ignored);
    });
  }

  void stop() override {
    if (stopped_.exchange(true)) return;
    stop_accepting();
    for (auto& loop : loops_) {
      asio::post(loop->context, [&loop = *loop] {
        loop.timer.cancel();
        while (!loop.connections.empty()) (*loop.connections.begin())->close();
        loop.work.reset();
      });
    }
    for (auto& loop : loops_) {
      if (loop->thread.joinable()) loop->thread.join();
    }
  }

 private:
  static constexpr std::chrono::milliseconds kWatch{200};
  static constexpr std::chrono::milliseconds kRetry{50};

  static std::vector<std::unique_ptr<Loop>> make_loops(uint32_t threads) {
    std::vector<std::unique_ptr<Loop>> loops;
    for (uint32_t i = 0; i < std::max(threads, 1U); ++i) loops.push_back(std::make_unique<Loop>());
    return loops;
  }

  Status refused(const asio::error_code& error) const {
    return {StatusCode::kUnavailable,
            "cannot listen on " + address_.to_string() + ": " + error.message()};
  }

  void run(Loop& loop) const {
    const std::chrono::microseconds spin(shared_.options.spin_us);
    if (spin.count() == 0) {
      loop.context.run();
      return;
    }
    auto idle_since = Clock::now();
    while (!loop.context.stopped()) {
      bool did = loop.context.poll() > 0;
      // Serving one may close it.
      for (size_t i = loop.fabric.size(); i-- > 0;) {
        if (i < loop.fabric.size()) did = loop.fabric[i]->serve_fabric() || did;
      }
      if (did) {
        idle_since = Clock::now();
      } else if (Clock::now() - idle_since >= spin && may_sleep(loop)) {
        loop.context.run_one();
        idle_since = Clock::now();
      }
    }
  }

  static bool may_sleep(Loop& loop) {
    return std::all_of(loop.fabric.begin(), loop.fabric.end(),
                       [](TcpConnection* each) { return each->arm_fabric(); });
  }

  void watch(Loop& loop) {
    loop.timer.expires_after(kWatch);
    loop.timer.async_wait([this, &loop](const asio::error_code& error) {
      if (error || stopped_) return;
      const auto now = Clock::now();
      const auto all = loop.connections;  // look() may close some
      for (const auto& connection : all) connection->look(now);
      std::erase_if(loop.leaving, [](const auto& link) { return link->settle(); });
      watch(loop);
    });
  }

  void accept_next() {
    Loop& loop = *loops_[next_++ % loops_.size()];
    acceptor_->async_accept(loop.context,
                            [this, &loop](const asio::error_code& error, tcp::socket socket) {
                              if (!acceptor_->is_open()) return;
                              if (!error) {
                                take(loop, std::move(socket));
                                return accept_next();
                              }
                              // No descriptor is free, say: not again at once.
                              retry_.expires_after(kRetry);
                              retry_.async_wait([this](const asio::error_code& cancelled) {
                                if (!cancelled && acceptor_->is_open()) accept_next();
                              });
                            });
  }

  void take(Loop& loop, tcp::socket socket) {
    if (shared_.connections >= shared_.options.most_connections) return;  // closed with `socket`
    asio::error_code error;
    const auto remote = socket.remote_endpoint(error);
    if (error) return;
    socket.native_non_blocking(true, error);
    tune(socket.native_handle(), remote.address().is_loopback());
    Address peer{.host = remote.address().to_string(), .port = remote.port()};
    auto connection =
        std::make_shared<TcpConnection>(loop, shared_, std::move(socket), peer.to_string());
    asio::post(loop.context, [this, &loop, connection] {
      if (stopped_) return;  // nobody would close it
      loop.connections.insert(connection);
      connection->start(accept_);
    });
  }

  Accept accept_;
  Shared shared_;
  Address address_;
  std::vector<std::unique_ptr<Loop>> loops_;
  std::optional<tcp::acceptor> acceptor_;  // of the first loop
  asio::steady_timer retry_{loops_[0]->context};
  size_t next_ = 0;
  std::atomic<bool> stopped_{false};  // set before loops are told to close what they have
};

}  // namespace

Result<std::unique_ptr<Listener>> Listener::open(const ListenOptions& options, Accept accept) {
  try {
    auto listener = std::make_unique<TcpListener>(options, std::move(accept));
    HOTROW_RETURN_IF_ERROR(listener->start());
    return Result<std::unique_ptr<Listener>>(std::move(listener));
  } catch (const std::system_error& error) {
    // No descriptors or threads are left.
    return Status(StatusCode::kUnavailable, std::string("cannot listen: ") + error.what());
  }
}

}  // namespace hotrow::net
