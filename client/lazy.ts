/* eslint-disable @typescript-eslint/no-require-imports --
   Modules that take long to load are loaded when a verb needs them: `--help` answers in a tenth of a second, `status`
   never loads the worker. Of its 0.4 s 0.25 are @temporalio/client's, half of which go into the descriptors of
   Temporal's API, and cannot be had in pieces. `import()` would do, but it wants other file names in the sources than in the output. */

/** Every module of client/ that costs more than a few milliseconds to load, or that loads one that does. */
export const lazy = {
  pino: () => require('pino') as typeof import('pino'),
  yaml: () => require('yaml') as typeof import('yaml'),
  tables: () => require('cli-table3') as typeof import('cli-table3'),
  temporalClient: () => require('@temporalio/client') as typeof import('@temporalio/client'),
  temporalCommon: () => require('@temporalio/common') as typeof import('@temporalio/common'),
  envconfig: () => require('@temporalio/envconfig') as typeof import('@temporalio/envconfig'),
  runbookFile: () => require('./runbook-file') as typeof import('./runbook-file'),
  planView: () => require('./views/plan-view') as typeof import('./views/plan-view'),
  report: () => ({
    ...(require('./report/data') as typeof import('./report/data')),
    ...(require('./report/html') as typeof import('./report/html')),
  }),
  clusterAnswers: () => require('./init/cluster-answers') as typeof import('./init/cluster-answers'),
  runbookText: () => require('./init/runbook-text') as typeof import('./init/runbook-text'),
  jsonSchema: () => require('./json-schema') as typeof import('./json-schema'),
  chooseMethod: () => require('../worker/choose-method') as typeof import('../worker/choose-method'),
  dump: () => require('../worker/dump') as typeof import('../worker/dump'),
  worker: () => require('../worker/run-worker') as typeof import('../worker/run-worker'),
  /** The worker's own: both sides must read what the other wrote. */
  dataConverter: () => (require('../worker/data-converter') as typeof import('../worker/data-converter')).dataConverter,
};
