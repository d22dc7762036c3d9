/** Milliseconds that a scrape waits for somebody else's answer; Prometheus itself waits ten seconds. */
const PATIENCE_MS = 2000;

/** The answer, or undefined where there is none in time: a scrape neither fails nor waits because a server is away. */
async function asked<T>(ask: () => Promise<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>(resolve => {
    timer = setTimeout(() => resolve(undefined), PATIENCE_MS);
  });
  try {
    return await Promise.race([ask(), late]);
  } catch {
    return undefined;
  } finally {
    clearTimeout(timer);
  }
}

/** The same, asked once for all that ask while it is under way: the metrics of one scrape. */
export function askedOnce<T>(ask: () => Promise<T>): () => Promise<T | undefined> {
  let pending: Promise<T | undefined> | undefined;
  return () => {
    pending ??= asked(ask).finally(() => {
      pending = undefined;
    });
    return pending;
  };
}
