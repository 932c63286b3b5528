import type { HostInput, NodeServiceState, StepOutcome } from '../../contracts/host-activities';
import { pause } from '../context';
import { commandFailed } from './command-failures';
import { stuck } from './failures';
import type { Host } from './host';
import { execScript, runScript } from './host-files';
import { readRecord, recordPath, writeRecord } from './record';
import { findHost } from './ssh-settings';
import { ymlPath } from './yml-file';

/**
 * systemd's own start time has whole seconds on older hosts. The process's age in clock ticks since boot, set against
 * the clock now, is good to 20 ms, and never later than the truth.
 */
const lookScript = `
unit=$1 config=$2
systemctl show -p LoadState -p ActiveState -p MainPID -p InvocationID -- "$unit" || exit 1
pid=$(systemctl show -p MainPID --value -- "$unit")
echo "ConfigMtime=$(stat -L -c %.Y -- "$config" 2>/dev/null)"
echo "Config=$(sha256sum < "$config" 2>/dev/null | cut -d' ' -f1)"
if [ "\${pid:-0}" -gt 0 ] && [ -r "/proc/$pid/stat" ]; then
  # the command's name, in brackets, may hold blanks
  ticks=$(sed 's/.*) //' "/proc/$pid/stat" | cut -d' ' -f20)
  echo "StartTicks=$ticks" "$(getconf CLK_TCK)"
  echo "Uptime=$(cut -d' ' -f1 /proc/uptime)"
  echo "Now=$(date +%s.%N)"
fi
`;

interface ServiceLook {
  loadState: string;
  activeState: string;
  /** systemd's name for this very start of the service; empty on very old releases. */
  invocation: string;
  pid: number;
  startedAtMs: number;
  configChangedAtMs: number;
  /** Content of elasticsearch.yml, as a checksum. */
  config: string;
}

/** Written before a restart: which start of the service there was, and with which elasticsearch.yml. */
interface RestartRecord {
  invocation: string;
  pid: number;
  startedAtMs: number;
}

async function look(host: Host, unit: string, config: string): Promise<ServiceLook> {
  const result = await execScript(host, lookScript, [unit, config]);
  if (result.code !== 0) {
    throw commandFailed(
      host.name,
      result,
      `systemd does not answer for ${unit}`,
      `run "systemctl status ${unit}" on ${host.name}, then retry`,
      { at: unit },
    );
  }
  const values = new Map(
    result.stdout.split('\n').map((line) => [line.split('=')[0]!, line.slice(line.indexOf('=') + 1)]),
  );
  const value = (key: string) => values.get(key)?.trim() ?? '';
  const [ticks, perSecond] = value('StartTicks').split(' ').map(Number);
  const uptime = Number(value('Uptime'));
  const startedAtMs =
    ticks && perSecond && uptime ? Math.floor((Number(value('Now')) - uptime + ticks / perSecond) * 1000) : 0;
  return {
    loadState: value('LoadState'),
    activeState: value('ActiveState'),
    invocation: value('InvocationID'),
    pid: Number(value('MainPID')),
    startedAtMs,
    configChangedAtMs: Number(value('ConfigMtime')) * 1000,
    config: value('Config'),
  };
}

/** One record for one version of the file: the next change of it is a reason for another restart. */
function restartRecordId(seen: ServiceLook): string {
  return `restart-${seen.config.slice(0, 16) || 'none'}-${Math.round(seen.configChangedAtMs) || 0}`;
}

/**
 * Whether the running process has read the present file. Our own record decides where there is one: a start that is not
 * the one from before our restart came after it, whatever clocks were set meanwhile. Otherwise the times decide, and a
 * tie counts as not read: one restart too many is better than a node without its repository.
 */
async function hasReadConfig(host: Host, run: string, seen: ServiceLook): Promise<boolean> {
  const record = await readRecord<RestartRecord>(host, run, restartRecordId(seen));
  if (record && !isSameStart(record.before, seen)) return true;
  return seen.startedAtMs > seen.configChangedAtMs;
}

function isSameStart(before: RestartRecord, seen: ServiceLook): boolean {
  if (before.invocation !== '' && seen.invocation !== '') return before.invocation === seen.invocation;
  return before.pid === seen.pid;
}

/** Looks; changes nothing. Safe to repeat. */
export async function readNodeService(host: Host, input: HostInput): Promise<NodeServiceState> {
  const settings = findHost(input.runbook, host.name);
  const seen = await look(host, settings.service, ymlPath(settings));
  const active = seen.activeState === 'active';
  return {
    active,
    activeState: seen.activeState,
    startedAfterConfigChange: active && (await hasReadConfig(host, input.run, seen)),
    startedAtMs: seen.startedAtMs,
    ...(active ? {} : { journal: await journal(host, settings.service) }),
  };
}

/**
 * Without the frames of Java's stack traces: the cause stands above them, and would be pushed out of the last lines.
 * Elasticsearch 8 only says in which log the cause stands: its errors follow.
 */
