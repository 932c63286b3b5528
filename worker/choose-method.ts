/**
 * For `init`, which asks both clusters itself: the same words as the planner's.
 * @public loaded through lazy.ts, which knip cannot follow
 */
export { hasSequenceNumbers, proposeMethod } from '../activities/planning/method';
/** @public loaded through lazy.ts, which knip cannot follow */
export { createdVersion } from '../activities/planning/versions';
