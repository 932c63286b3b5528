/** Settings in one line, as evidence and step titles show them: `cluster.routing.allocation.enable: unset`. */
export function settingsText(settings: Record<string, string | null>): string {
  return Object.entries(settings)
    .map(([key, value]) => `${key}: ${value ?? 'unset'}`)
    .join(', ');
}

/** What a change of persistent cluster settings is called in evidence: by it an intended change finds its answer. */
export const persistentSettings = 'persistent cluster settings';