const journalScript = `
frames='^[[:space:]]+(at |\\.\\.\\. [0-9]+ more)'
words=$(journalctl -u "$1" -n 100 --no-pager -o cat 2>/dev/null | grep -vE "$frames" | tail -n 15 | cut -c1-300)
printf '%s\\n' "$words"
log=$(printf '%s\\n' "$words" | sed -n 's/.*check the logs at \\(\\/.*\\.log\\)$/\\1/p' | tail -n 1)
[ -f "$log" ] || exit 0
tail -n 300 -- "$log" | grep -vE "$frames" | grep -A 1 -E '^\\[[^]]*\\]\\[(ERROR|FATAL)' | tail -n 4 | cut -c1-400
`;

async function journal(host: Host, unit: string): Promise<string> {
  const result = await execScript(host, journalScript, [unit]);
  return result.stdout.trim().slice(-2000);
}

/**
 * Asks systemd for a restart and returns: whether the node came back is asked of the cluster, by the caller.
 *
 * May run twice. Which start there was before is recorded first. Killed before the request: the second run finds the
 * same start and asks again. Killed after it: systemd goes on by itself; the second run finds the service on its way
 * (activating, deactivating), or started anew, and asks for nothing. So a node is never restarted twice for one change.
 */
export async function restartNodeService(host: Host, input: HostInput): Promise<StepOutcome> {
  const settings = findHost(input.runbook, host.name);
  const unit = settings.service;
  const before = await look(host, unit, ymlPath(settings));
  if (before.loadState === 'not-found') {
    throw stuck({
      type: 'HostNotSupported',
      message: `${host.name} has no service ${unit}`,
      host: host.name,
      at: unit,
      remedy:
        'correct hosts.service in the runbook and start the run again, or restart Elasticsearch by hand and skip this step',
    });
  }
  const id = restartRecordId(before);
  const known = await readRecord<RestartRecord>(host, input.run, id);
  const was: RestartRecord = known?.before ?? before;
  const done = (summary: string): StepOutcome => ({
    changed: known !== undefined,
    summary,
    changes: known
      ? [
          {
            step: input.step,
            at: new Date().toISOString(),
            where: host.name,
            what: unit,
            before: startWords(was.startedAtMs),
            after: before.startedAtMs > 0 ? startWords(before.startedAtMs) : before.activeState,
          },
        ]
      : [],
  });
  if (['activating', 'deactivating', 'reloading'].includes(before.activeState)) {
    return done(`${unit} is ${before.activeState} already`);
  }
  const isDown = before.activeState !== 'active';
  if (!isDown && (await hasReadConfig(host, input.run, before))) {
    return done(`${unit} was started after the last change of elasticsearch.yml`);
  }

  if (!known) {
    await writeRecord<RestartRecord>(host, id, {
      kind: 'restart',
      run: input.run,
      step: input.step,
      at: new Date().toISOString(),
      before: { invocation: before.invocation, pid: before.pid, startedAtMs: before.startedAtMs },
      about: { unit },
    });
  }
  // a service that failed too often is not started again before its counter is reset
  const script = isDown
    ? 'systemctl reset-failed -- "$1" 2>/dev/null; exec systemctl start --no-block -- "$1"'
    : 'exec systemctl restart --no-block -- "$1"';
  await runScript(host, script, [unit], {
    message: `systemd refuses to restart ${unit}`,
    remedy: `run "systemctl restart ${unit}" on ${host.name} and see what it says, then retry`,
    at: unit,
  });
  const after = await leftOldStart(host, unit, ymlPath(settings), before);
  return {
    changed: true,
    summary: isDown ? `${unit} was ${before.activeState}, and is being started` : `${unit} is being restarted`,
    changes: [
      {
        step: input.step,
        at: new Date().toISOString(),
        where: host.name,
        what: unit,
        before: startWords(was.startedAtMs),
        after: after.activeState,
      },
    ],
  };
}

/** The request is only queued: a caller that looks at once would still see the old process and take it for the new one. */
async function leftOldStart(host: Host, unit: string, config: string, before: ServiceLook): Promise<ServiceLook> {
  let seen = before;
  for (let tries = 0; tries < 10; tries += 1) {
    seen = await look(host, unit, config);
    if (seen.activeState !== before.activeState || seen.invocation !== before.invocation || seen.pid !== before.pid)
      break;
    await pause(300);
  }
  return seen;
}

function startWords(startedAtMs: number): string {
  return startedAtMs > 0 ? `running since ${new Date(startedAtMs).toISOString()}` : 'not running';
}

/** The records of restarts are no undo: they go with the file's record. */
export async function forgetRestarts(host: Host, run: string): Promise<void> {
  const directory = recordPath(run, 'x').replace(/\/x\.json$/, '');
  await execScript(host, 'rm -f -- "$1"/restart-*.json; rmdir -- "$1" 2>/dev/null; true', [directory]);
}
