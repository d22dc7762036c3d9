/** The end of a chain of causes, without the noise native libraries put around it. */
export function firstLine(error: unknown): string {
  const messages: string[] = [];
  for (let cause = error; cause instanceof Error; cause = cause.cause) messages.push(cause.message);
  const message = messages.at(-1) ?? String(error);
  return message
    .split('\n')[0]!
    .replace(/^.* was false\. /, '')
    .slice(0, 240);
}
