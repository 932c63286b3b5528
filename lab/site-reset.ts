import { readFileSync } from 'node:fs';
import path from 'node:path';
import { json, request, segment } from './http';
import type { Side, Site, SiteCluster } from './site';

export interface ResetOptions {
  /** Deletes the source's indices too. */
  wipeSource?: boolean;
  /** Directories that were made on hosts, beside those that exports, fstab and path.repo name. */
  directories?: readonly string[];
}

const SCRIPT = path.join(__dirname, 'hosts', 'reset.sh');

/** Ends what still runs in the clusters, deletes what was made there, and puts the hosts' files back. */
export async function resetSite(site: Site, options: ResetOptions = {}): Promise<void> {
  await Promise.all(site.hosts.map(({ name }) => switchOnAgain(site, name)));
  await Promise.all(
    (['source', 'target'] as const).map((side) =>
      cleanCluster(site, side, side === 'target' || options.wipeSource === true),
    ),
  );
  const script = readFileSync(SCRIPT, 'utf8');
  const quoted = (options.directories ?? []).map((directory) => `'${directory.replaceAll("'", "'\\''")}'`).join(' ');
  // clients first: a server that goes away under a mounted client makes its umount wait
  const servers = await Promise.all(
    site.hosts.map(async ({ name }) =>
      (await site.exec(name, 'exportfs 2>/dev/null')).stdout.trim() === '' ? [] : [name],
    ),
  );
  const run = async (names: string[]): Promise<void> => {
    await Promise.all(
      names.map(async (name) => {
        const { code, stdout, stderr } = await site.exec(name, `set -- ${quoted}\n${script}`, 120_000);
        if (code !== 0) throw new Error(`resetting ${name} ended with code ${code}: ${stderr}${stdout}`);
      }),
    );
  };
  const serving = new Set(servers.flat());
  await run(site.hosts.map(({ name }) => name).filter((name) => !serving.has(name)));
  await run([...serving]);
  await Promise.all((['source', 'target'] as const).map((side) => site.waitGreen(side)));
}

async function switchOnAgain(site: Site, host: string): Promise<void> {
  await site.setLink(host, true);
  const { code } = await site.exec(
    host,
    'systemctl is-active -q elasticsearch || systemctl start elasticsearch',
    30_000,
  );
  if (code !== 0) await site.boot(host);
}

async function cleanCluster(site: Site, side: Side, wipe: boolean): Promise<void> {
  await site.waitGreen(side, 60_000).catch(() => undefined);
  const { via } = site;
  const url = await answering(site[side], via);
  const call = async (method: string, place: string, body?: unknown): Promise<void> =>
    void (await request({ method, url: `${url}${place}`, body, via }));
  const repositories = await json<Record<string, unknown>>({ url: `${url}/_snapshot`, via });
  for (const name of Object.keys(repositories)) {
    await abortSnapshots(url, via, name);
    await call('DELETE', `/_snapshot/${segment(name)}`);
  }
  if (wipe) {
    const indices = await json<{ index: string }[]>({
      url: `${url}/_cat/indices?h=index&format=json&expand_wildcards=all`,
      via,
    });
    for (const { index } of indices) await call('DELETE', `/${segment(index)}`);
    for (const kind of ['_index_template', '_template', '_component_template']) await call('DELETE', `/${kind}/shop-*`);
  } else {
    await call('PUT', '/_all/_settings?expand_wildcards=all', {
      'index.blocks.write': null,
      'index.blocks.read_only': null,
    });
  }
  for (const kind of ['persistent', 'transient']) await call('PUT', '/_cluster/settings', { [kind]: { '*': null } });
}

async function answering(cluster: SiteCluster, via: string | undefined): Promise<string> {
  for (const url of cluster.urls) {
    const status = await request({ url, via, timeoutMs: 5_000 }).then(
      (response) => response.status,
      () => 0,
    );
    if (status === 200) return url;
  }
  throw new Error(`no node of ${cluster.urls.join(', ')} answers`);
}

/** A repository with a running snapshot cannot be removed. Stored snapshots go with their directory. */
async function abortSnapshots(url: string, via: string | undefined, repository: string): Promise<void> {
  const running = await request({ url: `${url}/_snapshot/${segment(repository)}/_current`, via, timeoutMs: 20_000 });
  if (running.status !== 200) return;
  const { snapshots = [] } = JSON.parse(running.body.toString()) as { snapshots?: { snapshot: string }[] };
  for (const { snapshot } of snapshots)
    await request({ method: 'DELETE', url: `${url}/_snapshot/${segment(repository)}/${segment(snapshot)}`, via });
}
