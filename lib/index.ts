/**
 * hotrow: an embedding store. What users import.
 *
 * @packageDocumentation
 */
export type {
  HotKey,
  LatencySummary,
  ParameterInfo,
  StoreStats,
  TableStats,
  VersionInfo,
} from './addon.ts'
export { Dense } from './dense.ts'
export {
  StoreError,
  type StoreErrorCode,
  type StoreErrorOutcome,
  type StoreErrorScope,
} from './errors.ts'
export { constant, normal, truncatedNormal, uniform, zeros } from './initializers.ts'
export { hashKey, type KeyLike, keysOf, setSlotKey, slotKey, slotKeys } from './keys.ts'
export {
  type AdagradOptions,
  type AdamOptions,
  adadelta,
  adagrad,
  adagradDecay,
  adam,
  adamax,
  adamw,
  amsgrad,
  type FtrlOptions,
  ftrl,
  type GradientOptions,
  groupFtrl,
  lamb,
  lars,
  lion,
  type MomentumOptions,
  momentum,
  nesterov,
  type RateOptions,
  type RhoOptions,
  rmsprop,
  rowwiseAdagrad,
  rowwiseAdam,
  sgd,
  sum,
} from './optimizers.ts'
export type {
  AdmissionOptions,
  DenseOptions,
  EvictionOptions,
  InitializerOptions,
  LookupOptions,
  OptimizerGroup,
  OptimizerOptions,
  PushOptions,
  ShrinkOptions,
  StoreOptions,
  TableOptions,
  UpdateOptions,
} from './options.ts'
export type { EvictedPage, EvictionReason, ScanOptions, ScanPage } from './pages.ts'
export type {
  ConcatOptions,
  ConcatPlace,
  ConcatRequest,
  LookupRequest,
  PushRequest,
} from './requests.ts'
export { open, Store } from './store.ts'
export { type PoolingOptions, Table } from './table.ts'
export {
  type ExportFormat,
  type ExportOptions,
  type ExportReport,
  type ImportFormat,
  ImportInterruptedError,
  type ImportNames,
  type ImportOptions,
  type ImportReport,
  type TransferProgress,
} from './transfer/types.ts'
