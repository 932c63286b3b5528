import type { HostInput, StepOutcome } from '../../contracts/host-activities';
import { makeSo, outcome } from './change';
import { saidBy, stuck } from './failures';
import type { Host } from './host';
import { execScript, runScript } from './host-files';

export interface ServiceState {
  exists: boolean;
  isEnabled: boolean;
  isActive: boolean;
}

export const nfsServiceRecordId = 'service-nfs-server';

/** Both families know nfs-server; older releases of Debian and Red Hat have it as an alias of their own name. */
const findUnit = `
for unit in nfs-server.service nfs-kernel-server.service nfs.service; do
  [ "$(systemctl show -p LoadState --value "$unit" 2>/dev/null)" = loaded ] && break
  unit=
done
`;

export async function readNfsService(host: Host): Promise<ServiceState> {
  const script = `${findUnit}
[ -n "$unit" ] || { echo absent; exit 0; }
echo "$unit" "$(systemctl is-enabled "$unit" 2>/dev/null)" "$(systemctl is-active "$unit" 2>/dev/null)"`;
  const [unit, enabled, active] = (await execScript(host, script)).stdout.trim().split(/\s+/);
  return {
    exists: unit !== 'absent' && unit !== undefined && unit !== '',
    isEnabled: enabled === 'enabled' || enabled === 'alias' || enabled === 'static',
    isActive: active === 'active',
  };
}

/**
 * The NFS server enabled, so that it is there after a reboot, and running. May run twice: see makeSo; enabling and
 * starting what is so already does nothing. Debian starts it with the package: installPackage keeps the record of what
 * was there before that, so it is this run's change all the same.
 */
export async function ensureNfsService(host: Host, input: HostInput): Promise<StepOutcome> {
  let words = '';
  const made = await makeSo<ServiceState>(host, input, {
    id: nfsServiceRecordId,
    kind: 'service',
    what: 'nfs-server.service',
    look: () => readNfsService(host),
    isSo: (state) => state.exists && state.isEnabled && state.isActive,
    act: async () => {
      const script = `${findUnit} [ -n "$unit" ] || { echo "no NFS server unit" >&2; exit 1; }; systemctl enable --now "$unit"`;
      const result = await execScript(host, script);
      if (result.code !== 0) words = saidBy(result);
    },
    describe: describeService,
    undo: 'stop and disable the NFS server, if it exports nothing else',
    failure: (state) =>
      stuck({
        type: 'CommandFailed',
        message: `the NFS server does not run: ${describeService(state)}`,
        host: host.name,
        at: 'nfs-server.service',
        why: words || undefined,
        remedy: `see "systemctl status nfs-server" and "journalctl -u nfs-server -n 30" on ${host.name}, mend it, then retry`,
      }),
  });
  return outcome(made.changed ? 'the NFS server is enabled and runs' : 'the NFS server ran already', made.change);
}

function describeService(state: ServiceState): string {
  if (!state.exists) return 'not installed';
  return `${state.isEnabled ? 'enabled' : 'disabled'}, ${state.isActive ? 'running' : 'not running'}`;
}

/** What others export is not ours to take away: then the service is left running. */
export async function undoNfsService(host: Host, before: ServiceState): Promise<string> {
  const script = `${findUnit}
[ -n "$unit" ] || { echo "the NFS server is not installed any more"; exit 0; }
if grep -q '[^[:space:]]' /var/lib/nfs/etab 2>/dev/null; then echo "the NFS server is left running: it exports something else"; exit 0; fi
if [ "$2" = no ]; then systemctl stop "$unit" || exit 1; fi
if [ "$1" = no ]; then systemctl disable "$unit" 2>/dev/null || exit 1; fi
echo "the NFS server is as it was before"`;
  const result = await runScript(host, script, [before.isEnabled ? 'yes' : 'no', before.isActive ? 'yes' : 'no'], {
    message: 'the NFS server cannot be stopped',
    remedy: `see "systemctl status nfs-server" on ${host.name}, then retry`,
  });
  return result.stdout.trim();
}
