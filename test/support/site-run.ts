import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { differences, digestIndices } from '../../lab/digest';
import { shardlift, type Shardlift } from '../../lab/shardlift';
import { attachSite, type Site } from '../../lab/site';
import { killSession, stopSession, type ProcessIdentity } from '../../lab/process';
import { startTemporal, type TemporalServer } from '../../lab/temporal';
import type { Manifest } from '../../lab/loader';
import type { RunStatus, StepStatus } from '../../contracts/status';
import { dataConverter } from '../../worker/data-converter';
import { waitUntil } from './wait-until';

/** The site that test/run.ts has started; this process is inside its namespace. */
export function sharedSite(): Site {
  const directory = process.env['SHARDLIFT_TEST_SITE'];
  if (!directory) throw new Error('no site: run these tests by npm test -- site');
  return attachSite(directory);
}

/** A Temporal server, workers that can be killed, and the command line: everything between the operator and the hosts. */
export interface Operator {
  cli: Shardlift;
  temporal: TemporalServer;
  client: Client;
  startWorker(): Promise<void>;
  /** As a power cut of the machine of the one that was started first. */
  killWorker(): Promise<void>;
  stop(): Promise<void>;
}

export async function startOperator(site: Pick<Site, 'directory'>, name: string): Promise<Operator> {
  const directory = path.join(site.directory, name);
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  const temporal = await startTemporal({ directory: path.join(directory, 'temporal'), ui: false });
  const cli = shardlift({ directory, env: { TEMPORAL_ADDRESS: temporal.address, SHARDLIFT_USER: 'test' } });
  const connection = await Connection.connect({ address: temporal.address });
  const client = new Client({ connection, dataConverter });
  const running: ProcessIdentity[] = [];
  let workers = 0;
  return {
    cli,
    temporal,
    client,
    async startWorker() {
      running.push(await cli.start(['worker'], `worker-${(workers += 1)}`));
    },
    async killWorker() {
      const worker = running.shift();
      if (worker) await killSession(worker);
    },
    async stop() {
      for (const worker of running) await stopSession(worker);
      await connection.close();
      await temporal.stop();
    },
  };
}

/** A runbook on the site, written to a file, with some of its text replaced. */
export function writeRunbook(site: Site, name: string, text: string): string {
  const file = path.join(site.directory, `${name}.yaml`);
  writeFileSync(file, text);
  return file;
}

export async function statusOf({ client }: Operator, run: string): Promise<RunStatus> {
  return client.workflow.getHandle(run).query<RunStatus>('status');
}

/** Every step of the run and of its batches. */
export function allSteps(status: RunStatus): StepStatus[] {
  return [...status.steps, ...status.batches.flatMap((batch) => batch.steps)];
}

/** Waits until a step whose id matches is in that state. The query fails while no worker or server is there: asked again. */
export async function reachStep(
  operator: Operator,
  run: string,
  id: RegExp,
  state: StepStatus['state'] = 'running',
  timeoutMs = 300_000,
): Promise<StepStatus> {
  const step = await waitUntil(
    async () => {
      try {
        const status = await statusOf(operator, run);
        const stuck = allSteps(status).find((each) => each.state === 'stuck');
        if (stuck && state !== 'stuck') throw new StuckError(`${stuck.id}: ${JSON.stringify(stuck.failure)}`);
        return allSteps(status).find((each) => id.test(each.id) && each.state === state);
      } catch (error) {
        if (error instanceof StuckError) throw error;
        return undefined;
      }
    },
    (found) => found !== undefined,
    { timeoutMs, what: `${String(id)} ${state}`, everyMs: 100 },
  );
  if (!step) throw new Error('unreachable');
  return step;
}

class StuckError extends Error {}

/** What the hosts' own files hold of a run: to be compared with what an undisturbed run leaves. */
export async function hostFiles(site: Site): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  const script =
    'for f in /etc/exports /etc/fstab /etc/elasticsearch/elasticsearch.yml; do echo "== $f"; cat $f 2>/dev/null; done; echo "== mounts"; findmnt -rn -t nfs,nfs4 -o TARGET,SOURCE | sort';
  for (const host of site.hosts) found[host.name] = (await site.exec(host.name, script)).stdout;
  return found;
}

/** Names of the marked blocks would differ with the run's name only. */
export function withoutRunName(files: Record<string, string>, run: string): Record<string, string> {
  return Object.fromEntries(Object.entries(files).map(([host, text]) => [host, text.replaceAll(run, '<run>')]));
}

/** Documents of both sides by the lab's own reader, which shares no code with our verification. */
export async function differencesFound(site: Site, manifest: Manifest): Promise<string[]> {
  const names = manifest.indices.filter((index) => !index.withoutSource).map((index) => index.name);
  const of = (url: string) => digestIndices({ url, indices: names, openClosed: true });
  return differences(await of(site.source.url), await of(site.target.url));
}
