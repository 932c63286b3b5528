import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { differences, digestIndices } from './digest';
import { pairRunbook, siteRunbook } from './demo-runbooks';
import { dismantle, dismantleOnSignals } from './guard';
import { loadCorpus } from './loader';
import { startPair } from './pair';
import { canRunHosts, requirePrerequisites } from './prerequisites';
import { progress } from './progress';
import { shardlift, type Shardlift } from './shardlift';
import { startSite } from './site';
import { startedSeconds } from './stopwatch';
import { temporalBinary } from './temporal';
import { waitFor } from './wait';

/** The main job from nothing to the report: `npm run demo`. */

const run = 'demo';
const report = path.resolve('shardlift-demo-report.html');

interface Lab {
  directory: string;
  namespace?: string;
  via?: string;
  source: { url: string };
  target: { url: string };
  runbook: string;
}

async function startLab(wantsPair: boolean): Promise<Lab> {
  const hosts = wantsPair ? { ok: false as const, reason: 'asked for by --pair' } : await canRunHosts();
  await requirePrerequisites({ site: hosts.ok, temporal: true, versions: [] });
  execFileSync(process.execPath, [path.join(__dirname, '..', 'scripts', 'build.cjs')], { stdio: ['ignore', 2, 2] });
  if (!hosts.ok) {
    progress(`no hosts (${hosts.reason}): two clusters on loopback and a shared directory instead`);
    const pair = await startPair();
    return { directory: pair.directory, source: pair.source, target: pair.target, runbook: pairRunbook(pair, run) };
  }
  const site = await startSite();
  return {
    directory: site.directory,
    namespace: site.namespace,
    via: site.via,
    source: site.source,
    target: site.target,
    runbook: siteRunbook(site, run),
  };
}

/** Looks on until a person is asked, says yes for the demo, and so on to the end. */
async function carryThrough(cli: Shardlift): Promise<number> {
  for (;;) {
    const { code } = await cli.run(['watch', run, '--until-gate'], { echo: true });
    if (code !== 5) return code;
    const { stdout } = await cli.run(['status', run, '--output', 'json'], { capture: true });
    const status = JSON.parse(stdout) as { state: string; gates: { gate: string; state: string }[] };
    const gate = status.gates.find(({ state }) => state === 'open')?.gate;
    if (gate === undefined) {
      await cli.run(['status', run], { echo: true });
      return code;
    }
    await cli.run(['approve', run, gate, '--reason', 'the demo agrees', '--yes'], { echo: true });
  }
}

const usage = `Usage: npm run demo [-- --pair]

Moves a real Elasticsearch cluster to another one on this machine, and has an independent reader look at the result. As root on
Debian: hosts of its own, with systemd, sshd and NFS. Otherwise, and with --pair: two clusters on loopback and a shared directory.
It takes 15 to 30 minutes the first time, and some 6 after it; nothing is left running.`;

async function main(): Promise<number> {
  const others = process.argv.slice(2).filter((each) => each !== '--pair');
  if (others.length > 0) {
    process.stdout.write(`${usage}\n`);
    return others.every((each) => each === '--help' || each === '-h') ? 0 : 2;
  }
  const seconds = startedSeconds();
  dismantleOnSignals();
  const lab = await startLab(process.argv.includes('--pair'));
  try {
    const manifest = await loadCorpus({ url: lab.source.url, via: lab.via, scale: 'demo' });
    progress(`the source holds ${manifest.indices.length} indices (${seconds()} s so far)`);
    const names = manifest.indices.filter((index) => !index.withoutSource).map((index) => index.name);
    const before = await digestIndices({ url: lab.source.url, via: lab.via, indices: names, openClosed: true });
    const work = path.join(lab.directory, 'demo');
    mkdirSync(work, { recursive: true });
    const file = path.join(work, 'demo.yaml');
    writeFileSync(file, lab.runbook);
    process.stdout.write(`\nThe runbook, all of it:\n\n${lab.runbook}`);
    const cli = shardlift({
      directory: lab.directory,
      env: { SHARDLIFT_TEMPORAL: await temporalBinary() },
      ...(lab.namespace === undefined ? {} : { namespace: lab.namespace }),
    });
    progress('$ shardlift up &');
    await cli.start(['up', '--dir', path.join(work, 'temporal')], 'up');
    await waitFor(async () => (await cli.run(['list'], { capture: true })).code === 0, {
      what: 'shardlift up',
      timeoutMs: 60_000,
    });
    const planned = await cli.run(['plan', file], { echo: true });
    if (planned.code !== 0) return planned.code;
    const started = await cli.run(['start', file], { echo: true });
    if (started.code !== 0) return started.code;
    const code = await carryThrough(cli);
    await cli.run(['report', run, '--out', path.join(work, 'report.html')], { echo: true });
    copyFileSync(path.join(work, 'report.html'), report);
    if (code !== 0) return code;
    const after = await digestIndices({ url: lab.target.url, via: lab.via, indices: names, openClosed: true });
    const found = differences(before, after);
    process.stdout.write(
      found.length === 0
        ? `\nAn independent reader found every document of ${names.length} indices on the target, byte for byte.\n`
        : `\nAn independent reader found differences:\n${found.join('\n')}\n`,
    );
    process.stdout.write(`The report: ${report}\nAll in all ${seconds()} s; nothing is left running.\n`);
    return found.length === 0 ? 0 : 1;
  } finally {
    await dismantle(lab.directory);
  }
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(1);
  },
);
