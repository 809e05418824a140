// One guest: QEMU, always with its own translation of instructions (TCG). /dev/kvm may open and
// still not run Debian's kernel, and QEMU falls back only where it does not open.

import { spawn } from 'node:child_process'
import { join } from 'node:path'

/** Two processors that run side by side: with one, sides that poll wait for each other's turn. */
const kMachine = [
  ...['-accel', 'tcg,thread=multi', '-cpu', 'max', '-smp', '2', '-m', '1024', '-nodefaults'],
  ...['-no-reboot', '-display', 'none', '-serial', 'stdio'],
]
const kKernelOptions = 'console=ttyS0 panic=-1 mitigations=off net.ifnames=0 quiet'

/** A card that leads nowhere. */
export const kAlone = 'user,id=n0,restrict=on'
/** Both ends of a cable between two guests, at a socket's path. */
export const cableEnd = (path, listens) =>
  `stream,id=n0,server=${listens ? 'on' : 'off'},addr.type=unix,addr.path=${path}`

const running = new Set()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.once(signal, () => process.exit(1))
}
process.on('exit', () => {
  for (const child of running) child.kill()
})

/**
 * Starts a guest. `variables` are those of scripts/rdma/init, `heard` is called with all that it
 * has printed. Its `end` resolves to `{ output, code, seconds, timedOut }`, `code` being that of
 * its tests, or the reason why it did not come to them.
 */
export function startGuest({ kernel, image, net, number, variables, timeoutMs, heard }) {
  const started = performance.now()
  const settings = Object.entries(variables).map(([name, value]) => `${name}=${value}`)
  const mac = `52:54:00:12:34:0${number}`
  // `timeout` ends it even when nobody is left here to do so, and passes signals on.
  const seconds = String(Math.ceil(timeoutMs / 1000) + 10)
  const child = spawn(
    'timeout',
    [
      ...['--kill-after=5', seconds, 'nice', 'qemu-system-x86_64', ...kMachine],
      ...['-netdev', net, '-device', `virtio-net-pci,netdev=n0,mac=${mac}`],
      ...['-kernel', join(kernel, 'vmlinuz'), '-initrd', image],
      ...['-append', [kKernelOptions, `NUMBER=${number}`, ...settings].join(' ')],
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  )
  running.add(child)
  let output = ''
  let timedOut = false
  const timer = setTimeout(() => {
    timedOut = true
    child.kill()
  }, timeoutMs)
  const keep = (chunk) => {
    output += String(chunk).replaceAll('\r', '')
    heard?.(output)
  }
  child.stdout.on('data', keep)
  child.stderr.on('data', keep)
  const end = new Promise((done) => {
    child.on('error', (error) => keep(`${error}\n`))
    child.on('close', () => {
      clearTimeout(timer)
      running.delete(child)
      const code = /^== end (.*)$/m.exec(output)?.[1] ?? 'the guest stopped before its end'
      done({ output, code, seconds: (performance.now() - started) / 1000, timedOut })
    })
  })
  return { end, stop: () => child.kill() }
}
