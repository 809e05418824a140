// The rounds of a job: every contender takes its turn in every round, one at a time, in an order
// that turns too; a figure is the median of its rounds.

import {
  CONTENDERS,
  type ContenderName,
  type Job,
  nameOf,
  OPERATIONS,
  type PeerName,
} from './jobs.ts'
import { type Latencies, quantile } from './measure.ts'
import type { Finish, Turn } from './serve.ts'
import { type Opponent, Surroundings } from './surroundings.ts'

/** What one contender needed for one operation of a job. */
export interface Figure {
  readonly contender: ContenderName
  readonly operation: string
  readonly way: string
  /** Nanoseconds a batch: the median of the rounds. */
  readonly batchNs: number
  /** Half the distance between the slowest and the fastest round, over the median. */
  readonly spread: number
  readonly latencies: Latencies
}

export interface Outcome {
  readonly job: Job
  readonly figures: readonly Figure[]
}

/** The contenders of a run; who is missing, and why. */
export class Field {
  readonly absent = new Map<PeerName, string>()
  readonly #opponents = new Map<ContenderName, Opponent>()
  readonly #rows: number

  private constructor(rows: number) {
    this.#rows = rows
  }

  /** Starts the contenders that `wanted` names. A peer that cannot start is absent. */
  static async start(rows: number, wanted: readonly ContenderName[]): Promise<Field> {
    const surroundings = new Surroundings()
    const field = new Field(rows)
    for (const name of CONTENDERS.filter((one) => wanted.includes(one))) {
      await field.#guard(name, async () => {
        const port = name === 'redis' ? await surroundings.redisServer() : 0
        field.#opponents.set(name, await surroundings.contender(name, port))
      })
    }
    return field
  }

  async load(dim: number, names: readonly ContenderName[]): Promise<void> {
    for (const name of names) {
      const load = { rows: this.#rows, dim }
      await this.#guard(name, () => this.#opponents.get(name)?.ask({ type: 'load', load }))
    }
  }

  async play(job: Job, rounds: number): Promise<Outcome> {
    const times = new Map<string, number[]>()
    for (const name of job.contenders) {
      const request = { type: 'prepare', job, rows: this.#rows } as const
      await this.#guard(name, () => this.#opponents.get(name)?.ask(request))
    }
    for (let round = 0; round < rounds; round++) {
      for (const name of rotated(job.contenders, round)) {
        const turns = await this.#guard(name, () =>
          this.#opponents.get(name)?.ask({ type: 'turn' }),
        )
        for (const { operation, batchNs } of (turns ?? []) as Turn[]) {
          const key = `${name} ${operation}`
          times.set(key, [...(times.get(key) ?? []), batchNs])
        }
      }
    }
    const figures: Figure[] = []
    for (const name of job.contenders) {
      const request = { type: 'finish' } as const
      const finishes = await this.#guard(name, () => this.#opponents.get(name)?.ask(request))
      for (const finish of (finishes ?? []) as Finish[]) {
        figures.push(figure(name, finish, times.get(`${name} ${finish.operation}`) ?? []))
      }
    }
    return { job, figures }
  }

  async end(): Promise<void> {
    for (const [name, opponent] of this.#opponents) await this.#guard(name, () => opponent.end())
  }

  /** A peer that fails leaves the field with its reason; the store's own failure ends the run. */
  async #guard<T>(name: ContenderName, work: () => T | Promise<T>): Promise<T | undefined> {
    try {
      return await work()
    } catch (error) {
      if (name === 'hotrow') throw error
      this.#opponents.delete(name)
      this.absent.set(name, (error as Error).message)
      return undefined
    }
  }
}

/** The store's figures in an outcome, each with its name. */
export function ownFigures({ job, figures }: Outcome): { name: string; figure: Figure }[] {
  return OPERATIONS[job.work].flatMap((operation) => {
    const own = figures.find((one) => one.contender === 'hotrow' && one.operation === operation)
    return own === undefined ? [] : [{ name: nameOf(operation, job), figure: own }]
  })
}

export function peerFigure({ figures }: Outcome, peer: PeerName): Figure | undefined {
  return figures.find(({ contender }) => contender === peer)
}

function rotated<T>(values: readonly T[], by: number): T[] {
  const first = by % values.length
  return [...values.slice(first), ...values.slice(0, first)]
}

function figure(
  contender: ContenderName,
  { operation, way, latencies }: Finish,
  times: readonly number[],
): Figure {
  const batchNs = quantile(times, 0.5)
  const spread = (Math.max(...times) - Math.min(...times)) / 2 / batchNs
  return { contender, operation, way, batchNs, spread, latencies }
}
