/** The sub-commands about a store's versions. */
import type { TableDiff } from '../figures.ts'
import { type Command, withStore } from './command.ts'
import { columns } from './output.ts'

const rootOf = (positionals: readonly string[]): string => positionals[0] as string

export const versions: Command = {
  name: 'versions',
  summary: 'list the versions that a store keeps',
  positionals: ['PATH'],
  flags: {},
  run: ({ positionals, output }) =>
    withStore(rootOf(positionals), 'read', async (store) => {
      const all = await store.versions()
      const rows = all.map((each) => [
        each.version,
        new Date(each.timeMs).toISOString(),
        each.rows,
        each.bytes,
        [...each.names, ...(each.pinned ? ['(pinned)'] : [])].join(' '),
        each.rolledBackTo === 0 ? '' : `as ${each.rolledBackTo}`,
        each.cursor === null ? '' : JSON.stringify(each.cursor),
      ])
      const head = ['version', 'committed', 'rows', 'bytes', 'names', 'rollback', 'cursor']
      output.result({ path: store.path, versions: all }, () => columns(head, rows))
    }),
}

export const verify: Command = {
  name: 'verify',
  summary: 'read everything that a store has on disk and check every checksum',
  positionals: ['PATH'],
  flags: {},
  run: ({ positionals, output }) =>
    withStore(rootOf(positionals), 'read', async (store) => {
      await store.verify()
      const numbers = (await store.versions()).map(({ version }) => version)
      output.result(
        { path: store.path, intact: numbers },
        () => `intact: versions ${numbers.join(', ')}`,
      )
    }),
}

export const rollback: Command = {
  name: 'rollback',
  summary: 'make a new version with the rows of an old one',
  positionals: ['PATH', 'VERSION'],
  flags: {},
  details:
    'VERSION is a number or a name. The versions between are kept as others are, and a\n' +
    'rollback can be rolled back.',
  run: ({ positionals, output }) =>
    withStore(rootOf(positionals), 'write', async (store) => {
      const made = await store.rollback(positionals[1] as string)
      output.result(made, () => `version ${made.version} has the rows of ${made.rolledBackTo}`)
    }),
}

export const diff: Command = {
  name: 'diff',
  summary: 'count the rows that differ between two versions',
  positionals: ['PATH', 'FROM', 'TO'],
  flags: {},
  run: ({ positionals, output }) =>
    withStore(rootOf(positionals), 'read', async (store) => {
      const tables: TableDiff[] = await store.diff(
        positionals[1] as string,
        positionals[2] as string,
      )
      const rows = tables.map(({ name, added, removed, changed }) => [
        name,
        added,
        removed,
        changed,
      ])
      output.result({ path: store.path, tables }, () =>
        columns(['table', 'added', 'removed', 'changed'], rows),
      )
    }),
}

export const compact: Command = {
  name: 'compact',
  summary: 'merge files on disk until each row lies once',
  positionals: ['PATH'],
  flags: {},
  run: ({ positionals, output }) =>
    withStore(rootOf(positionals), 'write', async (store) => {
      await store.compact()
      output.result({ path: store.path }, () => 'compacted')
    }),
}
