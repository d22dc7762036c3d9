import { expect, test } from 'vitest';
import { firstLine } from '#src/engine/first-line.js';
import { isOutOfMemory } from '#src/engine/out-of-memory.js';
import { StromaflowError } from '#src/errors.js';

test.each([
  'bfc_arena.cc:360 Failed to allocate memory for requested buffer of size 268435456',
  'CUDA failure 2: out of memory ; GPU=0',
  'CUBLAS failure 3: CUBLAS_STATUS_ALLOC_FAILED',
  'CUDA_ERROR_OUT_OF_MEMORY',
  'OOM when allocating tensor with shape[4,256,128,128]',
  'Array buffer allocation failed',
  'std::bad_alloc',
])('%s', message => {
  expect(isOutOfMemory(new Error(message))).toBe(true);
  expect(isOutOfMemory(new StromaflowError('ENGINE_FAILED', 'the engine crashed', { cause: new Error(message) }))).toBe(
    true,
  );
});

test('a thread whose JavaScript heap is full', () => {
  const cause = Object.assign(new Error('Worker terminated due to reaching memory limit'), {
    code: 'ERR_WORKER_OUT_OF_MEMORY',
  });
  expect(isOutOfMemory(new StromaflowError('ENGINE_FAILED', 'the engine crashed', { cause }))).toBe(true);
});

test('other failures, and what is no error, are not', () => {
  expect(isOutOfMemory(new Error('Non-zero status code returned while running Conv node'))).toBe(false);
  expect(isOutOfMemory(new Error('the room for memories'))).toBe(false);
  expect(isOutOfMemory('out of memory')).toBe(false);
  expect(isOutOfMemory(undefined)).toBe(false);
});

test('the first line is that of the deepest cause, without where in the library it was thrown', () => {
  const native =
    '/src/webgpu_context.cc:136 void Initialize()::<lambda()> status == Success was false. Failed to get an adapter\nmore';
  const error = new StromaflowError('ENGINE_UNAVAILABLE', 'cannot start', { cause: new Error(native) });
  expect(firstLine(error)).toBe('Failed to get an adapter');
  expect(firstLine('text')).toBe('text');
  expect(firstLine(new Error('x'.repeat(1000)))).toHaveLength(240);
});
