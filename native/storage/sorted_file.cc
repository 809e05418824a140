#include "storage/sorted_file.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "storage/disk.h"

namespace hotrow {

namespace {

// Read at once: what fits into a core's second cache, and is still long beside a system call.
constexpr uint64_t kPieceBytes = uint64_t{256} << 10;
// The system is asked to have so much of what comes next ready: the least at first, as some read a
// few rows only, and twice as much with every piece. It does no more for one request than the
// device's settings say, which is more than the least.
constexpr uint64_t kMostAheadBytes = uint64_t{16} << 20;
constexpr uint64_t kFetchBytes = uint64_t{1} << 20;
// What the last 8 bytes of a key say: what it is, in the first of them.
constexpr uint8_t kDeletion = 0;
constexpr uint8_t kValue = 1;

/// A block's entries without what comes behind them.
std::optional<std::string_view> entries_of(std::string_view block, uint32_t& restarts) {
  if (block.size() < sizeof(uint32_t)) return {};
  const size_t end = block.size() - sizeof(uint32_t);
  restarts = fixed<uint32_t>(block.substr(end));
  if (restarts > end / sizeof(uint32_t)) return {};
  return block.substr(0, end - restarts * sizeof(uint32_t));
}

}  // namespace

Result<std::unique_ptr<SortedFile>> SortedFile::open(const std::string& path, uint64_t from) {
  std::unique_ptr<SortedFile> file(new SortedFile(path));
  HOTROW_RETURN_IF_ERROR(file->open_at(from));
  return file;
}

Status SortedFile::open_at(uint64_t from) {
  rocksdb::FileSystem& files = *disk_env()->GetFileSystem();
  const std::string what = "'" + path_ + "'";
  HOTROW_RETURN_IF_ERROR(disk_status(files.NewRandomAccessFile(path_, {}, &file_, nullptr), what));
  uint64_t size = 0;
  HOTROW_RETURN_IF_ERROR(disk_status(files.GetFileSize(path_, {}, &size, nullptr), what));
  if (size < kFooterBytes) return damaged("its end is damaged");
  std::string bytes;
  HOTROW_RETURN_IF_ERROR(read(size - kFooterBytes, kFooterBytes, bytes));
  const auto footer = Footer::parse(bytes);
  if (!footer) return damaged("its end is damaged");
  data_end_ = size - kFooterBytes;
  HOTROW_RETURN_IF_ERROR(read_index(footer->metaindex, footer->index));
  return seek(from);
}

Status SortedFile::read(uint64_t offset, uint64_t bytes, std::string& into) const {
  into.resize(bytes);
  rocksdb::Slice result;
  HOTROW_RETURN_IF_ERROR(disk_status(file_->Read(offset, bytes, {}, &result, into.data(), nullptr),
                                     "'" + path_ + "'"));
  if (result.size() != bytes) return damaged("it ends early");
  if (result.data() != into.data()) std::memcpy(into.data(), result.data(), bytes);
  return {};
}

// Its trailer is left out.
Status SortedFile::read_block(const BlockHandle& block, std::string& into) const {
  const uint64_t most = data_end_ - std::min(data_end_, block.offset);
  if (most < kTrailerBytes || block.size > most - kTrailerBytes) return damaged("a block outside");
  HOTROW_RETURN_IF_ERROR(read(block.offset, block.size + kTrailerBytes, into));
  if (!is_whole_block(into)) return damaged("a block's checksum does not fit");
  into.resize(block.size);
  return {};
}

Status SortedFile::read_properties(const BlockHandle& metaindex, uint64_t& user_keys) const {
  std::string block;
  std::string_view properties = "rocksdb.properties";
  // First the list of blocks that names the properties, then these.
  BlockHandle at = metaindex;
  uint64_t deltas = 0;
  for (const bool last : {false, true}) {
    HOTROW_RETURN_IF_ERROR(read_block(at, block));
    uint32_t restarts = 0;
    auto entries = entries_of(block, restarts);
    bool found = false;
    std::string key;
    while (entries && !entries->empty()) {
      const auto entry = take_entry(*entries);
      if (!entry || entry->shared > key.size()) return damaged("a damaged entry");
      key.resize(entry->shared);
      key += entry->rest;
      std::string_view value = entry->value;
      if (!last && key == properties) {
        const auto handle = take_handle(value);
        found = handle.has_value();
        at = handle.value_or(at);
      }
      if (last && key == "rocksdb.index.key.is.user.key")
        user_keys = take_number(value).value_or(0);
      if (last && key == "rocksdb.index.value.is.delta.encoded") {
        deltas = take_number(value).value_or(0);
      }
    }
    if (!last && !found) return damaged("it has no properties");
  }
  return deltas == 1 ? Status() : damaged("an index of another kind");
}

Status SortedFile::read_index(const BlockHandle& metaindex, const BlockHandle& index) {
  uint64_t user_keys = 0;
  HOTROW_RETURN_IF_ERROR(read_properties(metaindex, user_keys));
  user_keys_ = user_keys == 1;
  HOTROW_RETURN_IF_ERROR(read_block(index, index_));
  uint32_t restarts = 0;
  const auto entries = entries_of(index_, restarts);
  if (!entries) return damaged("its index is damaged");
  index_entries_ = *entries;
  restarts_ = std::string_view(index_).substr(entries->size());
  blocks_ = restarts;
  return {};
}

std::optional<SortedFile::Place> SortedFile::place(size_t i) const {
  const auto at = fixed<uint32_t>(restarts_.substr(i * sizeof(uint32_t)));
  if (at > index_entries_.size()) return {};
  std::string_view rest = index_entries_.substr(at);
  const auto shared = take_number(rest);
  const auto bytes = take_number(rest);
  const size_t trailer = user_keys_ ? 0 : kKeyTrailerBytes;
  if (!bytes || *shared != 0 || *bytes > rest.size() || *bytes < trailer) return {};
  // Shortened where fewer bytes tell the two blocks apart.
  const std::string_view key = rest.substr(0, std::min(*bytes - trailer, sizeof(DiskKey)));
  DiskKey padded = {};
  key.copy(padded.data(), key.size());
  rest.remove_prefix(*bytes);
  const auto block = take_handle(rest);
  if (!block) return {};
  return Place{*block, hash_of({padded.data(), padded.size()})};
}

Status SortedFile::seek(uint64_t from) {
  from_ = from;
  size_t low = 0;
  size_t high = blocks_;
  while (low < high) {
    const size_t middle = low + (high - low) / 2;
    const auto at = place(middle);
    if (!at) return damaged("its index is damaged");
    if (at->end < from) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  next_block_ = low;
  piece_block_ = low;
  return {};
}

Status SortedFile::load() {
  const auto first = place(next_block_);
  if (!first) return damaged("its index is damaged");
  piece_at_ = first->block.offset;
  uint64_t end = piece_at_;
  for (; next_block_ < blocks_; ++next_block_) {
    const auto at = place(next_block_);
    if (!at || at->block.offset != end) return damaged("its index is damaged");
    const uint64_t block_end = end + at->block.size + kTrailerBytes;
    if (block_end < end || block_end > data_end_) return damaged("a block outside");
    if (block_end - piece_at_ > kPieceBytes && end > piece_at_) break;
    end = block_end;
  }
  // Only a hint: the disk works on what comes next while this is read.
  ahead_ = std::clamp(2 * ahead_, kFetchBytes, kMostAheadBytes);
  while (next_block_ < blocks_ && fetched_ < std::min(end + ahead_, data_end_)) {
    const uint64_t begin = std::max(fetched_, end);
    (void)file_->Prefetch(begin, kFetchBytes, {}, nullptr);
    fetched_ = begin + kFetchBytes;
  }
  return read(piece_at_, end - piece_at_, piece_);
}

Status SortedFile::enter_block() {
  if (piece_block_ == next_block_) HOTROW_RETURN_IF_ERROR(load());
  const auto at = place(piece_block_++);
  if (!at) return damaged("its index is damaged");
  const std::string_view block =
      std::string_view(piece_).substr(at->block.offset - piece_at_, at->block.size + kTrailerBytes);
  if (!is_whole_block(block)) return damaged("a block's checksum does not fit");
  uint32_t restarts = 0;
  const auto entries = entries_of(block.substr(0, at->block.size), restarts);
  if (!entries) return damaged("a damaged block");
  block_ = *entries;
  return {};
}

// The next entry, which there is.
Status SortedFile::take() {
  const auto entry = take_entry(block_);
  if (!entry) return damaged("a damaged entry");
  if (entry->shared > sizeof key_ || entry->shared + entry->rest.size() != sizeof key_) {
    return damaged("a key that is none of ours");
  }
  std::memcpy(key_ + entry->shared, entry->rest.data(), entry->rest.size());
  const auto kind = static_cast<uint8_t>(key_[sizeof(DiskKey)]);
  if (kind != kValue && kind != kDeletion) return damaged("an entry of another kind");
  hash_ = hash_of({key_, sizeof(DiskKey)});
  gone_ = kind == kDeletion;
  row_ = entry->value;
  return {};
}

Status SortedFile::next() {
  const uint64_t before = hash_;
  const bool any = std::exchange(valid_, false);
  for (;;) {
    while (block_.empty()) {
      if (piece_block_ == blocks_) return {};
      HOTROW_RETURN_IF_ERROR(enter_block());
    }
    HOTROW_RETURN_IF_ERROR(take());
    if (hash_ < from_ || (any && hash_ == before)) continue;
    if (any && hash_ < before) return damaged("keys out of order");
    valid_ = true;
    return {};
  }
}

}  // namespace hotrow
