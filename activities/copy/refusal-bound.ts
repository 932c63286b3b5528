import { permanent } from '../failure';
import type { RefusedDocument } from './bulk-writer';

/** To be told of each document that the target refuses. @throws when there are too many. */
export type RefusalBound = (document: RefusedDocument, index: string) => void;

/** A mapping that is wrong for all must not be found out document by document. */
export function refusalBound(most: number | undefined, before: number): RefusalBound {
  let refused = before;
  return ({ status, type, reason }, index) => {
    refused++;
    if (most === undefined || refused <= most) return;
    throw permanent({
      type: 'DocumentsRefused',
      message: `the target has refused more documents than copy.failedDocuments.most allows`,
      where: `target cluster: ${index}`,
      why: `the last of them: HTTP ${status} ${type}: ${reason}`.slice(0, 2000),
      remedy:
        "mend what the reason names: settings or mapping of the target's index, then retry; or allow more of them by tune --failed-documents, then retry",
    });
  };
}
