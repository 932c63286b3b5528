import { createAliasActivities } from '../../activities/cutover/aliases';
import type { Cluster, RequestParams } from '../../activities/elasticsearch/cluster';
import { runbookOf } from '../support/fixtures';

const actions = [{ add: { index: 'orders-1', alias: 'orders' } }];

function targetWith(indices: string[]) {
  const asked: RequestParams[] = [];
  const cluster: Cluster = {
    side: 'target',
    uuid: 'u',
    version: { text: '8.19.21', major: 8, minor: 19, patch: 21, distribution: 'elasticsearch' },
    request: async <T>(params: RequestParams) => {
      asked.push(params);
      return { status: 200, body: (params.method === 'GET' ? indices.map((index) => ({ index })) : {}) as T };
    },
  };
  const clusters = { connect: async () => cluster, close: async () => undefined };
  const input = { run: 'run', runbook: runbookOf('run'), step: 's', actions };
  return { asked, put: () => createAliasActivities({ clusters }).applyAliases(input) };
}

test('aliases go on in one request, and nothing promises that they would be taken off again', async () => {
  const target = targetWith(['orders-1']);
  const { changes, summary } = await target.put();
  expect(summary).toBe('put on 1 aliases: orders');
  expect(changes).toHaveLength(1);
  // applications may use them from then on: no abort reaches them
  expect(changes[0]).not.toHaveProperty('undo');
  expect(target.asked.filter(({ method }) => method === 'POST').map(({ body }) => body)).toEqual([{ actions }]);
});

test('an index of that name on the target is a conflict, before anything is put on', async () => {
  const target = targetWith(['orders-1', 'orders']);
  await expect(target.put()).rejects.toMatchObject({ type: 'AliasConflict', nonRetryable: true });
  expect(target.asked.some(({ method }) => method === 'POST')).toBe(false);
});
