/** The workflow's own time: the SDK replaces Date in workflow code by the time of the event being handled. ISO 8601. */
export function now(): string {
  // eslint-disable-next-line no-restricted-syntax -- the one place where workflow code asks for the time
  return new Date().toISOString();
}
