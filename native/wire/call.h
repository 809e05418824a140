// The calls of a store that carry no arrays, as text: JSON objects with the names that TypeScript
// has. They are few and not in the way of a batch; a client in any language can write them.
#ifndef HOTROW_WIRE_CALL_H_
#define HOTROW_WIRE_CALL_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "hotrow/options.h"
#include "hotrow/stats.h"
#include "hotrow/store.h"
#include "wire/frame.h"

namespace hotrow::wire {

/// What a client says first.
struct Hello {
  uint32_t version = 1;  ///< of the protocol
  std::string session;   ///< to go on with; empty: a new one
  std::string client;    ///< what it calls itself, for the server's figures
  std::string identity;  ///< whose token it has; empty: none
  std::string token;     ///< only over TLS
  /// "shm" or "rdma": what it would rather have than this connection; empty: nothing.
  std::string transport;
};

/// What the server answers.
struct Welcome {
  std::string session;           ///< 32 hexadecimal digits, the client's secret
  bool resumed = false;          ///< it is the session that was asked for
  std::string run;               ///< of the server's process: 32 hexadecimal digits
  std::string path;              ///< of its store
  uint64_t store_version = 0;    ///< the newest version when the server started
  uint64_t most_body_bytes = 0;  ///< of a request
  uint64_t session_ms = 0;       ///< how long a session without a connection is kept
  /// A version of several servers of which this one does not know whether it exists.
  std::string in_doubt;
  uint32_t epoch = 0;  ///< of the placement it has; 0: none
  /// Of the transport that was asked for (docs/FORMATS.md, "Fabric"): hexadecimal digits. Empty:
  /// there is none, which `no_transport` explains.
  std::string ticket;
  std::string fabric;
  std::string no_transport;
  uint64_t features = 0;  ///< bits of Feature that the server knows

  bool knows(Feature feature) const { return (features & feature) != 0; }
};

/// One call: its name and what of the rest it reads. Fields that are left out are the defaults.
struct Call {
  std::string call;
  std::string name;
  std::string other;
  uint32_t parameter = 0;
  uint64_t number = 0;
  double real = 0;
  bool flag = false;
  /// Of `dense`: the client knows that it may be given a chunk; of `list`: it wants each chunk.
  bool chunks = false;
  TableOptions table;
  DenseOptions dense;
  ShrinkOptions shrink;
};

/// A table or dense parameter that the session has opened.
struct OpenedTable {
  uint32_t parameter = 0;  ///< its number in the session's messages
  std::string name;
  TableOptions options;
  uint64_t state_values = 0;
};
struct OpenedDense {
  uint32_t parameter = 0;
  std::string name;
  DenseOptions options;
  uint64_t size = 0;
  uint64_t state_values = 0;
};

std::string to_text(const Hello& value);
std::string to_text(const Welcome& value);
std::string to_text(const Call& value);
std::string to_text(const OpenedTable& value);
std::string to_text(const OpenedDense& value);
std::string to_text(const VersionInfo& value);
std::string to_text(const std::vector<VersionInfo>& value);
std::string to_text(const Recovery& value);
std::string to_text(const std::vector<TableDiff>& value);
std::string to_text(const std::vector<ParameterInfo>& value);
std::string to_text(const std::vector<HotKey>& value);
std::string to_text(const TableStats& value);
std::string to_text(const StoreStats& value);
std::string to_text(const ServerFigures& value);
std::string to_text(uint64_t value);

/// ERR_PROTOCOL when the text is no JSON of that. Unknown fields are passed over.
template <class T>
Result<T> from_text(std::string_view text);

}  // namespace hotrow::wire

#endif  // HOTROW_WIRE_CALL_H_
