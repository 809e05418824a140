#include "grpc_peer.h"

#ifdef HOTROW_BENCH_GRPC

#include <grpcpp/grpcpp.h>

#include <array>
#include <chrono>
#include <cstring>
#include <optional>
#include <semaphore>
#include <string>
#include <utility>
#include <vector>

#include "rows.grpc.pb.h"
#include "work.h"

namespace hotrow::bench {

namespace {

constexpr std::chrono::seconds kConnectWithin{30};
constexpr int kAnySize = -1;  // of a message

std::shared_ptr<grpc::ServerCredentials> server_credentials(const GrpcTls& tls) {
  if (tls.ca.empty()) return grpc::InsecureServerCredentials();
  grpc::SslServerCredentialsOptions options(
      GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  options.pem_root_certs = tls.ca;
  options.pem_key_cert_pairs.push_back({.private_key = tls.key, .cert_chain = tls.cert});
  return grpc::SslServerCredentials(options);
}

std::shared_ptr<grpc::ChannelCredentials> client_credentials(const GrpcTls& tls) {
  if (tls.ca.empty()) return grpc::InsecureChannelCredentials();
  return grpc::SslCredentials(
      {.pem_root_certs = tls.ca, .pem_private_key = tls.key, .pem_cert_chain = tls.cert});
}

/// The table that is served.
class Served {
 public:
  explicit Served(const OurShape& shape) : store_(OurStore::local(shape)), dim_(shape.dim) {}

  void answer(const LookupRequest& request, LookupReply& reply) const {
    std::vector<uint64_t> keys(request.keys().size() / sizeof(uint64_t));
    std::memcpy(keys.data(), request.keys().data(), keys.size() * sizeof(uint64_t));
    std::string& rows = *reply.mutable_rows();
    rows.resize(keys.size() * dim_ * sizeof(float));
    store_.lookup(keys, {reinterpret_cast<float*>(rows.data()), keys.size() * dim_});
  }

 private:
  const OurStore store_;
  const uint32_t dim_;
};

/// The port where it listens.
uint16_t listen_at(grpc::ServerBuilder& builder, const GrpcTls& tls, grpc::Service& service,
                   std::unique_ptr<grpc::Server>& server) {
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", server_credentials(tls), &port);
  builder.SetMaxReceiveMessageSize(kAnySize);
  builder.SetMaxSendMessageSize(kAnySize);
  builder.RegisterService(&service);
  server = builder.BuildAndStart();
  if (server == nullptr) fail("gRPC's server does not start");
  return static_cast<uint16_t>(port);
}

class CallbackServer final : public Rows::CallbackService {
 public:
  CallbackServer(const OurShape& shape, const GrpcTls& tls, const Child::Ready& ready)
      : served_(shape) {
    grpc::ServerBuilder builder;
    ready(listen_at(builder, tls, *this, server_));
  }

  grpc::ServerUnaryReactor* Lookup(grpc::CallbackServerContext* context,
                                   const LookupRequest* request, LookupReply* reply) override {
    served_.answer(*request, *reply);
    grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }

 private:
  const Served served_;
  std::unique_ptr<grpc::Server> server_;
};

/// Of gRPC's ways of serving the one with the least to do a call on one core.
class QueueServer {
 public:
  QueueServer(const OurShape& shape, const GrpcTls& tls, const Child::Ready& ready)
      : served_(shape) {
    grpc::ServerBuilder builder;
    queue_ = builder.AddCompletionQueue();
    const uint16_t port = listen_at(builder, tls, service_, server_);
    for (Call& call : calls_) await(call);
    ready(port);
  }

  void run() {
    void* tag = nullptr;
    bool good = false;
    while (queue_->Next(&tag, &good)) {
      Call& call = *static_cast<Call*>(tag);
      if (good && !call.answered) {
        answer(call);
      } else {
        await(call);
      }
    }
  }

 private:
  struct Call {
    std::optional<grpc::ServerContext> context;
    std::optional<grpc::ServerAsyncResponseWriter<LookupReply>> writer;
    LookupRequest request;
    LookupReply reply;
    bool answered = false;
  };

  void await(Call& call) {
    call.answered = false;
    call.writer.reset();
    call.context.emplace();
    call.writer.emplace(&*call.context);
    service_.RequestLookup(&*call.context, &call.request, &*call.writer, queue_.get(), queue_.get(),
                           &call);
  }

  void answer(Call& call) {
    served_.answer(call.request, call.reply);
    call.answered = true;
    call.writer->Finish(call.reply, grpc::Status::OK, &call);
  }

  const Served served_;
  Rows::AsyncService service_;
  std::unique_ptr<grpc::ServerCompletionQueue> queue_;
  std::unique_ptr<grpc::Server> server_;
  std::array<Call, 2 * kUnderWay> calls_;
};

}  // namespace

bool has_grpc() { return true; }

std::string grpc_version() { return grpc::Version(); }

std::unique_ptr<Child> start_grpc(GrpcStyle style, const OurShape& shape, const GrpcTls& tls) {
  return std::make_unique<Child>([&](const Child::Ready& ready) {
    if (style == GrpcStyle::kQueues) QueueServer(shape, tls, ready).run();
    // It ends with the process.
    static const CallbackServer kServer(shape, tls, ready);
  });
}

struct GrpcClient::Calls {
  struct Call {
    std::optional<grpc::ClientContext> context;
    std::unique_ptr<grpc::ClientAsyncResponseReader<LookupReply>> reader;  // of kQueues
    std::optional<LookupRequest> request;
    std::optional<LookupReply> reply;
    grpc::Status status;
    std::binary_semaphore called_back{0};  // of kCallbacks
    bool done = false;                     // of kQueues
  };

