import type { Check } from '../../../contracts/status';
import { formatBytes } from '../../../contracts/bytes';
import { isAtLeast } from '../../elasticsearch/version';
import type { MigrationRunbook } from '../../../contracts/runbook';
import { staysInStream } from '../data-streams';
import { canHold, oldestIndexVersion } from '../versions';
import type { Selection } from '../select-indices';
import type { ClusterView, IndexView, SelectedIndex } from '../view';
import { nameOf } from './cluster-checks';
import { count, failed, listed, noneOf, notApplicable, passed, type CheckSubject } from './make-check';

/**
 * One run's plan is one payload of its workflow: some 40 bytes an index once compressed, of the 2 MB that Temporal takes.
 * More indices are several runs.
 */
export const mostIndices = 30_000;

/** Which indices the runbook picks, and what it leaves out without being told to. */
export function checkSelection(source: ClusterView, selection: Selection<IndexView>): Check[] {
  const where = nameOf(source);
  const { selected, leftOut, unmatched } = selection;
  const size = selected.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const nothing: CheckSubject = { id: 'select.empty', level: 'mandatory', where, wanted: 'at least one index to move' };
  const unknown: CheckSubject = {
    id: 'select.unmatched',
    level: 'mandatory',
    where,
    wanted: 'an index for every name in select.include',
  };
  const pattern: CheckSubject = {
    ...unknown,
    level: 'warning',
    wanted: 'an index for every pattern in select.include',
  };
  const names = unmatched.filter((each) => !each.includes('*'));
  const patterns = unmatched.filter((each) => each.includes('*'));
  const out = (why: (typeof leftOut)[number]['why']) =>
    leftOut.filter((each) => each.why === why).map(({ name }) => name);
  return [
    selected.length === 0
      ? failed(
          nothing,
          'no index is selected',
          'widen select.include, narrow select.exclude, or allow hidden or closed indices',
        )
      : passed(nothing, `${count(selected.length, 'index', 'indices')}, ${formatBytes(size)} of primary shards`),
    ...(selected.length > mostIndices
      ? [
          failed(
            { id: 'select.count', level: 'mandatory', where, wanted: `at most ${mostIndices} indices in one run` },
            count(selected.length, 'index', 'indices'),
            'move them by several runs, one after the other or side by side, each with its own select.include',
          ),
        ]
      : []),
    ...(names.length > 0
      ? [
          failed(
            unknown,
            `no such index: ${listed(names.map((name) => withKind(source, name)))}`,
            'correct the name, or take it out of select.include',
          ),
        ]
      : []),
    ...(patterns.length > 0
      ? [
          failed(
            pattern,
            `matches no index: ${listed(patterns)}`,
            'correct the pattern, or take it out of select.include',
          ),
        ]
      : []),
    leftOutCheck(
      'index.system',
      where,
      out('system'),
      'system indices stay behind: restore their content by the feature’s own means',
    ),
    leftOutCheck('index.hidden', where, out('hidden'), 'hidden indices stay behind: set select.hidden to take them'),
    leftOutCheck('index.closed', where, out('closed'), 'closed indices stay behind: set select.closed to take them'),
  ];
}

function withKind({ names }: ClusterView, name: string): string {
  if (names.dataStreams[name]) return `${name} (a data stream)`;
  return names.aliases[name] ? `${name} (an alias of ${listed(Object.keys(names.aliases[name]), 3)})` : name;
}

/** What moves of data streams is none any more: said before anything is done. */
function asAliases({ cutover }: MigrationRunbook, selected: SelectedIndex[]): string {
  const streams = [...new Set(selected.flatMap(({ dataStream }) => dataStream ?? []))];
  if (streams.length === 0) return 'none';
  const alias = cutover.aliases ? 'behind an alias of that name' : 'without an alias, as cutover.aliases is false';
  return `${listed(streams)}: arrives as ordinary indices ${alias}`;
}

/** Leaving these out is as asked or as must be; it is said all the same, so that nobody misses them later. */
function leftOutCheck(id: string, where: string, names: string[], wanted: string): Check {
  const subject: CheckSubject = { id, level: 'warning', where, wanted };
  return names.length === 0 ? notApplicable(subject, 'none matched') : passed(subject, `left out: ${listed(names)}`);
}

/** What is wrong with a selected index as it is on the source. */
export function checkIndices(
  runbook: MigrationRunbook,
  source: ClusterView,
  target: ClusterView,
  selected: SelectedIndex[],
): Check[] {
  const where = nameOf(source);
  const isSnapshot = runbook.method === 'snapshot';
  return [
    ...(isSnapshot ? [checkCreatedVersion(target, selected), checkClosed(source, selected)] : []),
    noneOf(
      { id: 'index.red', level: 'mandatory', where, wanted: 'every primary shard of what moves is there' },
      namesOf(selected, ({ health }) => health === 'red'),
      {
        good: 'no index is red',
        bad: 'red',
        remedy:
          'a copy would be partial: bring the missing primary shards back (GET /_cluster/allocation/explain), or exclude the index',
      },
    ),
    noneOf(
      {
        id: 'index.data-stream',
        level: 'mandatory',
        where,
        wanted: 'no backing index of a data stream that keeps its name',
      },
      selected
        .filter((index) => staysInStream(index, runbook))
        .map(({ name, dataStream }) => `${name} (of ${dataStream})`),
      {
        good: asAliases(runbook, selected),
        bad: 'backing indices',
        remedy:
          'a backing index takes no documents with versions of their own: copy these indices under other names (copy.rename, such as from .ds-* to ds-*), behind an alias of the stream’s name; or exclude them, and move the streams by a snapshot taken and restored by hand',
      },
    ),
    noneOf(
      { id: 'index.mounted', level: 'mandatory', where, wanted: 'no index mounted from a snapshot' },
      namesOf(selected, ({ settings }) => settings['index.store.type'] === 'snapshot'),
      {
        good: 'none',
        bad: 'searchable snapshots',
        remedy: 'exclude them, and mount them on the target from their own repository',
      },
    ),
    checkBlocks(where, selected),
    checkLive(runbook, where, selected),
    checkFollowers(where, selected),
  ];
}

