import { allowedMappings } from './allowed-changes';
import type { Findings } from './index-state';

/** More than these of one index say nothing new. */
const mostShown = 5;

interface MappingChange {
  path: string;
  source: unknown;
  target: unknown;
}

/** Mappings, deeply: the order of fields means nothing, the order in lists does. */
export function compareMappings(source: unknown, target: unknown): Findings {
  const findings: Findings = { differences: [], adapted: [] };
  for (const change of changesOf(plain(source), plain(target), [])) {
    const rule = allowedMappings.find(({ path, when }) => path.test(change.path) && (when?.(change) ?? true));
    if (rule) findings.adapted.push(`mapping ${lastOf(change.path)}: ${rule.reason}`);
    else {
      findings.differences.push(
        `mapping ${change.path || 'as a whole'} is ${shown(change.source)} on the source and ${shown(change.target)} on the target`,
      );
    }
  }
  const more = findings.differences.length - mostShown;
  if (more > 0) findings.differences.splice(mostShown, more, `mapping: ${more} more such differences`);
  findings.adapted = [...new Set(findings.adapted)];
  return findings;
}

/** Keys that stand in a mapping itself; a level with none of them is the mapping type of a server before 7.0. */
const ownKeys = ['properties', 'dynamic', 'dynamic_templates', 'runtime', 'date_detection', 'numeric_detection'];

/** Without what says nothing: at the top `dynamic: true` is what it is unless given; below, it may undo what stands above. */
function plain(mapping: unknown): unknown {
  const typeless = withoutType(mapping);
  if (!isRecord(typeless) || String(typeless['dynamic']) !== 'true') return typeless;
  const { dynamic: _default, ...rest } = typeless;
  return rest;
}

function withoutType(mapping: unknown): unknown {
  if (!isRecord(mapping)) return mapping;
  const keys = Object.keys(mapping);
  const [only] = keys;
  if (keys.length !== 1 || only === undefined || only.startsWith('_') || ownKeys.includes(only)) {
    return only === '_doc' && keys.length === 1 ? mapping[only] : mapping;
  }
  return mapping[only];
}

function changesOf(source: unknown, target: unknown, path: string[]): MappingChange[] {
  if (isRecord(source) && isRecord(target)) {
    const keys = new Set([...Object.keys(source), ...Object.keys(target)]);
    return [...keys].sort().flatMap((key) => changesOf(source[key], target[key], [...path, key]));
  }
  if (Array.isArray(source) && Array.isArray(target) && source.length === target.length) {
    const [a, b] = [source as unknown[], target as unknown[]];
    return a.flatMap((each, index) => changesOf(each, b[index], [...path, String(index)]));
  }
  return source === target ? [] : [{ path: path.join('.'), source, target }];
}

function lastOf(path: string): string {
  return path.split('.').at(-1) ?? path;
}

function shown(value: unknown): string {
  if (value === undefined) return 'not set';
  const text = JSON.stringify(value);
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
