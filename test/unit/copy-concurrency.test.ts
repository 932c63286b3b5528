import { additiveIncrease } from '../../activities/copy/concurrency';
import { pageSize, readingOf } from '../../activities/copy/part-reader';
import { parseVersion } from '../../activities/elasticsearch/version';

test('rises slowly, is halved once for a storm, and never ends', () => {
  const concurrency = additiveIncrease({ initial: 2, most: 8 });
  for (let n = 0; n < 100; n++) concurrency.accepted();
  expect(concurrency.limit).toBe(8);
  const marks = Array.from({ length: 8 }, () => concurrency.begin());
  for (const mark of marks) concurrency.rejected(mark);
  expect(concurrency.limit).toBe(4);
  for (let n = 0; n < 10; n++) concurrency.rejected(concurrency.begin());
  expect(concurrency.limit).toBe(1);
  concurrency.accepted();
  expect(concurrency.limit).toBe(2);
});

test('asks for as many documents as fit, and for fewer when an answer was too large', () => {
  const size = pageSize(1 << 20);
  size.came(200, 200 * 100);
  expect(size.documents).toBe(800);
  for (let n = 0; n < 5; n++) size.came(size.documents, size.documents * 1024);
  expect(size.documents).toBe(1024);
  expect(size.wasTooLarge()).toBe(true);
  expect(size.documents).toBe(256);
  size.came(1, 50 << 20);
  expect(size.documents).toBe(1);
  expect(size.wasTooLarge()).toBe(false);
});

test.each([
  ['5.6.16', 'elasticsearch', 'scroll'],
  ['6.8.23', 'elasticsearch', 'sequence'],
  ['7.10.2', 'elasticsearch', 'sequence'],
  ['7.17.29', 'elasticsearch', 'sequence with pit'],
  ['9.5.3', 'elasticsearch', 'sequence with pit'],
  ['1.3.14', 'opensearch', 'sequence'],
  ['3.6.0', 'opensearch', 'sequence with OpenSearch pit'],
] as const)('%s of %s is read by %s', (text, distribution, reading) => {
  expect(readingOf({ text, ...parseVersion(text), distribution })).toBe(reading);
});
