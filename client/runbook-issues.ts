import { isMap, isNode, isPair, isScalar, type Document, type LineCounter, type Node, type Pair } from 'yaml';
import type { z } from 'zod';
import { didYouMean } from './did-you-mean';
import { runbookJsonSchema, schemaAt, type SchemaNode } from './json-schema';
import { position, type RunbookProblem } from './runbook-problem';

type Issue = z.core.$ZodIssue;
type Path = readonly (string | number)[];

/** Turns what the schema found into problems with a place in the file and words for the operator. */
export function describeIssues(
  document: Document.Parsed,
  lines: LineCounter,
  value: unknown,
  issues: readonly Issue[],
): RunbookProblem[] {
  const problems = issues.flatMap((issue) => describeIssue(document, lines, value, issue));
  const unique = new Map(problems.map((each) => [JSON.stringify(each), each]));
  return [...unique.values()].sort((a, b) => a.line - b.line || a.column - b.column);
}

function describeIssue(document: Document.Parsed, lines: LineCounter, value: unknown, issue: Issue): RunbookProblem[] {
  const path = issue.path.filter((part): part is string | number => typeof part !== 'symbol');
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => unknownField(document, lines, path, key));
  }
  const at = place(document, lines, path);
  return [
    {
      ...at,
      path: formatPath(path),
      found: describeFound(valueAt(value, path), path),
      expected: expectedWords(issue, path, valueAt(value, path)),
    },
  ];
}

function unknownField(document: Document.Parsed, lines: LineCounter, path: Path, key: string): RunbookProblem {
  const pair = pairAt(document, [...path, key]);
  const offset = isNode(pair?.key) ? pair.key.range?.[0] : undefined;
  const known = Object.keys(schemaAt(runbookJsonSchema(), path)?.properties ?? {});
  const meant = didYouMean(key, known);
  const expected = meant === undefined ? `one of ${known.join(', ')}` : `a known field; did you mean "${meant}"?`;
  return {
    ...(offset === undefined ? place(document, lines, path) : position(lines, offset)),
    path: formatPath([...path, key]),
    found: `unknown field "${key}"`,
    expected,
  };
}

/** Where the value is, or where its nearest parent begins when it is missing. */
function place(document: Document.Parsed, lines: LineCounter, path: Path): { line: number; column: number } {
  for (let length = path.length; length >= 0; length--) {
    const node = nodeAt(document, path.slice(0, length));
    const pair = length > 0 ? pairAt(document, path.slice(0, length)) : undefined;
    // A mapping or list begins on the next line; its name is where people look.
    const named = length < path.length || !isScalar(node) ? pair?.key : node;
    const range = (isNode(named) ? named.range : undefined) ?? node?.range;
    if (range) return position(lines, range[0]);
  }
  return { line: 1, column: 1 };
}

function nodeAt(document: Document.Parsed, path: Path): Node | undefined {
  if (path.length === 0) return document.contents ?? undefined;
  const node = document.getIn(path, true);
  return isNode(node) ? node : undefined;
}

function pairAt(document: Document.Parsed, path: Path): Pair | undefined {
  const parent = nodeAt(document, path.slice(0, -1));
  if (!isMap(parent)) return undefined;
  const name = String(path.at(-1));
  return parent.items.find((each) => isPair(each) && isScalar(each.key) && String(each.key.value) === name);
}

function valueAt(value: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (each, part) =>
      typeof each === 'object' && each !== null ? (each as Record<string | number, unknown>)[part] : undefined,
    value,
  );
}

function describeFound(found: unknown, path: Path): string {
  if (found === undefined) return 'nothing';
  if (found === null) return path.length === 0 ? 'an empty file' : 'nothing after the colon';
  if (Array.isArray(found)) return found.length === 0 ? 'an empty list' : `a list of ${found.length}`;
  if (typeof found === 'object') return Object.keys(found).length === 0 ? 'an empty mapping' : 'a mapping';
  if (!mayShow(path))
    return typeof found === 'string'
      ? `a text of ${found.length} characters (not shown: a secret may stand here)`
      : `a ${typeof found}`;
  return typeof found === 'string' ? `the text ${quote(found)}` : `the ${typeof found} ${JSON.stringify(found)}`;
}

/** Only a value where a plain one belongs is shown: a secret in the wrong place must not reach a log. */
function mayShow(path: Path): boolean {
  const node = schemaAt(runbookJsonSchema(), path);
  if (path.some((part) => ['auth', 'password', 'apiKey', 'privateKey', 'passphrase', 'urls'].includes(String(part))))
    return false;
  return node !== undefined && node.properties === undefined && node.items === undefined;
}

function quote(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 77)}...` : text);
}

function expectedWords(issue: Issue, path: Path, found: unknown): string {
  const node = schemaAt(runbookJsonSchema(), path);
  const about = node?.description === undefined ? '' : ` (${node.description})`;
  switch (issue.code) {
    case 'invalid_type': {
      if (found === undefined)
        return `the field "${String(path.at(-1) ?? 'kind')}": ${typeWords(issue.expected, node)}${about}`;
      const isUnquoted = issue.expected === 'string' && ['number', 'boolean'].includes(typeof found);
      return `${typeWords(issue.expected, node)}${isUnquoted ? '; put it in quotes' : ''}${about}`;
    }
    case 'invalid_value':
      return `${issue.values.length === 1 ? '' : 'one of '}${issue.values.map((each) => String(each)).join(', ')}${about}`;
    case 'too_small':
      return `${sizeWords('at least', issue.minimum, issue.origin)}${about}`;
    case 'too_big':
      return `${sizeWords('at most', issue.maximum, issue.origin)}${about}`;
    case 'invalid_format':
      return issue.format === 'url' ? 'an address such as https://node-1.example:9200' : issue.message;
    default:
      return issue.message;
  }
}

function typeWords(expected: string, node: SchemaNode | undefined): string {
  const words: Record<string, string> = {
    string: 'a text',
    number: 'a number',
    int: 'a whole number',
    boolean: 'true or false',
    object: 'a mapping',
    array: 'a list',
  };
  if (node?.type === 'integer') return 'a whole number';
  const fields = Object.keys(node?.properties ?? {});
  return expected === 'object' && fields.length > 0
    ? `a mapping with ${fields.join(', ')}`
    : (words[expected] ?? expected);
}

function sizeWords(bound: string, size: number | bigint, origin: string): string {
  if (origin === 'array') return `a list with ${bound} ${size}`;
  if (origin === 'string') return `a text of ${bound} ${size} characters`;
  return `${bound} ${size}`;
}

function formatPath(path: Path): string {
  return path.reduce<string>(
    (text, part) => (typeof part === 'number' ? `${text}[${part}]` : text === '' ? part : `${text}.${part}`),
    '',
  );
}
