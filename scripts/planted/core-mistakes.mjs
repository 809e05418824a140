// The mistakes that scripts/planted.mjs plants in the core: the promise that each breaks
// (docs/GUARANTEES.md), what it is, a file of native/, a text of it and what that becomes, and the
// tests that must find it, as GoogleTest filters them.

export const kInCore = [
  [
    ...['E2', 'readers believe rows that changed meanwhile', 'table/gather.cc'],
    ...[
      'if (request_.relaxed) same = UINT32_MAX;',
      'same = UINT32_MAX;',
      'Stress.OneHotRow:Neighbours.*',
    ],
  ],
  [
    ...['E2', 'a frozen row is changed before it is saved', 'table/changes.h'],
    ...[
      '& bit) != 0) save(handle, hash, row);',
      '& bit) != 0) return;',
      'Versions.*:CommitStress.*',
    ],
  ],
  [
    ...['E4', 'a changed row is not noted', 'table/changes.h'],
    ...[
      'if ((changed.load(kRelaxed) & bit) == 0) changed.fetch_or(bit, kRelaxed);',
      '(void)changed;',
    ],
    'FaultyDiskTest.NothingIsLostAndNothingIsMixed',
  ],
  [
    ...['E4', 'removed keys are not written', 'store/commit.cc'],
    ...['HOTROW_RETURN_IF_ERROR(version.erase(id, removed));', '', 'Versions.*'],
  ],
  [
    ...['E5', 'a description is not synced', 'storage/files.cc'],
    ...[
      'if (status.ok() && sync == SyncMode::kDisk) status = file->Fsync',
      'if (!status.ok()) status = file->Fsync',
    ],
    'FaultyDiskTest.NothingIsLostAndNothingIsMixed',
  ],
  [
    ...['E5', 'the name of a version is not synced', 'storage/files.cc'],
    ...['return sync_folder(parent_of(path), sync);', 'return {};'],
    'FaultyDiskTest.NothingIsLostAndNothingIsMixed',
  ],
  [
    ...['E5', 'the oldest of several rows counts', 'storage/sorted_rows.cc'],
    ...[
      'run.open->hash() < least->hash()',
      'run.open->hash() <= least->hash()',
      'SortedRowsTest.*',
    ],
  ],
  [
    ...['E6', 'a full disk is another failure', 'storage/rocks.cc'],
    ...['if (status.IsNoSpace() || quota) return', 'if (false) return', 'FullDisk.*'],
  ],
  [
    ...['E8', 'blocks are believed', 'storage/table_format.h'],
    ...['return last == 0 && sum ==', 'return last == 0 || sum ==', 'Shares/DamagedFiles.*/0'],
  ],
  [
    ...['E8', 'a recovery takes what is damaged', 'storage/recovery.cc'],
    ...['HOTROW_RETURN_IF_ERROR(engine.verify());', '', 'Recover.*'],
  ],
  [
    ...['E8', 'a folder that cannot be read is empty', 'storage/files.cc'],
    ...[
      'if (status.IsNotFound() && !path_exists(folder)) return names;',
      'if (!status.ok()) return names;',
    ],
    'Recover.*',
  ],
  [
    ...['S2', 'a change that is sent again is applied again', 'server/sessions.cc'],
    ...[
      'if (record.sequence == sequence) {',
      'if (record.sequence == ~sequence) {',
      'Remote.*:Servers.*',
    ],
  ],
  [
    ...['S2', 'a change from before the window is applied', 'server/sessions.cc'],
    ...[
      'if (record.sequence > sequence) {',
      'if (record.sequence == ~sequence) {',
      'Remote.*:Servers.*',
    ],
  ],
  [
    ...['S6', 'a damaged body is believed', 'wire/reader.cc'],
    ...['if (sum != header_.body_sum) {', 'if (sum == ~header_.body_sum) {', 'FrameReader.*'],
  ],
  [
    ...['S7', 'any token will do', 'server/session.cc'],
    ...['if (!net::is_token_of(', 'if (hello.token.empty() && !net::is_token_of(', 'Tls*'],
  ],
  [
    ...['S7', 'readers may write', 'server/access.cc'],
    ...['if (role_ >= needed) return {};', 'if (role_ >= Role::kReader) return {};', 'Roles.*'],
  ],
  [
    ...['C2', 'what was given up is decided', 'server/cluster_versions.cc'],
    ...['if (found.value().given_up) return given_up(id);', '', 'ClusterVersions.*'],
  ],
  [
    ...['C2', 'a server in doubt prepares the next', 'server/cluster_versions.cc'],
    ...[
      'doubtful = in_doubt(); !doubtful.empty()',
      'doubtful = in_doubt(); doubtful == id',
      'ClusterVersions.*',
    ],
  ],
]
