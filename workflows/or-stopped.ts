import { CancellationScope } from '@temporalio/workflow';

/**
 * What is done in a scope that may be told to stop: nothing then. What comes to its end all the same counts; what fails just then
 * is as if stopped, as Temporal does not try it again. @throws the cancellation of an abort, and any other failure.
 */
export async function orStopped<Answer>(
  scope: CancellationScope,
  act: () => Promise<Answer>,
): Promise<Answer | undefined> {
  try {
    return await scope.run(act);
  } catch (error) {
    if (CancellationScope.current().consideredCancelled || !scope.consideredCancelled) throw error;
    return undefined;
  }
}
