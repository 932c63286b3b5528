import type { MigrationRunbook } from '../../../contracts/runbook';
import type { Check } from '../../../contracts/status';
import { isAtLeast } from '../../elasticsearch/version';
import type { ClusterView, SelectedIndex } from '../view';
import { nameOf } from './cluster-checks';
import { failed, listed, noneOf, passed, type CheckSubject } from './make-check';

/** Whether later writes can be followed in the way that the runbook asks for. */
export function checkCatchUp(
  { catchUp, method, select }: MigrationRunbook,
  source: ClusterView,
  selected: SelectedIndex[],
): Check[] {
  if (!catchUp) return [];
  const { version, distribution } = source.facts;
  const subject: CheckSubject = {
    id: 'catch-up.possible',
    level: 'mandatory',
    where: nameOf(source),
    wanted: 'a source that can be followed in the way that catchUp.kind says',
  };
  if (catchUp.kind !== 'sequence' && catchUp.kind !== 'time-series') {
    return [
      failed(
        subject,
        `catchUp.kind is ${catchUp.kind}`,
        'only sequence and time-series can be carried out by this version: set one of them, or leave catchUp out',
      ),
    ];
  }
  if (catchUp.kind === 'time-series' && !select.include.some((name) => name.includes('*'))) {
    return [
      failed(
        subject,
        `select.include has names in full alone: ${listed(select.include)}`,
        'give a pattern that tomorrow’s index fits, such as logs-*; or set catchUp.kind to sequence, which follows these and no others',
      ),
    ];
  }
  // A restored index keeps them, and would change each document that follows once more.
  const piped = selected.filter(({ settings }) =>
    ['index.default_pipeline', 'index.final_pipeline'].some((key) => (settings[key] ?? '_none') !== '_none'),
  );
  if (method === 'snapshot' && piped.length > 0) {
    return [
      failed(
        subject,
        `indices with an ingest pipeline of their own: ${listed(piped.map(({ name }) => name))}`,
        'use method copy for them, in a run of their own, or take the pipeline off the index for the length of the run',
      ),
    ];
  }
  const byField =
    catchUp.kind === 'time-series'
      ? 'set catchUp.kind to time-field, which goes by a field of the documents, and move new indices by runs of their own; or '
      : '';
  const hasNumbers = distribution === 'opensearch' || isAtLeast({ text: version }, '6.0.0');
  return [
    hasNumbers
      ? passed(subject, `${version} numbers its operations`)
      : failed(
          subject,
          `${version} has no sequence numbers`,
          `${byField}leave catchUp out, and stop the writers or set freeze to beforeMove`,
        ),
  ];
}

/** What only matters where documents are moved one by one. */
export function checkDocuments(source: ClusterView, selected: SelectedIndex[]): Check[] {
  const where = nameOf(source);
  return [
    noneOf(
      { id: 'index.closed-readable', level: 'mandatory', where, wanted: 'only open indices' },
      selected.filter(({ status }) => status === 'close').map(({ name }) => name),
      {
        good: 'all are open',
        bad: 'closed, so that their documents cannot be read',
        remedy: 'open them for the length of the run, set select.closed to false, or move them by method snapshot',
      },
    ),
    noneOf(
      { id: 'index.source', level: 'mandatory', where, wanted: 'indices that keep the whole _source of documents' },
      selected.filter(({ hasSource }) => !hasSource).map(({ name }) => name),
      {
        good: 'all keep it',
        bad: '_source is switched off, or fields are left out of it',
        remedy: 'their documents cannot be had back one by one: exclude them, and move them by method snapshot',
      },
    ),
  ];
}
