// TLS 1.3 over a socket that does not block: OpenSSL's, with no cryptography of ours.
//
// A context holds one side's credentials, a stream is one connection. A stream reads and writes
// what there is and says what to wait for; it has no thread and no buffer but OpenSSL's own.
//
// Inside Node the process has an OpenSSL of Node's own too. Ours is linked statically and hidden
// (CMakeLists.txt), reads no configuration, and leaves nothing to be done at exit.
#ifndef HOTROW_NET_TLS_H_
#define HOTROW_NET_TLS_H_

#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "base/sync.h"
#include "hotrow/status.h"
#include "hotrow/tls.h"
#include "net/secrets.h"

// OpenSSL's types, which only .cc files need to know.
struct ssl_st;
struct ssl_ctx_st;

namespace hotrow::net {

struct TlsCalls;

/// One side's credentials. Threads: any number, once made.
class TlsContext {
 public:
  /// ERR_INVALID_ARGUMENT, which names option and file, when one cannot be used.
  static Result<std::shared_ptr<const TlsContext>> server(const ServerTls& options);
  static Result<std::shared_ptr<const TlsContext>> client(const ClientTls& options);
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  ssl_ctx_st* get() const { return context_.get(); }
  bool is_server() const { return is_server_; }
  /// Keys by identity; a client has one.
  const Secrets& keys() const { return keys_; }
  /// A client's: that the server's certificate must have; empty: the host's.
  const std::string& server_name() const { return server_name_; }

 private:
  struct Free {
    void operator()(ssl_ctx_st* context) const;
  };
  explicit TlsContext(bool is_server);

  Status load_certificate(const std::string& cert_file, const std::string& key_file);
  Status load_authorities(const std::string& ca_file);
  Status load_keys(const std::string& psk_file);

  const bool is_server_;
  std::unique_ptr<ssl_ctx_st, Free> context_;
  Secrets keys_;
  std::string server_name_;
};

/// One connection. Threads: each call at once with any other.
class TlsStream {
 public:
  /// What a call that could do nothing waits for.
  enum class Need : uint8_t { kNothing, kToRead, kToWrite };

  /// Over a socket that the caller keeps open. `host` is that of a client's server.
  static Result<std::unique_ptr<TlsStream>> make(std::shared_ptr<const TlsContext> context,
                                                 int socket, const std::string& host);
  ~TlsStream();
  TlsStream(const TlsStream&) = delete;
  TlsStream& operator=(const TlsStream&) = delete;

  /// Goes on with the handshake; kNothing: it is done. ERR_DENIED when one side does not accept the
  /// other, ERR_PROTOCOL when the peer does not speak TLS 1.3, ERR_UNAVAILABLE when it has gone.
  Result<Need> handshake() HOTROW_EXCLUDES(mutex_);
  /// Of a server, after the handshake: who the client is by its key or certificate; empty: it has
  /// shown none.
  const std::string& identity() const { return identity_; }

  /// Bytes that came, as many as there are and fit; 0: none now, see read_need(). ERR_UNAVAILABLE
  /// at the end of the connection, whether it was announced or cut; ERR_DENIED as handshake(): what
  /// a server thinks of a client's certificate comes after the handshake.
  Result<size_t> read(std::span<std::byte> first, std::span<std::byte> second)
      HOTROW_EXCLUDES(mutex_);
  Need read_need() const HOTROW_EXCLUDES(mutex_);
  /// Has the last read() left nothing behind that a look at the socket would not tell of?
  bool drained() const HOTROW_EXCLUDES(mutex_);
  /// Bytes taken of the pieces, of a few records at most; 0: the socket takes none now, or not all
  /// of what was encrypted, and the next call must begin with the same bytes.
  Result<size_t> write(std::span<const iovec> pieces) HOTROW_EXCLUDES(mutex_);
  /// Tells the peer that nothing more comes, as far as the socket takes that.
  void finish() HOTROW_EXCLUDES(mutex_);

 private:
  static constexpr size_t kRecordBytes = size_t{16} << 10;
  // One send() of 64 KiB costs less than four, on both sides.
  static constexpr size_t kRecordsAtOnce = 4;

  struct Free {
    void operator()(ssl_st* ssl) const;
  };
  TlsStream(std::shared_ptr<const TlsContext> context, int socket);
  Status prepare(const std::string& host) HOTROW_EXCLUDES(mutex_);
  Status know_peer() HOTROW_REQUIRES(mutex_);
  Status failure(int returned) HOTROW_REQUIRES(mutex_);
  Result<size_t> read_some(std::span<std::byte> space) HOTROW_REQUIRES(mutex_);
  /// The bytes of the next record, from `skip` on of the first piece.
  std::span<const std::byte> next_record(std::span<const iovec> pieces, size_t skip)
      HOTROW_REQUIRES(mutex_);
  Result<size_t> flush() HOTROW_REQUIRES(mutex_);

  const std::shared_ptr<const TlsContext> context_;
  const std::unique_ptr<TlsCalls> calls_;  // of the handshake
  std::string identity_;                   // set by it

  mutable Mutex mutex_;  // OpenSSL's connections are of one thread at a time
  std::unique_ptr<ssl_st, Free> ssl_ HOTROW_GUARDED_BY(mutex_);
  Status failed_ HOTROW_GUARDED_BY(mutex_);    // what a read found behind the bytes that it gave
  size_t owed_ HOTROW_GUARDED_BY(mutex_) = 0;  // bytes of the caller's that were encrypted
  bool shaken_ HOTROW_GUARDED_BY(mutex_) = false;
  bool dead_ HOTROW_GUARDED_BY(mutex_) = false;  // OpenSSL may be asked nothing any more
  Need read_need_ HOTROW_GUARDED_BY(mutex_) = Need::kNothing;
  // Small pieces become one record; made when there are some.
  std::unique_ptr<std::array<std::byte, kRecordBytes>> record_ HOTROW_GUARDED_BY(mutex_);
};

}  // namespace hotrow::net

#endif  // HOTROW_NET_TLS_H_
