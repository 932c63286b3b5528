import { allowedSettings, type CompareContext, type SettingChange } from './allowed-changes';
import type { Findings } from './index-state';

/** Prefix that a server gives to settings it does not know any more, instead of losing them. */
const archived = 'archived.';

/** Settings of an index and of its copy; flat. */
export function compareSettings(context: CompareContext): Findings {
  const { sourceSettings, targetSettings } = context;
  const findings: Findings = { differences: [], adapted: [] };
  const keys = new Set([...Object.keys(sourceSettings), ...Object.keys(targetSettings)]);
  for (const key of [...keys].sort()) {
    const change: SettingChange = { key };
    const [source, target] = [sourceSettings[key], targetSettings[key]];
    if (source !== undefined) change.source = source;
    if (target !== undefined) change.target = target;
    if (isSame(source, target)) continue;
    if (key.startsWith(archived) && source === undefined) {
      const original = key.slice(archived.length);
      if (isSame(sourceSettings[original], target)) continue; // told at the original's key
    }
    if (target === undefined && isSame(targetSettings[archived + key], source)) {
      findings.adapted.push(
        `setting ${key}: the target's version does not know it any more and keeps it as ${archived}${key}`,
      );
      continue;
    }
    const rule = allowedSettings.find(({ setting, when }) => setting.test(key) && (when?.(change, context) ?? true));
    if (!rule)
      findings.differences.push(`setting ${key} is ${shown(source)} on the source and ${shown(target)} on the target`);
    else if (rule.isSilent !== true) findings.adapted.push(`setting ${key}: ${rule.reason}`);
  }
  return findings;
}

function isSame(a: string | string[] | undefined, b: string | string[] | undefined): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function shown(value: string | string[] | undefined): string {
  return value === undefined ? 'not set' : JSON.stringify(value).slice(0, 200);
}
