// The mistakes that scripts/planted-gpu.mjs plants: a name, a file, a text of it and what it
// becomes. The first of each list is none.

/** In cuda/, for the random runs: in this file, the first text becomes the second. */
export const kInAlgorithms = [
  ['none', 'insert.h', '++counted.inserted;', '++counted.inserted;'],
  ['ties go to the highest way', 'tile.h', 'lanes[lane] < lanes[at]', 'lanes[lane] <= lanes[at]'],
  [
    'equal ranks are refused',
    'insert.h',
    'scores.rank(score) < rank',
    'scores.rank(score) <= rank',
  ],
  ['held ways are victims', 'insert.h', 'if ((ways.flags[lane] & kHeld) != 0) return kPinned;', ''],
  ['a way filled is let go', 'insert.h', 'ways.flags[lane] &= kHeld;', 'ways.flags[lane] = 0;'],
  [
    'hesitant rows replace any',
    'insert.h',
    'return wish == TierWish::kHesitant && ',
    'return false && ',
  ],
  ['awaited rows are refused', 'insert.h', 'if (wish == TierWish::kAwaited) return false;', ''],
  ['awaited rows go for the next', 'insert.h', 'ways.flags[lane] = kHeld;', ''],
  ['awaited rows are not held', 'insert.h', 'held_more(cache.pins[handle])', 'cache.pins[handle]'],
  ['ways are held less than never', 'lookup.h', 'pins > 0 ?', 'pins >= 0 ?'],
  ['held as before counts', 'lookup.h', 'return pins != before;', 'return true;'],
  ['stale ends one too early', 'insert.h', 'rank <= kStaleRank', 'rank < kStaleRank'],
  ['new rows keep the mark', 'insert.h', 'cache.dirty[handle] = 0;', ''],
  ['dirty victims are lost', 'insert.h', '& 1) != 0) {', '& 1) != 0 && candidate % 8 != 0) {'],
  ['pushed rows are clean', 'push.h', 'cache.dirty[handle] = 1;', ''],
  [
    'flushed rows stay dirty',
    'rows.h',
    'rows.keys[to] = cache.keys[handle];\n        cache.dirty[handle] = 0;',
    'rows.keys[to] = cache.keys[handle];',
  ],
  ['chunks are stepped over', 'copy.h', 'chunk += W;', 'chunk += W - 1;'],
  ['whole rows are stepped over', 'copy.h', 'row += W / kLength;', 'row += 1;'],
  ['ranks of misses count the lane', 'lookup.h', '((1U << lane) - 1)', '((2U << lane) - 1)'],
  ['rows of misses are written', 'lookup.h', 'if (handle[lane] == kNoHandle) return;', ''],
  ['uses are looked at one in four', 'scores.h', '(mixed >> 61) != 0', '(mixed >> 62) != 0'],
  ['epochs do not wrap', 'scores.h', '& 0xff; }', '& 0x1ff; }'],
  ['ages are not halvings', 'scores.h', '(score & kLow) >> halvings', '(score & kLow)'],
  [
    'bags sum backwards',
    'pool.h',
    'value_of(handles[at], i)',
    'value_of(handles[end - 1 - at + begin], i)',
  ],
  ['the last position claims', 'tile.h', 'while (value < seen &&', 'while (value > seen &&'],
]

/** In cuda/, for test/native/cuda/ring_test.cc. */
export const kInRing = [
  ['none in the ring', 'ring.h', 'missed_ += count;', 'missed_ += count;'],
  [
    'the newest batch is ended first',
    'ring.h',
    'Stage& stage = stages_[ended_ % kStages];',
    'Stage& stage = stages_[(begun_ - 1) % kStages];',
  ],
  ['a batch too many is begun', 'ring.h', 'under_way() == kStages', 'under_way() > kStages'],
  [
    'a stage is free before its rows are fetched',
    'ring.h',
    'if (status.ok()) status = fill_in(stage, fetch);\n    ++ended_;',
    '++ended_;\n    if (status.ok()) status = fill_in(stage, fetch);',
  ],
  [
    'a batch that was not fetched goes on',
    'ring.h',
    '++ended_;\n    return status;',
    'if (status.ok()) ++ended_;\n    return status;',
  ],
  [
    'rows go to the batch after theirs',
    'ring.h',
    'const Lookup& lookup = stage.lookup;',
    'const Lookup& lookup = stages_[(ended_ + 1) % kStages].lookup;',
  ],
  ['missed rows are not counted', 'ring.h', 'missed_ += count;', ''],
  ['counts go on from the batch before', 'scatter.h', '*count = 0;', ''],
  [
    'the last row stays where it is',
    'ring.h',
    'positions_of(stage), count, lookup.row_bytes',
    'positions_of(stage), count - 1, lookup.row_bytes',
  ],
]

/** In native/store/, for test/native/store/: prefetch, and rows that come in the background. */
export const kInStore = [
  ['none in the store', 'device_fill.cc', 'seen = changes_;', 'seen = changes_;'],
  ['rows that change meanwhile come as they were', 'device_fill.cc', 'changes_ != seen || ', ''],
  ['what others hold is let go', 'device_fill.cc', ' || absent.size() != page.keys.size()', ''],
  [
    'what comes in the background stays held',
    'device_fill.cc',
    '(void)cache_->hold(page.keys, TierHolding::kOnceLess, others, changed);',
    '',
  ],
  [
    'lookups at the rate do not wait',
    'device_fill.cc',
    'missed) > fill_above_',
    'missed) >= fill_above_',
  ],
  ['nothing comes after a default', 'device_fill.cc', 'fills_->offer(keys);', ''],
  [
    'defaults are found',
    'device_lookup.cc',
    'found.resize((keys.size() + 7) / 8);',
    'found.resize((keys.size() + 7) / 8, 0xff);',
  ],
  [
    'a default is zero, whatever the table',
    'device_fill.cc',
    'table_->rules().fill_missing(keys[i], row);',
    'std::ranges::fill(row, 0.0F);',
  ],
  [
    'there is always room to wait',
    'fill_queue.cc',
    'std::min(keys.size(), kMost - waiting_.size())',
    'keys.size()',
  ],
  ['keys under way do not wait any more', 'fill_queue.cc', 'under_way_ = batch.size();', ''],
  ['a queue that ends brings all', 'fill_queue.cc', 'waiting_.clear();\n    thread', 'thread'],
  ['rows that were held are forgotten', 'device_prefetch.cc', 'held_ += held;', ''],
  [
    'all that is asked for is held',
    'device_prefetch.cc',
    'cache_->capacity() / 2',
    'cache_->capacity() * 2',
  ],
  [
    'a push lets nothing go',
    'device_push.cc',
    'let_go(all.keys, TierHolding::kOnceLess)',
    '(void)TierHolding::kOnceLess',
  ],
  ['what is erased stays held', 'device_table.cc', 'let_go(here, TierHolding::kNoMore);', ''],
]
