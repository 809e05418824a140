// Makes a checkout ready to run: Debian packages, npm packages, native build, dist/.
// Called before `npm start`, `npm test` and the like. Uses Node's built-in modules only, because it
// runs before node_modules exists; this file uses nothing newer than Node 14, so that an old Node
// reaches the message below. Flags: --test (C++ tests too), --bench (what benchmarks compare with),
// --bench-table (the C++ table's benchmark and its peers).

const wanted = [20, 19]
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
if (major < wanted[0] || (major === wanted[0] && minor < wanted[1])) {
  console.error(`hotrow: needs Node ${wanted.join('.')} or newer, this is ${process.versions.node}`)
  process.exit(1)
}

void import('./bootstrap/main.mjs').then(({ bootstrap }) => bootstrap(process.argv.slice(2)))
