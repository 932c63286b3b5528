import type { MigrationRunbook, Side } from '../contracts/runbook';
import { persistentSettings, settingsText } from '../contracts/settings-text';
import type { Change } from '../contracts/status';
import type { StepContext } from './step-runner';

export interface SettingsForNow {
  run: string;
  runbook: MigrationRunbook;
  side: Side;
  before: Record<string, string | null>;
  values: Record<string, string | null>;
}

/** Persistent cluster settings that are changed for a while: from before the request on, an abort puts back what was there. */
export function intendSettings(step: StepContext, { side, before, values }: SettingsForNow): Change {
  return step.intend({
    where: `${side} cluster`,
    what: persistentSettings,
    before: settingsText(before),
    after: settingsText(values),
    undo: { kind: 'settings', side, before, summary: `set ${settingsText(before)} on the ${side}` },
  });
}
