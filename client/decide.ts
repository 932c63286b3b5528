import { hostname, userInfo } from 'node:os';
import { Option, type Command } from 'commander';
import { updates } from '../contracts/messages';
import { ClientError } from './client-error';
import { withTemporal, type Temporal } from './connection';
import { exitCodes, type ExitCode } from './exit-codes';
import { withoutControls } from './format';
import { readStatus } from './status';
import type { Session } from './session';
import { whatWaits } from './views/status-words';

export interface DecisionOptions {
  by?: string;
  reason?: string;
  yes?: boolean;
}

export interface DecisionRequest {
  verb: keyof typeof updates;
  run: string;
  /** Gate or step it is about. */
  subject?: string;
  /** What the Update is sent with besides who and why. */
  args: Record<string, unknown>;
  /** "Approved": what is printed first. */
  done: string;
  options: DecisionOptions;
  /** A decision that somebody must answer for later. */
  needsReason?: boolean;
  /** What cannot be undone about it, in words; asks for the run's name unless --yes. */
  irreversible?: string;
}

/** An Update's validator answers at once; this is for a worker that is just starting. */
const updateTimeoutMs = 20_000;

/** Options that every decision has. */
export function decisionOptions(command: Command, isReasonNeeded: boolean): Command {
  return command
    .addOption(new Option('-r, --reason <text>', `why; it stands in the report${isReasonNeeded ? ' (needed)' : ''}`))
    .addOption(new Option('--by <name>', 'who decides (SHARDLIFT_USER); your user name and host unless given'));
}

/** Sends one decision to a run, and tells what the run does with it. */
export async function decide(session: Session, request: DecisionRequest): Promise<ExitCode> {
  return withTemporal(session, (temporal) => decideWith(session, temporal, request));
}

export async function decideWith(session: Session, temporal: Temporal, request: DecisionRequest): Promise<ExitCode> {
  const { run, verb, subject } = request;
  const reason = await reasonOf(session, request);
  if (request.irreversible !== undefined)
    await confirm(session, run, request.irreversible, request.options.yes === true);
  const by = decidedBy(session, request.options.by);
  const handle = temporal.client.workflow.getHandle(run);
  try {
    await temporal.connection.withDeadline(Date.now() + updateTimeoutMs, () =>
      handle.executeUpdate(updates[verb], { args: [{ ...request.args, by, reason }] }),
    );
  } catch (error) {
    throw await orEnded(temporal, run, error);
  }
  const status = await readStatus(temporal, run);
  const result = {
    run,
    verb,
    ...(subject === undefined ? {} : { subject }),
    by,
    reason,
    state: status.state,
    phase: status.phase,
    now: status.now,
  };
  session.print(result, () => {
    const said = `${request.done}, as ${by}${reason === '' ? '' : `: ${reason}`}.`;
    const next = [
      `${run} is now ${status.state}: ${status.now}`,
      ...whatWaits(withoutControls(status), session.now, session.paint),
    ];
    return [said, ...next].join('\n');
  });
  return exitCodes.done;
}

/** Temporal answers for a run that has ended as for one that never was: the operator wants to know which. */
async function orEnded(temporal: Temporal, run: string, error: unknown): Promise<unknown> {
  if ((error as Error).name !== 'WorkflowNotFoundError') return error;
  try {
    const { status, memo } = await temporal.client.workflow.getHandle(run).describe();
    const how = typeof memo?.['state'] === 'string' ? memo['state'] : status.name.toLowerCase();
    return new ClientError(exitCodes.refused, `the run ${run} has ended: ${how}`);
  } catch {
    return error;
  }
}

async function reasonOf(session: Session, { options, needsReason, verb }: DecisionRequest): Promise<string> {
  const given = options.reason?.trim() ?? '';
  if (given !== '' || needsReason !== true) return given;
  const asked = session.canAsk ? await session.ask(`Why ${verb}? It stands in the report: `) : '';
  if (asked === '') throw new ClientError(exitCodes.inputWrong, `${verb} needs a reason`, "say --reason '…'");
  return asked;
}

/** What cannot be undone wants the run's name typed: a habit of pressing Enter is not enough. */
async function confirm(session: Session, run: string, what: string, isSure: boolean): Promise<void> {
  if (isSure) return;
  if (!session.canAsk) {
    throw new ClientError(
      exitCodes.refused,
      `${what} This cannot be undone, and nobody is there to confirm it`,
      'say --yes',
    );
  }
  session.note(session.errorPaint.yellow(`${what} This cannot be undone.`));
  const typed = await session.ask(`Type the name of the run (${run}) to go on: `);
  if (typed !== run) throw new ClientError(exitCodes.refused, 'that is not its name: nothing was done');
}

function decidedBy(session: Session, by: string | undefined): string {
  const named = by ?? session.io.env['SHARDLIFT_USER'];
  if (named !== undefined && named.trim() !== '') return named.trim();
  // root is nobody in particular: whoever came through sudo is.
  return `${session.io.env['SUDO_USER'] ?? userInfo().username}@${hostname()}`;
}
