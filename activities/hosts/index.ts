import { ApplicationFailure } from '@temporalio/common';
import type { HostActivities, HostInput } from '../../contracts/host-activities';
import { transient } from '../failure';
import { ConnectionPool } from './connection-pool';
import { copySnapshotFiles } from './copy-job';
import { ensureExport } from './export';
import { isCancelled } from './failures';
import { ensureFirewall } from './firewall';
import { hostsBy, type HostOf } from './hosts';
import { inspectHosts } from './inspect-hosts';
import { ensureMount } from './mount';
import { ensureNfsService } from './nfs-service';
import { readNodeService, restartNodeService } from './node-service';
import { installPackage } from './packages';
import { setRemoteAllowlist } from './remote-allowlist';
import { ensurePathRepo } from './path-repo';
import { previewHostChanges } from './preview';
import { listHostRecords } from './record';
import { removeCopiedSnapshot, removeCopyDirectory } from './remove-copies';
import { checkShare } from './share-check';
import { ensureShareDirectory } from './share-directory';
import { undoHostChange, undoPathRepo } from './undo';

export { ConnectionPool };

export interface HostActivitiesDeps {
  /** The worker's SSH connections; whoever makes it closes it when the worker ends. */
  pool?: ConnectionPool;
  /** In place of real hosts: for tests. */
  hostOf?: HostOf;
}

/** Everything that is done on hosts. Each function's own file says why it may run twice. */
export function createHostActivities(deps: HostActivitiesDeps): HostActivities {
  const hostOf = deps.hostOf ?? hostsBy(deps.pool ?? new ConnectionPool());
  const on = (input: HostInput) => hostOf(input.runbook, input.host);
  const activities: HostActivities = {
    inspectHosts: (input) => inspectHosts(hostOf, input),
    previewHostChanges: (input) => previewHostChanges(hostOf, input),
    installPackage: async (input) => installPackage(on(input), input),
    ensureShareDirectory: async (input) => ensureShareDirectory(on(input), input),
    ensureExport: async (input) => ensureExport(on(input), input),
    ensureNfsService: async (input) => ensureNfsService(on(input), input),
    ensureFirewall: async (input) => ensureFirewall(on(input), input),
    ensureMount: async (input) => ensureMount(on(input), input),
    checkShare: (input) => checkShare(hostOf, input),
    setRemoteAllowlist: async (input) => setRemoteAllowlist(on(input), input),
    ensurePathRepo: async (input) => ensurePathRepo(on(input), input),
    readNodeService: async (input) => readNodeService(on(input), input),
    restartNodeService: async (input) => restartNodeService(on(input), input),
    copySnapshotFiles: async (input) => copySnapshotFiles(on(input), input),
    removeCopiedSnapshot: async (input) => removeCopiedSnapshot(on(input), input),
    removeCopyDirectory: async (input) => removeCopyDirectory(on(input), input),
    listHostRecords: async (input) => listHostRecords(on(input), input),
    undoHostChange: async (input) => undoHostChange(on(input), input),
    undoPathRepo: async (input) => undoPathRepo(on(input), input),
  };
  return Object.fromEntries(
    Object.entries(activities).map(([name, activity]) => [name, atBoundary(activity as Activity)]),
  ) as unknown as HostActivities;
}

type Activity = (input: unknown) => Promise<unknown>;

/** What nobody foresaw leaves an activity with words too. Trying again is safe: every activity looks before it acts. */
function atBoundary(activity: Activity): Activity {
  return async (input) => {
    try {
      return await activity(input);
    } catch (error) {
      // mistakes in our own code keep their names: they are not tried again
      if (error instanceof ApplicationFailure || isCancelled(error) || isMistake(error)) throw error;
      const where = (input as Partial<HostInput>).host ?? 'hosts';
      const why = error instanceof Error ? error.message : String(error);
      throw transient(
        {
          type: 'Unexpected',
          message: 'something went wrong that nobody foresaw',
          where,
          why,
          remedy: "see the worker's log, then retry; report it if it comes again",
        },
        error,
      );
    }
  };
}

function isMistake(error: unknown): boolean {
  return error instanceof TypeError || error instanceof ReferenceError || error instanceof RangeError;
}
