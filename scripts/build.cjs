'use strict';
// Compiles the product to dist/ and bundles the workflows, so that a worker starts in a second. Writes dist/ anew.
const { execFileSync } = require('node:child_process');
const { rmSync, writeFileSync, chmodSync } = require('node:fs');
const path = require('node:path');

const root = path.join(__dirname, '..');

async function main() {
  rmSync(path.join(root, 'dist'), { recursive: true, force: true });
  execFileSync(process.execPath, [require.resolve('typescript/bin/tsc'), '-p', 'tsconfig.build.json'], {
    cwd: root,
    stdio: 'inherit',
  });
  const { bundleWorkflowCode } = require('@temporalio/worker');
  const quiet = { info() {}, debug() {}, trace() {}, log() {}, warn: console.warn, error: console.error };
  const { code } = await bundleWorkflowCode({
    workflowsPath: path.join(root, 'dist', 'workflows', 'index.js'),
    logger: quiet,
  });
  writeFileSync(path.join(root, 'dist', 'workflow-bundle.js'), code);
  chmodSync(path.join(root, 'dist', 'client', 'main.js'), 0o755);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
