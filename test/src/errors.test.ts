import { describe, expect, it } from 'vitest';
import { isTransient, ranOutOfMemory, toLongwatchError } from '../../src/errors.js';

const thrownBy = (act: () => unknown): unknown => {
  try {
    return act();
  } catch (error) {
    return error;
  }
};

describe('memory that runs out', () => {
  it.each([
    ['an array beyond all memory', thrownBy(() => new ArrayBuffer(2 ** 50))],
    ['a typed array beyond all memory', thrownBy(() => new Float32Array(2 ** 50))],
    [
      'the arena of ONNX Runtime',
      "Non-zero status code returned while running Mul node. Name:'Mul_8' Status Message: /onnxruntime_src/onnxruntime/core/framework/bfc_arena.cc:376 void* onnxruntime::BFCArena::AllocateRawInternal(size_t, bool, onnxruntime::Stream*) Failed to allocate memory for requested buffer of size 2830172160",
    ],
    ['an arena with a limit', 'Available memory of 1000 is smaller than requested bytes of 2048'],
    ['the C++ library on Linux', 'std::bad_alloc'],
    ['the C++ library on Windows', 'Exception during initialization: bad allocation'],
    ['a graphics card', 'CUDA failure 2: out of memory ; GPU=0 ; hostname=box'],
    ['its matrix library', 'CUBLAS failure 3: CUBLAS_STATUS_ALLOC_FAILED ; GPU=0'],
    ['a message between threads', new Error('Data cannot be cloned, out of memory.')],
    ['the C library', Object.assign(new Error('spawn ENOMEM'), { code: 'ENOMEM' })],
    [
      'a thread at its limit',
      Object.assign(new Error('Worker terminated due to reaching memory limit'), { code: 'ERR_WORKER_OUT_OF_MEMORY' }),
    ],
  ])('is known by what %s says', (_who, said) => {
    expect(ranOutOfMemory(said)).toBe(true);
  });

  it.each([
    'Non-zero status code returned while running Reshape node.',
    'Got invalid dimensions for input: x for the following indices',
    'Invalid allocation kind: 4',
    'There is no sequence 7.',
  ])('is not %s', (said) => {
    expect(ranOutOfMemory(new Error(said))).toBe(false);
  });

  it('is an error with a next step, for people and for whoever may ask for less', () => {
    expect(toLongwatchError(new RangeError('Array buffer allocation failed'))).toMatchObject({
      code: 'overloaded',
      status: 503,
      message: 'There is too little memory: Array buffer allocation failed',
      hint: 'Ask for less at once, or free some memory.',
      retry: 'smaller',
    });
    expect(toLongwatchError(new RangeError('toFixed() digits argument')).code).toBe('internal');
  });
});

describe('what failed', () => {
  it('may pass by itself or will not, by its code', () => {
    expect(
      ['disk_full', 'library_busy', 'file_changed', 'model_failed', 'overloaded'].filter((code) => !isTransient(code)),
    ).toEqual([]);
    expect(
      ['invalid_media', 'incomplete_media', 'file_not_found', 'lease_lost', 'of another version', 'toString'].filter(
        isTransient,
      ),
    ).toEqual([]);
  });

  it.each([
    ['EMFILE', 'overloaded'],
    ['ENFILE', 'overloaded'],
    ['ENOSPC', 'disk_full'],
    ['EFBIG', 'disk_full'],
    ['EIO', 'unreadable_file'],
  ])('with %s is %s', (code, expected) => {
    expect(toLongwatchError(Object.assign(new Error(code), { code })).code).toBe(expected);
  });
});
