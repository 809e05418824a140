#include "net/fabric_channel.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <climits>
#include <cstring>
#include <exception>
#include <utility>

namespace hotrow::net {

namespace {

using Clock = std::chrono::steady_clock;

Status ended_connection() {
  return {StatusCode::kUnavailable, "the server has ended the connection"};
}

Status no_memory() {
  return {StatusCode::kUnavailable, "no memory for the connection over shared memory or RDMA"};
}

int milliseconds_left(Clock::time_point until) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now()).count();
  return static_cast<int>(std::clamp<int64_t>(left, 0, INT_MAX));
}

}  // namespace

FabricChannel::FabricChannel(std::unique_ptr<FabricLink> link, int socket,
                             std::function<bool()> ended)
    : socket_(socket),
      ended_(std::move(ended)),
      wake_fd_(link->wake_fd()),
      bell_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      link_(std::move(link)) {}

FabricChannel::~FabricChannel() {
  {
    const MutexLock lock(mutex_);
    link_.reset();
  }
  if (bell_ >= 0) ::close(bell_);
}

void FabricChannel::drop(const Status& why) {
  if (gone_.ok()) gone_ = why;
  link_.reset();
}

// Whoever does what there is to do may find what the reading thread sleeps for.
bool FabricChannel::progress() {
  if (link_ == nullptr) return false;
  const uint64_t before = link_->changes();
  bool did = false;
  try {
    did = link_->progress();
  } catch (const std::exception&) {
    drop(no_memory());
    if (reader_waits_) ring();
    return true;
  }
  if (reader_waits_ && link_->changes() != before) ring();
  return did;
}

// Arming may find something too.
bool FabricChannel::arm() {
  const uint64_t before = link_->changes();
  const bool armed = link_->arm();
  if (reader_waits_ && link_->changes() != before) ring();
  return armed;
}

void FabricChannel::ring() const {
  constexpr uint64_t kOne = 1;
  (void)!::write(bell_, &kOne, sizeof kOne);
}

bool FabricChannel::has_room() const { return link_->queued_bytes() < kMostQueuedBytes; }

bool FabricChannel::ready(bool to_read, bool to_write) {
  if (link_ == nullptr || shut_ || at_end_ || !link_->failed().ok()) return true;
  return (to_read && link_->readable()) || (to_write && has_room());
}

bool FabricChannel::readable() {
  const MutexLock lock(mutex_);
  return ready(true, false);
}

bool FabricChannel::writable() {
  const MutexLock lock(mutex_);
  return ready(false, true);
}

// Nobody holds the link while it sleeps. One that only writes may find that another has read the
// news that it waits for, so it looks again soon.
void FabricChannel::sleep(bool to_read, Deadline until) {
  constexpr int kLookAgainMs = 1;
  std::array<pollfd, 3> polled{};
  polled[0] = {.fd = wake_fd_, .events = POLLIN, .revents = 0};
  polled[1] = {.fd = socket_, .events = POLLIN, .revents = 0};
  polled[2] = {.fd = bell_, .events = POLLIN, .revents = 0};
  const int left = milliseconds_left(until);
  if (!to_read) {
    (void)::poll(polled.data(), 2, std::min(left, kLookAgainMs));
    return;
  }
  (void)::poll(polled.data(), polled.size(), left);
  uint64_t rung = 0;
  if ((polled[2].revents & POLLIN) != 0) (void)!::read(bell_, &rung, sizeof rung);
  if (polled[1].revents != 0 && ended_()) {
    const MutexLock lock(mutex_);
    at_end_ = true;
  }
}

bool FabricChannel::wait(bool to_read, bool to_write, Deadline deadline,
                         std::chrono::microseconds spin) {
  const auto spin_end = std::min(deadline, Clock::now() + spin);
  while (true) {
    {
      const MutexLock lock(mutex_);
      if (to_read) reader_waits_ = false;
      const bool did = progress();
      if (ready(to_read, to_write)) return true;
      const auto now = Clock::now();
      if (now >= deadline) {
        // What is being fetched would be written where nobody expects it any more.
        if (!to_read || !link_->fetching()) return false;
        drop({StatusCode::kUnavailable, "a reply stopped halfway"});
        return true;
      }
      if (now < spin_end || did || !arm()) continue;
      if (to_read) reader_waits_ = true;
    }
    sleep(to_read, deadline);
  }
}

