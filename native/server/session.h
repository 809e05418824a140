// Session: one connection's conversation. Frames come in, are answered, and the answers go out;
// requests may be answered in another order than they came.
//
// What reads and changes rows is done at once, on the thread that serves the connection: nothing is
// handed over, nobody is woken. What may take long goes to a Worker.
#ifndef HOTROW_SERVER_SESSION_H_
#define HOTROW_SERVER_SESSION_H_

#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "net/listener.h"
#include "server/hub.h"
#include "wire/call.h"
#include "wire/message.h"
#include "wire/reader.h"

namespace hotrow::server {

class Session final : public net::Handler {
 public:
  using Clock = std::chrono::steady_clock;

  /// The hub must outlive it.
  Session(Hub& hub, net::Connection& connection) : hub_(hub), connection_(connection) {}
  ~Session() override;

  std::span<std::byte> space() override { return reader_.space(); }
  bool received(size_t bytes) override;
  bool waiting() const override { return reader_.ready(); }
  void sent(Clock::time_point when) override;
  bool overdue(Clock::time_point now) override;

 private:
  static constexpr std::chrono::seconds kHelloTime{5};
  static constexpr std::chrono::seconds kFrameTime{30};
  static constexpr uint32_t kMostJobs = 64;
  static constexpr size_t kMostTextBytes = size_t{8} << 20;  // a cursor of 1 MiB, all escaped

  /// False: the conversation ends.
  bool handle();
  bool welcome(const wire::FrameHeader& request);
  void offer_transport(const std::string& wanted, wire::Welcome& welcome);
  /// Knows who the client is; `identity` is set to that. ERR_DENIED: nobody who may do anything.
  Status admit(const wire::Hello& hello, std::string& identity);
  /// May this client ask for that?
  Status permits(const wire::FrameHeader& request);
  Status permits_number(uint32_t parameter);
  bool dispatch(const wire::FrameHeader& request);
  void page_later(const wire::FrameHeader& request);
  /// `timed`: the request, whose reply it is.
  void send(AlignedBuffer frame, Timed timed);
  void send_failure(const wire::FrameHeader& request, const Status& status);
  /// The request that is being handled, as far as it has come.
  Timed timed(const wire::FrameHeader& request);
  /// The only table that the message names; null: it names none or several.
  Timed::Table* table_of(wire::Verb verb);
  /// Does the rest of a request on a worker; the frame that `work` makes is sent.
  void later(Worker& worker, const wire::FrameHeader& request, std::function<AlignedBuffer()> work);
  void call_later(const wire::FrameHeader& request);
  /// Of a worker's clock: answered here, as soon as its clock says so.
  void clock_call(const wire::FrameHeader& request);

  Hub& hub_;
  net::Connection& connection_;
  wire::FrameReader reader_;
  wire::Message message_;
  std::shared_ptr<SessionState> state_;       // once welcomed
  const Grant* grant_ = nullptr;              // the hub's, once welcomed
  std::set<uint32_t> permitted_;              // numbers of what it was found to permit
  std::map<uint64_t, Timed::Table*> tables_;  // by verb and number, those that are timed
  std::deque<Timed> unsent_;                  // whose replies wait to be sent, in their order
  Clock::time_point arrived_;                 // when bytes came last
  Clock::time_point begun_;                   // when there was time for the frame
  Clock::time_point since_ = Clock::now();    // of the connection, or of a frame not yet whole
  uint32_t jobs_ = 0;                         // on workers
  bool said_goodbye_ = false;
};

/// Answers a request about rows. `memory(bytes)` gives an AlignedBuffer for the reply. Marks that
/// it does not come to, because the request fails, are left alone.
AlignedBuffer answer(Hub& hub, SessionState& session, const wire::FrameHeader& request,
                     const wire::Message& message,
                     const std::function<AlignedBuffer(size_t)>& memory, Marks& marks);

/// Most keys of one kEvicted.
inline constexpr uint64_t kMostEvictedAPage = uint64_t{1} << 20;
/// A page has fewer rows than were asked for where they are long.
inline constexpr uint64_t kMostPageBytes = uint64_t{8} << 20;

/// Answers kScan and kEvicted, of the parameter of that number.
/// `slots`: only rows of these; null: of all.
AlignedBuffer answer_page(Hub& hub, const wire::FrameHeader& request, uint32_t number,
                          const wire::CallOptions& options, const SlotSet* slots = nullptr);

/// Answers a call in text of a client who may do what `grant` says.
AlignedBuffer answer_call(Hub& hub, const Grant& grant, const wire::FrameHeader& request,
                          const wire::Call& call);

/// Who does the call: one that may take long does not hold up those of another kind.
Worker& worker_of(Hub& hub, const wire::Call& call);

/// The header of a reply.
wire::FrameHeader reply_to(const wire::FrameHeader& request, const Status& status);
AlignedBuffer failure(const wire::FrameHeader& request, const Status& status);

}  // namespace hotrow::server

#endif  // HOTROW_SERVER_SESSION_H_
