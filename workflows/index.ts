/** The registered workflow types; their names are in contracts/messages.ts. */
export { catchUpWorkflow } from './catch-up';
export { migrationWorkflow } from './migration';
export { moveBatchWorkflow } from './move-batch';
export { planWorkflow } from './plan';
