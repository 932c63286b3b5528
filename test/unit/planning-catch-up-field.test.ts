import { checkCatchUp } from '../../activities/planning/checks/document-checks';
import { fieldAt } from '../../activities/planning/field-types';
import type { ClusterView, SelectedIndex } from '../../activities/planning/view';
import { runbookOf } from '../support/fixtures';

const mapping = {
  properties: {
    at: { type: 'date' },
    number: { type: 'long' },
    name: { type: 'keyword', fields: { length: { type: 'integer' } } },
    there: { type: 'alias', path: 'at' },
    unindexed: { type: 'date', index: false },
    bare: { type: 'long', doc_values: false },
    meta: { properties: { nanos: { type: 'date_nanos' }, 'dotted.name': { type: 'double' } } },
    lines: { type: 'nested', properties: { at: { type: 'date' } } },
  },
  runtime: { computed: { type: 'date' } },
};

test('a field is found by its path, and what keeps it from being followed is told', () => {
  expect(fieldAt(mapping, 'at')).toEqual({ type: 'date' });
  expect(fieldAt(mapping, 'name.length')).toEqual({ type: 'integer' });
  expect(fieldAt(mapping, 'meta.nanos')).toEqual({ type: 'date_nanos' });
  expect(fieldAt(mapping, 'meta.dotted.name')).toEqual({ type: 'double' });
  expect(fieldAt(mapping, 'there')).toEqual({ type: 'alias' });
  expect(fieldAt(mapping, 'meta')).toBeUndefined();
  expect(fieldAt(mapping, 'absent')).toBeUndefined();
  expect(fieldAt(mapping, 'unindexed')?.obstacle).toMatch(/not indexed/);
  expect(fieldAt(mapping, 'bare')?.obstacle).toMatch(/doc_values/);
  expect(fieldAt(mapping, 'lines.at')?.obstacle).toMatch(/nested/);
  expect(fieldAt(mapping, 'computed')?.obstacle).toMatch(/runtime/);
  // before 7.0
  expect(fieldAt({ doc: { properties: { at: { type: 'date' } } } }, 'at')).toEqual({ type: 'date' });
  expect(fieldAt({}, 'at')).toBeUndefined();
});

const source = {
  facts: { name: 'old', side: 'source', version: '5.6.16', distribution: 'elasticsearch' },
} as ClusterView;

function check(catchUp: Record<string, unknown>, fields: Record<string, string>) {
  const runbook = runbookOf('r', { method: 'copy', snapshot: undefined, catchUp });
  const selected = Object.entries(fields).map(([name, path]) => ({
    name,
    status: 'open',
    settings: {},
    ...(fieldAt(mapping, path) ? { catchUpField: fieldAt(mapping, path) } : {}),
  })) as unknown as SelectedIndex[];
  return checkCatchUp(runbook, source, selected)[0];
}

test('the plan says which indices do not have the field, what it is there, and when deletes are seen', () => {
  const time = { kind: 'time-field', field: 'at' };
  expect(check(time, { a: 'at', b: 'meta.nanos' })).toMatchObject({
    state: 'passed',
    seen: expect.stringContaining('deletes are seen by comparison only, before the cutover') as string,
  });
  expect(check({ ...time, compareDeletesEvery: '6h' }, { a: 'at' })?.seen).toContain('every 6h and before the cutover');
  expect(check(time, { a: 'at', b: 'number', c: 'absent', d: 'lines.at', e: 'there' })).toMatchObject({
    id: 'catch-up.possible',
    level: 'mandatory',
    state: 'failed',
    seen: expect.stringMatching(
      /b \(long\), c \(not mapped\), d \(it is inside of nested objects\), e \(alias\)$/,
    ) as string,
    remedy: expect.stringContaining('catchUp.field') as string,
  });
  const grows = { kind: 'append-only', field: 'n' };
  expect(check(grows, { a: 'at', b: 'number', c: 'meta.dotted.name' })?.state).toBe('passed');
  expect(check(grows, { a: 'name' })?.seen).toContain('a (keyword)');
});
