// Nothing in the tree may depend on the machine it was written on: no absolute paths of a home or a
// workplace, no registry or mirror hosts. Spelt in parts, so that this file passes.

import { eachLine, type Rule } from './tree.ts'

const kForbidden: [what: string, pattern: RegExp][] = [
  ['a path of one machine', new RegExp(`(?<![\\w.])/(${['wo', 'rk'].join('')}|root|home/\\w+)/`)],
  ['a registry host', new RegExp(['registry', '(npmjs|yarnpkg)'].join('\\.'), 'i')],
  ['a package host', new RegExp(['(deb|security)', 'debian', 'org'].join('\\.'), 'i')],
  ['a download address', /"resolved":\s*"https?:/],
]

export const noPlaces: Rule = (tree) =>
  eachLine(tree, /./, (line) => {
    return kForbidden.find(([, pattern]) => pattern.test(line))?.[0]
  })
