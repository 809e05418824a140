/**
 * Commands to a Redis Cluster: pipelined by node, all nodes at once, and sent again where a node
 * has failed or slots have moved, until the caller's signal ends it. Every command given to `run`
 * must bear being done twice.
 */

import { setMaxListeners } from 'node:events'
import { closedError } from '../errors.ts'
import { limited, messageOf, pause, tierError } from './limit.ts'

/** What of an `ioredis` pipeline is used. */
export interface RedisPipeline {
  /** Adds a command; its reply comes as bytes. */
  callBuffer(command: string, args: (string | number | Buffer)[]): unknown
  /** Sends all commands; their replies in order. */
  exec(): Promise<[error: Error | null, result: unknown][] | null>
}

/** What of an `ioredis` `Cluster` is used. */
export interface RedisClusterClient {
  /** Of each slot the addresses of its nodes, master first. */
  readonly slots: readonly (readonly string[] | undefined)[]
  /** An empty pipeline. */
  pipeline(): RedisPipeline
  /** Asks the cluster which nodes hold which slots. */
  refreshSlotsCache(): void
  /** Ends all connections. */
  disconnect(): void
}

/** A command on keys of one slot; its name in lower case. */
export interface RedisCommand {
  readonly slot: number
  readonly name: string
  readonly args: (string | number | Buffer)[]
}

/** Replies that pass: a node starts, slots move, a master is being replaced. */
const transient =
  /^(MOVED|ASK|TRYAGAIN|CLUSTERDOWN|LOADING|MASTERDOWN|READONLY|NOREPLICAS|UNBLOCKED)\b/

function isFinal(error: Error): boolean {
  return error.name === 'ReplyError' && !transient.test(error.message)
}

/** A pipeline that hears nothing for so long is sent anew: its node may hang. */
const attemptMs = 2000
const leastPauseMs = 25
const mostPauseMs = 400

type Note = (failure: unknown) => void

/** How long a call may take, and who may end it. */
export interface CallLimit {
  /** By default the link's. */
  readonly timeoutMs?: number
  readonly signal?: AbortSignal | undefined
}

/** A client, and the limits of what is asked through it. */
export class RedisLink {
  readonly client: RedisClusterClient
  readonly #timeoutMs: number
  readonly #closing = new AbortController()

  constructor(client: RedisClusterClient, timeoutMs: number) {
    this.client = client
    this.#timeoutMs = timeoutMs
    setMaxListeners(0, this.#closing.signal)
  }

  get closed(): boolean {
    return this.#closing.signal.aborted
  }

  /**
   * Does all commands and gives their replies, as buffers, in order: all of them, or it rejects
   * with ERR_IO_ERROR, ERR_CLOSED or the signal's reason.
   *
   * @param what - names the call in errors
   */
  do(what: string, commands: readonly RedisCommand[], limit: CallLimit = {}): Promise<unknown[]> {
    const { timeoutMs = this.#timeoutMs, signal } = limit
    const all = { what, timeoutMs, signals: [signal, this.#closing.signal] }
    return limited(all, (inner, note) => run(this.client, commands, inner, note))
  }

  /** Calls under way reject with ERR_CLOSED. */
  close(): void {
    this.#closing.abort(closedError('the tier'))
  }
}

/**
 * Does all commands and gives their replies, as buffers, in order. A reply that is an error
 * rejects, ERR_IO_ERROR, unless it is one that passes.
 */
async function run(
  client: RedisClusterClient,
  commands: readonly RedisCommand[],
  signal: AbortSignal,
  note: Note,
): Promise<unknown[]> {
  const replies = new Array<unknown>(commands.length)
  let left = commands.map((_, i) => i)
  for (let attempt = 0; ; attempt++) {
    left = await attemptOnce(client, commands, left, replies, note)
    if (left.length === 0) return replies
    signal.throwIfAborted()
    client.refreshSlotsCache()
    await pause(Math.min(mostPauseMs, leastPauseMs * 2 ** attempt), signal)
  }
}

/** Sends the commands at `left`; gives those that must be sent again. */
async function attemptOnce(
  client: RedisClusterClient,
  commands: readonly RedisCommand[],
  left: readonly number[],
  replies: unknown[],
  note: Note,
): Promise<number[]> {
  const again: number[] = []
  const parts = byNode(client, commands, left).map(async (part) => {
    const results = await sendTogether(client, commands, part)
    for (const [at, i] of part.entries()) {
      const [error, reply] = results instanceof Error ? [results] : (results[at] ?? [lost])
      if (error === null) {
        replies[i] = reply
        continue
      }
      if (isFinal(error)) throw refused(commands[i] as RedisCommand, error)
      note(error)
      again.push(i)
    }
  })
  await Promise.all(parts)
  return again
}

const lost = new Error('no reply')

function refused(command: RedisCommand, error: Error): Error {
  const text = `Redis refused ${command.name} of '${command.args[0]}': ${error.message}`
  return tierError(text, error)
}

/** The commands by the nodes that hold their slots, as far as the client knows. */
function byNode(
  client: RedisClusterClient,
  commands: readonly RedisCommand[],
  some: readonly number[],
): number[][] {
  const parts = new Map<string, number[]>()
  // Slots of one range share one array.
  const names = new Map<readonly string[] | undefined, string>()
  for (const i of some) {
    const nodes = client.slots[(commands[i] as RedisCommand).slot]
    let name = names.get(nodes)
    if (name === undefined) {
      name = nodes?.join(';') ?? ''
      names.set(nodes, name)
    }
    const part = parts.get(name)
    if (part === undefined) parts.set(name, [i])
    else part.push(i)
  }
  return [...parts.values()]
}

type Results = readonly [error: Error | null, result?: unknown][]

/** One pipeline; an error when none of it can be known. */
async function sendTogether(
  client: RedisClusterClient,
  commands: readonly RedisCommand[],
  part: readonly number[],
): Promise<Results | Error> {
  let timer: NodeJS.Timeout | undefined
  const silence = new Promise<Error>((resolve) => {
    timer = setTimeout(() => resolve(new Error(`no reply in ${attemptMs} ms`)), attemptMs)
  })
  try {
    const pipeline = client.pipeline()
    for (const i of part) {
      const { name, args } = commands[i] as RedisCommand
      pipeline.callBuffer(name, args)
    }
    const results = pipeline.exec().then((given): Results => given ?? [])
    results.catch(() => {})
    return await Promise.race([results, silence])
  } catch (error) {
    return error instanceof Error ? error : new Error(messageOf(error))
  } finally {
    clearTimeout(timer)
  }
}
