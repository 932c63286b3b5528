import type { Check } from '../../../contracts/status';

/** What a check is about, before it is known how it went. */
export interface CheckSubject {
  id: string;
  level: Check['level'];
  where: string;
  wanted: string;
}

export function passed(subject: CheckSubject, seen: string): Check {
  return { ...subject, state: 'passed', seen };
}

export function failed(subject: CheckSubject, seen: string, remedy: string): Check {
  return { ...subject, state: 'failed', seen, remedy };
}

export function notApplicable(subject: CheckSubject, why: string): Check {
  return { ...subject, state: 'not applicable', seen: why };
}

/** One check over many things: it fails with the names of those that are wrong. Never one check for each: runs carry them. */
export function noneOf(
  subject: CheckSubject,
  wrong: string[],
  words: { good: string; bad: string; remedy: string },
): Check {
  return wrong.length === 0
    ? passed(subject, words.good)
    : failed(subject, `${words.bad}: ${listed(wrong)}`, words.remedy);
}

/** The first names and how many more: a check stays short whatever the cluster's size. */
export function listed(names: string[], most = 10): string {
  const shown = names.slice(0, most).join(', ');
  return names.length > most ? `${shown} and ${names.length - most} more` : shown;
}

export function count(number: number, one: string, many = `${one}s`): string {
  return `${number} ${number === 1 ? one : many}`;
}
