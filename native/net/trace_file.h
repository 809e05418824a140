// TraceFile: what a process did with its requests, and when, as a file that Perfetto and Chrome
// show (docs/FORMATS.md, "Traces").
//
// Events are made into text by whoever adds them and written by a thread of its own, so that nobody
// waits for a disk. What is beyond the file's limit, or comes faster than the disk takes it, is
// left out and counted: the file says at its end how many events these were.
//
// Threads: any number at once.
#ifndef HOTROW_NET_TRACE_FILE_H_
#define HOTROW_NET_TRACE_FILE_H_

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/stage_times.h"
#include "base/sync.h"
#include "hotrow/status.h"

namespace hotrow::net {

/// A part of an event.
struct TracePart {
  std::string_view name;
  Interval when;
};

/// What is one bar of a picture, with its parts beneath it.
struct TraceEvent {
  std::string_view row;  ///< what bars stand in; those that overlap get rows of their own
  std::string_view name;
  Interval when;
  std::span<const TracePart> parts;  ///< one after the other, none overlaps
  std::string_view table;            ///< empty: of none
  uint64_t trace = 0;                ///< number of the call; 0: of none
  uint64_t request = 0;              ///< by which it is joined with that of the peer; 0: it is not
  bool asks = false;                 ///< it sent the request; else it answered it
};

class TraceFile {
 public:
  static constexpr uint64_t kMostBytes = uint64_t{256} << 20;

  /// Makes the file, in the place of one that is there. `process` is what it calls itself.
  /// ERR_INVALID_ARGUMENT, which names `trace` and the file, when it cannot be written or somebody
  /// writes a trace to it; ERR_UNAVAILABLE when there is no thread for it.
  static Result<std::shared_ptr<TraceFile>> open(const std::string& path,
                                                 const std::string& process,
                                                 uint64_t most_bytes = kMostBytes);
  ~TraceFile() { close(); }
  TraceFile(const TraceFile&) = delete;
  TraceFile& operator=(const TraceFile&) = delete;

  /// An event for which there is no memory is left out.
  void add(const TraceEvent& event) noexcept HOTROW_EXCLUDES(mutex_);
  /// Writes what is left: the file is whole then, and what is added later is left out. Closing
  /// twice is fine.
  void close() HOTROW_EXCLUDES(mutex_, closing_);
  /// Events that were left out.
  uint64_t left_out() const HOTROW_EXCLUDES(mutex_);

 private:
  /// Of text that waits to be written.
  static constexpr size_t kMostWaiting = size_t{16} << 20;
  /// Side by side in one row: more are left out.
  static constexpr size_t kMostLanes = 1000;
  /// What the end of the file needs.
  static constexpr size_t kEndBytes = 4096;

  struct Closed {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  using File = std::unique_ptr<std::FILE, Closed>;
  /// When the last bar of each lane ends.
  struct Row {
    uint32_t first = 0;  // its number as Chrome's thread
    std::vector<Interval::Point> ends;
  };

  TraceFile(File file, const std::string& process, uint64_t most_bytes);
  /// Was there room for it?
  bool append(const TraceEvent& event) HOTROW_REQUIRES(mutex_);
  /// The number of a lane that is free from then on; 0: there is none.
  uint32_t lane(const TraceEvent& event, std::string& text) HOTROW_REQUIRES(mutex_);
  void loop() HOTROW_EXCLUDES(mutex_);

  const File file_;
  const uint64_t most_bytes_;
  const uint32_t process_;
  mutable Mutex mutex_;
  CondVar wake_;
  std::map<std::string, Row, std::less<>> rows_ HOTROW_GUARDED_BY(mutex_);
  std::string waiting_ HOTROW_GUARDED_BY(mutex_);
  uint64_t bytes_ HOTROW_GUARDED_BY(mutex_) = 0;  // of the file, with what waits
  uint64_t left_out_ HOTROW_GUARDED_BY(mutex_) = 0;
  bool full_ HOTROW_GUARDED_BY(mutex_) = false;    // one did not fit
  bool broken_ HOTROW_GUARDED_BY(mutex_) = false;  // the disk takes no more
  bool stopping_ HOTROW_GUARDED_BY(mutex_) = false;
  Mutex closing_;
  std::thread thread_;  // joined under closing_
};

}  // namespace hotrow::net

#endif  // HOTROW_NET_TRACE_FILE_H_
