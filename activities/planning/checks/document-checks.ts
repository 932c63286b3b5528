import { isByField } from '../../../contracts/catch-up';
import type { MigrationRunbook } from '../../../contracts/runbook';
import type { CatchUpSettings } from '../../../contracts/runbook-documents';
import type { Check } from '../../../contracts/status';
import { fieldTypeOf, isDate } from '../field-types';
import { hasSequenceNumbers } from '../method';
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
  const { version } = source.facts;
  const subject: CheckSubject = {
    id: 'catch-up.possible',
    level: 'mandatory',
    where: nameOf(source),
    wanted: 'a source that can be followed in the way that catchUp.kind says',
  };
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
  if (isByField(catchUp)) return [checkField(catchUp, subject, selected)];
  return [
    hasSequenceNumbers(source.facts)
      ? passed(subject, `${version} numbers its operations`)
      : failed(
          subject,
          `${version} has no sequence numbers`,
          `${catchUp.kind === 'time-series' ? 'name a catchUp.field with the time that every update sets, such as @timestamp' : 'set catchUp.kind to time-field, if every update sets a field with the time, or to append-only'}; or leave catchUp out, and stop the writers or set freeze to beforeMove`,
        ),
  ];
}

/** Of the field in every index that is open: a closed one is written to by nobody. */
function checkField(
  { kind, field = '', compareDeletesEvery }: CatchUpSettings,
  subject: CheckSubject,
  selected: SelectedIndex[],
): Check {
  const wanted = kind === 'append-only' ? 'a date or a number' : 'a date';
  const wrong = selected.flatMap((index) => {
    const problem = index.status === 'open' ? fieldProblem(kind, index) : undefined;
    return problem === undefined ? [] : [`${index.name} (${problem})`];
  });
  const when =
    compareDeletesEvery === undefined ? 'before the cutover' : `every ${compareDeletesEvery} and before the cutover`;
  return noneOf(subject, wrong, {
    good: `${field} is ${wanted} in every open index; deletes are seen by comparison only, ${when}`,
    bad: `${field} is not ${wanted} that can be searched and sorted by`,
    remedy:
      'name another catchUp.field, move those indices in a run of their own, or take sequence, which needs no field, from 6.0 on',
  });
}

/** Why an index cannot be followed by the field that the runbook names. */
export function fieldProblem(
  kind: CatchUpSettings['kind'],
  { catchUpField: found }: Pick<SelectedIndex, 'catchUpField'>,
): string | undefined {
  if (!found) return 'not mapped';
  const type = fieldTypeOf(found.type);
  const isRight = type !== undefined && (kind === 'append-only' || isDate(type));
  return isRight ? found.obstacle : (found.obstacle ?? found.type);
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
