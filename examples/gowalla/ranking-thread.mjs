// Starts ranking-worker.ts. JavaScript, because in Node 20 a new thread does not yet know how to
// load TypeScript; a program that is compiled names its worker directly.

import { register } from 'tsx/esm/api'

register()
await import('./ranking-worker.ts')
