import { compareCopied, type CopiedContext } from './compare-copied';
import { compareDocuments } from './compare-documents';
import { compareMappings } from './compare-mappings';
import { compareSettings } from './compare-settings';
import { isWhole, type DocumentFindings, type Findings, type IndexState } from './index-state';

export interface CompareContext {
  /** The run has write-blocked the source's indices. */
  isFrozenByRun: boolean;
  targetDataNodes: number;
  /** Where documents were moved one by one; left out for a restored index. */
  copied?: CopiedContext & { expected: Pick<IndexState, 'mapping' | 'settings'> };
}

/**
 * Everything that the first level of verification compares of one index. Whether it is behind, its documents alone say: a
 * mapping that was changed with them comes along, one that differs by itself would not be mended by a new snapshot.
 */
export function compareIndex(
  source: IndexState | undefined,
  target: IndexState | undefined,
  { isFrozenByRun, targetDataNodes, copied }: CompareContext,
): DocumentFindings {
  if (!target) {
    const isBehind = source !== undefined && isWhole(source);
    return { differences: ['the index is missing on the target'], adapted: [], isBehind };
  }
  if (!source) {
    return {
      differences: ['the index is gone from the source: nothing is left to compare the copy with'],
      adapted: [],
      isBehind: false,
    };
  }
  const documents = copied ? compareCopied(source, target, copied) : compareDocuments(source, target);
  const { mapping, settings } = copied?.expected ?? source;
  const parts = [
    compareState(source, target, targetDataNodes),
    documents,
    compareMappings(mapping, target.mapping),
    compareSettings({ isFrozenByRun, sourceSettings: settings, targetSettings: target.settings }),
  ];
  return {
    differences: parts.flatMap(({ differences }) => differences),
    adapted: parts.flatMap(({ adapted }) => adapted),
    isBehind: documents.isBehind,
  };
}

const healthWords = {
  yellow: 'a replica is not allocated: too few data nodes for its replicas, or a disk above its watermark',
  red: 'a primary shard is missing: GET /_cluster/allocation/explain says why',
  '': 'its health is not known',
};

function compareState(source: IndexState, target: IndexState, targetDataNodes: number): Findings {
  const differences: string[] = [];
  const adapted: string[] = [];
  if (source.status !== target.status) {
    differences.push(`${source.status} on the source and ${target.status} on the target`);
  }
  const copies = Number(target.settings['index.number_of_replicas'] ?? 0) + 1;
  if (target.health === 'yellow' && copies > targetDataNodes) {
    // No waiting and no repair would turn it green; the preflight's replicas.fit has warned of it.
    adapted.push(`yellow: wants ${copies} copies of each shard, and the target has ${targetDataNodes} data nodes`);
  } else if (target.health !== 'green') {
    differences.push(
      `health is ${target.health || 'unknown'} on the target and ${source.health || 'unknown'} on the source: ${healthWords[target.health]}`,
    );
  }
  return { differences, adapted };
}
