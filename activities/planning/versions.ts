import { compareVersions, parseVersion } from '../elasticsearch/version';
import type { IndexSettings } from './view';

/**
 * The version that created an index: `index.version.created_string` where the server says it ("7.17.29"; from 8.11 on a
 * span that shares an index version, "8.19.9-8.19.21": its beginning counts), else the number (6082399 is 6.8.23).
 */
export function createdVersion(settings: IndexSettings): string {
  const text = settings['index.version.created_string'];
  const spelled = typeof text === 'string' ? /^\d+\.\d+\.\d+/.exec(text)?.[0] : undefined;
  if (spelled) return spelled;
  const id = Number(settings['index.version.created']);
  if (!Number.isInteger(id) || id <= 0) return '0.0.0';
  // OpenSearch marks its own versions by one high bit
  const number = id >= openSearchBit ? id - openSearchBit : id;
  const major = Math.floor(number / 1_000_000);
  const minor = Math.floor(number / 10_000) % 100;
  // from 8.500 on it is the index version's own number, of which only the major is a release's
  return minor >= 50 ? `${major}.11.0` : `${major}.${minor}.${Math.floor(number / 100) % 100}`;
}

const openSearchBit = 0x8000000;

/** OpenSearch 1, 2 and 3 read what Elasticsearch 7, 8 and 9 would in their place: one line for both. */
const openSearchMajors = 6;

function onOneLine(version: string): string {
  const { major, minor, patch } = parseVersion(version);
  return `${major < 5 ? major + openSearchMajors : major}.${minor}.${patch}`;
}

/** Whether a cluster that takes indices from `minimum` on takes one that `created` made. */
export function canHold(created: string, minimum: string): boolean {
  return compareVersions(onOneLine(created), onOneLine(minimum)) >= 0;
}

/** The oldest version whose indices a cluster of this version takes: the major before its own. */
export function oldestIndexVersion(version: string): string {
  return `${parseVersion(onOneLine(version)).major - 1}.0.0`;
}
