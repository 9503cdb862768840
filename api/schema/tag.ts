/** Tags of videos as JSON. */

import type { TagCount } from '../../index/library.js';
import { MAX_TAG_LENGTH, MAX_TAGS } from '../../src/tag.js';
import { z } from '../hono.js';

/** Longer than a tag may be: what is cleaned away does not count. */
const MAX_TEXT = 8 * MAX_TAG_LENGTH;

export const tagSchema = z.string().min(1).max(MAX_TEXT);

export const tagsSchema = z.array(z.string()).openapi({
  description: `Tags, sorted: one line each, in small letters, at most ${MAX_TAG_LENGTH} characters and ${MAX_TAGS} of them.`,
});

/** Tags that narrow a question or a listing. */
export const tagFilterSchema = z
  .array(tagSchema)
  .min(1)
  .max(MAX_TAGS)
  .openapi({ description: 'Only videos that carry all of these tags.' });

/** The same in a query string; repeat it for several. */
export const tagQuery = z
  .union([tagSchema, z.array(tagSchema).max(MAX_TAGS)])
  .optional()
  .openapi({ description: 'Only videos that carry this tag; repeat it: all of them.' });

/** What a query string names, as a list; undefined when nothing is. */
export function tagsOfQuery(tag: string | readonly string[] | undefined): readonly string[] | undefined {
  return tag === undefined ? undefined : [tag].flat();
}

const changeSchema = z.array(tagSchema).max(MAX_TAGS).optional();

export const videoChangeSchema = z
  .strictObject({
    add_tags: changeSchema.openapi({ description: 'Put on it; one that it carries stays.' }),
    remove_tags: changeSchema.openapi({ description: 'Taken from it; one that it does not carry is no error.' }),
  })
  // An empty change is a mistake, such as a body that was sent without its media type.
  .refine(({ add_tags, remove_tags }) => add_tags !== undefined || remove_tags !== undefined, {
    message: 'neither add_tags nor remove_tags is there',
  })
  .openapi('VideoChange', { minProperties: 1 });

/** No more than what was changed: who brings films in may not read the library. */
export const taggedVideoSchema = z.object({ id: z.string(), tags: tagsSchema }).openapi('TaggedVideo');

export const tagCountsSchema = z
  .object({ items: z.array(z.object({ tag: z.string(), videos: z.number().int() })) })
  .openapi('Tags');

export function tagCountsJson(tags: readonly TagCount[]): z.infer<typeof tagCountsSchema> {
  return { items: tags.map(({ tag, videos }) => ({ tag, videos })) };
}
