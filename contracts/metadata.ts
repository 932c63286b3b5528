import { z } from 'zod';
import type { RunInput } from './cluster-activities';
import type { StepOutcome } from './host-activities';
import type { IndexFacts } from './plan';
import type { Difference } from './status';

/** What goes from one cluster to the other besides documents, and what becomes of it on the way. */

/** In the order in which they are evaluated and applied: what is named by another comes before it. */
export const metadataKinds = [
  'cluster-setting',
  'stored-script',
  'ingest-pipeline',
  'ilm-policy',
  'slm-policy',
  'component-template',
  'index-template',
  'legacy-template',
  'index-settings',
  'mappings',
] as const;
export type MetadataKind = (typeof metadataKinds)[number];

/** Those that belong to no index: what `applyMetadata` makes. Indices are made by `createIndices`. */
export const clusterMetadataKinds = metadataKinds.filter(
  (kind): kind is ClusterMetadataKind => kind !== 'index-settings' && kind !== 'mappings',
);
export type ClusterMetadataKind = Exclude<MetadataKind, 'index-settings' | 'mappings'>;

export const metadataSettings = z
  .strictObject({
    include: z
      .array(z.enum(clusterMetadataKinds as [ClusterMetadataKind, ...ClusterMetadataKind[]]))
      .default(clusterMetadataKinds)
      .describe('Which kinds go along.'),
    exclude: z
      .array(z.string().min(1))
      .default([])
      .describe(
        'Names or patterns with * of templates, policies, pipelines, scripts and cluster settings to leave out.',
      ),
    onConflict: z
      .enum(['keep', 'replace'])
      .default('keep')
      .describe(
        "What becomes of a thing that the target has under the same name with other contents. keep: it stays, and is a difference at the end. replace: the source's takes its place; undone by an abort.",
      ),
  })
  .describe(
    'Templates, policies, pipelines, scripts and persistent cluster settings that go along. Left out, none are taken.',
  );
export type MetadataSettings = z.output<typeof metadataSettings>;

/** One place in an item at which the target gets something else than the source has, or at which that is worth saying. */
export interface MetadataNote {
  /** A setting, or a path in the mapping or body: `index.mapper.dynamic`, `properties.title.boost`. */
  path: string;
  result: 'same' | 'changed' | 'left out';
  /** changed: into what. */
  how?: string;
  why: string;
}

/** What cannot be bridged. */
export interface MetadataRefusal {
  path: string;
  why: string;
  remedy: string;
}

/**
 * same: the target gets, or has, just what the source has. changed: bridged, as the notes say. left out: on purpose.
 * conflict: the target has another one of that name. refused: it cannot be made there.
 */
export type MetadataResult = 'same' | 'changed' | 'left out' | 'conflict' | 'refused';

export interface MetadataItem {
  kind: MetadataKind;
  /** On the source. */
  name: string;
  /** On the target, where it is called something else. */
  targetName?: string;
  result: MetadataResult;
  /** Whether the target has it already, the same or another; undefined where nothing was looked for. */
  onTarget?: 'absent' | 'same' | 'differs';
  /** What is changed or left out of it. */
  notes: MetadataNote[];
  /** left out, conflict, refused: one sentence; for a conflict, what differs. */
  why?: string;
  /** refused: what the operator can do. */
  remedy?: string;
}

/** Item (`kind name`) to the beginning of the SHA-256 of its canonical JSON on the source. */
export type MetadataDigests = Record<string, string>;

export interface MetadataInput extends RunInput {
  indices: IndexFacts[];
  metadata: MetadataSettings;
}

/** What `applyMetadata` is to make. It stands in the history before anything is changed, so that the undo knows what was there. */
export interface PlannedItem {
  kind: ClusterMetadataKind;
  name: string;
  /** JSON of the request body that puts back what the target had; null where it had none. */
  before: string | null;
}

export interface MetadataEvaluation {
  /** Items that stay the same without a note are only counted. */
  items: MetadataItem[];
  same: number;
  planned: PlannedItem[];
  /** What drift is measured against. */
  digests: MetadataDigests;
}

/** What takes an applied item back: a member for `Undo` in status.ts. */
export interface MetadataUndo extends PlannedItem {
  /** Digest of what the run put: anything else there by then is somebody's later change and stays. */
  digest: string;
  summary: string;
}

export interface ApplyMetadataResult extends StepOutcome {
  /** Conflicts that were kept, and what is refused: the run has not taken these along. */
  differences: Difference[];
  /** Of each of the changes, in their order. */
  undo: MetadataUndo[];
}

export interface MetadataDrift {
  /** One for each item that was added, changed or deleted on the source since. */
  differences: Difference[];
  /** Of the source now: a later look begins here, so that nothing is told twice. */
  digests: MetadataDigests;
}

/** What the metadata activities make; each names in its comment why it may run twice. */
export interface MetadataActivities {
  /** Every item with what happens to it. Reads only. */
  evaluateMetadata(input: MetadataInput): Promise<MetadataEvaluation>;
  /** Makes on the target what belongs to no index, what is named by another first. */
  applyMetadata(input: MetadataInput & { step: string; planned: PlannedItem[] }): Promise<ApplyMetadataResult>;
  /** Takes one item back, unless somebody changed it meanwhile. */
  undoMetadata(input: RunInput & { step: string; undo: MetadataUndo }): Promise<StepOutcome>;
  /** What changed on the source since these digests were taken. Reads only. */
  readDrift(input: MetadataInput & { digests: MetadataDigests }): Promise<MetadataDrift>;
}