function namesOf(indices: SelectedIndex[], wrong: (index: SelectedIndex) => boolean): string[] {
  return indices.filter(wrong).map(({ name }) => name);
}

function checkCreatedVersion(target: ClusterView, selected: SelectedIndex[]): Check {
  const oldest = target.minimumIndexVersion ?? oldestIndexVersion(target.facts.version);
  return noneOf(
    {
      id: 'index.created-version',
      level: 'mandatory',
      where: nameOf(target),
      wanted: `indices created by ${oldest} or later`,
    },
    selected
      .filter(({ createdVersion }) => !canHold(createdVersion, oldest))
      .map(({ name, createdVersion }) => `${name} (${createdVersion})`),
    {
      good: 'every index is new enough',
      bad: `too old for ${target.facts.version}`,
      remedy:
        'what counts is the version that created the index, an upgrade of the cluster does not change it: reindex it on the source into a new index and move that, or exclude it and copy its documents',
    },
  );
}

/** Blocks that a migration cannot work with, and why; a write block is no hindrance. */
const blocks: Record<string, string> = {
  read: 'cannot be counted',
  metadata: 'settings and mappings cannot be read',
  read_only: 'its copy could not be given its replicas',
  read_only_allow_delete: 'its copy could not be given its replicas',
};

/** Named by the check here and by the one made of a refusal (inspect.ts). */
export const blocksSubject = (where: string): CheckSubject => ({
  id: 'index.blocks',
  level: 'mandatory',
  where,
  wanted: `none of ${Object.keys(blocks)
    .map((block) => `index.blocks.${block}`)
    .join(', ')}`,
});
export const blocksRemedy =
  'set the block to null by PUT /<index>/_settings for the length of the run (write may stay true), or exclude the index; read_only_allow_delete comes from a disk over its flood stage: make room first';

function checkBlocks(where: string, selected: SelectedIndex[]): Check {
  const blocked = selected.flatMap(({ name, settings }) =>
    Object.entries(blocks)
      .filter(([block]) => settings[`index.blocks.${block}`] === 'true')
      .map(([block, why]) => `${name} (${block}: ${why})`),
  );
  return noneOf(blocksSubject(where), blocked, { good: 'none', bad: 'blocked', remedy: blocksRemedy });
}

function checkClosed(source: ClusterView, selected: SelectedIndex[]): Check {
  const subject: CheckSubject = {
    id: 'index.closed-movable',
    level: 'mandatory',
    where: nameOf(source),
    wanted: 'closed indices only from 7.2 on',
  };
  const closed = namesOf(selected, ({ status }) => status === 'close');
  if (closed.length === 0) return notApplicable(subject, 'no closed index moves');
  const { version, distribution } = source.facts;
  return distribution === 'opensearch' || isAtLeast({ text: version }, '7.2.0')
    ? passed(subject, listed(closed))
    : failed(
        subject,
        `closed on ${version}: ${listed(closed)}`,
        'this version cannot snapshot a closed index: open it for the length of the run, or set select.closed to false',
      );
}

function checkLive(runbook: MigrationRunbook, where: string, selected: SelectedIndex[]): Check {
  const subject: CheckSubject = { id: 'index.live', level: 'warning', where, wanted: 'no writes while we looked' };
  if (runbook.catchUp) return notApplicable(subject, 'catchUp: what is written follows');
  if (runbook.freeze === 'beforeMove')
    return notApplicable(subject, 'freeze: each batch is write-blocked before it moves');
  const live = selected
    .filter(({ operationsInAMoment }) => operationsInAMoment > 0)
    .map(({ name, operationsInAMoment }) => `${name} (${count(operationsInAMoment, 'write')} in a second)`);
  return noneOf(subject, live, {
    good: 'no writes seen in a second',
    bad: 'being written',
    remedy:
      'what is written after an index’s snapshot does not come along: stop the writers first, or set freeze to beforeMove; verification finds what came later',
  });
}

function checkFollowers(where: string, selected: SelectedIndex[]): Check {
  return noneOf(
    { id: 'index.follower', level: 'warning', where, wanted: 'no follower of cross-cluster replication' },
    namesOf(selected, ({ settings }) => settings['index.xpack.ccr.following_index'] === 'true'),
    {
      good: 'none',
      bad: 'followers',
      remedy: 'the copy does not go on following: set it up anew on the target, or move the leader instead',
    },
  );
}
