// The bucket's word, bit by bit, and the line it lies in.
#include "table/bucket.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>

namespace hotrow::test {
namespace {

constexpr uint32_t kLocked = 1;
constexpr uint32_t kFrozen = 2;
constexpr uint32_t kMoved = 4;
constexpr uint32_t kOverflow = 8;
constexpr uint32_t kOneVersion = 1U << 9;

TEST(BucketWord, BitsLieAsDocumented) {
  EXPECT_EQ(BucketWord().bits(), 0U);
  EXPECT_EQ(BucketWord().with_lock().bits(), kLocked);
  EXPECT_EQ(BucketWord().with_freeze().bits(), kLocked | kFrozen);
  EXPECT_EQ(BucketWord().with_overflow().bits(), kOverflow);
  EXPECT_EQ(BucketWord().with_moved().bits() & (kLocked | kMoved), kLocked | kMoved);
  for (uint32_t place = 0; place < kBucketKeys; ++place) {
    EXPECT_EQ(BucketWord().with_place(place).bits(), 1U << (4 + place));
  }
  EXPECT_EQ(BucketWord(kLocked).unlocked().bits(), kOneVersion);
}

TEST(BucketWord, ReadsItsParts) {
  const BucketWord word(kOverflow | 0b10110U << 4 | 5 * kOneVersion);
  EXPECT_FALSE(word.locked());
  EXPECT_FALSE(word.moved());
  EXPECT_TRUE(word.overflow());
  EXPECT_EQ(word.occupied(), 0b10110U);
  EXPECT_EQ(word.first_empty(), 0U);
  EXPECT_FALSE(word.full());
  EXPECT_TRUE(BucketWord(0b11111U << 4).full());
}

TEST(BucketWord, FirstEmptyForEveryOccupation) {
  for (uint32_t occupied = 0; occupied < 0b11111; ++occupied) {
    uint32_t expected = 0;
    while ((occupied >> expected & 1) != 0) ++expected;
    // Neighbouring bits must not leak in.
    EXPECT_EQ(BucketWord(occupied << 4 | kOneVersion | kOverflow).first_empty(), expected);
  }
}

TEST(BucketWord, WhoMayRead) {
  EXPECT_TRUE(BucketWord().readable());
  EXPECT_TRUE(BucketWord(kOverflow).readable());
  EXPECT_FALSE(BucketWord().with_lock().readable());
  EXPECT_TRUE(BucketWord().with_freeze().readable()) << "a rebuild lets readers on";
  EXPECT_FALSE(BucketWord().with_moved().readable());
  EXPECT_FALSE(BucketWord().with_freeze().with_moved().readable());
}

TEST(BucketWord, PlacesComeAndGoAlone) {
  BucketWord word = BucketWord(7 * kOneVersion).with_overflow().with_lock();
  for (uint32_t place = 0; place < kBucketKeys; ++place) word = word.with_place(place);
  EXPECT_TRUE(word.full());
  word = word.without_place(3);
  EXPECT_EQ(word.occupied(), 0b10111U);
  EXPECT_EQ(word.first_empty(), 3U);
  EXPECT_TRUE(word.overflow()) << "erasing shortens no chain";
  EXPECT_EQ(word.unlocked().bits() >> 9, 8U);
}

TEST(BucketWord, EveryLockEndsInAnotherVersion) {
  BucketWord word = BucketWord().with_overflow().with_place(2);
  const BucketWord before = word;
  word = word.with_lock().unlocked();
  EXPECT_FALSE(word == before);
  EXPECT_EQ(word.occupied(), before.occupied());
  EXPECT_TRUE(word.overflow());
  const BucketWord thawed = before.with_freeze().thawed();
  EXPECT_FALSE(thawed == before);
  EXPECT_FALSE(thawed.locked());
  EXPECT_TRUE(thawed.readable());
  EXPECT_EQ(thawed.occupied(), before.occupied());
  EXPECT_EQ(thawed.bits() & kFrozen, 0U);
}

TEST(BucketWord, VersionsWrapWithoutTouchingTheRest) {
  const BucketWord last = BucketWord(UINT32_MAX & ~(kMoved | kFrozen));
  const BucketWord next = last.unlocked();
  EXPECT_EQ(next.bits() >> 9, 0U);
  EXPECT_TRUE(next.full());
  EXPECT_TRUE(next.overflow());
  EXPECT_FALSE(next.locked());
}

TEST(Bucket, IsOneLineLaidOutAsDocumented) {
  EXPECT_EQ(sizeof(Bucket<>), 64U);
  EXPECT_EQ(alignof(Bucket<>), 64U);
  EXPECT_EQ(offsetof(Bucket<>, keys), 0U);
  EXPECT_EQ(offsetof(Bucket<>, handles), 40U);
  EXPECT_EQ(offsetof(Bucket<>, word), 60U);
}

TEST(Bucket, FindLooksOnlyAtOccupiedPlaces) {
  Bucket<> bucket = {};
  EXPECT_EQ(bucket.find(0, bucket.load()), kBucketKeys) << "zero bytes are no key 0";
  bucket.put(3, 0, 33);
  EXPECT_EQ(bucket.find(0, bucket.load()), kBucketKeys) << "put alone occupies nothing";
  bucket.store(bucket.load().with_place(3));
  EXPECT_EQ(bucket.find(0, bucket.load()), 3U);
  bucket.put(1, UINT64_MAX, 11);
  bucket.store(bucket.load().with_place(1));
  EXPECT_EQ(bucket.find(UINT64_MAX, bucket.load()), 1U);
  EXPECT_EQ(bucket.find(1, bucket.load()), kBucketKeys);
  EXPECT_EQ(bucket.handles[1].load(), 11U);
  bucket.store(bucket.load().without_place(3));
  EXPECT_EQ(bucket.find(0, bucket.load()), kBucketKeys);
}

TEST(Bucket, TryReplaceTakesOnlyTheExpectedWord) {
  Bucket<> bucket = {};
  EXPECT_FALSE(bucket.try_replace(BucketWord(kOneVersion), BucketWord().with_lock()));
  while (!bucket.try_replace(BucketWord(), BucketWord().with_lock())) {
  }
  EXPECT_TRUE(bucket.load().locked());
  EXPECT_FALSE(bucket.try_replace(BucketWord(), BucketWord().with_lock()));
}

}  // namespace
}  // namespace hotrow::test
