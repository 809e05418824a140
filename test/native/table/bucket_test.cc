// The bucket's word, bit by bit, and the line it lies in.
#include "table/bucket.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>

namespace hotrow::test {
namespace {

constexpr uint32_t kBusy = 1;
constexpr uint32_t kMoved = 2;
constexpr uint32_t kOverflow = 4;
constexpr uint32_t kOneVersion = 1U << 8;

TEST(BucketWord, BitsLieAsDocumented) {
  EXPECT_EQ(BucketWord().bits(), 0U);
  EXPECT_EQ(BucketWord().busy().bits(), kBusy);
  EXPECT_EQ(BucketWord().with_overflow().bits(), kOverflow);
  EXPECT_EQ(BucketWord().with_moved().bits(), kBusy | kMoved);
  for (uint32_t place = 0; place < BucketWord::kMostPlaces; ++place) {
    EXPECT_EQ(BucketWord().with_place(place).bits(), 1U << (3 + place));
  }
  EXPECT_EQ(BucketWord(kBusy).changed().bits(), kOneVersion);
}

TEST(BucketWord, ReadsItsParts) {
  const BucketWord word(kOverflow | 0b10110U << 3 | 5 * kOneVersion);
  EXPECT_TRUE(word.readable());
  EXPECT_FALSE(word.moved());
  EXPECT_TRUE(word.overflow());
  EXPECT_EQ(word.occupied(), 0b10110U);
  EXPECT_EQ(word.first_empty(), 0U);
}

TEST(BucketWord, FirstEmptyForEveryOccupation) {
  for (uint32_t occupied = 0; occupied <= 0b11111; ++occupied) {
    uint32_t expected = 0;
    while ((occupied >> expected & 1) != 0) ++expected;
    // Neighbouring bits must not leak in.
    EXPECT_EQ(BucketWord(occupied << 3 | kOneVersion | kOverflow).first_empty(), expected);
  }
}

TEST(BucketWord, WhoMayRead) {
  EXPECT_TRUE(BucketWord().readable());
  EXPECT_TRUE(BucketWord(kOverflow).readable());
  EXPECT_FALSE(BucketWord().busy().readable());
  EXPECT_FALSE(BucketWord().with_moved().readable());
}

TEST(BucketWord, PlacesComeAndGoAlone) {
  BucketWord word = BucketWord(7 * kOneVersion).with_overflow().busy();
  for (uint32_t place = 0; place < BucketWord::kMostPlaces; ++place) word = word.with_place(place);
  EXPECT_EQ(word.first_empty(), BucketWord::kMostPlaces);
  word = word.without_place(3);
  EXPECT_EQ(word.occupied(), 0b10111U);
  EXPECT_EQ(word.first_empty(), 3U);
  EXPECT_TRUE(word.overflow()) << "erasing shortens no chain";
  EXPECT_EQ(word.changed().bits() >> 8, 8U);
}

TEST(BucketWord, EveryChangeEndsInAnotherVersion) {
  const BucketWord before = BucketWord().with_overflow().with_place(2);
  const BucketWord after = before.busy().changed();
  EXPECT_FALSE(after == before);
  EXPECT_TRUE(after.readable());
  EXPECT_EQ(after.occupied(), before.occupied());
  EXPECT_TRUE(after.overflow());
}

TEST(BucketWord, VersionsWrapWithoutTouchingTheRest) {
  const BucketWord next = BucketWord(UINT32_MAX & ~kMoved).changed();
  EXPECT_EQ(next.bits() >> 8, 0U);
  EXPECT_EQ(next.occupied(), 0b11111U);
  EXPECT_TRUE(next.overflow());
  EXPECT_TRUE(next.readable());
}

TEST(Bucket, IsOneLineLaidOutAsDocumented) {
  EXPECT_EQ(sizeof(PlainBucket), 64U);
  EXPECT_EQ(alignof(PlainBucket), 64U);
  EXPECT_EQ(offsetof(PlainBucket, keys), 0U);
  EXPECT_EQ(offsetof(PlainBucket, handles), 40U);
  EXPECT_EQ(offsetof(PlainBucket, word), 60U);
  EXPECT_EQ(sizeof(HeatBucket), 64U);
  EXPECT_EQ(offsetof(HeatBucket, handles), 32U);
  EXPECT_EQ(offsetof(HeatBucket, heats), 48U);
  EXPECT_EQ(offsetof(HeatBucket, word), 60U);
}

template <class BucketT>
void finds_only_occupied_places() {
  constexpr uint32_t kNone = BucketT::kPlaces;
  BucketT bucket = {};
  EXPECT_EQ(bucket.find(0, bucket.load()), kNone) << "zero bytes are no key 0";
  const uint32_t last = kNone - 1;
  bucket.put(last, 0, 33);
  EXPECT_EQ(bucket.find(0, bucket.load()), kNone) << "put alone occupies nothing";
  bucket.store(bucket.load().with_place(last));
  EXPECT_EQ(bucket.find(0, bucket.load()), last);
  bucket.put(1, UINT64_MAX, 11);
  bucket.store(bucket.load().with_place(1));
  EXPECT_EQ(bucket.find(UINT64_MAX, bucket.load()), 1U);
  EXPECT_EQ(bucket.find(1, bucket.load()), kNone);
  EXPECT_EQ(bucket.handles[1].load(), 11U);
  bucket.store(bucket.load().without_place(last));
  EXPECT_EQ(bucket.find(0, bucket.load()), kNone);
}

TEST(Bucket, FindLooksOnlyAtOccupiedPlaces) {
  finds_only_occupied_places<PlainBucket>();
  finds_only_occupied_places<HeatBucket>();
  finds_only_occupied_places<Bucket<3, false>>();
}

TEST(Bucket, MatchesEveryPlace) {
  PlainBucket plain = {};
  HeatBucket heat = {};
  for (uint32_t place = 0; place < PlainBucket::kPlaces; ++place) plain.put(place, 100 + place, 0);
  for (uint32_t place = 0; place < HeatBucket::kPlaces; ++place) heat.put(place, 100 + place, 0);
  for (uint32_t place = 0; place < PlainBucket::kPlaces; ++place) {
    EXPECT_EQ(plain.matches(100 + place), 1U << place);
  }
  for (uint32_t place = 0; place < HeatBucket::kPlaces; ++place) {
    EXPECT_EQ(heat.matches(100 + place), 1U << place);
  }
  // The halves of a key are not keys.
  EXPECT_EQ(plain.matches(uint64_t{100} << 32 | 101), 0U);
}

TEST(Bucket, KeepsAHeatForEachPlace) {
  HeatBucket bucket = {};
  for (uint32_t place = 0; place < HeatBucket::kPlaces; ++place) {
    bucket.heats.store(place, Heat(0xabcd00 + place));
  }
  for (uint32_t place = 0; place < HeatBucket::kPlaces; ++place) {
    EXPECT_EQ(bucket.heats.load(place).bits(), 0xabcd00 + place);
  }
  EXPECT_EQ(bucket.load().bits(), 0U);
}

}  // namespace
}  // namespace hotrow::test
