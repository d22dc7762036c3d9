/** Messages of onnxruntime, CUDA, TensorFlow, Dawn and V8 when memory is short. */
const OUT_OF_MEMORY =
  /out of memory|out_of_memory|bad_alloc|failed to allocate|allocation failed|alloc_failed|oom when allocating/i;

/** Whether an error, or what caused it, says that memory was short: a smaller batch may then go through. */
export function isOutOfMemory(error: unknown): boolean {
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause)
    if (OUT_OF_MEMORY.test(cause.message) || ('code' in cause && cause.code === 'ERR_WORKER_OUT_OF_MEMORY'))
      return true;
  return false;
}
