#include "storage/checksum.h"

#ifdef __SSE4_2__
#include <nmmintrin.h>

#include <cstdint>
#include <cstring>
#include <string>
#endif

namespace hotrow {

#ifdef __SSE4_2__

namespace {

class Crc32c final : public rocksdb::FileChecksumGenerator {
 public:
  void Update(const char* data, size_t n) override {
    uint64_t crc = crc_;
    for (; n >= sizeof(uint64_t); n -= sizeof(uint64_t), data += sizeof(uint64_t)) {
      uint64_t word = 0;
      std::memcpy(&word, data, sizeof word);
      crc = _mm_crc32_u64(crc, word);
    }
    crc_ = static_cast<uint32_t>(crc);
    for (; n > 0; --n, ++data) crc_ = _mm_crc32_u8(crc_, static_cast<uint8_t>(*data));
  }
  void Finalize() override {
    const uint32_t swapped = __builtin_bswap32(~crc_);
    text_.assign(reinterpret_cast<const char*>(&swapped), sizeof swapped);
  }
  std::string GetChecksum() const override { return text_; }
  const char* Name() const override { return "FileChecksumCrc32c"; }

 private:
  uint32_t crc_ = ~uint32_t{0};
  std::string text_;
};

class Crc32cFactory final : public rocksdb::FileChecksumGenFactory {
 public:
  std::unique_ptr<rocksdb::FileChecksumGenerator> CreateFileChecksumGenerator(
      const rocksdb::FileChecksumGenContext& /*context*/) override {
    return std::make_unique<Crc32c>();
  }
  const char* Name() const override { return "FileChecksumGenCrc32cFactory"; }
};

}  // namespace

std::shared_ptr<rocksdb::FileChecksumGenFactory> checksum_factory() {
  static const auto factory = std::make_shared<Crc32cFactory>();
  return factory;
}

#else

std::shared_ptr<rocksdb::FileChecksumGenFactory> checksum_factory() {
  return rocksdb::GetFileChecksumGenCrc32cFactory();
}

#endif

}  // namespace hotrow
