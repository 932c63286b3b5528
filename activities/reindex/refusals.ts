import { mergeCauses } from '../../contracts/refusals';
import type { RefusalCause } from '../../contracts/status';
import type { ReindexFailure } from './tasks';

/**
 * What a task ended at: documents that the target refuses, or searches and writes that failed for a while, after which
 * the part is begun again. `conflicts: proceed` leaves conflicts out of it.
 */
export function sorted(failures: readonly ReindexFailure[]): { refused: ReindexFailure[]; passing: ReindexFailure[] } {
  const isRefusal = ({ id, status = 0, cause }: ReindexFailure) =>
    id !== undefined && status >= 400 && status < 500 && status !== 429 && !ofTheIndex.has(cause?.type ?? '');
  return {
    refused: failures.filter(isRefusal),
    passing: failures.filter((failure) => !isRefusal(failure)),
  };
}

/** They say nothing about the document: every other one would meet with the same. */
const ofTheIndex = new Set([
  'cluster_block_exception',
  'index_closed_exception',
  'index_not_found_exception',
  'security_exception',
]);

export function wordsOf({ cause, reason, status }: ReindexFailure): { status: number; type: string; reason: string } {
  const said = cause ?? reason;
  const words = [said?.reason, cause?.caused_by?.reason].filter((each) => each !== undefined && each !== null);
  return { status: status ?? 500, type: said?.type ?? '', reason: words.join(': ') };
}

/** Grouped as those of a copy are. */
export function causesOf(index: string, refused: readonly ReindexFailure[]): RefusalCause[] {
  return mergeCauses(
    refused.map((failure) => {
      const { type, reason } = wordsOf(failure);
      return { index, type, reason, count: 1, example: failure.id ?? '', remedy: remedyOf(type, reason) };
    }),
  );
}

function remedyOf(type: string, reason: string): string {
  if (/Limit of (total fields|nested|mapping depth|field name)|total fields/i.test(reason))
    return 'raise the limit that is named on the target, then retry: the part is fetched again';
  if (/strict_dynamic|dynamic introduction/.test(`${type} ${reason}`))
    return 'add the field to the mapping on the target, or set dynamic there, then retry: the part is fetched again';
  if (/pars(e|ing)_exception/.test(type))
    return "the field's type on the target does not take it: correct the mapping there, or the document on the source, then retry: the part is fetched again";
  return 'mend what the reason names, then retry: the part is fetched again';
}
