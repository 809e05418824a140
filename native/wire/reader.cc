#include "wire/reader.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/hash.h"

namespace hotrow::wire {

void FrameReader::open(uint64_t most_body_bytes) {
  most_body_bytes_ = most_body_bytes;
  AlignedBuffer larger(kBufferBytes);
  std::memcpy(larger.data(), buffer_.data() + begin_, end_ - begin_);
  end_ -= begin_;
  begin_ = 0;
  buffer_ = std::move(larger);
}

std::span<std::byte> FrameReader::space() {
  if (large_used_) return large_.bytes().subspan(large_end_);
  return buffer_.bytes().subspan(end_);
}

Status FrameReader::advance(size_t bytes) {
  (large_used_ ? large_end_ : end_) += bytes;
  return look();
}

std::span<const std::byte> FrameReader::body() const {
  if (large_used_) return large_.bytes();
  return buffer_.bytes().subspan(begin_ + kHeaderBytes, header_.body_bytes);
}

Status FrameReader::next() {
  if (large_used_) {
    large_used_ = false;
    if (large_.capacity() > kKeptBytes) large_.release();
  } else {
    begin_ += header_.bytes();
  }
  has_header_ = false;
  ready_ = false;
  if (begin_ == end_) begin_ = end_ = 0;
  return look();
}

Status FrameReader::look() {
  if (!has_header_) {
    if (end_ - begin_ < kHeaderBytes) {
      // Room for a header at least.
      if (buffer_.size() - begin_ < kHeaderBytes) {
        std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
        end_ -= begin_;
        begin_ = 0;
      }
      return {};
    }
    auto header =
        decode(std::span<const std::byte, kHeaderBytes>(buffer_.data() + begin_, kHeaderBytes),
               most_body_bytes_);
    if (!header.ok()) return header.status();
    header_ = header.value();
    has_header_ = true;
    if (header_.bytes() > buffer_.size()) {
      large_.resize(header_.body_bytes);
      large_used_ = true;
      large_end_ = end_ - begin_ - kHeaderBytes;
      std::memcpy(large_.data(), buffer_.data() + begin_ + kHeaderBytes, large_end_);
      begin_ = end_ = 0;
    } else if (begin_ + header_.bytes() > buffer_.size()) {
      std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
      end_ -= begin_;
      begin_ = 0;
    }
  }
  ready_ = large_used_ ? large_end_ == header_.body_bytes : end_ - begin_ >= header_.bytes();
  if (ready_ && (header_.flags & kSummed) != 0) {
    const auto all = body();
    const uint64_t sum = xxh3({reinterpret_cast<const char*>(all.data()), all.size()});
    if (sum != header_.body_sum) {
      return {StatusCode::kProtocol, "frame: the body's checksum does not fit"};
    }
  }
  return {};
}

}  // namespace hotrow::wire
