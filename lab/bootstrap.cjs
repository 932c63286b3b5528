'use strict';
// What `npm run demo|test|lab|bench` start: plain Node, since on a fresh clone nothing is installed yet.
const { spawn, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { setInterval } = require('node:timers');

const ENTRIES = { demo: 'lab/demo.ts', test: 'test/run.ts', lab: 'lab/main.ts', bench: 'bench/main.ts' };
const root = path.resolve(__dirname, '..');

/** npm writes this file at the end of an installation, so a half-done one is installed again. */
function modifiedAt(file) {
  return fs.statSync(path.join(root, file), { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

function installPackages() {
  const installed = modifiedAt('node_modules/.package-lock.json');
  if (installed > 0 && installed >= modifiedAt('package-lock.json')) return;
  process.stderr.write('installing npm packages (npm ci; first time, some 10 to 60 s) …\n');
  const { status } = spawnSync('npm', ['ci', '--no-progress'], { cwd: root, stdio: ['ignore', 2, 2] });
  if (status !== 0) {
    process.stderr.write('npm ci failed: see its message above\n');
    process.exit(1);
  }
}

function parentOf(pid) {
  try {
    // after the last bracket, as a program's name may have some: state, then the parent
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    return 0;
  }
}

/** npm, and the shell that it starts us by, cannot tell of their own death by SIGKILL: an orphan ends as by SIGTERM. */
function endWithLaunchers(child) {
  if (process.env.npm_lifecycle_event === undefined || !fs.existsSync('/proc/self/stat')) return;
  const shell = process.ppid;
  const npm = parentOf(shell);
  setInterval(() => {
    if (process.ppid !== shell || parentOf(shell) !== npm) child.kill('SIGTERM');
  }, 2_000).unref();
}

function main() {
  const [what, ...args] = process.argv.slice(2);
  const entry = ENTRIES[what];
  if (entry === undefined) {
    process.stderr.write(`usage: node lab/bootstrap.cjs ${Object.keys(ENTRIES).join('|')} [arguments]\n`);
    process.exit(2);
  }
  installPackages();
  // The IPC channel breaks when this process dies, however it dies: that is how the child learns of it (lab/guard.ts).
  const child = spawn(process.execPath, ['--import', 'tsx', path.join(root, entry), ...args], {
    cwd: root,
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
  });
  endWithLaunchers(child);
  let lastSignal = 0;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => {
      lastSignal = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 }[signal];
      // Ctrl-C reaches the whole foreground group already; a second one in a row would cut its cleaning up short.
      if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal);
    });
  }
  child.on('error', (error) => {
    process.stderr.write(`cannot start ${entry}: ${error.message}\n`);
    process.exit(1);
  });
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? 128 + (lastSignal || { SIGHUP: 1, SIGINT: 2, SIGKILL: 9, SIGTERM: 15 }[signal] || 1);
    if (child.connected) child.disconnect();
  });
}

main();
