/**
 * hotrow: an embedding store. What users import.
 *
 * @packageDocumentation
 */
export type { ParameterInfo, StoreStats, TableStats } from './addon.ts'
export { Dense } from './dense.ts'
export {
  StoreError,
  type StoreErrorCode,
  type StoreErrorOutcome,
  type StoreErrorScope,
} from './errors.ts'
export { hashKey, type KeyLike, keysOf, setSlotKey, slotKey, slotKeys } from './keys.ts'
export {
  adagrad,
  adam,
  constant,
  type DenseOptions,
  ftrl,
  type InitializerOptions,
  normal,
  type OptimizerOptions,
  rowwiseAdagrad,
  type StoreOptions,
  sgd,
  sum,
  type TableOptions,
  truncatedNormal,
  uniform,
  zeros,
} from './options.ts'
export { type LookupRequest, open, type PushRequest, Store } from './store.ts'
export { type PoolingOptions, Table } from './table.ts'
