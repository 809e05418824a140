/**
 * hotrow: an embedding store. What users import.
 *
 * @packageDocumentation
 */

export { clusterStatus, createPlacement } from './cluster/cluster.ts'
export type { EtcdTls } from './cluster/etcd.ts'
export {
  addServer,
  type MoveOptions,
  moveSlots,
  rebalance,
  removeServer,
} from './cluster/move.ts'
export type { MoveProgress, MoveResult } from './cluster/mover.ts'
export type {
  ClusterAddress,
  ClusterMember,
  ClusterPlacement,
  ClusterStatus,
} from './cluster/registry.ts'
export { type ConnectOptions, connect } from './connect.ts'
export { Dense } from './dense.ts'
export type { DeviceRows } from './device-rows.ts'
export {
  StoreError,
  type StoreErrorCode,
  type StoreErrorOutcome,
  type StoreErrorScope,
} from './errors.ts'
export type {
  ClientLatency,
  GpuStats,
  GpuTableStats,
  GroupFigures,
  HotKey,
  LatencySummary,
  ParameterInfo,
  Recovery,
  RemoteStats,
  RequestLatency,
  ServerFigures,
  ServerStats,
  StoreStats,
  TableAndVerb,
  TableDiff,
  TableStats,
  WorkerFigures,
} from './figures.ts'
export { Follower, type FollowOptions, follow } from './follow.ts'
export { constant, normal, truncatedNormal, uniform, zeros } from './initializers.ts'
export { hashKey, type KeyLike, keysOf, setSlotKey, slotKey, slotKeys } from './keys.ts'
export { Publisher, type PublishOptions, publish } from './objects/publish.ts'
export type { S3ClientLike } from './objects/s3.ts'
export type { FollowObjectsOptions } from './objects/source.ts'
export { open } from './open.ts'
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
  GpuOptions,
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
export type { PipelineOptions, PipelineStep } from './pipeline.ts'
export type { PoolingOptions } from './pooling.ts'
export {
  type ImportProgress,
  type ImportSummary,
  type ImportVersionOptions,
  importVersion,
  type ScannableTable,
} from './remote/import.ts'
export type { RedisClusterClient, RedisPipeline } from './remote/redis-client.ts'
export {
  type RedisClusterOptions,
  RedisClusterTier,
  type RemoteVersion,
  redisClusterTier,
} from './remote/redis-cluster.ts'
export type {
  RemoteCallOptions,
  RemoteImport,
  RemoteImportOptions,
  RemoteTableShape,
  RemoteTier,
  VersionedTier,
} from './remote/tier.ts'
export {
  lookupAllTiered,
  type TieredLookupOptions,
  type TieredOptions,
  type TieredRequest,
  type TieredStats,
  TieredTable,
  tieredTable,
} from './remote/tiered.ts'
export type {
  ConcatOptions,
  ConcatPlace,
  ConcatRequest,
  LookupRequest,
  PushRequest,
} from './requests.ts'
export { Server, type ServerOptions, type ServerPlacement, serve } from './serve.ts'
export { Store } from './store.ts'
export { Table } from './table.ts'
export type { ClientTls, ServerTls } from './tls.ts'
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
export type { Transport } from './transport.ts'
export type {
  CommitOptions,
  Cursor,
  Delta,
  DeltaFile,
  VersionInfo,
  VersionLike,
} from './versions.ts'
export { type GroupClock, SyncWorker, type TickOptions, type WorkerOptions } from './worker.ts'