  void begin(Call& call) {
    if (style == GrpcStyle::kCallbacks) {
      stub->async()->Lookup(&*call.context, &*call.request, &*call.reply, [&](grpc::Status status) {
        call.status = std::move(status);
        call.called_back.release();
      });
      return;
    }
    call.done = false;
    call.reader = stub->AsyncLookup(&*call.context, *call.request, &queue);
    call.reader->Finish(&*call.reply, &call.status, &call);
  }

  void wait(Call& call) {
    if (style == GrpcStyle::kCallbacks) return call.called_back.acquire();
    while (!call.done) {
      void* tag = nullptr;
      bool good = false;
      if (!queue.Next(&tag, &good)) fail("gRPC's queue has ended");
      static_cast<Call*>(tag)->done = true;
    }
  }

  GrpcStyle style = GrpcStyle::kQueues;
  std::unique_ptr<Rows::Stub> stub;
  grpc::CompletionQueue queue;
  std::array<Call, kUnderWay> all;
  size_t sent = 0;
  size_t received = 0;
};

GrpcClient::GrpcClient(GrpcStyle style, uint16_t port, const GrpcTls& tls)
    : calls_(std::make_unique<Calls>()) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kAnySize);
  arguments.SetMaxSendMessageSize(kAnySize);
  const auto channel = grpc::CreateCustomChannel("127.0.0.1:" + std::to_string(port),
                                                 client_credentials(tls), arguments);
  if (!channel->WaitForConnected(std::chrono::system_clock::now() + kConnectWithin)) {
    fail("gRPC's server does not answer");
  }
  calls_->style = style;
  calls_->stub = Rows::NewStub(channel);
}

GrpcClient::~GrpcClient() = default;

void GrpcClient::send(std::span<const uint64_t> keys) {
  if (calls_->sent - calls_->received == kUnderWay) fail("too many calls are under way");
  Calls::Call& call = calls_->all[calls_->sent++ % kUnderWay];
  call.reader.reset();  // lies in the context
  call.context.emplace();
  if (!call.request || calls_->style == GrpcStyle::kCallbacks) {
    call.request.emplace();
    call.reply.emplace();
  }
  call.request->set_keys(keys.data(), keys.size_bytes());
  calls_->begin(call);
}

void GrpcClient::receive(std::span<float> rows) {
  Calls::Call& call = calls_->all[calls_->received++ % kUnderWay];
  calls_->wait(call);
  if (!call.status.ok()) fail(("gRPC: " + call.status.error_message()).c_str());
  if (call.reply->rows().size() != rows.size_bytes()) fail("gRPC's reply is not as expected");
  std::memcpy(rows.data(), call.reply->rows().data(), rows.size_bytes());
}

}  // namespace hotrow::bench

#else

namespace hotrow::bench {

namespace {

[[noreturn]] void absent() { fail("built without gRPC"); }

}  // namespace

struct GrpcClient::Calls {};

bool has_grpc() { return false; }
std::string grpc_version() { return ""; }
std::unique_ptr<Child> start_grpc(GrpcStyle, const OurShape&, const GrpcTls&) { absent(); }
GrpcClient::GrpcClient(GrpcStyle, uint16_t, const GrpcTls&) { absent(); }
GrpcClient::~GrpcClient() = default;
void GrpcClient::send(std::span<const uint64_t>) { absent(); }
void GrpcClient::receive(std::span<float>) { absent(); }

}  // namespace hotrow::bench

#endif  // HOTROW_BENCH_GRPC