Status FabricChannel::enter(std::string_view server_address, std::string_view ticket,
                            Deadline deadline) {
  if (bell_ < 0) return {StatusCode::kUnavailable, "no descriptor is free"};
  {
    const MutexLock lock(mutex_);
    HOTROW_RETURN_IF_ERROR(link_->ask(server_address, ticket));
  }
  while (true) {
    {
      const MutexLock lock(mutex_);
      const bool did = progress();
      if (link_ == nullptr) return gone_;
      HOTROW_RETURN_IF_ERROR(link_->failed());
      if (link_->open()) return {};
      if (at_end_) return ended_connection();
      if (Clock::now() >= deadline) {
        return {StatusCode::kUnavailable,
                "the server does not answer over shared memory or RDMA: can it be reached so?"};
      }
      if (did || !arm()) continue;
    }
    sleep(true, deadline);
  }
}

AlignedBuffer FabricChannel::staged(std::span<const std::span<const std::byte>> pieces,
                                    size_t bytes) {
  AlignedBuffer memory = link_->take(bytes);
  size_t at = 0;
  for (const auto& piece : pieces) {
    const size_t n = std::min(piece.size(), bytes - at);
    if (n > 0) std::memcpy(memory.data() + at, piece.data(), n);
    at += n;
    if (at == bytes) break;
  }
  return memory;
}

// A copy: the caller's arrays are free once the call has ended, whoever still reads.
Result<size_t> FabricChannel::send(std::span<const std::span<const std::byte>> pieces) {
  const MutexLock lock(mutex_);
  try {
    return send_staged(pieces);
  } catch (const std::exception&) {
    drop(no_memory());
    return gone_;
  }
}

Result<size_t> FabricChannel::send_staged(std::span<const std::span<const std::byte>> pieces) {
  (void)progress();
  if (link_ == nullptr) return gone_;
  if (shut_ || at_end_) return ended_connection();
  HOTROW_RETURN_IF_ERROR(link_->failed());
  if (!has_room()) return size_t{0};
  size_t all = 0;
  for (const auto& piece : pieces) all += piece.size();
  const size_t head = pieces.front().size() <= FabricLink::kEagerBytes ? pieces.front().size() : 0;
  // Not more at once than goes as two pieces, so that a long request is sent while it is copied.
  const size_t bytes = std::min(all, head + FabricLink::kMostPieceBytes);
  link_->send(staged(pieces, bytes), head);
  return bytes;
}

Result<size_t> FabricChannel::receive(std::span<std::byte> first, std::span<std::byte> second) {
  const MutexLock lock(mutex_);
  if (link_ == nullptr) return gone_;
  if (shut_) {
    drop(ended_connection());
    return gone_;
  }
  auto came = receive_some(first, second);
  // The link may be fetching into the caller's arrays, which are the caller's from here on.
  if (!came.ok()) drop(came.status());
  return came;
}

Result<size_t> FabricChannel::receive_some(std::span<std::byte> first,
                                           std::span<std::byte> second) {
  constexpr int kMostAtEnd = 64;
  if (at_end_) {
    for (int i = 0; i < kMostAtEnd && link_ != nullptr && !link_->at_hand(); ++i) {
      if (!progress()) break;
    }
    if (link_ == nullptr) return gone_;
    if (!link_->at_hand()) return ended_connection();
  }
  auto came = link_->receive(first, second);
  if (came.ok() && came.value() == 0 && progress()) {
    if (link_ == nullptr) return gone_;
    came = link_->receive(first, second);
  }
  // A server that has gone may have used the memory anew which was fetched.
  const uint64_t before = std::exchange(fetches_, link_->fetches());
  if (came.ok() && fetches_ != before && ended_()) return ended_connection();
  return came;
}

void FabricChannel::shut() {
  const MutexLock lock(mutex_);
  shut_ = true;
  ring();
}

}  // namespace hotrow::net
