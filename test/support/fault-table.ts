import type { Driver, FaultRun, FaultRunEnd } from './fault-run';
import { wholeRun } from './fault-run';

/** Rows of what was done to runs and what came of it; printed when all of them are over. */
export function faultTable() {
  const rows: string[][] = [['fault', 'what was done', 'the source meanwhile', 'the run', 'documents']];
  return {
    /** Carries the run out, and expects that it completes with nothing missing or different. */
    async endsEqual(
      driver: Driver,
      fault: string,
      done: (end: FaultRunEnd) => string,
      run: FaultRun,
    ): Promise<FaultRunEnd> {
      const end = await wholeRun(driver, run);
      const { status, differences, documents, operations, unanswered, seconds } = end;
      const { catchUp } = status;
      const row = [
        fault,
        done(end),
        `${operations} operations, ${unanswered} requests refused or unanswered`,
        `${status.state} after ${seconds} s; ${catchUp?.rounds} rounds: ${catchUp?.written} written, ${catchUp?.deleted} deleted`,
        `${documents}, ${differences.length} of them differ`,
      ];
      rows.push(row);
      // also at once: of a long form that is broken off, what is over is known
      process.stdout.write(`| ${row.join(' | ')} |\n`);
      expect(differences.slice(0, 20)).toEqual([]);
      expect([status.state, status.differences]).toEqual(['completed', []]);
      if (run.isQuiet !== true) expect(operations).toBeGreaterThan(100);
      return end;
    },
    print(): void {
      for (const row of rows) process.stdout.write(`| ${row.join(' | ')} |\n`);
    },
  };
}
