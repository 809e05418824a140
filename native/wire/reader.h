// FrameReader: from bytes as they come to whole frames. Knows no socket: whoever has one asks where
// the next bytes are to go, puts them there and says how many came.
//
// Small frames lie one after the other in one buffer and are read where they lie; the body of one
// that does not fit gets a buffer of its own, into which the rest of it comes directly.
#ifndef HOTROW_WIRE_READER_H_
#define HOTROW_WIRE_READER_H_

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/aligned_buffer.h"
#include "wire/frame.h"

namespace hotrow::wire {

class FrameReader {
 public:
  /// Before the peer has said who it is: one small frame.
  static constexpr size_t kFirstBytes = kHeaderBytes + kMostHelloBytes;
  static constexpr size_t kBufferBytes = size_t{64} << 10;
  /// A larger body's memory is given back once the frame is done.
  static constexpr size_t kKeptBytes = size_t{4} << 20;

  /// Throws std::bad_alloc, as all that follows.
  FrameReader() : buffer_(kFirstBytes) {}

  /// The peer is known: bodies may be so long from now on. Between two frames.
  void open(uint64_t most_body_bytes);

  /// Where the next bytes go; never empty between next() and ready().
  std::span<std::byte> space();
  /// `bytes` of the space were filled. ERR_PROTOCOL: what came is no frame.
  Status advance(size_t bytes);

  /// Is there a whole frame?
  bool ready() const { return ready_; }
  /// Has part of a frame come?
  bool halfway() const { return !ready_ && (begin_ != end_ || large_used_); }
  const FrameHeader& header() const { return header_; }
  /// Aligned, as its payloads are.
  std::span<const std::byte> body() const;
  /// The frame is done with, and its body gone; the one behind it may be ready at once.
  Status next();

 private:
  Status look();

  AlignedBuffer buffer_;
  size_t begin_ = 0;  // of the frame; a multiple of the alignment
  size_t end_ = 0;
  AlignedBuffer large_;
  size_t large_end_ = 0;
  bool large_used_ = false;
  bool has_header_ = false;
  bool ready_ = false;
  uint64_t most_body_bytes_ = kMostHelloBytes;
  FrameHeader header_;
};

}  // namespace hotrow::wire

#endif  // HOTROW_WIRE_READER_H_
