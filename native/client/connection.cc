#include "client/connection.h"

#include <algorithm>
#include <cstring>
#include <exception>
#include <string>
#include <string_view>
#include <utility>

#include "base/hex.h"
#include "net/listener.h"

namespace hotrow::client {

namespace {

Status timeout() {
  return {StatusCode::kTimeout, "the server has not answered before the deadline"};
}

// A newer server may have codes of its own.
StatusCode code_of(uint32_t number) {
  const auto code = static_cast<StatusCode>(number);
  const std::string_view unknown = status_traits(StatusCode::kInternal).name;
  const bool known = number <= UINT8_MAX && status_traits(code).name != unknown;
  return known ? code : StatusCode::kInternal;
}

Status gone(std::string why) { return {StatusCode::kUnavailable, std::move(why)}; }

}  // namespace

// What it takes to open a connection.
struct Connection::Opening {
  const net::Address& address;
  wire::Hello hello;
  Deadline deadline;
  std::chrono::microseconds spin;
  std::shared_ptr<const net::TlsContext> tls;
  bool or_tcp = false;  // when there is no such transport
};

Result<std::shared_ptr<Connection>> Connection::open(const net::Address& address,
                                                     const wire::Hello& hello, Deadline deadline,
                                                     std::chrono::microseconds spin,
                                                     std::shared_ptr<const net::TlsContext> tls,
                                                     Transport transport) {
  Opening opening{address, hello, deadline, spin, std::move(tls), transport == Transport::kAuto};
  if (opening.or_tcp) {
    transport = net::is_loopback(address.host) ? Transport::kShm : Transport::kTcp;
  }
  if (transport == Transport::kTcp) return greet(opening, nullptr);
  auto link = net::FabricLink::make({.transport = transport, .direct = true});
  if (!link.ok() && !opening.or_tcp) return link.status();
  if (!link.ok()) return greet(opening, nullptr);
  opening.hello.transport = transport == Transport::kRdma ? "rdma" : "shm";
  return greet(opening, std::move(link).value());
}

Result<std::shared_ptr<Connection>> Connection::greet(const Opening& opening,
                                                      std::unique_ptr<net::FabricLink> link) {
  const Deadline deadline = opening.deadline;
  auto socket = net::Socket::connect(opening.address, deadline, opening.tls);
  if (!socket.ok()) return socket.status();
  const std::shared_ptr<Connection> connection(
      new Connection(std::move(socket).value(), opening.spin));
  Request request(wire::Verb::kHello);
  request.add_text(wire::to_text(opening.hello));
  TextReply reply;
  HOTROW_RETURN_IF_ERROR(connection->send(request, reply, deadline));
  HOTROW_RETURN_IF_ERROR(connection->wait(reply, deadline));
  HOTROW_RETURN_IF_ERROR(reply.status);
  auto read = wire::from_text<wire::Welcome>(reply.text);
  if (!read.ok()) return read.status();
  wire::Welcome& welcome = connection->welcome_ = std::move(read).value();
  if (link == nullptr) return connection;
  if (welcome.ticket.empty()) {
    if (opening.or_tcp) return connection;
    return Status(StatusCode::kUnsupported,
                  "the server at " + opening.address.to_string() + ": " +
                      (welcome.no_transport.empty() ? "it knows TCP only" : welcome.no_transport));
  }
  const auto soon = std::chrono::steady_clock::now() + net::kTicketTime;
  const Status entered = connection->socket_.enter(std::move(link), from_hex(welcome.fabric),
                                                   welcome.ticket, std::min(deadline, soon));
  if (entered.ok()) return connection;
  if (!opening.or_tcp) return entered;
  Opening plainly = opening;
  plainly.hello.transport.clear();
  plainly.hello.session = welcome.session;
  return greet(plainly, nullptr);
}

Status Connection::send(Request& request, Reply& reply, Deadline deadline) {
  using Clock = std::chrono::steady_clock;
  reply.at[Reply::kEncode] = Clock::now();
  const MutexLock sending(sending_);
  uint64_t& number = request.header().request;
  if ((number & wire::kTracedRequest) == 0) number = next_request_++;
  auto pieces = request.pieces();
  reply.at[Reply::kSend] = Clock::now();
  {
    const MutexLock lock(mutex_);
    HOTROW_RETURN_IF_ERROR(broken_);
    reply.request = request.header().request;
    reply.deadline = deadline;
    reply.done = reply.arriving = false;
    pending_[reply.request] = &reply;
  }
  std::span<std::span<const std::byte>> rest = pieces;
  while (!rest.empty()) {
    auto sent = socket_.send(rest);
    if (!sent.ok()) {
      end(sent.status());
      break;
    }
    size_t bytes = sent.value();
    const bool full = bytes == 0;
    while (!rest.empty() && bytes >= rest.front().size()) {
      bytes -= rest.front().size();
      rest = rest.subspan(1);
    }
    if (bytes > 0) rest.front() = rest.front().subspan(bytes);
    if (!full) continue;
    // The server may be waiting for somebody to take its replies before it reads on.
    if (try_lead()) {
      const uint32_t ready = socket_.wait(net::Socket::kReadable | net::Socket::kWritable, deadline,
                                          std::chrono::microseconds(0));
      leave((ready & net::Socket::kReadable) != 0 ? read_frame(deadline, deadline) : Status());
      if (ready == net::Socket::kNone) end(gone("the server takes no requests"));
    } else {
      // Whoever reads may stop at any moment.
      constexpr std::chrono::milliseconds kSlice{10};
      const auto now = std::chrono::steady_clock::now();
      const uint32_t ready = socket_.wait(net::Socket::kWritable, std::min(deadline, now + kSlice),
                                          std::chrono::microseconds(0));
      if (ready == net::Socket::kNone && now >= deadline) {
        end(gone("the server takes no requests"));
      }
    }
    if (!broken().ok()) break;
  }
  reply.at[Reply::kWait] = Clock::now();
  if (rest.empty()) return {};
  const MutexLock lock(mutex_);
  forget_locked(reply.request);
  return broken_;
}

void Connection::forget(uint64_t request) {
  const MutexLock lock(mutex_);
  forget_locked(request);
}

void Connection::forget_locked(uint64_t request) {
  // Whoever reads may be writing into the caller's arrays.
  constexpr std::chrono::milliseconds kLook{10};
  while (true) {
    const auto found = pending_.find(request);
    if (found == pending_.end()) return;
    if (!found->second->arriving) {
      pending_.erase(found);
      return;
    }
    changed_.wait_for(mutex_, kLook);
  }
}

Connection::Turn Connection::turn(Reply& reply, Deadline deadline, bool keep) {
  const MutexLock lock(mutex_);
  while (true) {
    if (reply.done) return Turn::kDone;
    const auto now = std::chrono::steady_clock::now();
    if ((!reply.arriving && !broken_.ok()) || (now >= deadline && (keep || !reply.arriving))) {
      if (!keep) pending_.erase(reply.request);
      return Turn::kLate;
    }
    if (!reading_ && broken_.ok()) {
      reading_ = true;
      return Turn::kLead;
    }
    // A reply that is arriving cannot be left: the reading thread ends it by its own deadline.
    constexpr std::chrono::milliseconds kArriving{10};
    changed_.wait_for(mutex_, now >= deadline ? kArriving : deadline - now);
  }
}

Status Connection::wait(Reply& reply, Deadline deadline) {
  while (true) {
    switch (turn(reply, deadline)) {
      case Turn::kDone:
        return {};
      case Turn::kLate: {
        const Status why = broken();
        return why.ok() ? timeout() : why;
      }
      case Turn::kLead:
        leave(read_frame(deadline, deadline));
    }
  }
}

Connection::Settled Connection::settled(Reply& reply, Deadline until) {
  while (true) {
    switch (turn(reply, until, true)) {
      case Turn::kDone:
        return Settled::kDone;
      case Turn::kLate:
        return broken().ok() ? Settled::kLate : Settled::kBroken;
      case Turn::kLead:
        leave(read_frame(until, reply.deadline));
    }
  }
}

bool Connection::try_lead() {
  const MutexLock lock(mutex_);
  if (reading_ || !broken_.ok()) return false;
  reading_ = true;
  return true;
}

void Connection::leave(const Status& status) {
  const MutexLock lock(mutex_);
  reading_ = false;
  if (!status.ok() && status.code() != StatusCode::kTimeout) {
    if (broken_.ok()) broken_ = status;
    socket_.shut();
  }
  changed_.notify_all();
}

Status Connection::broken() const {
  const MutexLock lock(mutex_);
  return broken_;
}

void Connection::end(const Status& why) {
  const MutexLock lock(mutex_);
  if (broken_.ok()) broken_ = why;
  socket_.shut();
  changed_.notify_all();
}

void Connection::say_goodbye() {
  if (!broken().ok()) return;
  Request request(wire::Verb::kGoodbye);
  Reply none([](const wire::Section&) { return std::span<std::byte>(); });
  const auto soon = std::chrono::steady_clock::now() + std::chrono::milliseconds(100);
  if (send(request, none, soon).ok()) forget(none.request);
}

Result<size_t> Connection::receive(std::span<std::byte> first, std::span<std::byte> second,
                                   Deadline deadline) {
  while (true) {
    auto came = socket_.receive(first, second);
    if (!came.ok() || came.value() > 0) return came;
    if (socket_.wait(net::Socket::kReadable, deadline, spin_) == net::Socket::kNone) {
      return timeout();
    }
  }
}

Status Connection::need(size_t bytes, Deadline deadline) {
  if (end_ - begin_ >= bytes) return {};
  if (begin_ + bytes > buffer_.size() || begin_ == end_) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  while (end_ - begin_ < bytes) {
    auto came = receive(buffer_.bytes().subspan(end_), {}, deadline);
    if (!came.ok()) return came.status();
    end_ += came.value();
  }
  return {};
}

Status Connection::take(std::span<std::byte> target, size_t bytes, Xxh3& sum, Deadline deadline,
                        const Sink& sink) {
  size_t taken = 0;
  while (taken < bytes) {
    if (begin_ == end_) {
      begin_ = end_ = 0;
      const auto rest = target.empty() ? std::span<std::byte>() : target.subspan(taken);
      auto came = rest.empty() ? receive(buffer_.bytes(), {}, deadline)
                               : receive(rest, buffer_.bytes(), deadline);
      if (!came.ok()) return came.status();
      const size_t direct = std::min(came.value(), rest.size());
      sum.add({reinterpret_cast<const char*>(rest.data()), direct});
      taken += direct;
      end_ = came.value() - direct;
    }
    const size_t n = std::min(bytes - taken, end_ - begin_);
    if (n > 0 && !target.empty()) std::memcpy(target.data() + taken, buffer_.data() + begin_, n);
    if (n > 0 && target.empty() && sink) sink(taken, buffer_.bytes().subspan(begin_, n));
    sum.add({reinterpret_cast<const char*>(buffer_.data() + begin_), n});
    begin_ += n;
    taken += n;
  }
  return {};
}

Status Connection::read_frame(Deadline until, Deadline deadline) {
  try {
    return read_begun_frame(until, deadline);
  } catch (const std::exception& error) {
    // No memory for what has come: what follows could not be understood.
    const MutexLock lock(mutex_);
    for (const auto& [request, reply] : pending_) reply->arriving = false;
    return gone(std::string("a reply could not be taken: ") + error.what());
  }
}

Status Connection::read_begun_frame(Deadline until, Deadline deadline) {
  // What has begun to come is mostly there, and may be another's: it gets a moment of its own.
  constexpr std::chrono::seconds kMoment{1};
  HOTROW_RETURN_IF_ERROR(need(1, until));
  const Deadline soon = std::max(deadline, std::chrono::steady_clock::now() + kMoment);
  if (Status status = need(wire::kHeaderBytes, soon); !status.ok()) {
    return status.code() == StatusCode::kTimeout ? gone("a reply stopped halfway") : status;
  }
  auto header = wire::decode(
      std::span<const std::byte, wire::kHeaderBytes>(buffer_.data() + begin_, wire::kHeaderBytes),
      kMostReplyBytes);
  if (!header.ok()) return header.status();
  begin_ += wire::kHeaderBytes;
  if (!header.value().reply()) return {StatusCode::kProtocol, "frame: a reply was expected"};
  Reply* const reply = arriving(header.value());
  const Deadline its = reply == nullptr ? deadline : std::min(deadline, reply->deadline);
  const Deadline end = std::max(its, std::chrono::steady_clock::now() + kMoment);
  Status status = read_body(header.value(), reply, end);
  if (status.code() == StatusCode::kTimeout) status = gone("a reply stopped halfway");
  if (reply != nullptr) arrived(reply, status);
  return status;
}

Status Connection::read_body(const wire::FrameHeader& header, Reply* reply, Deadline deadline) {
  const size_t table = header.sections * wire::kSectionBytes;
  HOTROW_RETURN_IF_ERROR(need(table, deadline));
  HOTROW_RETURN_IF_ERROR(
      wire::decode_sections(header, buffer_.bytes().subspan(begin_, table), sections_));
  Xxh3 sum;
  HOTROW_RETURN_IF_ERROR(take({}, table, sum, deadline));
  const StatusCode code = code_of(header.code);
  std::string reason;
  uint64_t at = table;
  for (const wire::Section& section : sections_) {
    HOTROW_RETURN_IF_ERROR(take({}, section.offset - at, sum, deadline));
    std::span<std::byte> target;
    Sink sink;
    uint64_t bytes = section.bytes;
    if (code != StatusCode::kOk) {
      // Of a reason its beginning.
      reason.resize(std::min<uint64_t>(bytes, wire::kMostHelloBytes));
      target = std::as_writable_bytes(std::span<char>(reason));
      HOTROW_RETURN_IF_ERROR(take(target, target.size(), sum, deadline));
      bytes -= target.size();
      target = {};
    } else if (reply != nullptr) {
      target = reply->place(section);
      if (!target.empty() && target.size() != section.bytes) {
        return {StatusCode::kProtocol, "frame: a reply's section has another length than expected"};
      }
      if (target.empty() && reply->scatter) {
        sink = [&](size_t offset, std::span<const std::byte> its) {
          reply->scatter(section, offset, its);
        };
      }
    }
    HOTROW_RETURN_IF_ERROR(take(target, bytes, sum, deadline, sink));
    at = section.offset + section.bytes;
  }
  HOTROW_RETURN_IF_ERROR(take({}, header.body_bytes - at, sum, deadline));
  if ((header.flags & wire::kSummed) != 0 && sum.value() != header.body_sum) {
    return {StatusCode::kProtocol, "frame: the body's checksum does not fit"};
  }
  if (code == StatusCode::kOk) return {};
  // An answer to none of our requests: what was sent was not understood.
  if (header.request == 0) return {StatusCode::kProtocol, "the server says: " + reason};
  if (reply != nullptr) reply->status = Status(code, std::move(reason));
  return {};
}

Reply* Connection::arriving(const wire::FrameHeader& header) {
  const MutexLock lock(mutex_);
  const auto found = pending_.find(header.request);
  if (found == pending_.end()) return nullptr;  // nobody waits for it any more
  found->second->arriving = true;
  found->second->at[Reply::kDecode] = std::chrono::steady_clock::now();
  found->second->status = {};
  found->second->epoch = header.epoch;
  return found->second;
}

void Connection::arrived(Reply* reply, const Status& status) {
  const MutexLock lock(mutex_);
  reply->arriving = false;
  if (!status.ok()) return;  // the connection ends
  reply->at[Reply::kStages] = std::chrono::steady_clock::now();
  reply->done = true;
  pending_.erase(reply->request);
}

}  // namespace hotrow::client
