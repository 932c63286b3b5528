import { createHash } from 'node:crypto';
import { bucketOf, bucketsFor, idDigest } from '../../activities/catch-up/id-digest';

const ids = (count: number) => Array.from({ length: count }, (_, n) => Buffer.from(`document-${n}`));

test('the same ids in another order have the same digest', () => {
  const [one, other] = [idDigest(1024), idDigest(1024)];
  for (const id of ids(5_000)) one.add(id);
  for (const id of ids(5_000).reverse()) other.add(id);
  expect(one.differing(other)).toEqual([]);
});

test('one id more or less shows in its bucket and in no other', () => {
  const [source, target] = [idDigest(1024), idDigest(1024)];
  const all = ids(20_000);
  const gone = new Set([17, 4_711, 19_999]);
  all.forEach((id, n) => {
    target.add(id);
    if (!gone.has(n)) source.add(id);
  });
  const wanted = [...gone].map((n) => bucketOf(all[n] as Buffer, 1024)).sort((a, b) => a - b);
  expect(source.differing(target)).toEqual([...new Set(wanted)]);
});

test('an id in the place of another shows though the counts are the same', () => {
  const [one, other] = [idDigest(1), idDigest(1)];
  one.add(Buffer.from('a'));
  other.add(Buffer.from('b'));
  expect(one.count(0)).toBe(other.count(0));
  expect(one.differing(other)).toEqual([0]);
});

test('another version of an id shows in the bucket of the id, and is told from the same', () => {
  const [one, other, same] = [idDigest(1024), idDigest(1024), idDigest(1024)];
  for (const id of ids(3_000)) {
    one.add(id, Buffer.from('7'));
    same.add(id, Buffer.from('7'));
    other.add(id, Buffer.from(id.equals(Buffer.from('document-12')) ? '8' : '7'));
  }
  const bucket = bucketOf(Buffer.from('document-12'), 1024);
  expect(one.differing(same)).toEqual([]);
  expect(one.differing(other)).toEqual([bucket]);
  expect(one.of(bucket)).toBe(same.of(bucket));
  expect(one.of(bucket)).not.toBe(other.of(bucket));
});

test('ids of every make spread evenly over the buckets', () => {
  const makes: Record<string, (n: number) => string> = {
    counted: (n) => String(n),
    padded: (n) => String(n).padStart(20, '0'),
    hashes: (n) => createHash('sha1').update(String(n)).digest('base64url').slice(0, 20),
    prefixed: (n) => `tenant-${n % 7}/user/${n}`,
  };
  for (const make of Object.values(makes)) {
    const digest = idDigest(1024);
    for (let n = 0; n < 32_768; n++) digest.add(Buffer.from(make(n)));
    const counts = Array.from({ length: 1024 }, (_, bucket) => digest.count(bucket));
    expect(Math.max(...counts)).toBeLessThan(80);
    expect(counts.filter((count) => count === 0)).toEqual([]);
  }
});

test('buckets are bounded, whatever the number of documents', () => {
  expect(bucketsFor(10)).toBe(1024);
  expect(bucketsFor(10_000)).toBe(65_536);
  expect(bucketsFor(1e10)).toBe(1 << 20);
});
