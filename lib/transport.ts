/** What carries requests and replies between a client and a server. */

/**
 * Every connection begins over TCP, where both sides prove who they are.
 *
 * - `'tcp'`: it stays there, encrypted where `tls` was given.
 * - `'shm'`: shared memory between processes of one user on one machine.
 * - `'rdma'`: InfiniBand or RoCE, on a network that is trusted: what it carries is not encrypted.
 * - `'auto'`: of a client, shared memory to a server on an address of this machine where both can,
 *   else TCP; never RDMA. Of a server, whatever its clients ask for.
 *
 * The last three need UCX on both sides (Debian's `libucx0`), which is loaded when it is asked for.
 */
export type Transport = 'tcp' | 'auto' | 'shm' | 'rdma'

/** @internal In the core's order. */
export const transports = ['tcp', 'auto', 'shm', 'rdma'] as const
