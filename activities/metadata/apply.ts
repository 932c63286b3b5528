import type { MetadataActivities, MetadataUndo, PlannedItem } from '../../contracts/metadata';
import type { Change, Difference } from '../../contracts/status';
import { heartbeat } from '../context';
import { askingAgain } from '../elasticsearch/asking-again';
import { readErrorAnswer } from '../elasticsearch/classify-error';
import type { Cluster, Clusters } from '../elasticsearch/cluster';
import { changedBy, unchanged } from '../outcome';
import type { Json } from './adapt-field';
import { kinds, readKind, type Kind } from './kinds';
import { serverOf } from './read-definitions';
import { digestOf, isSame, surveyCluster, type SurveyedItem } from './survey';

export function createApplyActivities({
  clusters,
}: {
  clusters: Clusters;
}): Pick<MetadataActivities, 'applyMetadata' | 'undoMetadata'> {
  return {
    /**
     * Makes what the evaluation planned, as the source has it by now, in an order in which nothing names what is not there
     * yet. What the target refuses does not stop the rest: it is a difference. Twice: `planned` says what was there before
     * the first run, so what is found made already was made by that one, and is recorded with its undo as if just made; what
     * is neither that nor what was there before was changed by somebody meanwhile, and stays.
     */
    async applyMetadata(input) {
      const { runbook, step, metadata, planned } = input;
      const [source, target] = await Promise.all([
        clusters.connect(runbook, 'source'),
        clusters.connect(runbook, 'target'),
      ]);
      const plans = new Map(planned.map((each) => [`${each.kind} ${each.name}`, each]));
      const changes: Change[] = [];
      const undo: MetadataUndo[] = [];
      const differences: Difference[] = [];
      const items = await surveyCluster(askingAgain(source), askingAgain(target), metadata);
      for (const [at, item] of items.entries()) {
        const what = `${item.kind} ${item.name}`;
        const plan = plans.get(what);
        const done = await applyOne(target, item, plan);
        heartbeat({ done: at + 1, total: items.length, unit: 'checks', detail: what });
        if (done.state === 'not taken') differences.push({ where: what, what: done.why });
        if (done.state !== 'made') continue;
        undo.push(done.undo);
        changes.push({
          step,
          at: new Date().toISOString(),
          where: 'target cluster',
          what,
          before: done.undo.before === null ? 'absent' : done.undo.before.slice(0, mostShown),
          after: JSON.stringify(item.wanted).slice(0, mostShown),
        });
      }
      const summary =
        `${changes.length} made` + (differences.length > 0 ? `, ${differences.length} not taken along` : '');
      return { changed: changes.length > 0, summary, changes, differences, undo };
    },

    /** Twice: what is absent, or is as it was before, is done. */
    async undoMetadata({ runbook, step, undo }) {
      const target = await clusters.connect(runbook, 'target');
      const of = kinds.find(({ kind }) => kind === undo.kind);
      if (!of) return unchanged(`${undo.kind} is not known`);
      const what = `${undo.kind} ${undo.name}`;
      const present = (await readKind(of, target, serverOf(target)))?.get(undo.name);
      if (present === undefined) return unchanged(`${what} is gone already`);
      if (digestOf(of.normal(present)) !== undo.digest) return unchanged(`${what} was changed since, and stays`);
      await target.request(
        undo.before === null ? of.remove(undo.name) : of.put(undo.name, JSON.parse(undo.before) as Json),
      );
      return changedBy(step, undo.summary, {
        where: 'target cluster',
        what,
        before: 'as the run had made it',
        after: undo.before === null ? 'absent' : 'as it was before the run',
      });
    },
  };
}

/** Of a body, as evidence; the undo has the whole of what was there. */
const mostShown = 500;

type Done = { state: 'nothing' } | { state: 'made'; undo: MetadataUndo } | { state: 'not taken'; why: string };

async function applyOne(target: Cluster, item: SurveyedItem, plan: PlannedItem | undefined): Promise<Done> {
  const { of, name, result, onTarget, present, wanted, why } = item;
  if (result === 'left out') return { state: 'nothing' };
  if (result === 'refused' || wanted === undefined) return { state: 'not taken', why: why ?? 'refused' };
  if (!plan) {
    if (onTarget === 'same') return { state: 'nothing' };
    if (onTarget === 'differs') return { state: 'not taken', why: `the target keeps its own: ${why ?? ''}` };
    return { state: 'not taken', why: 'it came to the source after the evaluation' };
  }
  if (onTarget === 'same') return { state: 'made', undo: undoOf(of, plan, wanted) };
  const before = plan.before === null ? undefined : (JSON.parse(plan.before) as Json);
  const isAsBefore = present === undefined ? before === undefined : before !== undefined && isSame(of, present, before);
  if (!isAsBefore) return { state: 'not taken', why: `somebody changed it on the target meanwhile: ${why ?? ''}` };
  const answer = await target.request({ ...of.put(name, wanted), allow: [400] });
  if (answer.status === 400)
    return {
      state: 'not taken',
      why: `the target refuses it: ${readErrorAnswer(400, answer.body).reason.slice(0, 500)}`,
    };
  return { state: 'made', undo: undoOf(of, plan, wanted) };
}

function undoOf(of: Kind, plan: PlannedItem, wanted: Json): MetadataUndo {
  const verb = plan.before === null ? 'delete' : 'put back';
  return { ...plan, digest: digestOf(of.normal(wanted)), summary: `${verb} ${plan.kind} ${plan.name}` };
}
