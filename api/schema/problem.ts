/** Errors as RFC 9457 problem details. */

import { ERROR_TABLE, type LongwatchError } from '../../src/errors.js';
import { z } from '../hono.js';

export const problemSchema = z
  .object({
    type: z.string().openapi({ example: 'urn:longwatch:problem:not_found' }),
    title: z.string(),
    status: z.number().int(),
    detail: z.string(),
    code: z.string().openapi({ description: `Stable: ${Object.keys(ERROR_TABLE).join(', ')}.`, example: 'not_found' }),
    pointer: z.string().optional().openapi({ description: 'JSON pointer to the value in the request body.' }),
    hint: z.string().optional().openapi({ description: 'What to do next.' }),
    instance: z.string().optional().openapi({ description: 'Id of the request, as in the log.' }),
  })
  .openapi('Problem');

export type ProblemJson = z.infer<typeof problemSchema>;

/**
 * What a caller may know of an error. The message of an `internal` one may quote anything, so it stays in the log.
 * @param instance Id of the request.
 */
export function problemJson(error: LongwatchError, instance?: string): ProblemJson {
  const hidden = error.code === 'internal';
  const hint = hidden ? 'Look for the request id in the log.' : error.hint;
  return {
    type: `urn:longwatch:problem:${error.code}`,
    title: error.title,
    status: error.status,
    detail: hidden ? 'Something went wrong that should not have.' : error.message,
    code: error.code,
    ...(error.pointer === undefined ? {} : { pointer: error.pointer }),
    ...(hint === undefined ? {} : { hint }),
    ...(instance === undefined ? {} : { instance: `urn:longwatch:request:${instance}` }),
  };
}
