/** `hotrow trace`: traces of several processes as one picture. */
import { createReadStream } from 'node:fs'
import { open, unlink } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { type Command, required, UsageError } from './command.ts'

interface Event {
  ph: string
  pid: number
  name?: string
  ts?: number
  args?: Record<string, unknown>
}

/** How far a process's clock is behind that of all machines. */
interface Clock {
  boot: string
  aheadNs: bigint
}

const batchBytes = 1 << 20

/** The events of a file, one a line. Of a process that was killed the last one may be cut off. */
async function* eventsOf(path: string): AsyncGenerator<Event> {
  const lines = createInterface({
    input: createReadStream(path),
    crlfDelay: Number.POSITIVE_INFINITY,
  })
  let number = 0
  let cut: number | undefined
  for await (const line of lines) {
    ++number
    if (number === 1 && line !== '[') throw new Error(`${path}: is no trace of hotrow`)
    if (cut !== undefined) throw new Error(`${path}:${cut}: is no event`)
    const text = line.replace(/,$/, '')
    if (number === 1 || text === ']' || text === '') continue
    try {
      yield JSON.parse(text) as Event
    } catch {
      cut = number
    }
  }
  if (number === 0) throw new Error(`${path}: is no trace of hotrow`)
}

/**
 * Moves a file's events to the first one's clock. Processes of one machine have one clock; those
 * of others differ as these machines' wall clocks do.
 */
class Mover {
  #first: Clock | undefined
  #shiftUs = 0
  readonly #pids = new Set<number>()
  readonly #renamed = new Map<number, number>()

  /** Between two files. */
  next(): void {
    this.#shiftUs = 0
    this.#renamed.clear()
  }

  move(event: Event): Event {
    if (event.name === 'hotrow_clock') this.#clock(event.args ?? {})
    const moved = { ...event, pid: this.#pid(event.pid) }
    if (event.ts !== undefined) moved.ts = Number((event.ts + this.#shiftUs).toFixed(3))
    return moved
  }

  #clock({ boot, aheadNs }: Record<string, unknown>): void {
    if (typeof aheadNs !== 'string' || !/^-?\d+$/.test(aheadNs)) return
    const its = { boot: String(boot), aheadNs: BigInt(aheadNs) }
    this.#first ??= its
    const same = its.boot !== '' && its.boot === this.#first.boot
    this.#shiftUs = same ? 0 : Number(its.aheadNs - this.#first.aheadNs) / 1000
  }

  /** Of two machines, processes may have one number. */
  #pid(pid: number): number {
    const known = this.#renamed.get(pid)
    if (known !== undefined) return known
    let free = pid
    while (this.#pids.has(free)) ++free
    this.#pids.add(free)
    this.#renamed.set(pid, free)
    return free
  }
}

/** Writes the events of all files into one; how many there were. */
export async function mergeTraces(from: readonly string[], to: string): Promise<number> {
  const mover = new Mover()
  const file = await open(to, 'wx')
  try {
    let events = 0
    let text = '['
    for (const path of from) {
      mover.next()
      for await (const event of eventsOf(path)) {
        text += `${events++ === 0 ? '' : ','}\n${JSON.stringify(mover.move(event))}`
        if (text.length < batchBytes) continue
        await file.appendFile(text)
        text = ''
      }
    }
    await file.appendFile(`${text}\n]\n`)
    return events
  } catch (error) {
    // Half of it would look like a trace, and be in the way of the next try.
    await unlink(to)
    throw error
  } finally {
    await file.close()
  }
}

export const traceCommand: Command = {
  name: 'trace',
  summary: 'traces of clients and servers: merge, into one file',
  positionals: ['ACTION'],
  flags: {
    from: { type: 'string', multiple: true, value: 'FILE', help: 'a trace; repeat it for each' },
    to: { type: 'string', value: 'FILE', help: 'what is made; it must not be there yet' },
  },
  details: [
    'merge  puts the traces of several processes into one file, in the time of the first',
    '       one. Processes of one machine have one clock; those of others are moved by the',
    '       difference of the wall clocks that the machines had when the traces began.',
    '',
    'Traces are made by `hotrow serve --trace FILE` and connect(…, { trace: FILE }); Perfetto',
    '(ui.perfetto.dev) and chrome://tracing show them.',
  ].join('\n'),
  async run(call) {
    const [action] = call.positionals as [string]
    if (action !== 'merge') throw new UsageError(`expected merge, received '${action}'`)
    const from = call.texts('from')
    if (from.length === 0) throw new UsageError('--from is missing')
    const to = required(call, 'to')
    const events = await mergeTraces(from, to)
    call.output.result({ to, events }, () => `${to}: ${events} events of ${from.length} files`)
  },
}
