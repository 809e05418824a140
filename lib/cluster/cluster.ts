/** What operators ask of a cluster and do with it. */
import {
  type ClusterAddress,
  type ClusterPlacement,
  type ClusterStatus,
  Registry,
} from './registry.ts'

/**
 * Which servers of a cluster are alive, and which has how many slots. Rejects with ERR_UNAVAILABLE
 * when etcd does not answer.
 */
export async function clusterStatus(address: ClusterAddress): Promise<ClusterStatus> {
  return new Registry(address).status()
}

/**
 * Makes a cluster's first placement: the 16,384 slots go to the servers that are alive now, to each
 * by its weight. Rejects with ERR_CONFLICT, and changes nothing, when the cluster has a placement;
 * with ERR_NOT_FOUND when no server is alive.
 */
export async function createPlacement(address: ClusterAddress): Promise<ClusterPlacement> {
  return new Registry(address).create()
}
