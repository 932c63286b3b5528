import type { Command } from 'commander';
import type { GateStatus } from '../../contracts/status';
import { ClientError } from '../client-error';
import { withTemporal, type Temporal } from '../connection';
import { decideWith, decisionOptions, type DecisionOptions } from '../decide';
import { exitCodes } from '../exit-codes';
import type { CarryOut } from '../program';
import { runbookOf } from '../runs';
import { readStatus } from '../status';
import { examples } from './help';

export function addApproveVerb(program: Command, carryOut: CarryOut): void {
  const verb = program
    .command('approve')
    .summary('let a run pass a gate')
    .description('Answers yes at a gate where a run waits. Who and why are kept and stand in the report.')
    .argument('<run>', 'name of the run')
    .argument('[gate]', 'move, cutover or finish; the open one unless given')
    .option('-y, --yes', 'do not ask, also where the finish deletes something');
  decisionOptions(verb, false)
    .addHelpText(
      'after',
      examples(["shardlift approve logs cutover --reason 'counts compared, applications stopped'", '']),
    )
    .action((run: string, gate: string | undefined, options: DecisionOptions, command: Command) =>
      carryOut(command, (session) =>
        withTemporal(session, async (temporal) => {
          const name = gate ?? (await openGate(temporal, run)).gate;
          return decideWith(session, temporal, {
            verb: 'approve',
            run,
            subject: name,
            args: { gate: name },
            done: `Approved the gate ${name} of ${run}`,
            options,
            irreversible: name === 'finish' ? await whatFinishDeletes(temporal, run) : undefined,
          });
        }),
      ),
    );
}

/** The gate that is meant when none is named. */
export async function openGate(temporal: Temporal, run: string): Promise<GateStatus> {
  const status = await readStatus(temporal, run);
  const [warning] = status.warnings;
  if (warning !== undefined) throw new ClientError(exitCodes.failed, warning);
  const open = status.gates.filter((each) => each.state === 'open' || each.state === 'rejected');
  const [gate] = open;
  if (gate === undefined) {
    throw new ClientError(
      exitCodes.refused,
      `no gate of ${run} waits for an answer: it is ${status.state} (${status.now})`,
    );
  }
  if (open.length > 1) {
    throw new ClientError(
      exitCodes.inputWrong,
      `several gates wait: ${open.map((each) => each.gate).join(', ')}; say which`,
    );
  }
  return gate;
}

/** What an approval of the last gate destroys, as the runbook has it; undefined where it destroys nothing. */
async function whatFinishDeletes(temporal: Temporal, run: string): Promise<string | undefined> {
  const runbook = await runbookOf(temporal, run);
  const deletes = [
    runbook?.cleanup.snapshots === 'atFinish' ? 'deletes the snapshots of this run' : '',
    runbook?.cleanup.hosts === 'restore' ? 'takes repositories, mounts, exports and path.repo back' : '',
  ].filter((each) => each !== '');
  return deletes.length === 0 ? undefined : `The finish of ${run} ${deletes.join(' and ')}.`;
}
