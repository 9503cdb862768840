/** Response descriptions that every route shares. */

import { z } from '../hono.js';
import { problemSchema } from '../schema/problem.js';

const problem = (description: string) => ({
  description,
  content: { 'application/problem+json': { schema: problemSchema } },
});

/** Problems that any route may answer with. */
export const problems = { default: problem('Something is wrong; `code` says what.') };

export function json<T extends z.ZodType>(schema: T, description: string) {
  return { description, content: { 'application/json': { schema } } };
}

/** A body that is not JSON. */
export function binary(mediaType: string, description: string) {
  return { description, content: { [mediaType]: { schema: z.string().openapi({ format: 'binary' }) } } };
}
