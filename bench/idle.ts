import { setTimeout as sleep } from 'node:timers/promises';
import { loadFiller } from '../lab/loader';
import { progress } from '../lab/progress';
import { build, runPrefix, withBenchLab } from './lab';
import { cpuTicks, ticksPerSecond } from './process-use';
import { report } from './report';
import { benchRunbook } from './runbooks';

/** What a worker does right after a run has come to its gate is work, not waiting. */
const settleMs = 5_000;

/** The worker's own CPU while its one run waits at a gate. */
export async function benchIdle(options: { seconds: number; json: boolean }): Promise<boolean> {
  build();
  return withBenchLab({}, async (lab) => {
    await loadFiller({ url: lab.pair.source.url, indices: 1, megabytesEach: 1, prefix: 'bench' });
    const name = `${runPrefix}idle`;
    const file = lab.runbook(name, benchRunbook(lab, name, { batchBytes: 1 << 30, gates: ['move'] }));
    const { code, stdout, stderr } = await lab.cli.run(['start', file, '--wait', '--until-gate'], { capture: true });
    if (code !== 5) throw new Error(`the run did not come to its gate (${code}): ${stderr}${stdout}`);
    await sleep(settleMs);
    const perSecond = await ticksPerSecond();
    const before = cpuTicks(lab.worker.pid);
    const startedMs = performance.now();
    progress(`watching the worker for ${options.seconds} s …`);
    await sleep(options.seconds * 1000);
    const seconds = (performance.now() - startedMs) / 1000;
    const busySeconds = (cpuTicks(lab.worker.pid) - before) / perSecond;
    return report(`the worker over ${seconds.toFixed(0)} s at a gate: ${busySeconds.toFixed(2)} s of CPU`, options, [
      { name: 'CPU of one core', value: (busySeconds / seconds) * 100, atMost: 2, unit: ' %' },
    ]);
  });
}
