import type { FlatSettings } from './adapt-settings';

/** Settings however they are written: nested or flat, with or without `index.` at their head, numbers or texts. */
export function flatten(settings: object): FlatSettings {
  const flat: FlatSettings = {};
  const walk = (value: unknown, path: string) => {
    if (Array.isArray(value)) flat[path] = value.map(String);
    else if (typeof value === 'object' && value !== null)
      for (const [key, each] of Object.entries(value)) walk(each, path === '' ? key : `${path}.${key}`);
    else if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean')
      flat[path] = String(value);
  };
  walk(settings, '');
  return Object.fromEntries(
    Object.entries(flat).map(([key, value]) => [key.startsWith('index.') ? key : `index.${key}`, value]),
  );
}

/** The same text for the same thing, in whichever order a server writes it. */
export function canonical(value: unknown): string {
  return JSON.stringify(sorted(value));
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, each]) => [key, sorted(each)]),
  );
}
