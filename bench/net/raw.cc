#include "raw.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <deque>
#include <memory>
#include <vector>

#include "base/aligned_buffer.h"
#include "measure.h"
#include "net/tuning.h"
#include "workload.h"

namespace hotrow::bench {

namespace {

struct Head {
  uint32_t keys = 0;
  uint32_t zero = 0;
  uint64_t bytes = 0;  // that follow
};

constexpr size_t kMostRequestBytes = size_t{1} << 20;
constexpr size_t kMostReplyBytes = size_t{4} << 20;
constexpr size_t kMostReplies = 4;  // that wait to be sent
constexpr size_t kAhead = 24;       // rows between fetch and use
constexpr size_t kLine = 64;

/// rows: [keys, dim] of the slab.
void gather(const RowSlab& slab, std::span<const uint64_t> keys, float* rows) {
  const size_t bytes = slab.dim() * sizeof(float);
  const auto row = [&](size_t i) {
    return slab.row(static_cast<uint32_t>(raw_row_of(keys[i], slab.rows())));
  };
  const auto fetch = [&](size_t i) {
    const auto* const first = reinterpret_cast<const std::byte*>(row(i));
    for (size_t at = 0; at < bytes; at += kLine) __builtin_prefetch(first + at);
  };
  for (size_t i = 0; i < std::min(kAhead, keys.size()); ++i) fetch(i);
  for (size_t i = 0; i < keys.size(); ++i) {
    if (i + kAhead < keys.size()) fetch(i + kAhead);
    std::memcpy(rows + i * slab.dim(), row(i), bytes);
  }
}

class RawServer {
 public:
  explicit RawServer(const RawShape& shape) : shape_(shape), requests_(kMostRequestBytes) {
    if (shape.rows > 0) {
      slab_ = std::make_unique<RowSlab>(shape.rows, RowSlab::Shape{.dim = shape.dim});
      slab_->fill(0);
    }
    for (AlignedBuffer& buffer : buffers_) {
      buffer.resize(kMostReplyBytes);
      std::memset(buffer.data(), 1, buffer.size());
    }
  }

  void run(int listener) {
    while (true) {
      socket_ = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (socket_ < 0) fail("a connection is refused");
      net::tune(socket_, true);
      poller_ = ::epoll_create1(EPOLL_CLOEXEC);
      begin_ = end_ = 0;
      replies_.clear();
      watched_ = 0;
      while (serve()) {
      }
      ::close(poller_);
      ::close(socket_);
    }
  }

 private:
  struct Reply {
    const std::byte* data;
    size_t bytes;
  };

  /// One turn; false: the connection has ended.
  bool serve() {
    const uint32_t events = wait();
    if ((events & EPOLLIN) != 0 && !read()) return false;
    do {
      if ((events & ~uint32_t{EPOLLIN | EPOLLOUT}) != 0 || !flush()) return false;
    } while (answer());
    return flush();
  }

  uint32_t wait() {
    uint32_t wanted = replies_.size() < kMostReplies ? uint32_t{EPOLLIN} : 0;
    if (!replies_.empty()) wanted |= EPOLLOUT;
    epoll_event event{.events = wanted, .data = {}};
    if (wanted != watched_) {
      ::epoll_ctl(poller_, watched_ == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, socket_, &event);
      watched_ = wanted;
    }
    if (shape_.spin_us > 0) {
      const double end = now_seconds() + 1e-6 * shape_.spin_us;
      do {
        if (::epoll_wait(poller_, &event, 1, 0) == 1) return event.events;
      } while (now_seconds() < end);
    }
    return ::epoll_wait(poller_, &event, 1, -1) == 1 ? event.events : 0;
  }

  bool read() {
    if (begin_ > 0) {
      std::memmove(requests_.data(), requests_.data() + begin_, end_ - begin_);
      end_ -= begin_;
      begin_ = 0;
    }
    const ssize_t came = ::recv(socket_, requests_.data() + end_, requests_.size() - end_, 0);
    if (came > 0) end_ += static_cast<size_t>(came);
    return came > 0 || (came < 0 && errno == EAGAIN);
  }

  /// Answers the first request, where it is whole and there is room.
  bool answer() {
    Head head;
    if (replies_.size() == kMostReplies || end_ - begin_ < sizeof head) return false;
    std::memcpy(&head, requests_.data() + begin_, sizeof head);
    if (end_ - begin_ < sizeof head + head.bytes) return false;
    // Keys lie on 8 bytes: heads and keys are multiples of it, and so is where they begin.
    const std::span<const uint64_t> keys(
        reinterpret_cast<const uint64_t*>(requests_.data() + begin_ + sizeof head), head.keys);
    begin_ += sizeof head + head.bytes;
    AlignedBuffer& buffer = slab_ ? buffers_[next_++ % kMostReplies] : buffers_[0];
    head.bytes = keys.size() * shape_.dim * sizeof(float);
    std::memcpy(buffer.data(), &head, sizeof head);
    auto* const rows = reinterpret_cast<float*>(buffer.data() + sizeof head);
    if (slab_) gather(*slab_, keys, rows);
    replies_.push_back({buffer.data(), sizeof head + head.bytes});
    return true;
  }

  bool flush() {
    while (!replies_.empty()) {
      Reply& first = replies_.front();
      const ssize_t sent = ::send(socket_, first.data, first.bytes, MSG_NOSIGNAL);
      if (sent < 0) return errno == EAGAIN || errno == EINTR;
      first.data += sent;
      first.bytes -= static_cast<size_t>(sent);
      if (first.bytes > 0) return true;
      replies_.pop_front();
    }
    return true;
  }

  const RawShape shape_;
  std::unique_ptr<RowSlab> slab_;
  AlignedBuffer requests_;
  size_t begin_ = 0;
  size_t end_ = 0;
  AlignedBuffer buffers_[kMostReplies];
  size_t next_ = 0;
  std::deque<Reply> replies_;
  int socket_ = -1;
  int poller_ = -1;
  uint32_t watched_ = 0;
};

}  // namespace

uint64_t raw_row_of(uint64_t key, uint64_t rows) { return multiply_high(mix64(key), rows); }

void serve_raw(const RawShape& shape, const Child::Ready& ready) {
  RawServer server(shape);
  uint16_t port = 0;
  const int listener = listen_on_loopback(port);
  ready(port);
  server.run(listener);
}

RawClient::~RawClient() { ::close(socket_); }

void RawClient::send(std::span<const uint64_t> keys) {
  Head head{.keys = static_cast<uint32_t>(keys.size()), .bytes = keys.size_bytes()};
  iovec pieces[] = {{&head, sizeof head}, {const_cast<uint64_t*>(keys.data()), keys.size_bytes()}};
  send_all(socket_, pieces);
}

void RawClient::receive(std::span<float> rows) {
  Head head;
  iovec pieces[] = {{&head, sizeof head}, {rows.data(), rows.size_bytes()}};
  receive_all(socket_, pieces, wait_);
  if (head.bytes != rows.size_bytes()) fail("a raw reply is not as long as expected");
}

}  // namespace hotrow::bench
