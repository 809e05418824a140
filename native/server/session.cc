#include "server/session.h"

#include <algorithm>
#include <utility>

#include "base/guarded.h"
#include "base/hex.h"
#include "net/fabric.h"
#include "wire/clock_call.h"

namespace hotrow::server {

wire::FrameHeader reply_to(const wire::FrameHeader& request, const Status& status) {
  return {.verb = request.verb,
          .flags = wire::kReply,
          .request = request.request,
          .sequence = request.sequence,
          .epoch = request.epoch,
          .code = static_cast<uint32_t>(status.code())};
}

AlignedBuffer failure(const wire::FrameHeader& request, const Status& status) {
  return wire::text_frame(reply_to(request, status), status.message());
}

Session::~Session() {
  if (state_ != nullptr) hub_.sessions.leave(state_, said_goodbye_);
}

bool Session::received(size_t bytes) {
  begun_ = Clock::now();
  if (bytes > 0) arrived_ = begun_;
  const bool was_halfway = reader_.halfway();
  Status status = guarded([&] { return bytes == 0 ? Status() : reader_.advance(bytes); });
  bool begun = reader_.halfway() && !was_halfway;
  while (status.ok() && reader_.ready() && !connection_.full()) {
    if (!handle()) return false;
    status = guarded([&] { return reader_.next(); });
    begun = true;
  }
  if (!status.ok()) {
    // Nothing that follows could be understood.
    ++hub_.refused;
    send_failure({}, status);
    return false;
  }
  if (begun) since_ = Clock::now();
  return true;
}

bool Session::overdue(Clock::time_point now) {
  const bool late = state_ == nullptr ? now - since_ > kHelloTime
                                      : reader_.halfway() && now - since_ > kFrameTime;
  if (late) ++hub_.refused;
  return late;
}

bool Session::handle() {
  wire::FrameHeader request = reader_.header();
  // The request's decides nothing: keys are looked at, whatever the client believes. Replies have
  // the server's.
  request.epoch = hub_.ownership.epoch();
  Status readable = message_.read(request, reader_.body());
  const bool in_order = (state_ == nullptr) == (request.verb == wire::Verb::kHello);
  if (readable.ok() && (request.reply() || !in_order)) {
    readable = {StatusCode::kProtocol, "frame: not now: first one HELLO, then requests"};
  }
  if (!readable.ok()) {
    ++hub_.refused;
    send_failure(request, readable);
    return false;
  }
  if (request.verb == wire::Verb::kHello) return welcome(request);
  if (Status permitted = permits(request); !permitted.ok()) {
    send_failure(request, permitted);
    return true;
  }
  return dispatch(request);
}

bool Session::dispatch(const wire::FrameHeader& request) {
  switch (request.verb) {
    case wire::Verb::kGoodbye:
      said_goodbye_ = true;
      return false;
    case wire::Verb::kCall:
      call_later(request);
      return true;
    case wire::Verb::kScan:
    case wire::Verb::kScanSlots:
    case wire::Verb::kEvicted:
      page_later(request);
      return true;
    default: {
      Marks marks;
      auto frame = answer(
          hub_, *state_, request, message_,
          [this](size_t bytes) { return connection_.take(bytes); }, marks);
      Timed its = timed(request);
      const auto made = Clock::now();
      // Of a request that failed before it came to that, all was decoding.
      if (marks.decoded == Clock::time_point{}) marks.decoded = made;
      if (marks.worked == Clock::time_point{}) marks.worked = made;
      its.stages[kDecode] = {begun_, marks.decoded};
      its.stages[kWork] = {marks.decoded, marks.worked};
      its.stages[kEncode] = {marks.worked, made};
      its.stages[kSend].begin = begun_ = made;
      send(std::move(frame), its);
      return true;
    }
  }
}

// As large as a page is; the request itself has no arrays.
void Session::page_later(const wire::FrameHeader& request) {
  const auto options = message_.options(0);
  const auto* section = message_.find(0, wire::Kind::kOptions);
  if (!options.ok() || section == nullptr) {
    return send_failure(request, {StatusCode::kProtocol, "frame: options are missing"});
  }
  std::shared_ptr<SlotSet> slots;
  if (request.verb == wire::Verb::kScanSlots) {
    const auto its = parse_slots(message_.text());
    if (!its.ok()) return send_failure(request, its.status());
    slots = std::make_shared<SlotSet>(its.value());
  }
  later(hub_.others, request,
        [&hub = hub_, request, options = options.value(), number = section->parameter, slots] {
          return answer_page(hub, request, number, options, slots.get());
        });
}

bool Session::welcome(const wire::FrameHeader& request) {
  const auto hello = wire::from_text<wire::Hello>(message_.text());
  if (!hello.ok()) {
    send_failure(request, hello.status());
    return false;
  }
  if (hello.value().version != wire::kVersion) {
    send_failure(request, {StatusCode::kUnsupported, "the server speaks version " +
                                                         std::to_string(wire::kVersion) +
                                                         " of the protocol only"});
    return false;
  }
  wire::Welcome welcome{.run = hub_.run,
                        .path = hub_.store->path(),
                        .store_version = hub_.store_version,
                        .most_body_bytes = hub_.options.most_body_bytes,
                        .session_ms = hub_.options.session_ms,
                        .in_doubt = hub_.cluster_versions.in_doubt(),
                        .epoch = hub_.ownership.epoch(),
                        .features = wire::kAllFeatures};
  std::string identity;
  if (Status admitted = admit(hello.value(), identity); !admitted.ok()) {
    ++hub_.refused;
    send_failure(request, admitted);
    return false;
  }
  auto joined = hub_.sessions.join(hello.value().session, identity, welcome.resumed);
  if (!joined.ok()) {
    send_failure(request, joined.status());
    return false;
  }
  state_ = std::move(joined).value();
  welcome.session = state_->id();
  offer_transport(hello.value().transport, welcome);
  reader_.open(hub_.options.most_body_bytes);
  unsent_.emplace_back();
  connection_.send(wire::text_frame(reply_to(request, {}), wire::to_text(welcome)));
  return true;
}

Timed Session::timed(const wire::FrameHeader& request) {
  Timed its{.verb = request.verb, .request = request.request, .table = nullptr, .stages = {}};
  its.table = table_of(request.verb);
  its.stages[kQueue] = {arrived_, std::max(arrived_, begun_)};
  its.counts = true;
  return its;
}

Timed::Table* Session::table_of(wire::Verb verb) {
  if (verb == wire::Verb::kCall || message_.parts() == 0) return nullptr;
  const uint32_t number = message_.part(0).front().parameter;
  for (uint16_t i = 1; i < message_.parts(); ++i) {
    if (message_.part(i).front().parameter != number) return nullptr;
  }
  const uint64_t key = uint64_t{number} << 8 | static_cast<uint8_t>(verb);
  const auto known = tables_.find(key);
  if (known != tables_.end()) return known->second;
  const auto name = hub_.parameters.name_of(number);
  if (!name.ok()) return nullptr;
  return tables_[key] = hub_.times.table(name.value(), verb);
}

void Session::offer_transport(const std::string& wanted, wire::Welcome& welcome) {
  if (wanted.empty()) return;
  const Transport offers = hub_.options.transport;
  const Transport transport = wanted == "shm"    ? Transport::kShm
                              : wanted == "rdma" ? Transport::kRdma
                                                 : Transport::kTcp;
  if (transport == Transport::kTcp || (offers != Transport::kAuto && offers != transport)) {
    welcome.no_transport = "it does not offer the transport '" + wanted + "'";
    return;
  }
  auto offer = connection_.offer(transport);
  if (!offer.ok()) {
    welcome.no_transport = offer.status().message();
    return;
  }
  welcome.ticket = offer.value().ticket;
  welcome.fabric = to_hex(offer.value().address);
}

Status Session::admit(const wire::Hello& hello, std::string& identity) {
  if (!hub_.options.tls.used()) {
    grant_ = &Access::everything();
    return {};
  }
  identity = connection_.identity();
  if (identity.empty()) {
    if (!net::is_token_of(hub_.admission.tokens, hello.identity, hello.token)) {
      return {StatusCode::kDenied,
              "the server knows neither a certificate, a key nor a token of "
              "this client"};
    }
    identity = hello.identity;
  }
  grant_ = hub_.admission.access.of(identity);
  if (grant_ != nullptr) return {};
  return {StatusCode::kDenied, "the server's access file does not list '" + identity + "'"};
}

Status Session::permits(const wire::FrameHeader& request) {
  using wire::Verb;
  // Of calls in text each says itself what it is for.
  if (request.verb == Verb::kGoodbye || request.verb == Verb::kCall) return {};
  HOTROW_RETURN_IF_ERROR(grant_->permits(role_for(request.verb), wire::name_of(request.verb)));
  if (grant_->everywhere()) return {};
  for (uint16_t i = 0; i < message_.parts(); ++i) {
    HOTROW_RETURN_IF_ERROR(permits_number(message_.part(i).front().parameter));
  }
  // Of these it is the section of options that names the table.
  const bool pages = request.verb == Verb::kScan || request.verb == Verb::kScanSlots ||
                     request.verb == Verb::kEvicted;
  const wire::Section* const options = pages ? message_.find(0, wire::Kind::kOptions) : nullptr;
  return options == nullptr ? Status() : permits_number(options->parameter);
}

Status Session::permits_number(uint32_t parameter) {
  if (permitted_.contains(parameter)) return {};
  // A number stays that of one name: what was found holds.
  const auto name = hub_.parameters.name_of(parameter);
  if (!name.ok()) return name.status();
  if (!grant_->names(name.value())) {
    return {StatusCode::kDenied,
            "this client may not use what has the number " + std::to_string(parameter)};
  }
  permitted_.insert(parameter);
  return {};
}

void Session::send(AlignedBuffer frame, Timed timed) {
  ++hub_.requests;
  hub_.times.made(timed);
  unsent_.push_back(timed);
  const size_t head = wire::head_bytes(frame.bytes());
  connection_.send(std::move(frame), head);
}

void Session::sent(Clock::time_point when) {
  if (unsent_.empty()) return;
  Timed& its = unsent_.front();
  its.stages[kSend].end = std::max(its.stages[kSend].begin, when);
  hub_.times.sent(its);
  unsent_.pop_front();
}

void Session::send_failure(const wire::FrameHeader& request, const Status& status) {
  ++hub_.failures;
  send(failure(request, status), {});
}

void Session::call_later(const wire::FrameHeader& request) {
  if (message_.text().size() > kMostTextBytes) {
    return send_failure(request, {StatusCode::kProtocol, "text: longer than any call is"});
  }
  auto call = wire::from_text<wire::Call>(message_.text());
  if (!call.ok()) return send_failure(request, call.status());
  if (ClockDesk::knows(call.value().call)) return clock_call(request);
  // Whose it is, as long as it has a connection.
  if (call.value().call == "begin") call.value().other = state_->id();
  // What clients wait for where slots change hands, and a copy: not behind tables that are read.
  if (call.value().call == "placement") {
    Timed its = timed(request);
    const auto decoded = Clock::now();
    auto frame = answer_call(hub_, *grant_, request, call.value());
    const auto made = Clock::now();
    its.stages[kDecode] = {begun_, decoded};
    its.stages[kWork] = {decoded, made};
    its.stages[kSend].begin = begun_ = made;
    return send(std::move(frame), its);
  }
  // Before the call is moved into its job: arguments are evaluated in any order.
  Worker& worker = worker_of(hub_, call.value());
  later(worker, request, [&hub = hub_, &grant = *grant_, request, its = std::move(call).value()] {
    return answer_call(hub, grant, request, its);
  });
}

void Session::clock_call(const wire::FrameHeader& request) {
  auto call = wire::read_clock_call(message_.text());
  if (!call.ok()) return send_failure(request, call.status());
  if (jobs_ >= kMostJobs) {
    return send_failure(request, {StatusCode::kBusy, "the server has too much to do"});
  }
  Timed its = timed(request);
  its.stages[kDecode].begin = begun_;
  its.stages[kDecode].end = begun_ = Clock::now();
  ++jobs_;
  hub_.clocks.answer(*grant_, state_->id(), call.value(),
                     [&hub = hub_, connection = connection_.weak_from_this(), request,
                      timed = its](Result<std::string> text) mutable {
                       // The time that it waits for others is nobody's work.
                       timed.stages[kSend].begin = Clock::now();
                       const auto its = connection.lock();
                       if (its == nullptr) return;
                       if (!text.ok()) ++hub.failures;
                       auto frame = std::make_shared<AlignedBuffer>(
                           text.ok() ? wire::text_frame(reply_to(request, {}), text.value())
                                     : failure(request, text.status()));
                       its->post([frame, timed](net::Handler& handler) {
                         auto& session = static_cast<Session&>(handler);
                         --session.jobs_;
                         session.send(std::move(*frame), timed);
                       });
                     });
}

void Session::later(Worker& worker, const wire::FrameHeader& request,
                    std::function<AlignedBuffer()> work) {
  const Status busy(StatusCode::kBusy, "the server has too much to do");
  if (jobs_ >= kMostJobs) return send_failure(request, busy);
  Timed its = timed(request);
  const auto whole = Clock::now();
  // It waits on, for a worker: one wait from when it came, in which it is read too.
  begun_ = whole;
  const auto deadline = request.code == 0 ? Clock::time_point::max()
                                          : whole + std::chrono::milliseconds(request.code);
  ++jobs_;
  const bool taken = worker.submit([connection = connection_.weak_from_this(), request, timed = its,
                                    deadline, work = std::move(work)]() mutable {
    const auto begun = Clock::now();
    const bool late = begun > deadline;
    auto frame = std::make_shared<AlignedBuffer>(
        late ? failure(request, {StatusCode::kBusy, "the request waited until its deadline"})
             : work());
    const auto made = Clock::now();
    timed.stages[kQueue].end = begun;
    timed.stages[kWork] = {begun, made};
    timed.stages[kSend].begin = made;
    const auto its = connection.lock();
    if (its == nullptr) return;
    its->post([frame, timed](net::Handler& handler) {
      auto& session = static_cast<Session&>(handler);
      --session.jobs_;
      session.send(std::move(*frame), timed);
    });
  });
  if (taken) return;
  --jobs_;
  send_failure(request, busy);
}

}  // namespace hotrow::server
