import type { VerifyResult } from '../contracts/cluster-activities';
import type { Difference } from '../contracts/status';
import { workflowFailure } from './failure-info';

/** What both a batch's comparison and the run's have to say of what they found. */

const shownDifferences = 20;

/**
 * Whether taking the differing indices once more, from a new snapshot, can lose nothing. It cannot help, and might delete
 * the last copy, where the source has lost one of them; and it would throw away what was written on the target.
 */
export function isRetakeSafe({ differences, behind }: Pick<VerifyResult, 'differences' | 'behind'>): boolean {
  const safe = new Set(behind.map((name) => `index ${name}`));
  return differences.every(({ where }) => safe.has(where));
}

export function verificationFailed(found: { differences: Difference[]; isRetakeSafe: boolean }): Error {
  const { differences } = found;
  return workflowFailure({
    type: 'VerificationFailed',
    message: `source and target differ in ${differences.length} ${differences.length === 1 ? 'place' : 'places'}`,
    where: [...new Set(differences.map((each) => each.where))].slice(0, 5).join(', '),
    why: differences
      .slice(0, shownDifferences)
      .map((each) => `${each.where}: ${each.what}`)
      .join('\n'),
    remedy: found.isRetakeSafe
      ? 'if the source was written to after its snapshot: stop the writers, then retry, which compares again and, if they still differ, takes what differs once more; skip accepts the differences, and they stand in the report'
      : 'a retry compares again and takes nothing anew, as that could delete the only copy: bring back what the source has lost, or find what writes to the target; skip accepts the differences, and they stand in the report',
  });
}
