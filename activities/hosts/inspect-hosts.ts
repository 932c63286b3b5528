import { ApplicationFailure } from '@temporalio/common';
import type { HostChecksResult, HostFacts } from '../../contracts/host-activities';
import type { FailureInfo } from '../../contracts/failures';
import type { MigrationRunbook, RunbookHost } from '../../contracts/runbook';
import type { Check } from '../../contracts/status';
import { heartbeat } from '../context';
import { isCancelled, isFailureOf } from './failures';
import { readFacts } from './facts';
import { check, checksAcrossHosts, checksOfHost } from './host-checks';
import type { HostOf } from './hosts';
import { readRoom, storedOn } from './room';
import { shareChecks } from './share-host-checks';

/**
 * Facts and checks of every host, all hosts at once. Reads only, so it may run as often as it likes. What is wrong with
 * one host is a failed check of that host; the others are looked at all the same.
 */
export async function inspectHosts(
  hostOf: HostOf,
  { runbook }: { run: string; runbook: MigrationRunbook },
): Promise<HostChecksResult> {
  const total = runbook.hosts.length;
  let done = 0;
  const each = await Promise.all(
    runbook.hosts.map(async (host) => {
      const result = await inspectHost(hostOf, runbook, host);
      done += 1;
      heartbeat({ done, total, unit: 'checks', detail: `${host.name} looked at` });
      return result;
    }),
  );
  const facts = each.flatMap((result) => (result.facts ? [result.facts] : []));
  const checks = each.flatMap((result) => result.checks);
  checks.push(...checksAcrossHosts(runbook.hosts, facts));
  try {
    checks.push(...(await shareChecks(hostOf, runbook, facts)));
  } catch (error) {
    if (isCancelled(error)) throw error;
    checks.push(failedCheck('host.share', 'hosts', error));
  }
  return { checks, facts };
}

/**
 * A connection kept from before a reboot breaks at its first use: a host that is merely lost is asked once more, over a
 * new one, before a check says that it cannot be reached. Looking twice changes nothing.
 */
async function inspectHost(...args: Parameters<typeof inspectOnce>): ReturnType<typeof inspectOnce> {
  const first = await inspectOnce(...args);
  const isLost = first.checks.some((each) => each.id === 'host.ssh' && each.state === 'failed');
  return isLost ? inspectOnce(...args) : first;
}

async function inspectOnce(
  hostOf: HostOf,
  runbook: MigrationRunbook,
  settings: RunbookHost,
): Promise<{ checks: Check[]; facts?: HostFacts }> {
  try {
    const host = hostOf(runbook, settings.name);
    await host.exec(['true'], { privileged: false, timeoutMs: 20_000 });
    const reached = check('host.ssh', 'mandatory', settings.name, {
      state: 'passed',
      seen: settings.connection === 'local' ? "the worker's own machine" : 'connected, host key as known',
      wanted: 'reached, with the known host key',
    });
    // passed through only: nothing is done there
    if (settings.role === 'jump') return { checks: [reached] };
    const sudo = await isRoot(() => host.exec(['id', '-u'], { timeoutMs: 20_000 }));
    const facts = await readFacts(host, settings, sudo);
    facts.service.unit = settings.service;
    const stored = sudo ? storedOn(runbook, settings.name) : [];
    if (stored.length > 0) facts.room = await readRoom(host, stored);
    const { existing } = runbook.snapshot?.repository ?? {};
    const onlyCopies = existing?.copyHost === settings.name && settings.role === 'storage';
    return { checks: [reached, ...checksOfHost(settings, facts, onlyCopies)], facts };
  } catch (error) {
    if (isCancelled(error)) throw error;
    return { checks: [failedCheck('host.ssh', settings.name, error)] };
  }
}

/** Through sudo, or as the user that logs in: either way what prepare does needs root. */
async function isRoot(probe: () => Promise<{ code: number; stdout: string }>): Promise<boolean> {
  try {
    const { code, stdout } = await probe();
    return code === 0 && stdout.trim() === '0';
  } catch (error) {
    if (isFailureOf(error, 'SudoRefused')) return false;
    throw error;
  }
}

function failedCheck(id: string, where: string, error: unknown): Check {
  const info = error instanceof ApplicationFailure ? (error.details?.[0] as FailureInfo | undefined) : undefined;
  const message = error instanceof Error ? error.message : String(error);
  return {
    id,
    level: 'mandatory',
    state: 'failed',
    where,
    seen: info ? [info.message, info.why].filter(Boolean).join(': ') : message,
    wanted: id === 'host.ssh' ? 'reached, with the known host key' : 'looked at',
    remedy: info?.remedy ?? 'see the log of the worker, then run the checks again',
  };
}
