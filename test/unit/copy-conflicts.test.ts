import { keyOf, settlingConflicts, type BulkDocument } from '../../activities/copy/conflicts';
import { deletion, withVersionsAsText } from '../../activities/copy/documents';
import type { ByteClient } from '../../activities/elasticsearch/byte-client';
import { parseVersion, type Version } from '../../activities/elasticsearch/version';

const versionOf = (text: string, distribution: Version['distribution'] = 'elasticsearch'): Version => ({
  text,
  ...parseVersion(text),
  distribution,
});

function answering(body: unknown): ByteClient {
  return {
    send: () =>
      Promise.resolve({ status: 200, body: Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)) }),
    close: () => undefined,
  };
}

const bulk = {
  method: 'POST' as const,
  path: '/i/_bulk',
  contentType: 'application/x-ndjson' as const,
  timeoutMs: 1,
  // cut in the midst of lines, as bodies with large documents are
  body: [
    '{"index":{"_id":"a","version":1,"version_type":"external_gte"}}\n{"n":',
    '1.0}\n{"index":{"_id":"b\\"","routing":"r","version":2}}\n',
    '{"n":2}\n{"index":{"_id":"c","version":3}}\n{"n":3}\n',
  ].map((text) => Buffer.from(text)),
};

async function settledOf(answer: unknown): Promise<BulkDocument[][]> {
  const calls: BulkDocument[][] = [];
  const client = settlingConflicts(answering(answer), (documents) => {
    calls.push(documents);
    return Promise.resolve();
  });
  await client.send(bulk);
  return calls;
}

test('documents that are answered 409 are settled with the bytes that were sent', async () => {
  const statuses = [409, 201, 409];
  const [documents] = await settledOf({ errors: true, items: statuses.map((status) => ({ index: { status } })) });
  expect(documents?.map(({ source }) => source.toString())).toEqual(['{"n":1.0}', '{"n":3}']);
  expect(documents?.map(({ action }) => keyOf(action))).toEqual([{ id: 'a' }, { id: 'c' }]);
});

test('routing and escapes are part of the key', async () => {
  const [documents] = await settledOf({ items: [201, 409, 201].map((status) => ({ index: { status } })) });
  expect(documents?.map(({ action }) => keyOf(action))).toEqual([{ id: 'b"', routing: 'r' }]);
});

test('nothing is settled without a conflict, and nothing is believed of half an answer', async () => {
  expect(await settledOf({ errors: false, items: [{ index: { status: 201 } }] })).toEqual([]);
  expect(await settledOf('{"items":[{"index":{"status":409}},{"ind')).toEqual([]);
});

test('versions of 19 digits keep every digit, and what looks like one inside an id is left alone', () => {
  const text = '{"_id":"x\\"_version\\":5","_version":1700000000000000001}';
  expect(JSON.parse(withVersionsAsText(text))).toEqual({ _id: 'x"_version":5', _version: '1700000000000000001' });
});

test('a delete names what was seen, as the target understands it', () => {
  const seen = { isThere: true as const, version: 7n, seqNo: 3, primaryTerm: 2 };
  const line = (version: Version) => deletion({ id: 'a', routing: 'r' }, seen, version).toString();
  expect(line(versionOf('8.19.21'))).toBe('{"delete":{"_id":"a","routing":"r","if_seq_no":3,"if_primary_term":2}}');
  expect(line(versionOf('2.19.6', 'opensearch'))).toContain('"if_seq_no":3');
  expect(line(versionOf('6.5.0'))).toBe('{"delete":{"_id":"a","routing":"r","version":7}}');
});
