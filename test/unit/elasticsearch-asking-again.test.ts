import { askingAgain } from '../../activities/elasticsearch/asking-again';
import type { Cluster } from '../../activities/elasticsearch/cluster';
import { permanent, transient } from '../../activities/failure';

const info = { type: 'ClusterUnavailable', message: 'not now', where: 'here', remedy: 'wait' } as const;

function clusterThat(...failures: Error[]): { cluster: Cluster; asked(): number } {
  let asked = 0;
  const request = async () => {
    const failure = failures[asked++];
    if (failure) throw failure;
    return { status: 200, body: 'there' };
  };
  return { cluster: { side: 'source', request } as unknown as Cluster, asked: () => asked };
}

test('what may pass is asked again, and its answer is that of the last time', async () => {
  const { cluster, asked } = clusterThat(transient(info), transient(info));
  await expect(askingAgain(cluster).request({ method: 'GET', path: '/' })).resolves.toMatchObject({ body: 'there' });
  expect(asked()).toBe(3);
});

test.each([
  ['a failure for good', permanent(info)],
  ['one that nobody has classified', new Error('what is this')],
])('%s is told at once', async (_, failure) => {
  const { cluster, asked } = clusterThat(failure);
  await expect(askingAgain(cluster).request({ method: 'GET', path: '/' })).rejects.toBe(failure);
  expect(asked()).toBe(1);
});

test('a cluster that lets each request wait until its limit is not asked for minutes', async () => {
  jest.useFakeTimers();
  let asked = 0;
  const request = async () => {
    asked++;
    await new Promise((resolve) => setTimeout(resolve, 20_000));
    throw transient(info);
  };
  const cluster = { side: 'source', request } as unknown as Cluster;
  const answer = askingAgain(cluster).request({ method: 'GET', path: '/' });
  const told = expect(answer).rejects.toThrow('not now');
  await jest.advanceTimersByTimeAsync(60_000);
  await told;
  expect(asked).toBe(2);
  jest.useRealTimers();
});
