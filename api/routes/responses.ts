/** Response descriptions that every route shares. */

import { z } from '../hono.js';
import { problemSchema } from '../schema/problem.js';

const problem = (description: string) => ({
  description,
  content: { 'application/problem+json': { schema: problemSchema } },
});

/** Problems that any route may answer with. As ranges rather than as a default, so that a typed client knows what is none. */
export const problems = {
  '4XX': problem('Something is wrong with the request; `code` says what.'),
  '5XX': problem('Something is wrong here; `code` says what.'),
};

export function json<T extends z.ZodType>(schema: T, description: string) {
  return { description, content: { 'application/json': { schema } } };
}

/** A body that is not JSON. */
export function binary(mediaType: string, description: string) {
  return { description, content: { [mediaType]: { schema: z.string().openapi({ format: 'binary' }) } } };
}
