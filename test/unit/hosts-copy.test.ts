import { execFileSync } from 'node:child_process';
import { copyJobScript } from '../../activities/hosts/copy-job';
import { CopyFollower, stuckAfterMs } from '../../activities/hosts/copy-progress';
import { parseLook } from '../../activities/hosts/jobs';
import { hostRunbook } from './hosts-scripted-host';

const look = (phase: string, progress: string, moved: string) =>
  parseLook(
    `running\nphase ${phase}\ntotal 1000 600\nprogress ${progress}\nresult \nmoved ${moved}\nlog\nrsync: hm\nagain\n`,
  );

describe('a look at a copy', () => {
  it('is taken apart', () => {
    expect(look('copying', '   300  50%  1kB/s', '7')).toEqual({
      state: 'running',
      code: 0,
      phase: 'copying',
      total: [1000, 600],
      progress: '   300  50%  1kB/s',
      result: [],
      moved: '7',
      log: 'rsync: hm\nagain\n',
    });
    expect(parseLook('ended 93\nphase copying\nlog\n')).toMatchObject({ state: 'ended', code: 93 });
    expect(parseLook('absent\n')).toMatchObject({ state: 'absent' });
    expect(parseLook('died\nphase x\n')).toMatchObject({ state: 'died' });
  });
});

describe('progress of a copy', () => {
  it('counts what was there before, and what comes', () => {
    const follower = new CopyFollower(0);
    expect(follower.seen(look('measuring', '', '1'), 0).progress).toMatchObject({ done: 400, total: 1000 });
    follower.seen(look('copying', '  0  0%', '2'), 1000);
    expect(follower.seen(look('copying', '     300  50%  1kB/s', '3'), 4000).progress).toMatchObject({
      done: 700,
      rate: 100,
      etaSeconds: 3,
    });
    expect(follower.seen(look('comparing', '', '4'), 5000).progress).toMatchObject({ done: 1000 });
  });

  it('is stuck when nothing at all moves for long, and not while it waits for its turn', () => {
    const follower = new CopyFollower(0);
    follower.seen(look('copying', '1 1%', '1'), 0);
    expect(follower.seen(look('copying', '1 1%', '1'), stuckAfterMs - 1).isStuck).toBe(false);
    expect(follower.seen(look('copying', '1 1%', '1'), stuckAfterMs).isStuck).toBe(true);
    expect(follower.seen(look('copying', '1 1%', '2'), stuckAfterMs).isStuck).toBe(false);
    follower.seen(look('waiting', '', '2'), 2 * stuckAfterMs);
    expect(follower.seen(look('waiting', '', '2'), 4 * stuckAfterMs).isStuck).toBe(false);
  });
});

describe('the script of a copy', () => {
  it('is a script for every shell, and holds odd paths only quoted', () => {
    const odd = `/srv/it's "$(touch x)" \`id\``;
    const input = {
      run: 'r',
      step: 's',
      runbook: hostRunbook(),
      host: 'h1',
      job: 'job',
      from: odd,
      to: `${odd}2`,
      snapshot: 's',
      indices: [],
      verify: 'size' as const,
      maxBytesPerSec: 10,
    };
    const paths = { index: '/i', list: '/l', latest: '/t' };
    const script = copyJobScript(input, { uid: 1, gid: 2 }, { uuid: '-u', paths: [] }, 3, paths);
    execFileSync('/bin/sh', ['-n'], { input: script });
    const assignments = script.slice(0, script.indexOf('\nset -u'));
    const printed = execFileSync('/bin/sh', [
      '-c',
      `${assignments}\nprintf '%s|' "$from" "$to" "$limit" "$uuid" "$generation"`,
    ]);
    expect(printed.toString()).toBe(`${odd}|${odd}2|1|-u|3|`);
  });
});
