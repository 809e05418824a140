/** `hotrow inspect`: what a store holds. */
import type { ParameterInfo } from '../figures.ts'
import type { DenseOptions, TableOptions } from '../options.ts'
import type { Store } from '../store.ts'
import type { VersionInfo } from '../versions.ts'
import { type Command, withStore } from './command.ts'
import { columns, toJson } from './output.ts'

type Listed = ParameterInfo & { options?: TableOptions | DenseOptions }

async function list(store: Store, withOptions: boolean): Promise<Listed[]> {
  const all: Listed[] = await store.tables()
  if (!withOptions) return all
  for (const each of all) {
    const opened = each.kind === 'table' ? store.table(each.name) : store.dense(each.name)
    each.options = (await opened).options
  }
  return all
}

function describe(path: string, version: VersionInfo, all: readonly Listed[]): string {
  const made = ` of ${new Date(version.timeMs).toISOString()}`
  const cursor = version.cursor === null ? '' : `, cursor ${JSON.stringify(version.cursor)}`
  const lines = [`${path}: version ${version.version}${made}${cursor}`]
  if (all.length === 0) return `${lines[0]}\nno tables`
  const rows = all.map(({ name, kind, shape, rows }) => [name, kind, shape.join(' x '), rows])
  lines.push('', columns(['name', 'kind', 'shape', 'rows'], rows))
  for (const { name, options } of all) {
    if (options !== undefined) lines.push('', `${name}: ${toJson(options)}`)
  }
  return lines.join('\n')
}

export const inspect: Command = {
  name: 'inspect',
  summary: 'show the version, tables and dense parameters of a store',
  positionals: ['PATH'],
  flags: {
    options: { type: 'boolean', help: 'and the options of each' },
  },
  run: ({ positionals, given, output }) =>
    withStore(positionals[0]!, 'read', async (store) => {
      const version = await store.version()
      const parameters = await list(store, given('options'))
      const { path } = store
      output.result({ path, version, parameters }, () => describe(path, version, parameters))
    }),
}
