// The checksum of files, beside the one that RocksDB makes.
#include "storage/checksum.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "support/random.h"
#include "support/seed.h"

namespace hotrow::test {
namespace {

TEST(Checksum, IsRocksDbsOfAnyBytesInAnyPieces) {
  Random random(test_seed("Checksum.IsRocksDbsOfAnyBytesInAnyPieces"));
  for (int i = 0; i < 200; ++i) {
    std::string bytes(random.below(i < 100 ? 40 : 5000), '\0');
    for (char& byte : bytes) byte = static_cast<char>(random.below(256));
    const auto ours = checksum_factory()->CreateFileChecksumGenerator({});
    const auto theirs = rocksdb::GetFileChecksumGenCrc32cFactory()->CreateFileChecksumGenerator({});
    for (size_t at = 0; at < bytes.size();) {
      const size_t n = std::min(bytes.size() - at, random.below(1000) + 1);
      ours->Update(bytes.data() + at, n);
      at += n;
    }
    theirs->Update(bytes.data(), bytes.size());
    ours->Finalize();
    theirs->Finalize();
    ASSERT_EQ(ours->GetChecksum(), theirs->GetChecksum());
    ASSERT_STREQ(ours->Name(), theirs->Name());
  }
}

}  // namespace
}  // namespace hotrow::test
