import type { DocumentActivities } from '../../contracts/document-activities';
import type { MetadataActivities } from '../../contracts/metadata';
import type { Clusters } from '../elasticsearch/cluster';
import { createApplyActivities } from './apply';
import { createEvaluateActivities } from './evaluate';
import { createIndexActivities } from './indices';

/** What goes along besides documents, and the indices that documents go into. */
export function createMetadataActivities(deps: {
  clusters: Clusters;
}): MetadataActivities & Pick<DocumentActivities, 'createIndices' | 'endLoad'> {
  return {
    ...createIndexActivities(deps),
    ...createEvaluateActivities(deps),
    ...createApplyActivities(deps),
  };
}
