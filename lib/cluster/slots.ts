/** Slots as numbers and texts, and which of them go where. Pure functions. */
import { rangeError, typeError } from '../errors.ts'
import { addon } from '../native.ts'

export const slotCount = 16_384

/** Slots of one server that go to another. */
export interface SlotMove {
  from: string
  to: string
  /** Rising. */
  slots: number[]
}

/** A server and its share. */
export interface Weighted {
  server: string
  weight: number
}

/** `'0-5,9'` of slots that rise. */
export function slotsText(slots: readonly number[]): string {
  const ranges: [number, number][] = []
  for (const slot of slots) {
    const last = ranges.at(-1)
    if (last !== undefined && last[1] + 1 === slot) last[1] = slot
    else ranges.push([slot, slot])
  }
  return ranges.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(',')
}

/** Slots of a text as `'0-5,9'`, rising. */
export function parseSlots(argument: string, value: unknown): number[] {
  if (typeof value !== 'string') throw typeError(argument, 'a string', value)
  const wrong = (): never => {
    throw rangeError(argument, 'slots from 0 to 16383 as 0-5,9', value)
  }
  const all = new Set<number>()
  for (const range of value.split(',')) {
    const [, first, last = first] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(range) ?? wrong()
    if (Number(last) >= slotCount || Number(first) > Number(last)) wrong()
    for (let slot = Number(first); slot <= Number(last); slot++) all.add(slot)
  }
  return [...all].sort((a, b) => a - b)
}

/** Who has each slot, as a placement's text says. */
export function ownersOf(text: string): string[] {
  const { servers, slots } = addon.readPlacement(text)
  return Array.from(slots, (server) => servers[server] as string)
}

/** By weighted rendezvous hashing. */
export function targetOf(servers: readonly Weighted[]): string[] {
  const names = servers.map(({ server }) => server)
  const weights = servers.map(({ weight }) => weight)
  return ownersOf(addon.makePlacement(1, names, weights))
}

/** What differs between two placements, as few moves as there are pairs of servers. */
export function movesBetween(
  owners: readonly string[],
  target: readonly (string | undefined)[],
): SlotMove[] {
  const moves = new Map<string, SlotMove>()
  for (const [slot, from] of owners.entries()) {
    const to = target[slot]
    if (to === undefined || to === from) continue
    const name = `${from} ${to}`
    const move = moves.get(name) ?? { from, to, slots: [] }
    moves.set(name, move)
    move.slots.push(slot)
  }
  return [...moves.values()]
}

/** The text of the next epoch, in which these slots are `to`'s. */
export function withMoved(text: string, { to, slots }: SlotMove): string {
  const { epoch, servers, slots: owners } = addon.readPlacement(text)
  const position = servers.indexOf(to)
  for (const slot of slots) owners[slot] = position
  return addon.writePlacement(epoch + 1, servers, owners)
}

/** As withMoved(), with other servers, of which all that have slots must be. */
export function withServers(text: string, servers: string[]): string {
  const { epoch, servers: before, slots } = addon.readPlacement(text)
  const owners = slots.map((server) => servers.indexOf(before[server] as string))
  return addon.writePlacement(epoch + 1, servers, owners)
}
